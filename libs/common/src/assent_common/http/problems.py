"""Errors as RFC 9457 problems: the table of types, each with its status; the docstring is the title."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from assent_common import telemetry
from assent_common.database import is_transient

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "https://assent.dev/problems/"


class FieldError(BaseModel):
    """One field at fault."""

    #: JSON Pointer into the body (`/facets/legal/risk_class`), or `?name` for a query parameter.
    pointer: str
    code: str
    detail: str


class ProblemDocument(BaseModel):
    """What an error answers with."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = None
    correlation_id: str


class Problem(Exception):
    """Something went wrong."""

    type: ClassVar[str]
    status: ClassVar[int]

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.members = members


class Unauthenticated(Problem):
    """A valid bearer token is needed."""

    type, status = "unauthenticated", 401

    def __init__(
        self, detail: str, *, reason: str = "no_token", claimed: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail, **more)
        #: For the log, and for nobody else: one word, and what the token said of itself.
        self.reason = reason
        self.claimed = dict(claimed or {})


class SignInAgain(Unauthenticated):
    """Sign in again at your issuer, as surely and as lately as `WWW-Authenticate` says."""

    type = "sign-in-again"

    def __init__(self, detail: str, acr_values: Sequence[str], max_age_s: int | None) -> None:
        challenge = 'Bearer realm="assent", error="insufficient_user_authentication"'
        if acr_values:
            challenge += f', acr_values="{" ".join(acr_values)}"'
        if max_age_s is not None:
            challenge += f', max_age="{max_age_s}"'
        super().__init__(detail, reason="sign_in_again", headers={"WWW-Authenticate": challenge})


class Forbidden(Problem):
    """Your roles do not allow this."""

    type, status = "forbidden", 403


class NotFound(Problem):
    """There is no such thing, or not yet."""

    type, status = "not-found", 404


class NotYetKnown(NotFound):
    """This service has not heard of it yet; if it was just written elsewhere, ask again."""

    type = "not-yet-known"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class Conflict(Problem):
    """The present state does not allow this."""

    type, status = "conflict", 409


class BadRequest(Problem):
    """The request cannot be understood."""

    type, status = "bad-request", 400


class Invalid(Problem):
    """A field is at fault."""

    type, status = "invalid", 422


class Stale(Problem):
    """It was changed since you read it: read it again."""

    type, status = "stale", 412


class PreconditionRequired(Problem):
    """Say which state you are changing: send `If-Match`."""

    type, status = "precondition-required", 428


class CursorExpired(Problem):
    """What came behind this position is no longer there whole: list again."""

    type, status = "cursor-expired", 410


class TooLarge(Problem):
    """The body is larger than what is taken."""

    type, status = "too-large", 413


class TooManyRequests(Problem):
    """You ask more often than is allowed. `Retry-After` says when to go on."""

    type, status = "too-many-requests", 429


class Unavailable(Problem):
    """Something that this service depends on is not there. Nothing was changed; try again."""

    type, status = "unavailable", 503

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "2"})


class Overloaded(Problem):
    """More is asked of this service than it can do at once. Nothing was changed; try again."""

    type, status = "overloaded", 503

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})


class TooSlow(Problem):
    """It took too long. Whether it was done is not known: ask again, with the same `Idempotency-Key`."""

    type, status = "too-slow", 503

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "2"})


class InternalError(Problem):
    """The fault is ours. The correlation id finds it in the log."""

    type, status = "internal-error", 500


_BY_STATUS: dict[int, type[Problem]] = {
    400: BadRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Invalid,
}


def install(app: FastAPI) -> None:
    """Make everything that can go wrong answer as a problem."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> Response:
        request.state.problem = error
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        errors = [
            FieldError(pointer=_pointer(item["loc"]), code=item["type"], detail=item["msg"]) for item in error.errors()
        ]
        first = errors[0]
        return answer(Invalid(f"{first.pointer}: {first.detail}", errors=errors))

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        kind = _BY_STATUS.get(error.status_code)
        if kind is None:
            # 405 and the like: Starlette's own words, in our form.
            document = _document("about:blank", str(error.detail), error.status_code, str(error.detail))
            return Response(_json(document), error.status_code, dict(error.headers or {}), MEDIA_TYPE)
        return answer(kind(str(error.detail), headers=error.headers))


def unexpected(error: Exception) -> Response:
    """For what no handler knows: 503 where it may pass by itself, else 500. Neither says what it was; the log does."""
    if is_transient(error):
        telemetry.logger().warning("dependency_unavailable", reason=repr(error))
        return answer(Unavailable("the database does not answer; nothing was changed"))
    telemetry.logger().error("unexpected", exc_info=error)
    return answer(InternalError("unexpected; see the log"))


def answer(problem: Problem, correlation: str | None = None) -> Response:
    kind = problem.__class__
    document = _document(TYPE_PREFIX + kind.type, _title(kind), kind.status, problem.detail, correlation)
    if problem.errors:
        document["errors"] = [error.model_dump() for error in problem.errors]
    headers = dict(problem.headers)
    if kind.status == 401:
        headers.setdefault("WWW-Authenticate", 'Bearer realm="assent"')
    return Response(_json(document | problem.members), kind.status, headers, MEDIA_TYPE)


def documented(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: these problems, beside those that every route has."""
    return {
        kind.status: {
            "description": _title(kind),
            "content": {
                MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}, "example": _example(kind)}
            },
        }
        for kind in kinds
    }


def schemas() -> dict[str, Any]:
    """What `documented` refers to: for `#/components/schemas` of a service's OpenAPI."""
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    return {**schema.pop("$defs"), "ProblemDocument": schema}


def _example(kind: type[Problem]) -> dict[str, Any]:
    return {
        "type": TYPE_PREFIX + kind.type,
        "title": _title(kind),
        "status": kind.status,
        "detail": "what it was this time, in words",
        "correlation_id": "01980000-0000-7000-8000-000000000000",
    }


def _title(kind: type[Problem]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


def _document(type_: str, title: str, status: int, detail: str, correlation: str | None = None) -> dict[str, Any]:
    return {
        "type": type_,
        "title": title,
        "status": status,
        "detail": detail,
        "correlation_id": correlation or telemetry.correlation_id(),
    }


def _json(document: Mapping[str, Any]) -> bytes:
    return orjson.dumps(document, default=str)


def _pointer(location: Sequence[int | str]) -> str:
    where, *path = location
    if where == "body":
        return "/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return {"query": "?", "header": "header ", "path": "path "}.get(str(where), "") + ".".join(map(str, path))
