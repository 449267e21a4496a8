"""HTTP/1.1 as uvicorn speaks it, but for who is one too many: he is turned away before anything is made for him.

Between a request's head that was read and the app stand a cycle, a task, a coroutine and two messages: most of what it
costs to turn somebody away there. While three times as much is asked as can be done, two of three are turned away.

The parser's callbacks, what they leave behind and `_start_asgi_task` are not of uvicorn's public parts: `uv.lock` holds
its version, and `test_door.py` what is relied on.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from assent_common.http.admission import Admission


class Door(HttpToolsProtocol):
    """For an app whose state has its `admission`, once it was asked for the first time."""

    #: What is read is of a request that was turned away.
    _is_turned_away = False

    def on_headers_complete(self) -> None:
        admission = self._admission
        self._is_turned_away = (
            admission is not None and self._is_simple() and admission.is_closed_to(self.url.partition(b"?")[0].decode())
        )
        if admission is None or not self._is_turned_away:
            super().on_headers_complete()
            return
        keeps = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        method = self.parser.get_method().decode()
        self.transport.write(admission.turned_away(method, self.headers, keeps=keeps))
        if not keeps:
            self.transport.close()
        self.on_response_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self._admission is not None:
            self._admission.expect()
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        if not self._is_turned_away:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._is_turned_away:
            super().on_message_complete()

    @property
    def _admission(self) -> Admission | None:
        found: Admission | None = getattr(self.config.app.state, "admission", None)  # type: ignore[union-attr]
        return found

    def _is_simple(self) -> bool:
        """Who sends one request behind another, does not read what he is told, or asks in any way that has to be
        thought about, goes the app's way, which refuses as well."""
        return (
            (self.cycle is None or self.cycle.response_complete)
            and not self.pipeline
            and not self.flow.write_paused
            and not self.expect_100_continue
            and not self.parser.should_upgrade()
            and self.url.startswith(b"/")
            and b"%" not in self.url
            and self.url.isascii()
        )
