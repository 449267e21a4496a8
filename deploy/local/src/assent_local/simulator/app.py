"""The ASGI application: which service is meant, who calls, what goes wrong, and the answer in its protocol."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
from assent_common import ids
from assent_common.clock import Clock
from pydantic import ValidationError

from assent_local.simulator import iam, s3, sts
from assent_local.simulator.answers import Answer
from assent_local.simulator.caller import Caller, caller_of
from assent_local.simulator.errors import AwsError, invalid
from assent_local.simulator.events import Rule
from assent_local.simulator.faults import Dials, Faults, ServerFault
from assent_local.simulator.s3 import Buckets
from assent_local.simulator.sagemaker import SageMaker
from assent_local.simulator.seed import Seed, Seeds
from assent_local.simulator.shapes import Mismatch, shapes_of
from assent_local.simulator.shares import Share, Shares
from assent_local.simulator.sqs import Queues
from assent_local.simulator.store import Store
from assent_local.simulator.sts import Tokens

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_NOT_FROM_THE_SERVICE = Answer(
    500, b"<html><body><h1>500 Internal Server Error</h1></body></html>", {"Content-Type": "text/html"}
)


class App:
    def __init__(self, store: Store, clock: Clock, faults: Faults, events_queue: str | None) -> None:
        self.store = store
        self.dials = Dials(faults)
        self.calls: Counter[str] = Counter()
        #: Set first when the server is to stop: the long polls end.
        self.stopping = asyncio.Event()
        self.queues = Queues(store, clock)
        rule = Rule(self.queues, clock, events_queue)
        self.shares = Shares(store)
        self.sagemaker = SageMaker(store, self.shares, self.dials, clock, rule.package_changed)
        self._seeds = Seeds(store, self.sagemaker)
        self.buckets = Buckets(store, self.dials, clock, self._seeds.report)
        self._tokens = Tokens(self.dials, clock)
        self._sqs_shapes = shapes_of("sqs")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await _body(receive)
        try:
            answer = await self._answer(scope, headers, body, receive)
        except ServerFault:
            answer = _NOT_FROM_THE_SERVICE
        await _reply(send, scope["method"], answer)

    async def _answer(self, scope: Scope, headers: Mapping[str, str], body: bytes, receive: Receive) -> Answer:
        path = unquote(scope["raw_path"].decode("ascii"))
        if path.startswith("/_simulator/"):
            return await self._dial(scope["method"], path.removeprefix("/_simulator/"), body)
        caller = self._tokens.known(caller_of(headers.get("authorization", "")))
        service, _, operation = headers.get("x-amz-target", "").partition(".")
        if service == "SageMaker":
            return await self._sagemaker(operation, caller, body)
        if service == "AmazonSQS":
            return await self._sqs(operation, caller, body, f"http://{headers['host']}", receive)
        if caller.service == "sts":
            return await self._sts(caller, body)
        if caller.service == "iam":
            return await self._iam(caller, body)
        return await self._s3(caller, scope["method"], path, scope["query_string"].decode("ascii"), headers, body)

    async def _sagemaker(self, operation: str, caller: Caller, body: bytes) -> Answer:
        content_type = {"Content-Type": "application/x-amz-json-1.1"}
        try:
            await self._befall("sagemaker", operation, caller)
            request = _json(body)
            iam.check(self.dials.faults.deny, f"sagemaker:{operation}", caller, request)
            body = self.sagemaker.call(operation, caller, request)
            cut_at = len(body) // 2 if self.dials.breaks_off(operation) else None
            return Answer(200, body, content_type, cut_at=cut_at)
        except AwsError as error:
            return Answer(error.status, orjson.dumps({"__type": error.code, "message": error.message}), content_type)

    async def _sqs(self, operation: str, caller: Caller, body: bytes, endpoint: str, receive: Receive) -> Answer:
        content_type = {"Content-Type": "application/x-amz-json-1.0"}
        try:
            await self._befall("sqs", operation, caller)
            request = _json(body)
            if operation not in self.queues.operations and operation != "ReceiveMessage":
                raise AwsError("UnknownOperationException", f"{operation} is not simulated.")
            self._sqs_shapes.input(operation)(request, "")
            if operation == "ReceiveMessage":
                result = await self.queues.receive(caller, request, lambda: self._gone(receive))
            else:
                result = self.queues.operations[operation](caller, {**request, "Endpoint": endpoint})
            self._sqs_shapes.output(operation)(result, "")
            return Answer(200, orjson.dumps(result), content_type)
        except Mismatch as mismatch:
            error = invalid(str(mismatch))
        except AwsError as refused:
            error = refused
        payload = {"__type": f"com.amazonaws.sqs#{error.code}", "message": error.message}
        legacy = "AWS.SimpleQueueService.NonExistentQueue" if error.code == "QueueDoesNotExist" else error.code
        return Answer(error.status, orjson.dumps(payload), {**content_type, "x-amzn-query-error": f"{legacy};Sender"})

    async def _sts(self, caller: Caller, body: bytes) -> Answer:
        form = dict(parse_qsl(body.decode()))
        operation = form.get("Action", "")
        content_type = {"Content-Type": "text/xml"}
        try:
            await self._befall("sts", operation, caller)
            if operation not in self._tokens.operations:
                raise AwsError("InvalidAction", f"{operation} is not simulated.")
            result = self._tokens.operations[operation](caller, form)
            return Answer(200, sts.answer(operation, result), content_type)
        except AwsError as error:
            return Answer(error.status, sts.refusal(error), content_type)

    async def _iam(self, caller: Caller, body: bytes) -> Answer:
        form = dict(parse_qsl(body.decode()))
        operation = form.get("Action", "")
        content_type = {"Content-Type": "text/xml"}
        try:
            await self._befall("iam", operation, caller)
            if operation != "SimulatePrincipalPolicy":
                raise AwsError("InvalidAction", f"{operation} is not simulated.")
            return Answer(200, iam.simulate(self.dials.faults.deny, form), content_type)
        except AwsError as error:
            return Answer(error.status, iam.refusal(error), content_type)

    async def _s3(
        self, caller: Caller, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        bucket, _, key = path.removeprefix("/").partition("/")
        asked = dict(parse_qsl(query, keep_blank_values=True))
        try:
            operation = self.buckets.operation(method, bucket, key, asked)
            await self._befall("s3", operation, caller)
            return await self.buckets.call(operation, bucket, key, asked, headers, body)
        except AwsError as error:
            if error.code == "AccessDeniedException":
                error = AwsError("AccessDenied", error.message, 403)
            if error.code == "ThrottlingException":
                error = AwsError("SlowDown", "Please reduce your request rate.", 503)
            return Answer(error.status, s3.refusal(error, path), {"Content-Type": "application/xml"})

    async def _befall(self, service: str, operation: str, caller: Caller) -> None:
        self.calls[operation] += 1
        await self.dials.before(service, operation, caller)

    async def _gone(self, receive: Receive) -> None:
        """Until the client has hung up or the server stops."""
        reasons = {asyncio.ensure_future(receive()), asyncio.ensure_future(self.stopping.wait())}
        try:
            await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for reason in reasons:
                reason.cancel()

    async def _dial(self, method: str, dial: str, body: bytes) -> Answer:
        """The simulator's own routes, which AWS does not have."""
        try:
            match method, dial:
                case "GET", "faults":
                    return _plain(self.dials.faults.model_dump(mode="json"))
                case "PUT", "faults":
                    self.dials.set(Faults.model_validate_json(body))
                    return _plain(self.dials.faults.model_dump(mode="json"))
                case "GET", "calls":
                    return _plain(self.calls)
                case "DELETE", "calls":
                    self.calls.clear()
                    return _plain({})
                case "PUT", "shares":
                    self.shares.set(share := Share.model_validate_json(body))
                    return _plain(share.model_dump())
                case "POST", "seed":
                    return _plain({"versions": await self._seeds.sow(Seed.model_validate_json(body))})
        except ValidationError as error:
            return Answer(400, error.json().encode(), {"Content-Type": "application/json"})
        except AwsError as error:
            return Answer(400, orjson.dumps({"message": error.message}), {"Content-Type": "application/json"})
        return Answer(404)


async def _body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def _json(body: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(body or b"{}")
    except ValueError as error:
        raise AwsError("SerializationException", str(error)) from error
    if not isinstance(request, dict):
        raise AwsError("SerializationException", "The request is not a JSON object.")
    return request


def _plain(document: Mapping[str, Any]) -> Answer:
    return Answer(200, orjson.dumps(dict(document)), {"Content-Type": "application/json"})


async def _reply(send: Send, method: str, answer: Answer) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers.append((b"content-length", b"%d" % len(answer.body)))
    headers.append((b"x-amzn-requestid", str(ids.new()).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if answer.cut_at is not None:
        # Returned from before the length that was promised: the server closes the connection.
        await send({"type": "http.response.body", "body": answer.body[: answer.cut_at], "more_body": True})
        return
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})
