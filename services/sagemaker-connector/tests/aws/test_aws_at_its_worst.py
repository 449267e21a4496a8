"""What moto never does: empty pages, lost tokens, throttling, other regions' buckets, answers that are no JSON."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from assent_common.clock import SystemClock
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.credentials import OwnChain
from assent_sagemaker.aws.errors import Denied, TokenExpired, Unavailable
from assent_sagemaker.aws.limiter import PACES, Family, Limiter
from assent_sagemaker.aws.listing import list_model_package_groups
from assent_sagemaker.aws.reports import File, fetch
from assent_sagemaker.aws.tags import list_tags
from assent_sagemaker.mapping.metrics.read import Unreadable
from assent_sagemaker.sources import Source

Answer = Callable[[web.Request, dict[str, Any]], web.Response]


class Script:
    """Answers request by request; the last answer goes on."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[tuple[web.Request, dict[str, Any]]] = []

    async def handle(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read() or b"{}")
        self.requests.append((request, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(request, body)


def gives(document: dict[str, Any], status: int = 200) -> Answer:
    return lambda *_: web.Response(body=json.dumps(document), status=status, content_type="application/x-amz-json-1.1")


def refuses(code: str, message: str | None = None, status: int = 400) -> Answer:
    return gives({"__type": code, "message": message}, status)


def groups(*names: str, token: str | None = None) -> Answer:
    home = "arn:aws:sagemaker:eu-central-1:111122223333:model-package-group"
    summaries = [{"ModelPackageGroupName": name, "ModelPackageGroupArn": f"{home}/{name}"} for name in names]
    return gives({"ModelPackageGroupSummaryList": summaries, **({} if token is None else {"NextToken": token})})


@pytest.fixture
async def script(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Script]:
    script = Script()
    app = web.Application(client_max_size=2**20)
    app.router.add_route("*", "/{path:.*}", script.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    for service in ("SAGEMAKER", "S3"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "first")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    yield script
    await runner.cleanup()


@pytest.fixture
async def account(script: Script) -> AsyncIterator[Account]:
    async with Clients(SystemClock()) as clients:
        yield Account.of(Source(name="default", region="eu-central-1"), clients, Limiter())


async def listed(account: Account) -> list[str]:
    pages = list_model_package_groups(account)
    return [record["ModelPackageGroupName"] async for page in pages for record in page.records]


async def test_an_empty_page_is_not_the_end_and_a_row_that_comes_twice_is_given_once(
    account: Account, script: Script
) -> None:
    script.answers = [groups("a", token="1"), groups(token="2"), groups("a", "b", token="3"), groups("c", token="")]
    assert await listed(account) == ["a", "b", "c"]
    assert [body.get("NextToken") for _, body in script.requests] == [None, "1", "2", "3"]


async def test_a_listing_that_breaks_in_the_middle_is_never_taken_for_the_end(account: Account, script: Script) -> None:
    script.answers = [groups("a", token="1"), refuses("ValidationException", "NextToken has expired")]
    with pytest.raises(TokenExpired):
        await listed(account)
    script.answers = [groups("a", token="1"), refuses("AccessDeniedException", "no longer")]
    with pytest.raises(Denied):
        await listed(account)


async def test_a_token_that_comes_again_and_again_ends_in_an_error(account: Account, script: Script) -> None:
    script.answers = [groups(token="1")]
    with pytest.raises(TokenExpired):
        await listed(account)
    assert len(script.requests) == 2


async def test_a_throttled_call_succeeds_and_slows_its_lane_alone(account: Account, script: Script) -> None:
    script.answers = [refuses("ThrottlingException"), groups("a")]
    assert await listed(account) == ["a"]
    assert account.limiter.lane("own", "eu-central-1", Family.LIST).rate < PACES[Family.LIST].start
    assert account.limiter.lane("own", "eu-central-1", Family.SEARCH).rate == PACES[Family.SEARCH].start


async def test_credentials_that_ran_out_are_renewed_once(
    account: Account, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expired(*_: object) -> web.Response:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "second")
        return refuses("ExpiredTokenException", "expired")(*script.requests[-1])

    script.answers = [expired, groups("a")]
    assert isinstance(account.credentials, OwnChain)
    assert await listed(account) == ["a"]
    keys = [request.headers["Authorization"].split("Credential=")[1].split("/")[0] for request, _ in script.requests]
    assert keys == ["first", "second"]


async def test_a_503_that_is_no_json_is_a_passing_fault(account: Account, script: Script) -> None:
    script.answers = [lambda *_: web.Response(text="<html>Service Unavailable</html>", status=503)]
    with pytest.raises(Unavailable):
        await list_tags(account, "arn:aws:sagemaker:eu-central-1:111122223333:model-package-group/a")
    assert len(script.requests) == 4


async def test_a_bucket_in_another_region_is_found(account: Account, script: Script) -> None:
    moved = "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>"
    script.answers = [
        lambda *_: web.Response(text=moved, status=301, headers={"x-amz-bucket-region": "us-west-2"}),
        lambda *_: web.Response(body=b'{"accuracy": 0.9}', headers={"ETag": '"e"', "x-amz-version-id": "v1"}),
    ]
    assert await fetch(account, "s3://elsewhere/e.json") == File(b'{"accuracy": 0.9}', '"e"', "v1", None)
    regions = [request.headers["Authorization"].split("/")[2] for request, _ in script.requests]
    assert regions == ["eu-central-1", "us-west-2"]


async def test_a_forbidden_report_says_that_it_may_be_missing(account: Account, script: Script) -> None:
    script.answers = [lambda *_: web.Response(text="<Error><Code>AccessDenied</Code></Error>", status=403)]
    result = await fetch(account, "s3://acme/e.json")
    assert isinstance(result, Unreadable)
    assert "access denied, or there is no such file" in result.reason


async def test_a_truncated_report_is_no_report(account: Account, script: Script) -> None:
    def cut(request: web.Request, _: dict[str, Any]) -> web.Response:
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{")
        request.transport.close()
        return web.Response()

    script.answers = [cut]
    result = await fetch(account, "s3://acme/e.json")
    assert isinstance(result, Unreadable)
    assert "S3 did not give it" in result.reason


async def test_the_first_object_of_a_bucket_finds_the_way_for_all_that_are_asked_for_with_it(
    account: Account, script: Script
) -> None:
    script.answers = [lambda *_: web.Response(body=b"{}", headers={"ETag": '"1"'})]
    files = await asyncio.gather(*(fetch(account, f"s3://reports/a b/{n}.json") for n in range(50)))
    assert all(isinstance(file, File) and file.body == b"{}" for file in files)
    assert len(script.requests) == 50
    assert {request.raw_path for request, _ in script.requests} == {f"/reports/a%20b/{n}.json" for n in range(50)}
    # botocore's own requests are known by this.
    assert sum("amz-sdk-invocation-id" in request.headers for request, _ in script.requests) == 1


async def test_a_bucket_to_which_nobody_finds_the_way_says_so_of_each_object(account: Account, script: Script) -> None:
    script.answers = [lambda *_: web.Response(status=403)]
    files = await asyncio.gather(*(fetch(account, f"s3://reports/{n}.json") for n in range(50)))
    assert all(isinstance(file, Unreadable) and "access denied" in file.reason for file in files)
    assert len(script.requests) == 50


@pytest.mark.parametrize(
    ("told", "moment"),
    [
        (1767225600.123, datetime(2026, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)),
        (1767225600, datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T01:00:00+01:00", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
async def test_a_moment_is_in_utc_however_it_is_told(
    account: Account, script: Script, told: object, moment: datetime
) -> None:
    script.answers = [gives({"ModelPackageGroupSummaryList": [{"ModelPackageGroupArn": "a", "CreationTime": told}]})]
    (created,) = [
        record["CreationTime"] async for page in list_model_package_groups(account) for record in page.records
    ]
    assert created == moment
