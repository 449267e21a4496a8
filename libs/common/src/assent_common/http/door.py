"""HTTP/1.1 as uvicorn speaks it, but for who is one too many: he is turned away before anything is made for him.

Between the bytes of a request and the app stand a parser that calls back for each header, a timer, a cycle, a task, a
coroutine and two messages: nearly all that it costs to turn somebody away there. While three times as much is asked as
can be done, two of three are turned away.

The parser's callbacks, what they leave behind, the timer and `_start_asgi_task` are not of uvicorn's public parts:
`uv.lock` holds its version, and `test_door.py` what is relied on.
"""

import re
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from assent_common.http.admission import Admission

_FIRST = re.compile(rb"(GET|HEAD) (/[!-$&->@-~]*)(?:\?[!-~]*)? HTTP/1\.1\r\n")
"""Its path without a percent sign, which has to be thought about."""
_THOUGHT_ABOUT = re.compile(rb"\n(?:connection|content-length|transfer-encoding|upgrade|expect|[ \t])")


class Door(HttpToolsProtocol):
    """For an app whose state has its `admission`, once it was asked for the first time."""

    #: Whatever was read until now belongs to requests that were read to their end.
    _is_between = True
    #: When somebody was turned away last, for whom no timer was set.
    _idle_since = 0.0

    def data_received(self, data: bytes) -> None:
        admission = self._admission
        if admission is not None and not admission.has_room and self._is_idle():
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
        if self._admission is not None:
            self._admission.expect()
        super()._start_asgi_task(cycle, app)

    @property
    def _admission(self) -> Admission | None:
        found: Admission | None = getattr(self.config.app.state, "admission", None)  # type: ignore[union-attr]
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
    """What is asked, where it is one whole request without a body, of which nothing has to be thought about. All else
    goes the app's way, which refuses as well."""
    first, lines = _FIRST.match(data), data.split(b"\r\n")
    # Its one empty line is the last, and none ends in a way that others see and we do not.
    if not first or lines[-2:] != [b"", b""] or b"" in lines[:-2] or len(data.splitlines()) != len(lines) - 1:
        return None
    heads = data.lower()
    if _THOUGHT_ABOUT.search(heads):
        return None
    request_id = ""
    if (at := heads.find(b"\nx-request-id:")) >= 0:
        request_id = data[at + 1 :].split(b"\r\n", 1)[0].partition(b":")[2].strip(b" \t").decode("latin-1")
    return Asked(first[1].decode(), first[2].decode(), request_id)
