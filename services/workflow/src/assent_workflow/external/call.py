"""One question to another system: signed, within its time, to where it was looked at; and its answer, or why none."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import orjson
from assent_common import strict_json
from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from assent_workflow.external.model import Answer
from assent_workflow.external.secrets import Secrets
from assent_workflow.outgoing import addresses
from assent_workflow.outgoing.addresses import Network, Refused, Resolve
from assent_workflow.outgoing.hosts import ANY, Hosts
from assent_workflow.outgoing.post import tls
from assent_workflow.webhooks.sign import signatures

MAX_ANSWER = 64 * 1024
MAX_DEPTH = 20


class Answered(BaseModel):
    """What is taken for an answer. Whatever else it says is not kept."""

    model_config = ConfigDict(extra="ignore")

    passed: StrictBool
    reason: str = Field(min_length=1, max_length=1000)
    evidence: Any = None


@dataclass(frozen=True)
class NoAnswer:
    """Which is no answer at all, neither yes nor no."""

    why: str
    status: int | None = None


class Caller:
    """Follows no redirect, asks no proxy of the environment where to go, and keeps no connection."""

    def __init__(
        self,
        secrets: Secrets,
        allowed: Sequence[Network] = (),
        *,
        hosts: Hosts = ANY,
        resolve: Resolve = addresses.resolve,
        cafile: str | None = None,
    ) -> None:
        self._secrets = secrets
        self._allowed = allowed
        self._hosts = hosts
        self._resolve = resolve
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
            verify=tls(cafile),
        )

    async def ask(self, id_: str, url: str, question: Any, *, timeout_s: float, at: datetime) -> Answer | NoAnswer:
        """The same `id_` when it is asked again, so that the other side can answer as it did."""
        body, timestamp = orjson.dumps(question), int(at.timestamp())
        headers = {
            "content-type": "application/json",
            "accept": "application/json",
            "user-agent": "Assent",
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures(self._secrets.all_of(url), id_=id_, timestamp=timestamp, body=body),
        }
        try:
            async with asyncio.timeout(timeout_s):
                target = await addresses.look(url, self._allowed, hosts=self._hosts, resolve=self._resolve)
                sent = self._client.stream(
                    "POST",
                    target.url,
                    content=body,
                    headers={**target.headers, **headers},
                    extensions={"sni_hostname": target.host},
                    timeout=timeout_s,
                )
                async with sent as answer:
                    return _read(answer.status_code, await _first(answer, MAX_ANSWER + 1), at)
        except Refused as error:
            return NoAnswer(str(error))
        except TimeoutError:
            return NoAnswer(f"no answer within {timeout_s:g} s")
        except (httpx.HTTPError, OSError) as error:
            return NoAnswer(type(error).__name__)


async def _first(answer: httpx.Response, most: int) -> bytes:
    read = bytearray()
    async for chunk in answer.aiter_bytes():
        read += chunk
        if len(read) >= most:
            break
    return bytes(read)


def _read(status: int, body: bytes, at: datetime) -> Answer | NoAnswer:
    if status != 200:
        return NoAnswer(f"it answered {status}", status)
    if len(body) > MAX_ANSWER:
        return NoAnswer(f"its answer is longer than {MAX_ANSWER} bytes", status)
    try:
        said = Answered.model_validate(strict_json.loads(body, max_depth=MAX_DEPTH))
    except (ValueError, ValidationError):
        return NoAnswer("its answer is not {passed: true or false, reason: …, evidence: …}", status)
    return Answer(said.passed, said.reason, said.evidence, hashlib.sha256(body).hexdigest(), at)
