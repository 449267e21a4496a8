"""Optimistic locking: `ETag` out, `If-Match` in."""

from typing import Annotated

from fastapi import Header, Request, Response

from assent_common.http.problems import PreconditionRequired, Stale

IfMatch = Annotated[str | None, Header(description="The `ETag` that you read; `*` for whatever stands")]


def etag(sequence: int) -> str:
    """A strong validator: the entity's sequence."""
    return f'"{sequence}"'


def is_known(if_none_match: str | None, tag: str | None) -> bool:
    """Whether a client has this state already (RFC 9110, 13.1.2: compared weakly)."""
    if if_none_match is None or tag is None:
        return False
    named = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return "*" in named or tag.removeprefix("W/") in named


def not_modified(request: Request, response: Response) -> Response:
    """304 for a GET of what the client has already (`If-None-Match`)."""
    if request.method == "GET" and is_known(request.headers.get("if-none-match"), response.headers.get("etag")):
        return Response(status_code=304, headers={"ETag": response.headers["etag"]})
    return response


def require_match(if_match: str | None, sequence: int) -> None:
    """Raises PreconditionRequired (428) without `If-Match`, Stale (412) when it names another state."""
    if if_match is None:
        raise PreconditionRequired("this change needs If-Match with the ETag of what you read")
    named = {tag.strip() for tag in if_match.split(",")}
    if "*" not in named and etag(sequence) not in named:
        raise Stale(f"it stands at {etag(sequence)} now", headers={"ETag": etag(sequence)})
