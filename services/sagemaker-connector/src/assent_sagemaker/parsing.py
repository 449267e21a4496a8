"""Parses reports without holding up the event loop: small ones at once, others in a thread, the largest in a process
of its own, for JSON is parsed under Python's one lock, and may need a multiple of its size.
"""

import asyncio
import resource
import sys
from asyncio.subprocess import DEVNULL, PIPE

from assent_common import telemetry

from assent_sagemaker.mapping import rules
from assent_sagemaker.mapping.metrics.read import Reading, Unreadable, is_packed, read, unpacked_size

SMALL = 64 * 1024
LARGE = 1024 * 1024
_LARGE_AT_ONCE = 1
_LARGE_WITHIN_S = 45.0
_LARGE_MEMORY = 4 * 1024**3

_large = asyncio.Semaphore(_LARGE_AT_ONCE)


async def parse(body: bytes, content_type: str | None) -> Reading | Unreadable:
    """What `read` says of it."""
    if len(body) < SMALL and not is_packed(body):
        return read(body, content_type)
    size = await asyncio.to_thread(unpacked_size, body)
    if size < LARGE:
        return await asyncio.to_thread(read, body, content_type)
    async with _large:
        return await _apart(body, content_type)


async def _apart(body: bytes, content_type: str | None) -> Reading | Unreadable:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "assent_sagemaker.parsing", content_type or ""), stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    try:
        async with asyncio.timeout(_LARGE_WITHIN_S):
            said, _ = await process.communicate(rules.rules().text.encode() + b"\0" + body)
    except TimeoutError:
        return Unreadable(reason=f"took longer than {_LARGE_WITHIN_S:.0f} s to parse")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        telemetry.logger().warning("report_not_parsed", size=len(body), returned=process.returncode)
        return Unreadable(reason="takes more memory to parse than it is given")
    kind, _, outcome = said.partition(b" ")
    return (Reading if kind == b"reading" else Unreadable).model_validate_json(outcome)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_LARGE_MEMORY, _LARGE_MEMORY))
    text, _, body = sys.stdin.buffer.read().partition(b"\0")
    rules.use(rules.of(text.decode()))
    outcome = read(body, sys.argv[1] or None)
    kind = "reading" if isinstance(outcome, Reading) else "unreadable"
    sys.stdout.write(f"{kind} {outcome.model_dump_json()}")


if __name__ == "__main__":
    main()
