"""SageMaker, S3, SQS and STS for a stopwatch: `python -m tests.bench.standin --versions 500 --latency-ms 20 --rate 50`.

Each account that a role is assumed in has so many versions in each region; whoever comes by AWS's own settings is in
one account. It knows nothing that the simulator checks, and so costs next to nothing: an answer is a template filled
in. Each comes after a set time; of SageMaker's calls, those beyond the rate are throttled as AWS does it, with 400.
"""

import argparse
import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from math import ceil, floor
from typing import Any

import orjson
import uvloop
from aiohttp import web
from assent_common.clock import SystemClock

ACCOUNT = "123456789012"
REGION = "eu-central-1"
BUCKET = "reports"
KEY = "ASIA"
QUEUE = "changes"
OF_A_GROUP = 50
PAGE = 100
BEGAN_AT = 1_767_225_600.0
"""When the first version was registered."""

Answer = Mapping[str, Any] | bytes

_VERSION = """\
{"ModelPackageGroupName":"%(group)s","ModelPackageVersion":%(version)d,"ModelPackageArn":"%(arn)s",\
"ModelPackageDescription":"Candidate %(version)d of %(group)s","CreationTime":%(created)f,\
"LastModifiedTime":%(modified)f,"ModelPackageStatus":"Completed",\
"ModelPackageStatusDetails":{"ValidationStatuses":[],"ImageScanStatuses":[]},"CertifyForMarketplace":false,\
"ModelApprovalStatus":"%(approval)s","Domain":"MACHINE_LEARNING","Task":"CLASSIFICATION",\
"CreatedBy":{"IamIdentity":{"Arn":"arn:aws:sts::123456789012:assumed-role/data-scientists/ada","PrincipalId":"AROA"}},\
"InferenceSpecification":{"Containers":[{"Image":"683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",\
"ImageDigest":"sha256:%(digest)s","ModelDataUrl":"s3://models/%(group)s/%(version)d/model.tar.gz",\
"ModelDataETag":"%(digest).32s","Framework":"XGBOOST","FrameworkVersion":"1.7-1"}],\
"SupportedContentTypes":["text/csv"],"SupportedResponseMIMETypes":["text/csv"]},\
"ModelMetrics":{"ModelQuality":{"Statistics":{"ContentType":"application/json",\
"S3Uri":"s3://reports/%(group)s/%(version)d/evaluation.json"}}},\
"CustomerMetadataProperties":{"team":"risk","commit":"%(digest).12s"},\
"ModelLifeCycle":{"Stage":"Development","StageStatus":"Registered"}}"""


