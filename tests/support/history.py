"""Commits of before that stand by themselves: in the middle of a rebasing, two migrations may have one number."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def git(*arguments: str) -> str:
    """What it says; nothing where it can't."""
    return subprocess.run(["git", *arguments], cwd=REPOSITORY, check=False, capture_output=True, text=True).stdout


def sound(since: str, folders: Sequence[str]) -> str | None:
    """The newest commit up to `since` in which each migration of these folders has a number of its own."""
    return next((commit for commit in git("rev-list", since).split() if _is_sound(commit, folders)), None)


def _is_sound(commit: str, folders: Sequence[str]) -> bool:
    for folder in folders:
        files = git("ls-tree", "--name-only", commit, f"{folder}/").split()
        numbers = [number for file in files if (number := Path(file).name[:4]).isdigit()]
        if len(numbers) != len(set(numbers)):
            return False
    return True
