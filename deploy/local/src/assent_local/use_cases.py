"""`assent use-case`: a use case is proposed for a stage, and where its steps stand."""

from assent_client import Catalog, Workflow
from assent_client.types import Stage
from rich.console import Console

from assent_local.answers import show


async def propose(out: Console, client: Catalog, key: str, stage: Stage, *, reason: str | None, as_json: bool) -> None:
    proposed = (await client.create_proposal(key, {"stage": stage, "reason": reason})).body
    proposal = proposed["proposal"]
    assert proposal is not None
    line = f"{key} is proposed for {stage}, as step {proposal['id']}: assent use-case steps {key}"
    show(out, proposed, line, as_json=as_json)


async def take_back(out: Console, client: Catalog, key: str, *, as_json: bool) -> None:
    show(out, (await client.remove_proposal(key)).body, f"{key} is not proposed any more", as_json=as_json)


async def steps(out: Console, client: Workflow, key: str | None, *, as_json: bool) -> None:
    """The newest first, with what each waits for."""
    async for each in client.each_steps(use_case=key):
        waits = "; ".join(each["blocked_by"]) or each["reason"] or ""
        line = f"{each['changed_at'][:16]} {each['use_case']} to {each['to']}: {each['status'].replace('_', ' ')}"
        show(out, each, f"{line} ({waits})" if waits else line, as_json=as_json)
