"""`/v1/policies`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from assent_common.actors import ASSENT
from assent_common.database import Database
from assent_common.events.catalog import Stage
from assent_common.events.governance import CheckResult
from assent_common.http.app import router
from assent_common.http.pages import Page
from assent_common.http.problems import Conflict, FieldError, Invalid, NotFound, NotYetKnown, documented
from assent_common.identity.roles import Principal, Reader, Role, allow
from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from assent_workflow import subjects
from assent_workflow.outgoing.addresses import Refused, parsed
from assent_workflow.outgoing.hosts import ANY, Hosts
from assent_workflow.policies import store
from assent_workflow.policies.model import About, Assessment, Policy
from assent_workflow.policies.parse import PolicyInvalid, parse
from assent_workflow.policies.shipped import SHIPPED
from assent_workflow.policies.subject import StepSubject, Subject

routes = router(tags=["policies"])

Admin = Annotated[Principal, allow(Role.ADMIN)]


class Proposed(NamedTuple):
    """Who put forward what a policy is tried on, and who asked for its last review; as far as that has happened."""

    put_forward_by: str | None = None
    requested_by: str | None = None


# Index: candidacies_standing.
PROPOSED = """
select c.put_forward_by, r.requested_by from candidacies c left join reviews r on r.id = c.review
 where c.use_case_id = $1 and c.model_version = $2 and c.status not in ('retired', 'withdrawn')
"""


class PolicyIn(BaseModel):
    """A new version of a policy, as YAML."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"text": SHIPPED["default@1"]}})

    text: Annotated[str, Field(min_length=1, max_length=100_000)]


class PolicyOut(BaseModel):
    """One version of a policy."""

    name: str
    version: int
    description: str
    text: str
    #: Who added it; null for what Assent ships.
    created_by: str | None = None
    created_at: datetime | None = None


class Trial(BaseModel):
    """For whom a policy is tried."""

    model_config = ConfigDict(extra="forbid")

    use_case: Annotated[str, Field(max_length=200, description="Key")]
    model_version: Annotated[str | None, Field(max_length=2048, description="Urn or id")] = None
    to: Annotated[Stage | None, Field(description="Of a policy about use cases: the step")] = None


class Simulation(BaseModel):
    """What a policy comes to now, for this use case and model version. Nothing is opened, nobody is asked."""

    policy: str
    passed: bool
    checks: list[CheckResult]
    #: Stage by stage, the roles that would be asked.
    asked: list[list[str]]
    #: Who could decide nothing of it, whatever his roles; and why.
    kept_apart: list[str]
    #: What this leaves out of account.
    not_known: list[str]


@routes.get("/policies", summary="List all versions of all policies")
async def list_policies(request: Request, _: Reader) -> Page[PolicyOut]:
    """By name and version. A review is pinned to one of these."""
    return Page(items=await _all(request))


@routes.get("/policies/{name}", summary="Read the newest version of a policy", responses=documented(NotFound))
async def get_policy(name: str, request: Request, _: Reader) -> PolicyOut:
    """The newest version is the one that the next review is pinned to."""
    versions = [policy for policy in await _all(request) if policy.name == name]
    if not versions:
        raise NotFound(f"there is no policy {name!r}")
    return versions[-1]


@routes.post("/policies", summary="Add a version of a policy", status_code=201, responses=documented(Conflict, Invalid))
async def create_policy(given: PolicyIn, request: Request, response: Response, who: Admin) -> PolicyOut:
    """Its number is the next one. Reviews under way stay with the version that they began with."""
    policy = _parsed(given.text)
    asks = any(check.external is not None for check in policy.checks)
    if asks and getattr(request.app.state, "external_secrets", None) is None:
        raise Conflict("external checks are signed, and this service has no key for it (ASSENT_WEBHOOK_KEY)")
    _look(policy, getattr(request.app.state, "outgoing_hosts", ANY))
    database: Database = request.app.state.database
    async with database.transaction() as uow:
        expected = await store.next_version(await uow.sql(), policy.name)
        if policy.version != expected:
            raise Conflict(f"the next version of {policy.name} is {expected}, not {policy.version}")
        await store.add(uow, policy, given.text, by=who.subject)
        created_at = uow.clock.now()
    response.headers["Location"] = f"/v1/policies/{policy.name}"
    return _out(policy, given.text, created_by=who.subject, created_at=created_at)


