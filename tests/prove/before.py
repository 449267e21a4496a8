"""T15. The release before beside this one: its sources from git, run by the libraries of this one."""

import io
import subprocess
import tarfile
from pathlib import Path

from tests.prove.house import MODULES
from tests.prove.trouble import Trouble
from tests.support.history import REPOSITORY, git, sound

#: What is taken for the release before, as long as nothing is tagged.
COMMITS_BEFORE = 100
#: Since this is there, a process goes on, and begins again, beside a newer schema: who is older never promised it.
GOES_ON = "InvalidCachedStatementError"
IN = "libs/common/src/assent_common/database.py"


def release_before() -> str | None:
    """The last tag before this commit, or else so many commits ago, or the first that promised what is tried here;
    None where git does not know it."""
    tag = git("describe", "--tags", "--abbrev=0", "HEAD^").strip()
    if tag:
        return tag
    folders = [
        f"services/{service}/src/{module.partition('.')[0]}/migrations/versions" for service, module in MODULES.items()
    ]
    release = sound(f"HEAD~{COMMITS_BEFORE}", folders)
    if release is None or GOES_ON in git("show", f"{release}:{IN}"):
        return release
    since = git("log", "--reverse", "--format=%H", f"-S{GOES_ON}", "--", IN).split()
    return next((commit for commit in since if sound(f"{commit}^!", folders)), None)


def unpacked(release: str, into: Path) -> Path:
    packed = subprocess.run(
        ["git", "archive", release, "libs", "services", "deploy"], cwd=REPOSITORY, capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(into, filter="data")
    return into


async def from_one_release_to_the_next(t: Trouble) -> None:
    """Everything runs as of the release before. Of each service one process after the other becomes today's.

    In between both are there: today's schema under yesterday's code, yesterday's events for today's consumers, and the
    other way round. In the end some of each are killed while both are there.
    """
    house, old = t.house, t.house.code
    assert old is not None
    await t.told(2)
    for service in MODULES:
        house.code = None
        await house.remove(service, 0)
        await house.add(service, 0)
        await t.over()
        await t.told(2)
        for number in range(2):
            house.kill(service, number)
            await t.over()
    for service in MODULES:
        await house.remove(service, 1)
        await house.add(service, 1)
        await t.over()
    await t.told(2)
