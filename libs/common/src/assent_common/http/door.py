"""HTTP/1.1 as uvicorn speaks it, but for who is one too many: he is turned away before anything is made for him.

Between the bytes of a request and the app stand a parser that calls back for each header, a timer, a cycle, a task, a
coroutine and two messages: nearly all that it costs to turn somebody away there. While three times as much is asked as
can be done, two of three are turned away.

The parser's callbacks, what they leave behind, the timer and `_start_asgi_task` are not of uvicorn's public parts:
`uv.lock` holds its version, and `test_door.py` what is relied on.
"""

import re
from functools import cached_property
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from assent_common.http.admission import Admission

_HEAD = re.compile(
    rb"(GET|HEAD|POST|PUT|PATCH|DELETE) (/[!-$&->@-~]*+)(?:\?[!-~]*+)? HTTP/1\.1\r\n"
    rb"(?:(?!(?i:transfer-encoding|(?:proxy-)?connection|upgrade|expect):)[A-Za-z0-9-]++:[\t -~\x80-\xff]*+\r\n)*+\r\n"
)
"""Of which nothing has to be thought about: the path without a percent sign, nothing that says what else is to become
of the connection or how the body is to be read, and all lines ended in the one way."""


class Door(HttpToolsProtocol):
    """For an app whose state has its `admission`."""

    #: Whatever was read until now belongs to requests that were read to their end.
    _is_between = True
    #: When somebody was turned away last, for whom no timer was set.
    _idle_since = 0.0

    def data_received(self, data: bytes) -> None:
        admission = self._admission
        if not admission.has_room and self._is_idle():
            asked = plain(data)
            if asked is not None and admission.is_closed_to(asked.path):
                self._answer(admission.turned_away(asked.method, asked.request_id))
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._is_between = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._is_between = True
        super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        if (left := self._idle_since + self.timeout_keep_alive - self.loop.time()) > 0:
            self._watch(left)
        else:
            super().timeout_keep_alive_handler()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._admission.expect()
        super()._start_asgi_task(cycle, app)

    @cached_property
    def _admission(self) -> Admission:
        found: Admission = self.config.app.state.admission  # type: ignore[union-attr]
        return found

    def _is_idle(self) -> bool:
        """Nobody before him on his connection waits for an answer, or does not read what he is told."""
        return self._is_between and (self.cycle is None or self.cycle.response_complete) and not self.flow.write_paused

    def _answer(self, answer: bytes) -> None:
        self.transport.write(answer)
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._watch(self.timeout_keep_alive)

    def _watch(self, seconds: float) -> None:
        """One timer for however many are turned away, which looks again, rather than one for each."""
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)


class Asked(NamedTuple):
    method: str
    path: str
    #: As it came: whoever gives it back looks at it first.
    request_id: str


def plain(data: bytes) -> Asked | None:
    """What is asked, where it is one whole request of which nothing has to be thought about. All else goes the app's
    way, which refuses as well."""
    found = _HEAD.match(data)
    if found is None:
        return None
    head = data[: found.end()]
    heads = head.lower()
    length = _value(head, heads, b"\ncontent-length:", absent=b"0")
    request_id = _value(head, heads, b"\nx-request-id:", absent=b"")
    # A length as it is written by everybody, or it has to be thought about.
    if request_id is None or length != b"%d" % (len(data) - len(head)):
        return None
    return Asked(found[1].decode(), found[2].decode(), request_id.decode("latin-1"))


def _value(head: bytes, heads: bytes, name: bytes, *, absent: bytes) -> bytes | None:
    """Of a header, by its name in `heads`, the head in small letters. None where there are several."""
    at = heads.find(name)
    if at < 0:
        return absent
    if heads.find(name, at + 1) >= 0:
        return None
    return head[at + len(name) : head.index(b"\r", at)].strip(b" \t")
