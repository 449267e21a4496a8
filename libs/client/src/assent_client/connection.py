"""How requests go out: the only module that knows httpx, so that moving to its continuation is one import."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx

from assent_client.answers import Answer, Changed
from assent_client.catalog import Catalog
from assent_client.problems import BY_STATUS, Refused, Unreachable
from assent_client.workflow import Workflow

Token = str | Callable[[], Awaitable[str]]
_SAFE = frozenset({"GET", "HEAD", "PUT"})
_LATER = frozenset({429, 503})


@asynccontextmanager
async def catalog(url: str, *, token: Token, attempts: int = 3) -> AsyncIterator[Catalog]:
    """The catalogue at this address. A token that runs out is best given as a function that gets a fresh one."""
    async with _connected(url, token, attempts) as connection:
        yield Catalog(connection)


@asynccontextmanager
async def workflow(url: str, *, token: Token, attempts: int = 3) -> AsyncIterator[Workflow]:
    """The workflow at this address."""
    async with _connected(url, token, attempts) as connection:
        yield Workflow(connection)


@asynccontextmanager
async def _connected(url: str, token: Token, attempts: int) -> "AsyncIterator[Connection]":
    limits = httpx.Limits(max_connections=20)
    async with httpx.AsyncClient(timeout=httpx.Timeout(10, connect=5), limits=limits, follow_redirects=False) as http:
        yield Connection(http, url, token=token, attempts=attempts)


class Connection:
    """One service, spoken to in somebody's name."""

    def __init__(self, http: httpx.AsyncClient, url: str, *, token: Token, attempts: int = 3) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._token = token
        self._attempts = attempts

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
    ) -> Answer[Any]:
        """What may be repeated (it reads, replaces, or has an Idempotency-Key) is, where the service says "later" or
        does not answer. Raises Refused, or Unreachable."""
        repeatable = method in _SAFE or bool(headers and headers.get("Idempotency-Key"))
        attempts = self._attempts if repeatable else 1
        for left in reversed(range(attempts)):
            try:
                response = await self._http.request(
                    method,
                    self._url + path,
                    params=_written(query),
                    headers={**_written(headers), **await self._authorization()},
                    json=json,
                    content=content,
                )
            except httpx.TransportError as error:
                if not left:
                    raise Unreachable(f"{method} {path}: {error!r}") from error
                await asyncio.sleep(0.2)
                continue
            if response.is_success or response.status_code == 304:
                return _answer(response)
            refused = _refused(response)
            if not left or response.status_code not in _LATER:
                raise refused
            await asyncio.sleep(refused.retry_after_s or 0.2)
        raise AssertionError("the last attempt returns or raises")

    async def pages(self, path: str, query: Mapping[str, Any]) -> AsyncIterator[Any]:
        """Each item of a list, page by page."""
        cursor: str | None = None
        while True:
            page = (await self.request("GET", path, query={**query, "cursor": cursor})).body
            for item in page["items"]:
                yield item
            cursor = page["next_cursor"]
            if cursor is None:
                return

    @asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, Any] | None = None, headers: Mapping[str, Any] | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The body as it comes, no faster than it is read. Raises Refused, or Unreachable."""
        sent = {**_written(headers), **await self._authorization()}
        timeout = httpx.Timeout(60, connect=5)
        try:
            async with self._http.stream(
                "GET", self._url + path, params=_written(query), headers=sent, timeout=timeout
            ) as response:
                if not response.is_success:
                    await response.aread()
                    raise _refused(response)
                yield response.aiter_bytes()
        except httpx.TransportError as error:
            raise Unreachable(f"GET {path}: {error!r}") from error

    async def events(self, path: str, query: Mapping[str, Any], headers: Mapping[str, Any]) -> AsyncIterator[Changed]:
        """Server-sent events until the stream ends. Raises Refused (410: list again), or Unreachable."""
        async with self.stream(path, query=query, headers=headers) as chunks:
            left = b""
            async for chunk in chunks:
                *messages, left = (left + chunk).split(b"\n\n")
                for message in messages:
                    fields = dict(line.split(b": ", 1) for line in message.split(b"\n") if b": " in line)
                    if b"data" in fields:
                        yield Changed(int(fields[b"id"]), json.loads(fields[b"data"]))

    async def _authorization(self) -> dict[str, str]:
        token = self._token if isinstance(self._token, str) else await self._token()
        return {"Authorization": f"Bearer {token}"}


def _answer(response: httpx.Response) -> Answer[Any]:
    is_json = bool(response.content) and response.headers.get("content-type", "").startswith("application/json")
    return Answer(
        body=response.json() if is_json else response.content or None,
        status=response.status_code,
        etag=response.headers.get("etag"),
        location=response.headers.get("location"),
        correlation_id=response.headers.get("x-request-id"),
    )


def _refused(response: httpx.Response) -> Refused:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        # A proxy's own words.
        problem = {"detail": response.text[:500]}
    after = response.headers.get("retry-after", "")
    kind = BY_STATUS.get(response.status_code, Refused)
    return kind(response.status_code, problem, retry_after_s=float(after) if after.isdigit() else None)


def _written(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """As it goes into an address or a header; what is None is left out."""
    return {name: _text(value) for name, value in (values or {}).items() if value is not None}


def _text(value: Any) -> Any:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat()
        case int():
            return str(value)
        case list() | tuple():
            return [_text(each) for each in value]
    return value
