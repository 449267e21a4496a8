"""What routes that make the connector work have in common: who may ask, for which source, and once for each key."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

from assent_common.database import Database
from assent_common.http.idempotency import IdempotencyKey, once
from assent_common.http.problems import NotFound
from assent_common.identity.roles import Principal, Role, allow
from assent_common.uow import UnitOfWork
from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from assent_sagemaker.sources import Source

Operator = Annotated[Principal, allow(Role.ADMIN, Role.SERVICE)]
"""Who may make the connector work: an administrator, or a service that lacks something."""

SourceName = Annotated[str, Path(max_length=100, description="The name of a source")]
SourceFilter = Annotated[str | None, Query(max_length=100, description="Only those of this source")]

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of an operator's."""

    who: Principal
    request: Request
    idempotency_key: str | None

    async def once(self, database: Database, act: Callable[[UnitOfWork], Awaitable[Response]]) -> Response:
        """Act in a transaction of its own; the same key again gets the same answer, and has no other effect."""
        async with database.transaction() as uow:
            return await once(uow, self.request, self.who, self.idempotency_key, lambda: act(uow))


def _asked(who: Operator, request: Request, idempotency_key: IdempotencyKey = None) -> Asked:
    return Asked(who, request, idempotency_key)


ByOperator = Annotated[Asked, Depends(_asked)]


def known(configured: Mapping[str, Source], name: str) -> Source:
    """The source of this name. Raises NotFound."""
    source = configured.get(name)
    if source is None:
        names = sorted(configured)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise NotFound(f"there is no source {name!r}; there are {', '.join(names[:_SHOWN])}{more}")
    return source


def accepted(view: BaseModel, headers: Mapping[str, str] | None = None) -> Response:
    """What was asked for is going to be done."""
    return Response(view.model_dump_json(), 202, dict(headers or {}), "application/json")
