"""Who decides nothing, or not this as well, under a policy: for one that is tried on what others decided. Pure."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assent_workflow.identities.model import Identities, Known, Person
from assent_workflow.policies.model import Policy, Stage


@dataclass(frozen=True)
class Given:
    """What one role said, and who it was."""

    role: str
    verdict: str
    group: str | None = None
    by: Person | None = None
    #: For whom, where it was one who stood in.
    on_behalf_of: Person | None = None

    @property
    def people(self) -> frozenset[Person]:
        return frozenset(person for person in (self.by, self.on_behalf_of) if person is not None)


@dataclass(frozen=True)
class People:
    """Who had to do with what was judged."""

    proposer: Person | None = None
    #: Who made the version or changed it last, as its source names them.
    makers: tuple[Known, ...] = ()
    #: Role → whom the use case named as accountable.
    accountable: Mapping[str, Known] | None = None
    #: Who asked for the review, of whom only the subject is kept.
    asked_by: str | None = None

    @classmethod
    def of(
        cls, facts: Mapping[str, Any], proposer: Person | None, identities: Identities, *, asked_by: str | None = None
    ) -> "People":
        """By the names of then, and whom they stand for by what is told now."""
        version = facts.get("version") or {}
        names = dict.fromkeys([version.get("created_by"), version.get("modified_by")])
        return cls(
            proposer,
            tuple(identities.of(name) for name in names if name),
            {role: identities.of(name) for role, name in _accountable(facts).items()},
            asked_by,
        )


def named(facts: Mapping[str, Any] | None) -> set[str]:
    """The names whose persons `People.of` asks for."""
    version = (facts or {}).get("version") or {}
    names = [version.get("created_by"), version.get("modified_by"), *_accountable(facts or {}).values()]
    return {name for name in names if isinstance(name, str)}


def heeded(
    policy: Policy, stages: Sequence[Stage], given: Collection[Given], people: People
) -> tuple[list[Given], list[str]]:
    """What was said that would count, in its order; and of the rest why not, in words."""
    count, aside = list[Given](), list[str]()
    times = Counter(str(approval.role) for stage in stages for approval in stage.approvals)
    only_accountable = {str(each.role) for stage in stages for each in stage.approvals if each.accountable}
    for each in given:
        why = next(_why_not(policy, each, people, count, times, only_accountable), None)
        if why is None:
            count.append(each)
        else:
            who = each.by.subject if each.by else "somebody"
            aside.append(f"what {who} said as {each.role} would not count: {why}")
    return count, aside


def not_known(policy: Policy, given: Collection[Given], people: People) -> Iterator[str]:
    """What a trial on the past can't tell, in words."""
    if policy.separation_of_duties.maker_decides_nothing:
        for maker in people.makers:
            if not maker.told:
                yield (
                    f"which person {maker.name} is, who made or changed this at its source: "
                    "until that is said at /v1/identities nobody could have decided"
                )
        yield "who made the model that this is a version of"
        if any(maker.told for maker in people.makers):
            yield "whom the names of its makers stood for then: what /v1/identities tells now was taken"
    for each in given:
        if each.on_behalf_of is not None and each.by is not None:
            yield f"whether {each.by.subject} held a role that stands in for {each.on_behalf_of.subject} as {each.role}"


def _why_not(
    policy: Policy,
    each: Given,
    people: People,
    count: Collection[Given],
    times: Mapping[str, int],
    only_accountable: Collection[str],
) -> Iterator[str]:
    duties = policy.separation_of_duties
    if duties.proposer_decides_nothing and people.proposer in each.people:
        yield "who puts a version forward decides nothing"
    elif duties.proposer_decides_nothing and _asked_for_it(people, each):
        yield "who asks for the review decides nothing"
    if duties.maker_decides_nothing and any(maker.person in each.people for maker in people.makers if maker.told):
        yield "who made or changed it at its source decides nothing"
    if each.role in only_accountable:
        responsible = (people.accountable or {}).get(each.role)
        answers = each.on_behalf_of or each.by
        if responsible is None:
            yield "the use case named nobody as accountable"
        elif answers is not None and not responsible.is_(answers):
            yield f"the use case named {responsible.name} as accountable"
    before = [other for other in count if not each.people.isdisjoint(other.people)]
    if duties.one_person_one_task and before:
        yield f"one person decides one task, and that was {before[0].role}"
    if sum(other.role == each.role for other in before) >= times[each.role]:
        yield "several people of the role are asked"


def _asked_for_it(people: People, each: Given) -> bool:
    """As `reviews.duties` sees it: one that who put it forward has is taken for his own."""
    if people.proposer is not None and people.asked_by == people.proposer.subject:
        return False
    return people.asked_by in {person.subject for person in each.people}


def _accountable(facts: Mapping[str, Any]) -> dict[str, str]:
    facet = (facts.get("use_case") or {}).get("accountability") or {}
    return {role: name for role, name in facet.items() if name and isinstance(name, str)}
