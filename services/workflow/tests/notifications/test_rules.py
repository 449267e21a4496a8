"""When what is gathered is told, and what of an event is news."""

from datetime import UTC, datetime
from typing import Any

import pytest
from assent_workflow.notifications.happenings import FACTS, Kind, happened, state_of
from assent_workflow.notifications.rules import Digest, When
from assent_workflow.notifications.words import NAMED, PATHS, SUBJECT, TEXT, fill, plain

ID = "01980000-0000-7000-8000-000000000000"
AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
BERLIN = Digest.model_validate({"at": "02:30", "calendar": {"time_zone": "Europe/Berlin", "holidays": ["2026-12-25"]}})


@pytest.mark.parametrize(
    ("moment", "told_at"),
    [
        # Wednesday, before and after half past two there.
        ("2026-11-25T01:29:59Z", "2026-11-25T01:30:00Z"),
        ("2026-11-25T01:30:00Z", "2026-11-26T01:30:00Z"),
        # Over a weekend, and over a holiday and a weekend.
        ("2026-11-27T12:00:00Z", "2026-11-30T01:30:00Z"),
        ("2026-12-24T12:00:00Z", "2026-12-28T01:30:00Z"),
        # Half past two in summer.
        ("2026-07-01T12:00:00Z", "2026-07-02T00:30:00Z"),
    ],
)
def test_a_day_s_digest_is_told_on_the_next_working_day_at_its_hour_there(moment: str, told_at: str) -> None:
    assert BERLIN.next_after(datetime.fromisoformat(moment), When.DAILY) == datetime.fromisoformat(told_at)


def test_an_hour_s_digest_is_told_at_the_next_full_hour() -> None:
    told_at = BERLIN.next_after(datetime(2026, 11, 25, 23, 59, 59, tzinfo=UTC), When.HOURLY)
    assert told_at == datetime(2026, 11, 26, tzinfo=UTC)
    assert BERLIN.next_after(told_at, When.HOURLY) == datetime(2026, 11, 26, 1, tzinfo=UTC)


def a_candidacy(status: str, **members: Any) -> dict[str, Any]:
    told = {"id": ID, "use_case": "retention", "model_version": "urn", "status": status, "changed_by": "assent"}
    return {**told, "changed_at": "2026-11-25T12:00:00Z", **members}


def kinds(type_: str, *told: dict[str, Any]) -> list[Kind]:
    """What is news of one event after the other."""
    before, found = None, []
    for each in told:
        found += [happening.kind for happening in happened(f"assent.governance.{type_}", each, before, at=AT)]
        before = state_of(f"assent.governance.{type_}", each)
    return found


def test_an_acceptance_that_goes_on_is_no_news_and_one_that_ends_is_suspended_or_expired() -> None:
    accepted = a_candidacy("accepted", expires_at="2026-11-25T12:00:00Z", changed_at="2026-01-01T00:00:00Z")
    early = a_candidacy("suspended", changed_at="2026-11-25T11:59:59Z")
    by_hand = a_candidacy("suspended", changed_by="rita")
    assert kinds("candidacy.changed.v1", a_candidacy("candidate"), accepted, accepted, a_candidacy("suspended")) == [
        Kind.CANDIDACY_ACCEPTED,
        Kind.CANDIDACY_EXPIRED,
    ]
    assert kinds("candidacy.changed.v1", accepted, early) == [Kind.CANDIDACY_ACCEPTED, Kind.CANDIDACY_SUSPENDED]
    assert kinds("candidacy.changed.v1", accepted, by_hand) == [Kind.CANDIDACY_ACCEPTED, Kind.CANDIDACY_SUSPENDED]


def test_a_task_is_asked_again_when_its_approval_is_dismissed_and_given_when_its_assignee_changes() -> None:
    task = {"id": ID, "candidacy": ID, "use_case": "retention", "role": "legal"}
    steps = [{"status": "open"}, {"status": "open", "assignee": "lu"}, {"status": "approved"}, {"status": "open"}]
    assert kinds("task.changed.v1", *({**task, **step} for step in steps)) == [
        *(Kind.TASK_ASKED, Kind.TASK_ASSIGNED, Kind.TASK_ASKED)
    ]


def test_a_finding_that_comes_back_is_opened_again() -> None:
    finding = {"id": ID, "kind": "content_changed", "owner": "bea"}
    steps = [{"status": "open"}, {"status": "open", "severity": "low"}, {"status": "resolved"}, {"status": "open"}]
    assert kinds("finding.changed.v1", *({**finding, **step} for step in steps)) == [
        *(Kind.FINDING_OPENED, Kind.FINDING_RESOLVED, Kind.FINDING_OPENED)
    ]
    assert kinds("finding.changed.v1", {**finding, "status": "resolved"}) == []


def test_there_are_words_and_a_place_for_everything_that_happens() -> None:
    assert set(SUBJECT) == set(TEXT) == set(Kind)
    assert {kind.partition(".")[0] for kind in Kind} == set(PATHS)
    assert set(NAMED) <= set(FACTS)


def test_what_is_put_into_a_sentence_stays_in_it() -> None:
    assert fill("{use_case}: {reason}", {"use_case": "a\r\nb\u202ec", "reason": "{use_case}"}) == "a b c: {use_case}"
    assert fill("one\n{use_case}", {"use_case": "a\n\nb"}, lines=True) == "one\na b"
    assert plain("x" * 1000) == "x" * 299 + "…"
    assert plain("\ud800\x00\u2028\u200b") == ""
