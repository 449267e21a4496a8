"""`GET /v1/events`: a service's own events as server-sent events, for who has no Kafka."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import Header, Query, Request
from fastapi.responses import StreamingResponse

from assent_common import telemetry
from assent_common.database import is_transient
from assent_common.http.app import router
from assent_common.http.problems import CursorExpired, Unavailable, documented
from assent_common.identity.roles import Reader
from assent_common.outbox.feed import Feed, Told

MOST_FOLLOWERS = 500
HEARTBEAT_S = 15.0
STREAM_FOR_S = 900.0
"""Then the client comes again, and shows its token again."""

routes = router(tags=["events"])

Position = Annotated[
    int | None,
    Query(ge=0, lt=2**63, description="Behind this position; 0: the present state of everything, then the changes"),
]
LastEventId = Annotated[int | None, Header(ge=0, lt=2**63, description="As a client sends it that connects again")]
Types = Annotated[list[str] | None, Query(max_length=20, description="Only types that begin with one of these")]


@routes.get(
    "/events",
    summary="Follow the changes",
    response_class=StreamingResponse,
    responses=documented(CursorExpired)
    | {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Server-sent events"}},
)
async def follow_events(
    request: Request, _: Reader, type: Types = None, after: Position = None, last_event_id: LastEventId = None
) -> StreamingResponse:
    """Each event is a CloudEvent, its `id` the position to go on from. Without a position, from now on.

    A stream ends after a quarter of an hour; a client connects again by itself, and sends `Last-Event-ID`. Who was away
    for more than a week is told 410, and lists again.
    """
    feed: Feed = request.app.state.feed
    stopping: asyncio.Event = request.app.state.stopping
    if feed.followers >= MOST_FOLLOWERS:
        raise Unavailable("too many follow here already")
    position = last_event_id if last_event_id is not None else after
    if position is not None and await feed.has_lost(position):
        raise CursorExpired("what came behind this position is no longer there whole: list again, then follow on")
    told = feed.follow(position, stopping, for_s=STREAM_FOR_S, heartbeat_s=HEARTBEAT_S)
    return StreamingResponse(
        _stream(told, tuple(type or ())),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(following: AsyncIterator[Told], types: Sequence[str]) -> AsyncIterator[bytes]:
    try:
        async for told in following:
            yield _written(told, types)
    except Exception as error:
        if not is_transient(error):
            raise
        # The client comes again with the position that it has.
        telemetry.logger().info("stream_ended", reason=repr(error))


def _written(told: Told, types: Sequence[str]) -> bytes:
    # Without data nothing is dispatched, but the client remembers where it is.
    bookmark = b"id: %d\n\n" % told.position
    if told.body is None or told.type is None or (types and not told.type.startswith(tuple(types))):
        return bookmark
    return b"event: %s\ndata: %s\n" % (told.type.encode(), told.body) + bookmark
