"""The state file: one SQLite table of documents, written with each change and read once, at start."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

CREATE = """
create table if not exists record (
  kind text, account text, region text, key text, document blob not null, body blob not null,
  primary key (kind, account, region, key)
)
"""
READ = "select kind, account, region, key, document, body from record order by rowid"
PUT = """
insert into record (kind, account, region, key, document, body) values (?, ?, ?, ?, ?, ?)
on conflict (kind, account, region, key) do update set document = excluded.document, body = excluded.body
"""
REMOVE = "delete from record where kind = ? and account = ? and region = ? and key = ?"


class Journal:
    """Survives kill -9 of the process at any point: what `put` returned from is in the operating system's hands.

    It does not survive a power cut: a simulator need not, and does not wait for the disk (synchronous = off).
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = off")
        self._connection.execute(CREATE)

    def read(self) -> Iterator[tuple[str, str, str, str, dict[str, Any], bytes]]:
        for kind, account, region, key, document, body in self._connection.execute(READ):
            yield kind, account, region, key, orjson.loads(document), body

    def put(self, kind: str, place: tuple[str, str], key: str, document: Mapping[str, Any], body: bytes) -> None:
        self._connection.execute(PUT, (str(kind), *place, key, orjson.dumps(document), body))

    def remove(self, kind: str, place: tuple[str, str], key: str) -> None:
        self._connection.execute(REMOVE, (str(kind), *place, key))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; within another transaction, a part of it."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("begin")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    def close(self) -> None:
        self._connection.close()
