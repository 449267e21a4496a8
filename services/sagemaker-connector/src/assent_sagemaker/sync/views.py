"""What a listing shows of records that other sources own, or owned until now."""

from assent_sagemaker import arns, sources_state, views
from assent_sagemaker.sync.listing import Inventory
from assent_sagemaker.sync.run import Run


async def see(run: Run, found: Inventory) -> set[str]:
    """Take over what lies in the source's own account, and have a view of the rest. The keys of that."""
    own = [key for listing in (found.groups, found.packages) for key, one in listing.items() if not one.is_shared]
    account = _account(run, own)
    async with run.transaction() as uow:
        connection = await uow.sql()
        if account is not None:
            await sources_state.reads_account(connection, run.source.name, account)
            await views.claim(connection, run.source.name, account, own)
        return await views.see(connection, run.source.name, found.keys)


def _account(run: Run, own: list[str]) -> str | None:
    """By its role, or else by what lies there."""
    if run.source.role_arn:
        return run.source.role_arn.split(":")[4]
    return next((arns.Arn.parse(key).account for key in own), None)
