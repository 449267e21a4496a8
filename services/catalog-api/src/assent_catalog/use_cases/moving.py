"""A use case moves on: by hand where no policy asks for a review, and else by what is decided of its proposal."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import asyncpg
from assent_common import ids
from assent_common.database import Database
from assent_common.events.catalog import Proposal, Stage
from assent_common.http.app import router
from assent_common.http.etags import IfMatch, require_match
from assent_common.http.idempotency import IdempotencyKey, once
from assent_common.http.problems import Conflict, NotFound, Stale, documented
from assent_common.identity.roles import Principal
from assent_common.uow import UnitOfWork
from fastapi import Request, Response

from assent_catalog.use_cases import store, write
from assent_catalog.use_cases.answer import answer
from assent_catalog.use_cases.model import CLOSED, STAGES
from assent_catalog.use_cases.roles import Writer
from assent_catalog.use_cases.schemas import ProposalIn, StageIn, UseCaseOut
from assent_catalog.use_cases.store import UseCase

routes = router(tags=["use cases"])

# Held until the move is made: a policy that is heard of meanwhile is about the next one.
REVIEWED = "select stages from reviewed_stages for share"
Move = Callable[[UnitOfWork, UseCase], Awaitable[UseCase]]


@routes.post(
    "/use-cases/{key}/stage",
    summary="Move a use case to another stage",
    response_model=UseCaseOut,
    responses=documented(NotFound, Conflict, Stale),
)
async def move_use_case(
    key: str,
    to: StageIn,
    request: Request,
    who: Writer,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """`ideation` → `development` → `monitoring`; to `rejected` or `archived` from anywhere. Where a policy asks for a
    review of the step, propose it instead."""

    async def move(uow: UnitOfWork, before: UseCase) -> UseCase:
        _leads_there(before, to.stage)
        await _is_by_hand(await uow.sql(), before, to.stage)
        # What was proposed from where it stood is moot.
        after = write.stepped(replace(before, stage=to.stage, proposal=None), uow, by=who.subject)
        await store.update(uow, after, was=before.sequence)
        uow.audit(who.subject, "use_case.moved", key, {"from": before.stage, "to": to.stage})
        return after

    return await _moved(request, key, who, if_match, idempotency_key, move)


@routes.post(
    "/use-cases/{key}/proposal",
    summary="Propose that a use case go to another stage",
    status_code=202,
    response_model=UseCaseOut,
    responses=documented(NotFound, Conflict, Stale),
)
async def create_proposal(
    key: str,
    given: ProposalIn,
    request: Request,
    who: Writer,
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """The workflow asks whom the policy asks, at `/v1/use-case-steps` and `/v1/tasks`, and the use case goes there by
    what is decided; at once, where no policy asks for a review of it."""

    async def move(uow: UnitOfWork, before: UseCase) -> UseCase:
        if before.proposal is not None:
            raise Conflict(_waits(before), review=_review(before))
        if before.stage in CLOSED:
            raise Conflict(f"a use case in {before.stage} is given up: no review asks about it; move it by hand")
        if given.stage is not before.stage or given.stage is Stage.IDEATION:
            _leads_there(before, given.stage)
        proposal = Proposal(
            id=ids.new(),
            to=given.stage,
            reason=given.reason,
            proposed_by=who.subject,
            issuer=who.issuer,
            proposed_at=uow.clock.now(),
        )
        proposed = replace(before, proposal=proposal.model_dump(mode="json"))
        after = write.stepped(proposed, uow, by=who.subject)
        await store.update(uow, after, was=before.sequence)
        details = {"step": str(proposal.id), "from": before.stage, "to": given.stage, "reason": given.reason}
        uow.audit(who.subject, "use_case.proposed", key, details)
        return after

    return await _moved(request, key, who, if_match, idempotency_key, move, status=202)


@routes.delete(
    "/use-cases/{key}/proposal",
    summary="Take a proposal back",
    response_model=UseCaseOut,
    responses=documented(NotFound, Conflict, Stale),
)
async def remove_proposal(key: str, request: Request, who: Writer, if_match: IfMatch = None) -> Response:
    """Before it is decided: nobody is asked any more then."""

    async def move(uow: UnitOfWork, before: UseCase) -> UseCase:
        if before.proposal is None:
            raise Conflict(f"nothing is proposed of {key!r}")
        after = write.stepped(replace(before, proposal=None), uow, by=who.subject)
        await store.update(uow, after, was=before.sequence)
        uow.audit(who.subject, "use_case.proposal_withdrawn", key, {"step": before.proposal["id"]})
        return after

    return await _moved(request, key, who, if_match, None, move)


def _leads_there(before: UseCase, to: Stage) -> None:
    allowed = STAGES[before.stage]
    if to not in allowed:
        ways = ", ".join(allowed)
        raise Conflict(f"a use case in {before.stage} goes to {ways}, not to {to}", allowed=list(allowed))


async def _is_by_hand(connection: asyncpg.Connection, before: UseCase, to: Stage) -> None:
    """Raises Conflict where a policy asks for a review, as far as the workflow has told. What is given up stays so
    whatever it is called."""
    reviewed = await connection.fetchval(REVIEWED)
    if to not in reviewed or before.stage in CLOSED:
        return
    if before.proposal is not None and before.proposal["to"] == to:
        raise Conflict(_waits(before), review=_review(before))
    raise Conflict(
        f"a use case goes to {to} by a review, not by hand: propose it at POST /v1/use-cases/{before.key}/proposal, "
        "and the workflow asks whom its policy asks",
        propose=f"/v1/use-cases/{before.key}/proposal",
    )


def _waits(use_case: UseCase) -> str:
    assert use_case.proposal is not None
    step, to, by = (use_case.proposal[name] for name in ("id", "to", "proposed_by"))
    return (
        f"{by} proposed that it go to {to}, and that is to be decided in the workflow: what is asked of whom is at "
        f"GET /v1/tasks?step={step}"
    )


def _review(use_case: UseCase) -> str | None:
    """Where it is decided, once that is known here."""
    said = use_case.outcome
    return said.get("review") if said and use_case.proposal and said["step"] == use_case.proposal["id"] else None


async def _moved(
    request: Request,
    key: str,
    who: Principal,
    if_match: str | None,
    idempotency_key: str | None,
    move: Move,
    *,
    status: int = 200,
) -> Response:
    database: Database = request.app.state.database
    async with database.transaction() as uow:

        async def act() -> Response:
            before = await store.find(await uow.sql(), key, lock=True)
            if before is None:
                raise NotFound(f"there is no use case {key!r}")
            if if_match is not None:
                require_match(if_match, before.sequence)
            return answer(await move(uow, before), status=status)

        return await once(uow, request, who, idempotency_key, act)
