"""`python -m assent_local.leash MODULE [ARG …]`: run a module in a process that ends when its starter dies.

Without it a `kill -9` of the runner would leave services behind. Linux only; elsewhere they are left.
"""

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    tie(os.getppid())
    module, sys.argv = sys.argv[1], sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def tie(starter: int, by: signal.Signals = signal.SIGTERM) -> None:
    """This process gets the signal once its starter dies. What it forks has to be tied by itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, by)
        if os.getppid() != starter:
            sys.exit(1)


if __name__ == "__main__":
    main()
