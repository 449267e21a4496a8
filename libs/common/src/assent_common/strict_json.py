"""JSON as it may come in: exactly what RFC 8259 allows, and only what Postgres can keep."""

import re
from typing import Any

import orjson

#: U+0000, which Postgres takes neither in text nor in jsonb: an escape behind an even number of backslashes.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def loads(body: bytes, *, max_depth: int) -> Any:
    """The document in the bytes. Raises ValueError with the reason.

    Refused besides what is no JSON at all: NaN and infinity, bad UTF-8, lone surrogates, U+0000, deep nesting.
    """
    document = orjson.loads(body)
    # Looked for as it is first: the expression alone is slower than all the rest of reading.
    if b"\\u0000" in body and _NUL.search(body):
        raise ValueError("contains the character U+0000")
    # What opens fewer than that cannot be as deep; those within texts count, too, which only means to look closer.
    if body.count(b"{") + body.count(b"[") > max_depth and _deeper_than(max_depth, document):
        raise ValueError(f"is nested more than {max_depth} deep")
    return document


def _deeper_than(limit: int, document: Any) -> bool:
    # Types are compared by identity: a parser makes no subclasses, and this runs over every value of every event.
    level = [document] if type(document) is dict or type(document) is list else []
    for _ in range(limit):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True
