"""HTTP/1.1 as uvicorn speaks it, but for who is one too many: he is turned away before anything is made for him.

Between a request that was read and the app stand a task, a coroutine and two messages: most of what it costs to turn
somebody away there. While three times as much is asked as can be done, two of three are turned away.

`_start_asgi_task` and what a cycle knows of itself are not of uvicorn's public parts: `uv.lock` holds its version, and
`test_door.py` what is relied on.
"""

from collections.abc import MutableMapping
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from assent_common.http.admission import Admission


class Door(HttpToolsProtocol):
    """For an app whose state has its `admission`, once it was asked for the first time."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        admission: Admission | None = getattr(self.config.app.state, "admission", None)  # type: ignore[union-attr]
        # Who sends one behind another, or does not read what he is told, has to wait: the app's way does.
        is_simple = not self.pipeline and not self.flow.write_paused
        if admission is None or not is_simple or not admission.is_closed_to(cycle.scope["path"]):
            super()._start_asgi_task(cycle, app)
            return
        scope = cast("MutableMapping[str, Any]", cycle.scope)
        cycle.response_started = cycle.response_complete = True
        self.transport.write(admission.turned_away(scope, keeps=cycle.keep_alive))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
