"""Build an app: problems, limits, ids, health, metrics, and no route without a rule about who may call it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from assent_common import strict_json
from assent_common.database import Database
from assent_common.health import Health
from assent_common.http import fields, operations, problems
from assent_common.http.admission import AT_ONCE, WITHIN_S, Admission
from assent_common.http.etags import not_modified
from assent_common.http.lane import MAX_DEPTH, Lane
from assent_common.http.middleware import Edge
from assent_common.http.operations import OPEN, Telling
from assent_common.http.rates import Rates
from assent_common.identity.roles import Principal, Role, Whose
from assent_common.identity.sign_in import Demands
from assent_common.outbox.feed import Feed

Authenticate = Callable[[str], Awaitable[Principal]]


class StrictRequest(Request):
    """A request whose JSON is read strictly: what Postgres could not keep is refused at the door."""

    async def json(self) -> Any:
        try:
            return strict_json.loads(await self.body(), max_depth=MAX_DEPTH)
        except ValueError as error:
            raise HTTPException(400, f"the body is not JSON that is taken here: {error}") from error


class StrictRoute(APIRoute):
    """A route that refuses query parameters it does not know: a misspelt filter must not answer with everything.

    What a client has already (`If-None-Match`) is not sent again: 304.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = {alias for dependant in _all(self.dependant) for alias in _query_names(dependant)}
        members = fields.known(self.response_model)

        async def strict(request: Request) -> Response:
            _refuse_nul(request)
            unknown = sorted(set(request.query_params) - known)
            if unknown:
                raise problems.BadRequest(
                    f"unknown query parameter {unknown[0]!r}; known are {', '.join(sorted(known)) or 'none'}",
                    errors=[
                        problems.FieldError(pointer=f"?{name}", code="unknown_parameter", detail="not known here")
                        for name in unknown
                    ],
                )
            wanted = fields.asked(request.query_params.get(fields.NAME), members) if fields.NAME in known else None
            response = await handle(StrictRequest(request.scope, request.receive))
            if wanted is not None and response.status_code == 200:
                response = fields.only(response, wanted)
            return not_modified(request, response)

        return strict


def _refuse_nul(request: Request) -> None:
    """Postgres keeps no U+0000, nor can it look for one."""
    given = [(f"?{name}", value) for name, value in request.query_params.multi_items()]
    given += [(name, str(value)) for name, value in request.path_params.items()]
    for name, value in given:
        if "\0" in value:
            error = problems.FieldError(pointer=name, code="nul", detail="contains the character U+0000")
            raise problems.BadRequest(f"{name}: {error.detail}", errors=[error])


def router(prefix: str = "/v1", **options: Any) -> APIRouter:
    """A router whose routes are strict and document the problems that every route may answer with."""
    return APIRouter(
        prefix=prefix,
        route_class=StrictRoute,
        responses=problems.documented(
            *(problems.BadRequest, problems.Unauthenticated, problems.Forbidden, problems.Invalid),
            *(problems.TooManyRequests, problems.Unavailable),
        ),
        **options,
    )


def build(
    *,
    title: str,
    version: str,
    description: str,
    routers: Sequence[APIRouter],
    database: Database,
    health: Health,
    authenticate: Authenticate,
    state: Mapping[str, Any] | None = None,
    requests_a_minute: int = 30_000,
    requests_at_once: int = AT_ONCE,
    request_within_s: float = WITHIN_S,
    telling: Telling | None = None,
    demands: Demands | None = None,
) -> FastAPI:
    """The app of one service. Raises TypeError for a route that says not who may call it."""
    app = _app(title=title, version=version, description=description)
    app.state.authenticate = authenticate
    app.state.demands = demands
    app.state.database = database
    #: A service's life puts its own here.
    app.state.stopping = asyncio.Event()
    app.state.feed = Feed(database)
    app.state.rates = Rates(requests_a_minute)
    #: A service with a key has one.
    app.state.signer = None
    #: What is known of the database, in a service that runs.
    app.state.standing = None
    for name, value in (state or {}).items():
        setattr(app.state, name, value)
    problems.install(app)
    for included in routers:
        app.include_router(included)
    app.include_router(operations.routes(app, database, health, telling or Telling()))
    access_table(app)
    _describe_problems(app)
    app.add_middleware(Lane, service=app)
    app.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=4)
    app.add_middleware(Edge)
    # More would only wait for a connection; what is read and written meanwhile needs none.
    at_work = database.pool_size * 3 // 2 + 1

    def admission(within: ASGIApp) -> Admission:
        made = Admission(within, at_once=requests_at_once, at_work=at_work, within_s=request_within_s)
        app.state.admission = made
        return made

    app.add_middleware(admission)
    return app


