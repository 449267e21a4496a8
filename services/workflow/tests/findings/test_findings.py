"""Whatever is seen in whatever order, what is open in the end is what breaks the rules in the end, each once."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from assent_workflow.findings.model import (
    Finding,
    FindingStatus,
    NoSuchDay,
    NotSo,
    accept_risk,
    resolve,
    risk_is_over,
    settle,
)
from assent_workflow.findings.rules import (
    Deployment,
    Facts,
    Found,
    Judged,
    Kind,
    Served,
    Severity,
    Standing,
    Version,
    found,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 1, tzinfo=UTC)
STATUSES = ("candidate", "under_review", "accepted", "suspended", "rejected", "retired", "withdrawn")
standings = st.builds(
    Standing, st.sampled_from(STATUSES), st.just("churn"), st.sampled_from(["monitoring", "archived"])
)
served = st.builds(
    Served, st.sampled_from(["v1", "v2"]), st.sampled_from([True, False, None]), st.lists(standings, max_size=2)
)
monitors = st.fixed_dictionaries(
    {
        "urn": st.sampled_from(["m1", "m2"]),
        "name": st.just("quality"),
        "last_execution_status": st.sampled_from([None, "Completed", "CompletedWithViolations"]),
        "last_execution_at": st.sampled_from(["1", "2"]),
    }
)
deployments = st.builds(
    Deployment,
    *(st.sampled_from(["d1", "d2"]), st.just("live"), st.booleans(), st.sampled_from(["InService", "Failed"])),
    *(st.lists(served, max_size=2, unique_by=lambda each: each.urn), st.lists(monitors, max_size=2)),
)
versions = st.builds(
    Version, st.sampled_from(["v1", "v2"]), st.booleans(), st.sampled_from([None, {"found": "Approved", "at": "1"}])
)
judged = st.builds(
    Judged,
    *(st.sampled_from(["c1", "c2"]), st.just("churn"), st.just("v1"), st.sampled_from(STATUSES)),
    *(st.sampled_from(["a", None]), st.sampled_from(["a", "b"]), st.booleans(), st.sampled_from([None, NOW])),
)
facts = st.builds(
    Facts,
    st.lists(deployments, max_size=2, unique_by=lambda each: each.urn),
    st.lists(versions, max_size=2, unique_by=lambda each: each.urn),
    st.lists(judged, max_size=2, unique_by=lambda each: each.id),
)


def looked(known: dict[tuple[str, str, str], Finding], seen: Facts, at: datetime) -> list[Finding]:
    of = [finding for finding in known.values() if finding.subject in seen.subjects]
    changed = list(settle(of, found(seen), at=at))
    known.update({finding.key: finding for finding in changed})
    return changed


@given(st.lists(facts, min_size=1, max_size=8), st.booleans())
def test_what_is_open_is_what_was_so_when_each_subject_was_last_looked_at(looks: list[Facts], twice: bool) -> None:
    known: dict[tuple[str, str, str], Finding] = {}
    last: dict[str, set[tuple[str, str, str]]] = {}
    for number, seen in enumerate(looks):
        looked(known, seen, NOW + timedelta(hours=number))
        if twice:
            assert looked(known, seen, NOW + timedelta(hours=number, minutes=1)) == []
        for subject in seen.subjects:
            last[subject] = {each.key for each in found(seen) if each.subject == subject}
    is_open = {key for key, finding in known.items() if finding.status is FindingStatus.OPEN}
    assert is_open == {key for keys in last.values() for key in keys}


@given(st.lists(facts, min_size=1, max_size=8))
def test_each_is_one_finding_that_counts_how_often_it_came(looks: list[Facts]) -> None:
    known: dict[tuple[str, str, str], Finding] = {}
    came: Counter[tuple[str, str, str]] = Counter()
    ids: dict[tuple[str, str, str], object] = {}
    for seen in looks:
        before = {key for key, finding in known.items() if finding.status is not FindingStatus.RESOLVED}
        came.update({each.key for each in found(seen)} - before)
        for finding in looked(known, seen, NOW):
            assert ids.setdefault(finding.key, finding.id) == finding.id
    assert {key: finding.times_found for key, finding in known.items()} == dict(came)


@given(facts)
def test_the_order_in_which_things_are_known_does_not_matter(seen: Facts) -> None:
    other = Facts(seen.deployments[::-1], seen.versions[::-1], seen.candidacies[::-1])
    keys = [each.key for each in found(seen)]
    assert len(keys) == len(set(keys))
    assert set(keys) == {each.key for each in found(other)}


def a_violation(at: str = "1") -> Found:
    [each] = found(
        Facts(
            [
                Deployment(
                    "d",
                    "live",
                    True,
                    "InService",
                    [Served("v", True, [Standing("accepted", "churn", None)])],
                    [
                        {
                            "urn": "m",
                            "name": "quality",
                            "last_execution_status": "CompletedWithViolations",
                            "last_execution_at": at,
                        }
                    ],
                )
            ]
        )
    )
    return each


def test_what_was_looked_into_stays_closed_until_it_happens_again() -> None:
    [finding] = settle([], [a_violation()], at=NOW)
    closed = resolve(finding, reason="a holiday", by="rita", at=NOW)
    assert list(settle([closed], [a_violation()], at=NOW)) == []
    [again] = settle([closed], [a_violation("2")], at=NOW)
    assert (again.id, again.status, again.times_found) == (finding.id, FindingStatus.OPEN, 2)


def test_what_lasts_is_not_closed_by_hand_but_its_risk_can_be_borne_for_a_time() -> None:
    [seen] = found(Facts([Deployment("d", "live", True, "InService", [Served("v", True)])]))
    assert (seen.kind, seen.severity) == (Kind.UNACCEPTED_DEPLOYMENT, Severity.HIGH)
    [finding] = settle([], [seen], at=NOW)
    with pytest.raises(NotSo, match="still so"):
        resolve(finding, reason="fine", by="rita", at=NOW)
    for until in (NOW, NOW + timedelta(days=400)):
        with pytest.raises(NoSuchDay):
            accept_risk(finding, until=until, reason="fine", by="rita", at=NOW)
    borne = accept_risk(finding, until=NOW + timedelta(days=5), reason="replaced soon", by="rita", at=NOW)
    assert list(settle([borne], [seen], at=NOW)) == []
    assert risk_is_over(borne, at=NOW).status is FindingStatus.OPEN
    [ended] = settle([borne], [], at=NOW)
    assert ended.status is FindingStatus.RESOLVED
