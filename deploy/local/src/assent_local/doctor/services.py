"""The services as whoever calls them sees them, and the issuer whose keys they need."""

from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import parsedate_to_datetime

import httpx
from assent_common.clock import SystemClock
from assent_common.identity.client import Client, NotGiven
from assent_common.identity.keys import Keys, KeysUnavailable
from assent_common.settings import Settings

from assent_local.doctor.databases import SKEW
from assent_local.doctor.finding import Finding, fine, noted, unknown, wrong

ANSWER_WITHIN_S = 10.0
RUNBOOKS = {"kafka": "AssentEventsNotPublished", "postgres": "AssentRequestsFail", "sources": "AssentSourceStale"}


async def look(http: httpx.AsyncClient, service: str, url: str, token: str | None = None) -> AsyncIterator[Finding]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = await http.get(f"{url.rstrip('/')}/health/ready", headers=headers, timeout=ANSWER_WITHIN_S)
        said = answer.json()
        status, dependencies = said["status"], said.get("dependencies")
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        do = f"Start it, or name where it is; its log says why it ended: docker compose logs {service}"
        yield wrong("service", service, f"{url} does not answer as one of ours: {error!r}", do, "AssentServiceDown")
        return
    if dependencies is None:
        do = (
            "Set ASSENT_SERVICE_CLIENT_ID, or ASSENT_SERVICE_TOKEN to a token that it knows: what it depends on is "
            "told to who is signed in."
        )
        says = f"is {status}, and tells a stranger no more"
        yield noted("service", service, says, do) if status == "ready" else wrong("service", service, says, do)
        yield _clock(service, answer)
        return
    bad = {name: each for name, each in dependencies.items() if each["status"] in ("failing", "stopped")}
    for name, each in bad.items():
        runbook = "AssentConsumerBehind" if name.startswith("kafka:") else RUNBOOKS.get(name, "AssentComponentFails")
        says = f"{name} is {each['status']} since {each['since']}: {each['detail']}"
        yield wrong("service", service, says, "See the runbook.", runbook)
    starting = [name for name, each in dependencies.items() if each["status"] == "starting"]
    if starting:
        yield noted("service", service, f"{', '.join(starting)} has not worked yet")
    if not bad:
        yield fine("service", service, f"answers at {url}")
    yield _clock(service, answer)


async def issuer(http: httpx.AsyncClient, url: str, jwks_url: str | None) -> Finding:
    """Its keys, as the services fetch them."""
    try:
        keys = await Keys(url, jwks_url, client=http, clock=SystemClock()).find(None)
    except KeysUnavailable as error:
        do = "See that ASSENT_OIDC_ISSUER is exactly the issuer's `iss`, and that it is reached by https from here."
        return wrong("issuer", url, f"{error}", do, "AssentTokensRefused")
    return fine("issuer", url, f"publishes {len(keys.keys)} keys that can be used")


async def client(http: httpx.AsyncClient, settings: Settings) -> tuple[str | None, Finding]:
    """A token as the services fetch it, and how that went."""
    name = settings.service_client_id or ""
    try:
        given = await Client(settings, http, SystemClock()).fetch()
    except NotGiven as error:
        do = "See ASSENT_SERVICE_CLIENT_ID and the settings beside it, and what the issuer has of this client."
        return None, wrong("service-token", name, str(error), do, "AssentComponentFails")
    return given.token, fine("service-token", name, f"is given a token for {given.for_s:.0f} s")


def _clock(service: str, answer: httpx.Response) -> Finding:
    try:
        theirs = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return unknown("clock", service, "does not say what time it has")
    # The header has whole seconds.
    off = abs(SystemClock().now() - theirs) - answer.elapsed - timedelta(seconds=1)
    if off <= SKEW:
        return fine("clock", service, "has this machine's time")
    do = "Let both ask the same time servers: a token that is good here is not yet, or no more, good there."
    return wrong("clock", service, f"its clock is {off.total_seconds():.0f} s off this machine's", do)
