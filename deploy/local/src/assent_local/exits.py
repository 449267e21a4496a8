"""What the command line's exit codes mean."""

from enum import IntEnum


class Exit(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_ALLOWED = 3
    UNAVAILABLE = 4
