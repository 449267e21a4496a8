"""A short way for reads: a route that takes words of its path and query parameters, or one document that is sent to it
(a question), and makes its own answer.

What the framework does for every request (ask each route twice, walk the dependencies, validate what was not given,
wrap the answer several times) costs more than most reads. Here the same function is called with the same arguments,
after the same checks by the same functions. Whatever is not as plain as that, or at fault, goes the long way, before
anything was done about it; a test holds that both ways answer alike.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any, get_type_hints

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.params import Body, Form
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assent_common import strict_json
from assent_common.http import fields, problems
from assent_common.http.etags import not_modified
from assent_common.identity.roles import Admit, bearer

#: How deep a document may be.
MAX_DEPTH = 32
METHODS = ("GET", "POST")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A function that takes query parameters, all of which may be left out."""

    name: str
    call: Callable[..., Awaitable[Any]]
    defaults: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Plain:
    """A route that can be called without the framework."""

    route: APIRoute
    admit: Admit
    #: What the endpoint calls its request and its principal.
    request: str
    principal: str
    #: The endpoint, and before it what it depends on.
    functions: tuple[_Asked, ...]
    #: Query parameter → whose it is, by place, and how it is validated.
    parameters: Mapping[str, tuple[int, Any]]
    #: The document that the endpoint is sent; None where it is sent nothing.
    document: Any | None

    def given(self, request: Request) -> list[dict[str, Any]] | None:
        """The arguments of each function, or None where something is at fault."""
        arguments = [dict(function.defaults) for function in self.functions]
        if not request.scope["query_string"]:
            return arguments
        query = request.query_params
        for name in query:
            if name not in self.parameters or name == fields.NAME:
                return None
            place, field = self.parameters[name]
            values, errors = request_params_to_args([field], query)
            if errors:
                return None
            arguments[place].update(values)
        return arguments

    async def sent(self, request: Request, heard: "_Heard") -> dict[str, Any] | None:
        """What the endpoint is sent, by its name; None where something is at fault."""
        if self.document is None:
            return {}
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return None
        body = await heard.body()
        if body is None:
            return None
        try:
            document = strict_json.loads(body, max_depth=MAX_DEPTH)
        except ValueError:
            return None
        if not isinstance(document, dict):
            return None
        value, errors = self.document.validate(document, {}, loc=("body",))
        return None if errors else {self.document.name: value}

    async def answer(self, request: Request, arguments: list[dict[str, Any]]) -> Response:
        who = await self.admit(request, bearer(request.headers.get("authorization")))
        *depended_on, endpoint = self.functions
        *before, mine = arguments
        for function, its in zip(depended_on, before, strict=True):
            mine[function.name] = await function.call(**its)
        mine |= {self.request: request, self.principal: who}
        return not_modified(request, await endpoint.call(**request.path_params, **mine))


