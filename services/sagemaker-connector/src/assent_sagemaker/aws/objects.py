"""GetObject at a fraction of its price: most of what reading ten thousand reports costs is botocore's own work, which
for the objects of one bucket is always the same.

A bucket's first object is asked for through botocore, which finds the endpoint, the addressing style and the bucket's
region. The others are asked for where that one was, signed by botocore's signer and sent over botocore's connections.
Whatever then comes that is not the object is asked for once more through botocore, which knows what it means.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Self
from urllib.parse import quote

from aiobotocore.response import StreamingBody
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.exceptions import ClientError

from assent_sagemaker.aws.credentials import CredentialsOfTheCall

_SCOPE = re.compile(r"^AWS4-HMAC-SHA256 Credential=[^,]*/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,")
_sent: ContextVar[list[AWSPreparedRequest]] = ContextVar("assent_s3_sent")


class _Way(NamedTuple):
    """Where a bucket's objects are, and how a request for one is signed."""

    base: str
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
        return cls(base, scope["region"], scope["service"], _header(request, "User-Agent"))


class Objects:
    """What is needed of an S3 client, with the parameters and answers of botocore's."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._credentials = CredentialsOfTheCall()
        self._ways: dict[str, _Way] = {}
        client.meta.events.register("before-send.s3.GetObject", _note)

    async def get_object(self, **parameters: str) -> Mapping[str, Any]:
        """The answer; without a `Body` where the object is still the one of the ETag `IfNoneMatch`."""
        way = self._ways.get(parameters["Bucket"])
        answer = None
        if way and parameters.keys() <= {"Bucket", "Key", "IfNoneMatch"}:
            answer = await self._quickly(way, parameters["Key"], parameters.get("IfNoneMatch"))
        return answer or await self._by_botocore(parameters)

    async def _quickly(self, way: _Way, key: str, unless: str | None) -> Mapping[str, Any] | None:
        headers = {"User-Agent": way.user_agent} | ({"If-None-Match": unless} if unless else {})
        request = AWSRequest("GET", way.base + _path(key), headers=headers)
        request.stream_output = True
        S3SigV4Auth(await self._credentials.get_frozen_credentials(), way.service, way.region).add_auth(request)
        # With the proxies, certificates and timeouts that the client has by its settings.
        response = await self._client._endpoint.http_session.send(request.prepare())
        match response.status_code:
            case 200:
                said = response.headers
                length, written = said.get("content-length"), said.get("last-modified")
                return {
                    "Body": StreamingBody(response.raw, length),
                    "ContentLength": int(length) if length else None,
                    "ETag": said.get("etag"),
                    "VersionId": said.get("x-amz-version-id"),
                    "LastModified": parsedate_to_datetime(written) if written else None,
                }
            case 304:
                response.raw.release()
                return {"ETag": unless}
        response.raw.close()
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
