"""`assent demo` checks each of its own steps; here that it comes to its end, and how it ends otherwise."""

import asyncio
import sys
from asyncio.subprocess import PIPE


async def test_the_demo_tells_a_true_story() -> None:
    demo = await asyncio.create_subprocess_exec(sys.executable, "-m", "assent_local", "demo", stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(180):
        told, complained = await demo.communicate()
    assert demo.returncode == 0, told.decode() + complained.decode()
    story = told.decode()
    for step in ("none missing", "accuracy", "0.934", "refused", "deny", "accepted", "allow", "Approved", "is true"):
        assert step in story, story