class _Heard:
    """A body that was received, for who is asked after this to receive again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._refusal: HTTPException | None = None

    async def body(self) -> bytes | None:
        """All of it; None where it cannot be had, as who receives it again will find."""
        while True:
            try:
                message = await self._receive()
            except HTTPException as refusal:
                self._refusal = refusal
                return None
            self._messages.append(message)
            if message["type"] != "http.request":
                return None
            if not message.get("more_body", False):
                return b"".join(each.get("body", b"") for each in self._messages)

    async def again(self) -> Message:
        if self._messages:
            return self._messages.pop(0)
        if self._refusal is not None:
            raise self._refusal
        return await self._receive()


class Lane:
    """The innermost middleware: what it takes never reaches the router."""

    def __init__(self, app: ASGIApp, service: FastAPI) -> None:
        self._app = app
        self._service = service
        self._routes: dict[str, list[tuple[re.Pattern[str], _Plain | None]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plain, words = self._find(scope) if scope["type"] == "http" and scope["method"] in METHODS else (None, {})
        if plain is not None:
            heard = _Heard(receive)
            request = Request({**scope, "app": self._service, "path_params": words}, receive)
            arguments = plain.given(request)
            sent = await plain.sent(request, heard) if arguments is not None else None
            if arguments is not None and sent is not None:
                arguments[-1].update(sent)
                # The edge counts by the route, and says how often its caller may ask.
                scope["route"] = plain.route
                scope["state"] = request.scope.setdefault("state", scope.get("state", {}))
                try:
                    answer = await plain.answer(request, arguments)
                except problems.Problem as problem:
                    request.state.problem = problem
                    answer = problems.answer(problem)
                await answer(scope, receive, send)
                return
            receive = heard.again
        await self._app(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[_Plain | None, dict[str, Any]]:
        method = scope["method"]
        if method not in self._routes:
            self._routes[method] = list(_routes(self._service, method))
        if "\0" not in scope["path"] and b"%00" not in scope["query_string"]:
            for pattern, plain in self._routes[method]:
                if (found := pattern.match(scope["path"])) is not None:
                    return plain, found.groupdict()
        return None, {}


def _routes(app: FastAPI, method: str) -> Iterator[tuple[re.Pattern[str], _Plain | None]]:
    """Every route that answers this method, in the order in which the router asks them."""
    for context in iter_route_contexts(app.routes):
        if method in (context.methods or ()):
            route = context.original_route
            plain = _plain(route, context.dependant) if isinstance(route, APIRoute) else None
            # What is no read, and is sent nothing, is no question either.
            is_one = plain is not None and (plain.document is None) == (method == "GET")
            yield context.path_regex, plain if is_one else None


def _plain(route: APIRoute, dependant: Dependant) -> _Plain | None:
    admitting = [each for each in dependant.dependencies if hasattr(each.call, "admit")]
    depended_on = [each for each in dependant.dependencies if each not in admitting]
    functions = [*depended_on, dependant]
    if (
        len(admitting) != 1
        or admitting[0].name is None
        or dependant.request_param_name is None
        or any(each.dependencies or each.path_params or each.request_param_name for each in depended_on)
        or any(each.field_info.annotation is not str or each.field_info.metadata for each in dependant.path_params)
        or any(each.body_params for each in depended_on)
        or not all(map(_asks_by_query_only, functions))
        or not all(map(_is_whole, dependant.body_params))
        or len(dependant.body_params) > 1
        or not _gives_a_response(route.endpoint)
    ):
        return None
    return _Plain(
        route,
        admitting[0].call.admit,  # type: ignore[union-attr]
        dependant.request_param_name,
        admitting[0].name,
        tuple(
            _Asked(each.name or "", each.call, {one.name: one.get_default() for one in each.query_params})  # type: ignore[arg-type]
            for each in functions
        ),
        {one.alias: (place, one) for place, each in enumerate(functions) for one in each.query_params},
        dependant.body_params[0] if dependant.body_params else None,
    )


def _asks_by_query_only(dependant: Dependant) -> bool:
    return iscoroutinefunction(dependant.call) and not (
        any(parameter.field_info.is_required() for parameter in dependant.query_params)
        or any(hasattr(parameter.field_info.annotation, "model_fields") for parameter in dependant.query_params)
        or dependant.header_params
        or dependant.cookie_params
        or dependant.response_param_name
        or dependant.background_tasks_param_name
    )


def _is_whole(document: Any) -> bool:
    """A model, which the body is as a whole."""
    annotation = document.field_info.annotation
    return (
        isinstance(annotation, type)
        and issubclass(annotation, BaseModel)
        and isinstance(document.field_info, Body)
        and not isinstance(document.field_info, Form)
        and not document.field_info.embed
    )


def _gives_a_response(endpoint: Callable[..., Any]) -> bool:
    given = get_type_hints(endpoint).get("return")
    return isinstance(given, type) and issubclass(given, Response)
