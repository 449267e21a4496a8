"""Answers in pages: opaque tokens, and rows that shift between pages while the list changes, as with the real one."""

import base64
import binascii
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from assent_local.simulator.caller import Place
from assent_local.simulator.errors import invalid
from assent_local.simulator.faults import Dials

Row = TypeVar("Row")

_REMEMBERED = 32


class Pages:
    """Cuts pages. The whole list behind them is computed once for as long as nothing has changed."""

    def __init__(self, dials: Dials) -> None:
        self._dials = dials
        self._lists: OrderedDict[str, tuple[int, Sequence[Any]]] = OrderedDict()

    def cut(
        self,
        place: Place,
        operation: str,
        request: Mapping[str, Any],
        generation: int,
        rows: Callable[[], Sequence[Row]],
        size: int = 100,
    ) -> tuple[Sequence[Row], str | None, int]:
        """The page asked for, the token of the next and how many rows there are on all pages.

        Raises a ValidationException for a token that has expired or was given for another question.
        """
        question = _fingerprint(place, operation, request)
        start = self._start(request.get("NextToken"), question)
        all_rows = self._list(question, generation, rows)
        size = request.get("MaxResults", size)
        if start < len(all_rows) and self._dials.page_comes_empty():
            return [], _token(question, start), len(all_rows)
        end = start + size
        return all_rows[start:end], _token(question, end) if end < len(all_rows) else None, len(all_rows)

    def _start(self, token: str | None, question: str) -> int:
        if token is None:
            return 0
        if self._dials.token_expired():
            raise invalid("The pagination token has expired.")
        try:
            asked, start = orjson.loads(base64.urlsafe_b64decode(token))
        except (binascii.Error, ValueError) as error:
            raise invalid("The pagination token is invalid.") from error
        if asked != question:
            raise invalid("The pagination token was given for a request with other parameters.")
        return int(start)

    def _list(self, question: str, generation: int, rows: Callable[[], Sequence[Row]]) -> Sequence[Row]:
        remembered = self._lists.pop(question, None)
        if remembered is None or remembered[0] != generation:
            remembered = (generation, rows())
        self._lists[question] = remembered
        if len(self._lists) > _REMEMBERED:
            self._lists.popitem(last=False)
        return remembered[1]


def _fingerprint(place: Place, operation: str, request: Mapping[str, Any]) -> str:
    asked = {name: value for name, value in request.items() if name not in ("NextToken", "MaxResults")}
    whole = orjson.dumps([*place, operation, asked], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(whole).hexdigest()[:16]


def _token(question: str, start: int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([question, start])).decode()
