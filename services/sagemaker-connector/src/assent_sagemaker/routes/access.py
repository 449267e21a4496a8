"""`/v1/sources/{name}/test`: what the source's role may do."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from assent_common.database import Database
from assent_common.http import app as http_app
from assent_common.http.problems import NotFound, documented
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from assent_sagemaker.access.attempt import Verdict
from assent_sagemaker.access.check import Access
from assent_sagemaker.access.fence import Stands
from assent_sagemaker.routes.asking import Operator, SourceName, known
from assent_sagemaker.sources import Source

Check = Callable[[Source], Awaitable[Access]]


class _Attributes(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PermissionView(_Attributes):
    """One permission, as it was tried."""

    #: The IAM action: `sagemaker:ListModelPackages`.
    action: str
    tried_on: str
    #: `works`, `missing`, or `unknown` where AWS did not say.
    verdict: Verdict
    #: Whether anything is missing without it; else there is a way around.
    needed: bool
    needed_for: str
    #: AWS's words, where it does not work.
    why: str | None
    #: What to add to the role's policy, where that is what it takes.
    statement: dict[str, Any] | None


class FenceView(_Attributes):
    """Whether only Assent can set Approved."""

    stands: Stands
    #: What was looked at, and what it says and does not say.
    checked: list[str]


class AccessView(_Attributes):
    """What the source's role may do, permission by permission."""

    source: str
    checked_at: datetime
    #: In whose name the source is read; null where that could not be found out.
    principal: str | None
    #: Whether everything that is needed works.
    works: bool
    #: Whether only passing faults stand in the way of saying so: ask again later.
    unavailable: bool
    permissions: list[PermissionView]
    fence: FenceView
    warnings: list[str]


def router(database: Database, configured: Mapping[str, Source], check: Check) -> APIRouter:
    routes = http_app.router(tags=["sources"])

    @routes.post(
        "/sources/{name}/test",
        summary="Try what the source's role may do",
        description="Makes each of the connector's calls once, in the source's name, and changes nothing. Takes up to "
        "a minute where AWS is slow.",
        responses=documented(NotFound),
    )
    async def test_source(who: Operator, name: SourceName) -> AccessView:
        access = await check(known(configured, name))
        async with database.transaction() as uow:
            uow.audit(who.subject, "source_tested", name, {"works": access.works})
        return AccessView.model_validate(access)

    return routes