def described(*, title: str, version: str, description: str, routers: Sequence[APIRouter]) -> dict[str, Any]:
    """The OpenAPI document of an app of these routes: the same that the app answers with, but for its operations."""
    app = _app(title=title, version=version, description=description)
    for included in routers:
        app.include_router(included)
    _describe_problems(app)
    return app.openapi()


def _app(*, title: str, version: str, description: str) -> FastAPI:
    return FastAPI(
        title=title,
        version=version,
        description=description,
        # Where the docs are, and to whom, is told among the operations.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
        # The edge makes the span and counts: FastAPI's own would be the same again.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )


def _describe_problems(app: FastAPI) -> None:
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "ProblemDocument" not in schemas:
            schemas.update(problems.schemas())
            fields.describe(document)
            _show_examples(app, document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _show_examples(app: FastAPI, document: dict[str, Any]) -> None:
    """What a route's function has for its `example`. Not by `openapi_extra`: FastAPI leaves out what is null there."""
    for route in iter_route_contexts(app.routes):
        original = route.original_route
        if not isinstance(original, APIRoute) or not hasattr(original.endpoint, "example"):
            continue
        example = original.endpoint.example
        for method in route.methods or ():
            path = (route.path or "").replace(":path", "")
            content = document["paths"][path][method.lower()]["responses"][str(original.status_code or 200)]["content"]
            media = "application/json" if not isinstance(example, str) else next(iter(content))
            content[media]["example"] = example


def access_table(app: FastAPI) -> dict[tuple[str, str], frozenset[Role]]:
    """(method, path) → the roles that may call it, read from the routes themselves."""
    return {route: roles for route, (roles, _) in _rules(app).items()}


def ownership_table(app: FastAPI) -> dict[tuple[str, str], Whose]:
    """(method, path) → who the caller must be to the thing itself, as the routes say."""
    return {route: whose for route, (_, whose) in _rules(app).items()}


def _rules(app: FastAPI) -> dict[tuple[str, str], tuple[frozenset[Role], Whose]]:
    table: dict[tuple[str, str], tuple[frozenset[Role], Whose]] = {}
    # Not app.routes: since FastAPI 0.165 that holds the included routers, not their routes.
    for route in iter_route_contexts(app.routes):
        path = route.path or repr(route.original_route)
        if path in OPEN:
            continue
        if not isinstance(route.original_route, APIRoute):
            raise TypeError(f"{path} cannot say which roles may call it")
        rules = [d.call for d in _all(route.dependant) if hasattr(d.call, "roles")]
        if len(rules) != 1:
            raise TypeError(f"{path} must say exactly once which roles may call it")
        for method in route.methods or ():
            table[method, path] = rules[0].roles, rules[0].whose  # type: ignore[union-attr]
    return table


def _all(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _all(inner)


def _query_names(dependant: Dependant) -> Iterator[str]:
    for parameter in dependant.query_params:
        fields = getattr(parameter.field_info.annotation, "model_fields", None)
        if fields is None:
            yield parameter.alias
        else:
            yield from (field.alias or name for name, field in fields.items())