class Registry:
    """`versions` of them in one account and region, each registered so long after the one before, and what was changed
    since."""

    def __init__(self, versions: int, apart_s: float = 1.0, *, account: str = ACCOUNT, region: str = REGION) -> None:
        self.versions = versions
        self._apart_s = apart_s
        self._sagemaker = f"arn:aws:sagemaker:{region}:{account}"
        self._changed: dict[int, float] = {}

    def change(self, number: int) -> str:
        """Somebody approves it, or takes that back. Its ARN."""
        self._changed[number] = round(time.time(), 3)
        return self._arn(number)

    def whole(self, number: int) -> str:
        created = self._created(number)
        return _VERSION % {
            "group": _group(number),
            "version": number % OF_A_GROUP + 1,
            "arn": self._arn(number),
            "created": created,
            "modified": self._changed.get(number, created),
            "approval": "Approved" if number in self._changed else "PendingManualApproval",
            "digest": hashlib.sha256(b"%d" % number).hexdigest(),
        }

    def summary(self, number: int) -> dict[str, Any]:
        return {
            "ModelPackageArn": self._arn(number),
            "ModelPackageGroupName": _group(number),
            "ModelPackageVersion": number % OF_A_GROUP + 1,
            "CreationTime": self._created(number),
            "ModelPackageStatus": "Completed",
            "ModelApprovalStatus": "Approved" if number in self._changed else "PendingManualApproval",
        }

    def modified_since(self, moment: float) -> list[int]:
        """Numbers, longest unmodified first."""
        created = range(max(0, ceil((moment - BEGAN_AT) / self._apart_s)), self.versions)
        numbers = {*created, *(n for n, at in self._changed.items() if at >= moment)}
        return sorted(numbers, key=lambda n: self._changed.get(n, self._created(n)))

    def created_since(self, moment: float) -> range:
        """Those registered after it."""
        return range(max(0, floor((moment - BEGAN_AT) / self._apart_s) + 1), self.versions)

    def groups(self, since: float = 0) -> Iterator[dict[str, Any]]:
        for number in range(0, self.versions, OF_A_GROUP):
            if self._created(number) > since:
                name = _group(number)
                yield {
                    "ModelPackageGroupName": name,
                    "ModelPackageGroupArn": f"{self._sagemaker}:model-package-group/{name}",
                    "ModelPackageGroupStatus": "Completed",
                    "CreationTime": self._created(number),
                }

    def number(self, arn: str) -> int:
        group, _, version = arn.rpartition("/")
        return int(group.rpartition("-")[2]) * OF_A_GROUP + int(version) - 1

    def _created(self, number: int) -> float:
        return BEGAN_AT + number * self._apart_s

    def _arn(self, number: int) -> str:
        return f"{self._sagemaker}:model-package/{_group(number)}/{number % OF_A_GROUP + 1}"


