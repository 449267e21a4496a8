"""`/v1/hints`: what events named and was not looked at yet, and what could not be."""

from datetime import datetime
from typing import Annotated

from assent_common.database import Database
from assent_common.http import app as http_app
from assent_common.http.pages import CursorText, Limit, Page, page, read_cursor
from assent_common.identity.roles import Reader
from fastapi import APIRouter, Query
from pydantic import BaseModel

from assent_sagemaker.hints import store


class HintView(BaseModel):
    """An object that an event said to look at."""

    source: str
    #: `package`, `group`, `endpoint`; `unreadable`: a message that is no event.
    kind: str
    #: As the event named it; of what could not be read, the SHA-256 of the message.
    ref: str
    #: How many messages named it.
    told: int
    attempts: int
    received_at: datetime
    due_at: datetime
    #: When it was given up: it is looked at again when an event names it again.
    failed_at: datetime | None
    reason: str | None
    #: The message, where it could not be read; cut at 4,000 characters.
    body: str | None


def router(database: Database) -> APIRouter:
    routes = http_app.router(tags=["sources"])

    @routes.get("/hints", summary="What events named and was not looked at")
    async def list_hints(
        who: Reader,
        failed: Annotated[bool | None, Query(description="Only what was given up, or only what was not")] = None,
        source: Annotated[str | None, Query(max_length=100, description="Only those of this source")] = None,
        limit: Limit = 50,
        cursor: CursorText = None,
    ) -> Page[HintView]:
        selection = ["hints", failed, source]
        after = read_cursor(cursor, of=selection, shape=[str, str, str]) or [None, None, None]
        async with database.connection() as connection:
            rows = await connection.fetch(store.LIST, failed, source, *after, limit + 1)
        views = [HintView.model_validate(dict(row)) for row in rows]
        shown, following = page(views, limit, key=lambda one: [one.source, one.kind, one.ref], of=selection)
        return Page(items=shown, next_cursor=following)

    return routes
