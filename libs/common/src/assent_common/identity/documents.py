"""What the issuer answers over HTTP, as far as it can be believed: by https, within seconds, and not without end."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

WITHIN_S = 5
MAX_BYTES = 64 * 1024
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


async def discovered(http: httpx.AsyncClient, issuer: str) -> dict[str, Any]:
    """Where everything is at this issuer (OpenID Connect Discovery). Raises as `ask`, and ValueError for another's."""
    document = await get(http, issuer.rstrip("/") + "/.well-known/openid-configuration")
    if document["issuer"] != issuer:
        raise ValueError("the discovery document names another issuer")
    return document


async def get(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """Raises as `ask`, and httpx.HTTPStatusError."""
    answer, document = await ask(http, "GET", url)
    answer.raise_for_status()
    return document


async def ask(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> tuple[httpx.Response, dict[str, Any]]:
    """The answer, whatever its status, and the JSON object that it is; an empty one where it is none and no success.

    Raises httpx.HTTPError, TimeoutError, or ValueError and TypeError for what cannot be an issuer's answer.
    """
    must_be_private(url)
    # As it is: what is compressed could be far larger than it looks.
    plain = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
    asking = http.stream(method, url, headers=plain, data=form, follow_redirects=False)
    async with asyncio.timeout(WITHIN_S), asking as answer:
        body = b""
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > MAX_BYTES:
                raise ValueError(f"{url} answers more than {MAX_BYTES} bytes")
    try:
        document = orjson.loads(body)
        if not isinstance(document, dict):
            raise TypeError(f"{url} is no JSON object")
    except (ValueError, TypeError):
        if answer.is_success:
            raise
        document = {}
    return answer, document


def must_be_private(url: str) -> None:
    """Nobody listens on the way. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise ValueError(f"{url} is not https")
