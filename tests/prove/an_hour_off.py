"""A service whose clock goes wrong by `HOURS_OFF`: `python -m tests.prove.an_hour_off MODULE`.

What Assent itself reads as the time is moved; what libraries ask the system for is not.
"""

import os
import runpy
import sys
from datetime import datetime, timedelta

from assent_common.clock import SystemClock

_right = SystemClock.now
_off = timedelta(hours=float(os.environ["HOURS_OFF"]))


def _wrong(self: SystemClock) -> datetime:
    return _right(self) + _off


if __name__ == "__main__":
    SystemClock.now = _wrong  # type: ignore[method-assign]
    module = os.environ["MODULE"]
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
