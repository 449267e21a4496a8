"""Lists, page by page, by keyset: stable while rows arrive, and as fast at the end as at the start."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel

from assent_common import strict_json
from assent_common.http.problems import BadRequest, FieldError

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=200, description="How many items a page holds at the most")]
CursorText = Annotated[
    str | None, Query(alias="cursor", max_length=2000, description="`next_cursor` of the page before, as it came")
]


class Page(BaseModel, Generic[T]):
    """One page of a list."""

    items: list[T]
    #: To be sent as `cursor` for the next page; null on the last.
    next_cursor: str | None = None


def read_cursor(cursor: str | None, *, of: Any, shape: Sequence[Callable[[Any], Any]]) -> list[Any] | None:
    """The sort key after which the page begins, or None for the first page.

    `of` is everything that selects and sorts the list: a cursor of another list is refused. Each part of the key is
    parsed by its place in `shape`. A cursor grants nothing, so it is not signed; it has a checksum, so that one that
    was damaged does not just lead elsewhere. Raises BadRequest.
    """
    if cursor is None:
        return None
    try:
        body = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        selection, checksum, *key = strict_json.loads(body, max_depth=2)
        if len(key) != len(shape) or checksum != _fingerprint([selection, *key]) or _encoded(body) != cursor:
            raise ValueError
        parsed = [None if part is None else parse(part) for parse, part in zip(shape, key, strict=True)]
        if any(isinstance(part, int) and not -(2**63) <= part < 2**63 for part in parsed):
            raise ValueError
    except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise _refused("cannot be read; send `next_cursor` as it came") from error
    if selection != _fingerprint(of):
        raise _refused("belongs to another list; filters and sort must stay the same from page to page")
    return parsed


def write_cursor(key: Sequence[Any], *, of: Any) -> str:
    selection = _fingerprint(of)
    plain = orjson.loads(orjson.dumps([selection, *key], default=str))
    return _encoded(orjson.dumps([selection, _fingerprint(plain), *plain[1:]]))


def page(rows: Sequence[T], limit: int, *, key: Callable[[T], Sequence[Any]], of: Any) -> tuple[list[T], str | None]:
    """Cut `limit + 1` rows to a page: the rows, and the cursor if there are more."""
    shown = list(rows[:limit])
    return shown, write_cursor(key(shown[-1]), of=of) if len(rows) > limit else None


def paged(items: Sequence[T], limit: int, *, key: Callable[[T], Sequence[Any]], of: Any) -> Page[T]:
    """The page itself, of `limit + 1` items."""
    shown, next_cursor = page(items, limit, key=key, of=of)
    return Page(items=shown, next_cursor=next_cursor)


def _encoded(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).decode()


def _fingerprint(of: Any) -> str:
    return hashlib.sha256(orjson.dumps(of, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


def _refused(detail: str) -> BadRequest:
    return BadRequest(f"cursor {detail}", errors=[FieldError(pointer="?cursor", code="cursor_mismatch", detail=detail)])
