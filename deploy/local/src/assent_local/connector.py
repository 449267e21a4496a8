"""The connector as the command line speaks with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from assent_common import http_client


class ConnectorUnavailable(Exception):
    """The connector does not answer, or can't just now."""


class NotAllowed(Exception):
    """The token is not good for this."""


class Refused(Exception):
    """The connector does not do this; the message says why."""


class Connector:
    def __init__(self, http: httpx.AsyncClient, url: str, bearer: str) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {bearer}"}

    async def get(self, path: str, **parameters: Any) -> Any:
        return await self._ask("GET", path, parameters, within_s=10)

    async def post(self, path: str, *, within_s: float = 10, **parameters: Any) -> Any:
        return await self._ask("POST", path, parameters, within_s=within_s)

    async def everything(self, path: str, **parameters: Any) -> AsyncIterator[Any]:
        """The items of all pages."""
        cursor: dict[str, str] = {}
        while True:
            page = await self.get(path, **parameters, **cursor)
            for item in page["items"]:
                yield item
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    async def _ask(self, method: str, path: str, parameters: dict[str, Any], *, within_s: float) -> Any:
        """What it answers. Raises ConnectorUnavailable, NotAllowed, Refused."""
        given = {name: value for name, value in parameters.items() if value is not None}
        try:
            answer = await self._http.request(
                method, f"{self._url}{path}", params=given, headers=self._headers, timeout=within_s
            )
        except httpx.HTTPError as error:
            raise ConnectorUnavailable(f"the connector at {self._url} does not answer: {error!r}") from error
        if answer.is_success:
            return answer.json()
        words = _detail(answer)
        if answer.status_code in (401, 403):
            raise NotAllowed(words)
        if answer.status_code >= 500:
            raise ConnectorUnavailable(words)
        raise Refused(words)


@asynccontextmanager
async def connected(url: str, bearer: str) -> AsyncIterator[Connector]:
    async with http_client.create() as http:
        yield Connector(http, url, bearer)


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code}: {answer.text[:500]}"
