"""POST to where was looked at, under the name that was asked for."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime

import httpx

from assent_workflow.outgoing import addresses
from assent_workflow.outgoing.addresses import Network, Refused, Resolve
from assent_workflow.outgoing.hosts import ANY, Hosts
from assent_workflow.outgoing.outcome import Outcome, of_answer

DEADLINE_S = 15.0
#: Of each step: to connect, to send, to hear the first of an answer.
STEP_WITHIN_S = 10.0


class Poster:
    """Follows no redirect, shows nobody what was answered, and asks no proxy of the environment where to go."""

    def __init__(
        self,
        allowed: Sequence[Network] = (),
        *,
        hosts: Hosts = ANY,
        resolve: Resolve = addresses.resolve,
        cafile: str | None = None,
    ) -> None:
        self._allowed = allowed
        self._hosts = hosts
        self._resolve = resolve
        # No connection is kept: it would serve another name.
        self._client = httpx.AsyncClient(
            timeout=STEP_WITHIN_S,
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
            verify=tls(cafile),
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, at: datetime) -> Outcome:
        """Within fifteen seconds. The certificate must be of the name, though the connection goes to an address."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                target = await addresses.look(url, self._allowed, hosts=self._hosts, resolve=self._resolve)
                sent = self._client.stream(
                    "POST",
                    target.url,
                    content=body,
                    headers={**target.headers, "user-agent": "Assent", **headers},
                    extensions={"sni_hostname": target.host},
                )
                # What it answers is not read: nothing of it is shown to anybody.
                async with sent as answer:
                    return of_answer(answer.status_code, answer.headers.get("retry-after"), at=at)
        except Refused as error:
            return Outcome(error=str(error))
        except (httpx.HTTPError, OSError, TimeoutError) as error:
            return Outcome(error=type(error).__name__)


def tls(cafile: str | None) -> ssl.SSLContext:
    """That trusts the public authorities, and the company's own."""
    context = httpx.create_ssl_context(trust_env=False)
    if cafile is not None:
        context.load_verify_locations(cafile)
    return context