@routes.post(
    "/policies/{name}/simulate",
    summary="Try a policy on what stands now",
    responses=documented(NotFound, NotYetKnown, Conflict),
)
async def simulate_policy(name: str, trial: Trial, request: Request, _: Reader) -> Simulation:
    """Which checks pass, and who would be asked."""
    newest = await get_policy(name, request, _)
    policy = parse(newest.text)
    if (policy.subject is About.USE_CASE) != (trial.to is not None) or (trial.to is None) == (
        trial.model_version is None
    ):
        wanted = (
            "the step that the use case is to make: `to`" if policy.subject is About.USE_CASE else "a model version"
        )
        raise Conflict(f"{policy.ref} is tried on {wanted}")
    database: Database = request.app.state.database
    async with database.connection() as connection:
        use_case = await subjects.use_case_by_key(connection, trial.use_case)
        version = await subjects.version_by_name(connection, trial.model_version) if trial.model_version else None
        if use_case is None or (version is None and trial.to is None):
            raise NotYetKnown("the use case or the model version is not known here")
        subject: Subject | StepSubject
        proposed = Proposed()
        if version is not None:
            subject = await subjects.with_others(connection, use_case, version)
            row = await connection.fetchrow(PROPOSED, use_case.id, version.urn)
            proposed = Proposed(**row) if row else proposed
        else:
            assert trial.to is not None
            subject = await subjects.on_the_way(connection, use_case, trial.to)
    assessment = subjects.assess(policy, subject, database.clock.now())
    return Simulation(
        policy=policy.ref,
        passed=assessment.passed,
        checks=list(assessment.checks),
        asked=[[approval.role for approval in stage.approvals] for stage in assessment.stages],
        kept_apart=list(_kept_apart(policy, assessment, proposed)),
        not_known=list(_not_known(policy, assessment, proposed)),
    )


def _kept_apart(policy: Policy, assessment: Assessment, proposed: Proposed) -> Iterator[str]:
    duties = policy.separation_of_duties
    if duties.proposer_decides_nothing and proposed.put_forward_by is not None:
        yield f"{proposed.put_forward_by}, who put it forward"
        if proposed.requested_by not in (None, proposed.put_forward_by, ASSENT):
            yield f"{proposed.requested_by}, who asked for its review"
    if duties.maker_decides_nothing:
        for maker in assessment.makers:
            if maker.person is not None:
                yield f"{maker.person.subject}, who made or changed it at its source as {maker.name}"


def _not_known(policy: Policy, assessment: Assessment, proposed: Proposed) -> Iterator[str]:
    duties = policy.separation_of_duties
    if duties.proposer_decides_nothing and proposed.put_forward_by is None:
        yield "who will put it forward, and so decides nothing"
    # Who proposes a step asks for its review.
    if duties.proposer_decides_nothing and proposed.requested_by is None and policy.subject is not About.USE_CASE:
        yield "who will ask for the review, and so decides nothing"
    if duties.maker_decides_nothing:
        for maker in assessment.makers:
            if not maker.told:
                yield (
                    f"which person {maker.name} is, who made or changed it at its source: "
                    "until that is said at /v1/identities nobody decides"
                )
    yield "who holds the roles that are asked, which tokens alone tell"


async def _all(request: Request) -> list[PolicyOut]:
    database: Database = request.app.state.database
    async with database.connection() as connection:
        rows = await store.rows(connection)
    shipped = [_out(parse(text), text) for text in SHIPPED.values()]
    stored = [
        _out(parse(row["text"]), row["text"], created_by=row["created_by"], created_at=row["created_at"])
        for row in rows
    ]
    return sorted([*shipped, *stored], key=lambda policy: (policy.name, policy.version))


def _parsed(text: str) -> Policy:
    try:
        return parse(text)
    except PolicyInvalid as error:
        faults = [FieldError(pointer="/text", code="policy_invalid", detail=str(fault)) for fault in error.faults]
        raise Invalid(str(error), errors=faults) from error


def _look(policy: Policy, hosts: Hosts) -> None:
    """Whether its external checks may be asked at all. Where they lead is looked at whenever one is."""
    faults = []
    for number, check in enumerate(policy.checks):
        try:
            if check.external is not None:
                parsed(check.external.url, hosts)
        except Refused as error:
            detail = f"checks.{number}.external.url: {error}"
            faults.append(FieldError(pointer="/text", code="url_refused", detail=detail))
    if faults:
        raise Invalid(faults[0].detail, errors=faults)


def _out(policy: Policy, text: str, **members: Any) -> PolicyOut:
    return PolicyOut(name=policy.name, version=policy.version, description=policy.description, text=text, **members)
