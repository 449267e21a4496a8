"""Deliver nothing more to a webhook, and have its owner see to it."""

from uuid import UUID

from assent_common.actors import ASSENT
from assent_common.uow import UnitOfWork

from assent_workflow.findings.look import settle_one
from assent_workflow.findings.rules import Found, Kind, Severity
from assent_workflow.webhooks import store


async def disable(uow: UnitOfWork, webhook: UUID, reason: str) -> None:
    """It is a finding of who added it, until somebody enables, changes or deletes the webhook."""
    connection = await uow.sql()
    row = await connection.fetchrow(store.DISABLE, webhook, reason)
    if row is None:
        return
    await connection.execute(store.GIVE_UP, webhook, reason)
    uow.audit(ASSENT, "webhook.disabled", str(webhook), {"reason": reason})
    # Neither its URL nor its description: findings are read by more people than webhooks are.
    found = Found(
        kind=Kind.WEBHOOK_DISABLED,
        subject_kind="webhook",
        subject=str(webhook),
        severity=Severity.MEDIUM,
        summary="A webhook is told of nothing any more",
        evidence={"reason": reason},
        owner=row["created_by"],
    )
    await settle_one(uow, str(webhook), [found])


async def seen_to(uow: UnitOfWork, webhook: UUID) -> None:
    """Somebody decided about it."""
    await settle_one(uow, str(webhook), [])
