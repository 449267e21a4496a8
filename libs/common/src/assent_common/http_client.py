"""The one module that makes HTTP clients, so that moving to httpx's continuation is one import."""

import httpx


def create() -> httpx.AsyncClient:
    """A client with deadlines, without redirects."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(10, connect=5), limits=httpx.Limits(max_connections=20), follow_redirects=False
    )
