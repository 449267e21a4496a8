"""A short way for reads: GET of a route that takes words of its path and query parameters, and makes its own answer.

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
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from assent_common.http import fields, problems
from assent_common.http.etags import not_modified
from assent_common.identity.roles import Admit, bearer


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

    async def answer(self, request: Request, arguments: list[dict[str, Any]]) -> Response:
        who = await self.admit(request, bearer(request.headers.get("authorization")))
        *depended_on, endpoint = self.functions
        *before, mine = arguments
        for function, its in zip(depended_on, before, strict=True):
            mine[function.name] = await function.call(**its)
        mine |= {self.request: request, self.principal: who}
        return not_modified(request, await endpoint.call(**request.path_params, **mine))


class Lane:
    """The innermost middleware: what it takes never reaches the router."""

    def __init__(self, app: ASGIApp, service: FastAPI) -> None:
        self._app = app
        self._service = service
        self._reads: list[tuple[re.Pattern[str], _Plain | None]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plain, words = self._find(scope) if scope["type"] == "http" and scope["method"] == "GET" else (None, {})
        if plain is not None:
            request = Request({**scope, "app": self._service, "path_params": words}, receive)
            arguments = plain.given(request)
            if arguments is not None:
                # The edge counts by the route, and says how often its caller may ask.
                scope["route"] = plain.route
                scope["state"] = request.scope.setdefault("state", scope.get("state", {}))
                try:
                    answer = await plain.answer(request, arguments)
                except problems.Problem as problem:
                    answer = problems.answer(problem)
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[_Plain | None, dict[str, str]]:
        if self._reads is None:
            self._reads = list(_reads(self._service))
        if "\0" not in scope["path"] and b"%00" not in scope["query_string"]:
            for pattern, plain in self._reads:
                if (found := pattern.match(scope["path"])) is not None:
                    return plain, found.groupdict()
        return None, {}


def _reads(app: FastAPI) -> Iterator[tuple[re.Pattern[str], _Plain | None]]:
    """Every route that answers GET, in the order in which the router asks them."""
    for context in iter_route_contexts(app.routes):
        if "GET" in (context.methods or ()):
            route = context.original_route
            yield context.path_regex, _plain(route, context.dependant) if isinstance(route, APIRoute) else None


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
        or not all(map(_asks_by_query_only, functions))
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
    )


def _asks_by_query_only(dependant: Dependant) -> bool:
    return iscoroutinefunction(dependant.call) and not (
        any(parameter.field_info.is_required() for parameter in dependant.query_params)
        or any(hasattr(parameter.field_info.annotation, "model_fields") for parameter in dependant.query_params)
        or dependant.header_params
        or dependant.cookie_params
        or dependant.body_params
        or dependant.response_param_name
        or dependant.background_tasks_param_name
    )


def _gives_a_response(endpoint: Callable[..., Any]) -> bool:
    given = get_type_hints(endpoint).get("return")
    return isinstance(given, type) and issubclass(given, Response)
