"""GetObject at a fraction of its price: most of what reading ten thousand reports costs is botocore's own work, which
for the objects of one bucket is always the same.

A bucket's first object is asked for through botocore, which finds the endpoint, the addressing style and the bucket's
region. The others are asked for where that one was, signed as that one was and sent over botocore's connections.
Whatever then comes that is not the object is asked for once more through botocore, which knows what it means.
"""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlsplit

from aiobotocore.response import StreamingBody
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import get_current_datetime
from botocore.exceptions import ClientError
from yarl import URL

from assent_sagemaker.aws.credentials import CredentialsOfTheCall
from assent_sagemaker.aws.signing import host_of, signed

_SCOPE = re.compile(r"^AWS4-HMAC-SHA256 Credential=[^,]*/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,")
_FOUND_WITHIN_S = 0.5
"""So long a call waits for another one to find the way to its bucket, before it goes itself."""

_sent: ContextVar[list[AWSPreparedRequest]] = ContextVar("assent_s3_sent")


class _Way(NamedTuple):
    """Where a bucket's objects are, and how a request for one is signed."""

    base: str
    #: As it is signed.
    host: str
    #: What stands before the key in the path.
    folder: str
    region: str
    service: str
    user_agent: str

    @classmethod
    def of(cls, request: AWSPreparedRequest, key: str) -> Self | None:
        """As botocore went for this key; none where it went another way than by a path and a plain signature."""
        scope = _SCOPE.match(_header(request, "Authorization"))
        if scope is None or not request.url.endswith(_path(key)):
            return None
        base = request.url.removesuffix(_path(key))
        return cls(
            *(base, host_of(base), urlsplit(base).path),
            *(scope["region"], scope["service"], _header(request, "User-Agent")),
        )


class Objects:
    """What is needed of an S3 client, with the parameters and answers of botocore's."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._credentials = CredentialsOfTheCall()
        self._ways: dict[str, _Way] = {}
        #: By bucket: set when its first object was asked for, whatever came of that.
        self._finding: dict[str, asyncio.Event] = {}
        client.meta.events.register("before-send.s3.GetObject", _note)

    async def get_object(self, **parameters: str) -> Mapping[str, Any]:
        """The answer; without a `Body` where the object is still the one of the ETag `IfNoneMatch`."""
        bucket = parameters["Bucket"]
        if (found := self._finding.get(bucket)) is None:
            found = self._finding[bucket] = asyncio.Event()
        elif not found.is_set():
            # A page of reports asks for a hundred at once: one of them finds the way for all.
            with suppress(TimeoutError):
                async with asyncio.timeout(_FOUND_WITHIN_S):
                    await found.wait()
        try:
            return await self._get_object(parameters)
        finally:
            found.set()

    async def _get_object(self, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        way = self._ways.get(parameters["Bucket"])
        answer = None
        if way and parameters.keys() <= {"Bucket", "Key", "IfNoneMatch"}:
            answer = await self._quickly(way, parameters["Key"], parameters.get("IfNoneMatch"))
        return answer or await self._by_botocore(parameters)

    async def _quickly(self, way: _Way, key: str, unless: str | None) -> Mapping[str, Any] | None:
        path = _path(key)
        headers = signed(
            *(way.host, way.folder + path, {"if-none-match": unless} if unless else {}),
            await self._credentials.get_frozen_credentials(),
            service=way.service,
            region=way.region,
            at=get_current_datetime(),
        )
        # With the proxies, certificates and timeouts that the client has by its settings.
        http = self._client._endpoint.http_session
        proxy = http._proxy_config.proxy_url_for(way.base)
        session = await http._get_session(proxy)
        response = await session.get(
            URL(way.base + path, encoded=True),
            headers={**headers, "user-agent": way.user_agent, "accept-encoding": "identity"},
            allow_redirects=False,
            proxy=proxy,
        )
        match response.status:
            case 200:
                said = response.headers
                length, written = said.get("content-length"), said.get("last-modified")
                return {
                    "Body": StreamingBody(response, length),
                    "ContentLength": int(length) if length else None,
                    "ETag": said.get("etag"),
                    "VersionId": said.get("x-amz-version-id"),
                    "LastModified": parsedate_to_datetime(written) if written else None,
                }
            case 304:
                response.release()
                return {"ETag": unless}
        response.close()
        return None

    async def _by_botocore(self, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        sent: list[AWSPreparedRequest] = []
        token = _sent.set(sent)
        try:
            answer: Mapping[str, Any] = await self._client.get_object(**parameters)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "304":
                raise
            answer = {"ETag": parameters["IfNoneMatch"]}
        finally:
            _sent.reset(token)
        if sent and (way := _Way.of(sent[-1], parameters["Key"])):
            self._ways[parameters["Bucket"]] = way
        return answer


def _note(request: AWSPreparedRequest, **_: Any) -> None:
    sent = _sent.get(None)
    if sent is not None:
        sent.append(request)


def _path(key: str) -> str:
    return "/" + quote(key, safe="/~")


def _header(request: AWSPreparedRequest, name: str) -> str:
    value = request.headers.get(name, "")
    return value.decode() if isinstance(value, bytes) else value
