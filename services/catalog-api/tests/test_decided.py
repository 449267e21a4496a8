"""A use case follows what the workflow tells of its step: once, whatever comes first, and however often."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from assent_catalog.use_cases.decided import follow
from assent_catalog.use_cases.store import UseCase
from assent_common.events.catalog import Stage
from assent_common.events.governance import StepChanged, StepStatus

AT = datetime(2026, 11, 25, tzinfo=UTC)
STEP, OTHER = UUID(int=1), UUID(int=2)
NUMBERS = {StepStatus.UNDER_REVIEW: 2, StepStatus.ACCEPTED: 3, StepStatus.SUSPENDED: 4}


def a_use_case(**given: Any) -> UseCase:
    members: dict[str, Any] = dict.fromkeys(UseCase.__dataclass_fields__)
    members |= {"id": UUID(int=9), "key": "retention", "stage": Stage.IDEATION, "proposal": {"id": str(STEP)}}
    return UseCase(**(members | given))


def a_step(status: StepStatus, step: UUID = STEP, **given: Any) -> StepChanged:
    told: dict[str, Any] = {
        "id": step,
        "use_case": "retention",
        "use_case_id": UUID(int=9),
        "to": Stage.DEVELOPMENT,
        "status": status,
        "put_forward_by": "bea",
        "changed_by": "lucia",
        "changed_at": AT,
        "accepted_at": AT if status in (StepStatus.ACCEPTED, StepStatus.SUSPENDED, StepStatus.NOT_ASKED) else None,
    }
    return StepChanged(**(told | given))


@pytest.mark.parametrize("order", list(permutations(NUMBERS)), ids=" ".join)
def test_it_goes_there_once_in_whatever_order_it_is_told_and_twice_over(order: tuple[StepStatus, ...]) -> None:
    use_case, moved = a_use_case(), 0
    for status in (*order, *order):
        after = follow(use_case, a_step(status), NUMBERS[status])
        if after is not None:
            moved += after.stage is not use_case.stage
            use_case = after
    assert use_case.outcome is not None
    assert (moved, use_case.stage, use_case.proposal) == (1, Stage.DEVELOPMENT, None)
    assert use_case.outcome["status"] == "suspended"


@pytest.mark.parametrize("status", [StepStatus.REJECTED, StepStatus.CHANGES_REQUESTED, StepStatus.WITHDRAWN])
def test_what_is_not_accepted_leaves_it_where_it_stands(status: StepStatus) -> None:
    after = follow(a_use_case(), a_step(status), 5)
    assert after is not None
    assert (after.stage, after.proposal) == (Stage.IDEATION, None)


def test_what_is_told_of_a_step_that_is_not_its_own_says_nothing() -> None:
    assert follow(a_use_case(), a_step(StepStatus.ACCEPTED, OTHER), 5) is None
    assert follow(a_use_case(proposal=None), a_step(StepStatus.ACCEPTED), 5) is None


def test_what_was_decided_last_does_not_end_what_is_proposed_now() -> None:
    decided = follow(a_use_case(), a_step(StepStatus.ACCEPTED), 3)
    assert decided is not None
    again = replace(decided, proposal={"id": str(OTHER)})
    suspended = follow(again, a_step(StepStatus.SUSPENDED), 4)
    assert suspended is not None
    assert suspended.proposal == {"id": str(OTHER)}
    accepted = follow(suspended, a_step(StepStatus.ACCEPTED, OTHER, to=Stage.MONITORING), 2)
    assert accepted is not None
    assert (accepted.stage, accepted.proposal) == (Stage.MONITORING, None)
