"""A service that asks in its own name: a real process, at a real issuer, taken by a real service."""

from pathlib import Path
from typing import Any

import httpx
from assent_common import http_client
from assent_common.clock import SystemClock
from assent_common.health import Health
from assent_common.identity import service_token
from assent_common.settings import Settings
from assent_local.ports import free_port
from pydantic import SecretStr

from libs.common.tests.identity.token_endpoint import TokenEndpoint
from tests.common import world
from tests.support.wait import until

CLIENT, SECRET = "assent-catalog-api", "swordfish/of+the=issuer"


async def test_what_it_is_given_is_renewed_taken_and_missed_when_it_stays_away(
    settings: Settings, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    port = free_port()
    async with TokenEndpoint(CLIENT, SECRET, lasts_s=2).listening() as issuer, http_client.create() as http:
        told = {
            "ASSENT_PORT": str(port),
            "ASSENT_OIDC_ISSUER": issuer.url,
            "ASSENT_SERVICE_CLIENT_ID": CLIENT,
            "ASSENT_SERVICE_CLIENT_SECRET": SECRET,
        }
        with log.open("wb") as written:
            process = await world.a_process("service_process", settings, log=written.fileno(), **told)
        try:
            await until(lambda: _stands(http, port, "working"), within_s=60)
            await until(lambda: len(issuer.asked) >= 3, within_s=60)
            shown = await _fetched(settings, issuer, http)
            # Let in, and told that this position is none.
            headers = {"Authorization": f"Bearer {shown}", "Last-Event-ID": "99"}
            asked = await http.get(f"http://127.0.0.1:{port}/v1/events", headers=headers)
            assert asked.status_code == 410, asked.text
            issuer.secret = "another"
            said = await until(lambda: _stands(http, port, "failing"), within_s=60)
            assert said["detail"].startswith("the issuer answered 401 (invalid_client); ")
        finally:
            process.terminate()
            assert await process.wait() == 0
    lines = log.read_text()
    assert "service_token_fetched" in lines
    assert "service_token_not_fetched" in lines
    assert SECRET not in lines
    assert "eyJ" not in lines, "a token"


async def _fetched(settings: Settings, issuer: TokenEndpoint, http: httpx.AsyncClient) -> str:
    """Another's, of the same client."""
    own = {
        "oidc_issuer": issuer.url,
        "service_client_id": CLIENT,
        "service_client_secret": SecretStr(SECRET),
    }
    clock = SystemClock()
    token = service_token.of(settings.model_copy(update=own), http, health=Health(clock), clock=clock)
    assert token is not None
    return await token.shown()


async def _stands(http: httpx.AsyncClient, port: int, how: str) -> dict[str, Any] | None:
    try:
        answer = await http.get(f"http://127.0.0.1:{port}/health/ready")
    except httpx.TransportError:
        return None
    said: dict[str, Any] | None = answer.json().get("dependencies", {}).get("service-token")
    return said if said is not None and said["status"] == how else None