class StandIn:
    def __init__(self, versions: int, apart_s: float, *, latency_s: float, rate: float | None) -> None:
        self._versions = versions
        self._apart_s = apart_s
        self._registries: dict[tuple[str, str], Registry] = {}
        self._latency_s = latency_s
        self._rate = rate
        self._tokens = rate or 0.0
        self._filled_at = time.monotonic()
        self._calls: Counter[str] = Counter()
        self._throttled = 0
        self._first_at: float | None = None
        self._last_at: float | None = None
        self._messages: dict[str, str] = {}
        self._arrived = asyncio.Condition()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 22)
        app.router.add_get("/_bench", self._stand)
        app.router.add_post("/_bench/reset", self._reset)
        app.router.add_post("/_bench/change/{number}", self._change)
        app.router.add_post("/{path:.*}", self._api)
        app.router.add_get("/{path:.*}", self._report)
        return app

    async def _stand(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "calls": self._calls,
                "throttled": self._throttled,
                "first_at": self._first_at,
                "last_at": self._last_at,
                "undeleted": len(self._messages),
            }
        )

    async def _reset(self, request: web.Request) -> web.Response:
        self._calls.clear()
        self._throttled = 0
        self._first_at = self._last_at = None
        return web.Response(status=204)

    async def _change(self, request: web.Request) -> web.Response:
        where = request.query.get("account", ACCOUNT), request.query.get("region", REGION)
        arn = self._registry(*where).change(int(request.match_info["number"]))
        if request.query.get("told"):
            event = {
                "version": "0",
                "id": hashlib.sha256(arn.encode()).hexdigest()[:32],
                "detail-type": "SageMaker Model Package State Change",
                "source": "aws.sagemaker",
                "account": ACCOUNT,
                "region": REGION,
                "time": SystemClock().now().strftime("%Y-%m-%dT%H:%M:%SZ"),
                "resources": [arn],
                "detail": {"ModelPackageArn": arn, "UpdatedModelPackageFields": ["ModelApprovalStatus"]},
            }
            async with self._arrived:
                self._messages[f"{time.monotonic_ns()}"] = json.dumps(event)
                self._arrived.notify_all()
        return web.json_response({"arn": arn, "at": time.time()})

    async def _api(self, request: web.Request) -> web.Response:
        service, _, operation = request.headers.get("X-Amz-Target", "").partition(".")
        if not service:
            return _role(await request.post())
        asked = orjson.loads(await request.read() or b"{}")
        if service == "AmazonSQS":
            return await self._queue(operation, asked)
        await self._come_in(operation)
        if not self._allowed():
            self._throttled += 1
            return _json({"__type": "ThrottlingException", "message": "Rate exceeded"}, status=400)
        answer = OPERATIONS.get(operation)
        return _json(answer(self._registry(*_asker(request)), asked) if answer else {})

    async def _report(self, request: web.Request) -> web.Response:
        await self._come_in("GetObject")
        path = request.match_info["path"]
        digest = hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()
        accuracy = 0.7 + int(digest[:4], 16) / 65536 * 0.29
        measured = {
            name: {"value": round(accuracy - step / 50, 4), "standard_deviation": 0.01}
            for step, name in enumerate(("accuracy", "precision", "recall", "f1", "auc"))
        }
        body = orjson.dumps({"binary_classification_metrics": measured})
        return web.Response(
            body=body,
            content_type="application/json",
            headers={"ETag": f'"{digest}"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"},
        )

    async def _queue(self, operation: str, asked: Mapping[str, Any]) -> web.Response:
        if operation == "ReceiveMessage":
            async with self._arrived:
                if not self._messages:
                    waiting = self._arrived.wait_for(lambda: self._messages)
                    try:
                        await asyncio.wait_for(waiting, asked.get("WaitTimeSeconds", 0) or 0.001)
                    except TimeoutError:
                        return _json({})
                taken = list(self._messages.items())[: asked.get("MaxNumberOfMessages", 1)]
            return _json({"Messages": [_message(receipt, body) for receipt, body in taken]})
        if operation == "DeleteMessageBatch":
            entries = asked["Entries"]
            for entry in entries:
                self._messages.pop(entry["ReceiptHandle"], None)
            return _json({"Successful": [{"Id": entry["Id"]} for entry in entries], "Failed": []})
        if operation == "DeleteMessage":
            self._messages.pop(asked["ReceiptHandle"], None)
        if operation == "GetQueueAttributes":
            return _json({"Attributes": {"ApproximateNumberOfMessages": str(len(self._messages))}})
        return _json({})

    def _registry(self, account: str, region: str) -> Registry:
        where = account, region
        if where not in self._registries:
            self._registries[where] = Registry(self._versions, self._apart_s, account=account, region=region)
        return self._registries[where]

    async def _come_in(self, operation: str) -> None:
        now = time.time()
        self._first_at = self._first_at or now
        self._last_at = now
        self._calls[operation] += 1
        if self._latency_s:
            await asyncio.sleep(self._latency_s)

    def _allowed(self) -> bool:
        if self._rate is None:
            return True
        now = time.monotonic()
        self._tokens = min(self._rate, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _search(registry: Registry, asked: Mapping[str, Any]) -> Answer:
    filters = asked.get("SearchExpression", {}).get("Filters", [])
    moments = {f["Name"]: datetime.fromisoformat(f["Value"]).replace(tzinfo=UTC).timestamp() for f in filters}
    if asked["Resource"] == "ModelPackageGroup":
        groups, token = _page(list(registry.groups()), asked)
        return {"Results": [{"ModelPackageGroup": group} for group in groups], **token}
    if asked["Resource"] != "ModelPackage":
        return {"Results": []}
    if "LastModifiedTime" in moments:
        numbers: Iterable[int] = registry.modified_since(moments["LastModifiedTime"])
    elif "CreationTime" in moments:
        numbers = registry.created_since(moments["CreationTime"] - 1)
    else:
        numbers = range(registry.versions)
    if asked.get("SortOrder") == "Descending":
        numbers = list(numbers)[::-1]
    page, token = _page(numbers, asked)
    results = ",".join('{"ModelPackage":' + registry.whole(number) + "}" for number in page)
    following = f',"NextToken":"{token["NextToken"]}"' if token else ""
    return f'{{"Results":[{results}]{following}}}'.encode()


def _list_packages(registry: Registry, asked: Mapping[str, Any]) -> Answer:
    numbers: Iterable[int] = range(registry.versions)
    if group := asked.get("ModelPackageGroupName"):
        first = int(group.rpartition("-")[2]) * OF_A_GROUP
        numbers = range(first, min(first + OF_A_GROUP, registry.versions))
    elif asked.get("ModelPackageType") != "Both":
        numbers = ()
    elif since := asked.get("CreationTimeAfter"):
        numbers = registry.created_since(since)
    page, token = _page(numbers, asked)
    return {"ModelPackageSummaryList": [registry.summary(number) for number in page], **token}


def _list_groups(registry: Registry, asked: Mapping[str, Any]) -> Answer:
    if asked.get("CrossAccountFilterOption") == "CrossAccount":
        return {"ModelPackageGroupSummaryList": []}
    groups, token = _page(list(registry.groups(asked.get("CreationTimeAfter", 0))), asked)
    return {"ModelPackageGroupSummaryList": groups, **token}


def _describe_package(registry: Registry, asked: Mapping[str, Any]) -> Answer:
    return registry.whole(registry.number(asked["ModelPackageName"])).encode()


OPERATIONS: dict[str, Callable[[Registry, Mapping[str, Any]], Answer]] = {
    "Search": _search,
    "ListModelPackages": _list_packages,
    "ListModelPackageGroups": _list_groups,
    "DescribeModelPackage": _describe_package,
}


def _page(things: Any, asked: Mapping[str, Any]) -> tuple[Any, dict[str, str]]:
    start = int(asked.get("NextToken") or 0)
    end = start + min(asked.get("MaxResults", 10), PAGE)
    return things[start:end], {"NextToken": str(end)} if end < len(things) else {}


def _group(number: int) -> str:
    return f"bench-{number // OF_A_GROUP:06}"


def _role(asked: Mapping[str, Any]) -> web.Response:
    """Of STS: the key says in which account it is good."""
    account = str(asked["RoleArn"]).split(":")[4]
    expires = SystemClock().now() + timedelta(hours=1)
    return web.Response(
        text=f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>\
<AccessKeyId>{KEY}{account}</AccessKeyId><SecretAccessKey>bench</SecretAccessKey><SessionToken>bench</SessionToken>\
<Expiration>{expires:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>""",
        content_type="text/xml",
    )


def _asker(request: web.Request) -> tuple[str, str]:
    """Account and region, as the request is signed: `Credential=KEY/20260101/REGION/…`."""
    key, _, region, *_ = request.headers["Authorization"].partition("Credential=")[2].split("/")
    return (key.removeprefix(KEY), region) if key.startswith(KEY) else (ACCOUNT, region)


def _message(receipt: str, body: str) -> dict[str, Any]:
    digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
    return {"MessageId": receipt, "ReceiptHandle": receipt, "Body": body, "MD5OfBody": digest}


def _json(answer: Answer, status: int = 200) -> web.Response:
    body = answer if isinstance(answer, bytes) else orjson.dumps(answer)
    return web.Response(body=body, status=status, content_type="application/x-amz-json-1.1")


async def serve(stand_in: StandIn) -> None:
    runner = web.AppRunner(stand_in.app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    print(f"http://127.0.0.1:{port}", flush=True)  # noqa: T201 - whoever started it reads where it is
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, required=True)
    parser.add_argument("--apart-s", type=float, default=1.0, help="Seconds between two registrations")
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--rate", type=float, default=None, help="SageMaker's calls a second; unlimited by default")
    given = parser.parse_args()
    stand_in = StandIn(given.versions, given.apart_s, latency_s=given.latency_ms / 1000, rate=given.rate)
    uvloop.run(serve(stand_in))


if __name__ == "__main__":
    main()
