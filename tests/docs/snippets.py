"""The code in the documentation, block by block."""

import re
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


class Snippet(NamedTuple):
    page: str
    language: str
    text: str


def pages() -> list[Path]:
    return [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def all_of(language: str) -> list[Snippet]:
    return [snippet for page in pages() for snippet in of(page) if snippet.language == language]


def of(page: Path) -> list[Snippet]:
    name = str(page.relative_to(REPOSITORY))
    return [Snippet(name, language, text) for language, text in BLOCK.findall(page.read_text())]


def one(page: str, language: str, containing: str) -> str:
    """The one snippet of a page that contains these words."""
    (found,) = [
        snippet.text for snippet in of(REPOSITORY / page) if snippet.language == language and containing in snippet.text
    ]
    return found
