"""The one module that makes HTTP clients, so that moving to httpx's continuation is one import."""

import ssl

import httpx


def create(cafile: str | None = None) -> httpx.AsyncClient:
    """A client with deadlines, without redirects, that trusts the public authorities and the company's own."""
    trusting = httpx.create_ssl_context()
    if cafile is not None:
        trusting.load_verify_locations(cafile)
    return _made(trusting)


def among_ourselves(cafile: str) -> httpx.AsyncClient:
    """The same, but that trusts these authorities and no other: for services of ours."""
    return _made(ssl.create_default_context(cafile=cafile))


def _made(trusting: ssl.SSLContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        timeout=httpx.Timeout(10, connect=5),
        limits=httpx.Limits(max_connections=20),
        follow_redirects=False,
        verify=trusting,
    )
