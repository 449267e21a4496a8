"""The lines of the log, as a service writes them."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from assent_common import telemetry

Lines = Callable[[], list[dict[str, Any]]]


@contextmanager
def read_since() -> Iterator[Lines]:
    """What was written since it was asked last."""
    written = io.StringIO()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stderr", written)
        telemetry.configure("tests", "INFO")

    def read() -> list[dict[str, Any]]:
        told = [json.loads(line) for line in written.getvalue().splitlines()]
        written.seek(0)
        written.truncate()
        return told

    try:
        read()
        yield read
    finally:
        telemetry.configure("tests", "ERROR")
