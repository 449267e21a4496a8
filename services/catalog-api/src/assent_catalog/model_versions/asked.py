"""Which model versions are asked for: the same filters wherever they are listed, searched or exported."""

from typing import Annotated

from assent_common.events.catalog import ModelVersionStatus
from fastapi import Depends, Query
from pydantic import AwareDatetime

from assent_catalog.model_versions.filters import metric
from assent_catalog.model_versions.store import Selection


async def selection(
    q: Annotated[str | None, Query(max_length=200, description="Words, beginnings of words, parts of names")] = None,
    urn: Annotated[str | None, Query(max_length=2048)] = None,
    source: Annotated[list[str] | None, Query(description="One of these")] = None,
    status: Annotated[list[ModelVersionStatus] | None, Query(description="One of these")] = None,
    type: Annotated[list[str] | None, Query(description="One of these")] = None,
    framework: Annotated[list[str] | None, Query(description="One of these")] = None,
    model: Annotated[str | None, Query(max_length=2048, description="Name, urn or id of the model")] = None,
    use_case: Annotated[str | None, Query(max_length=200, description="Put forward for it, whenever")] = None,
    metric_: Annotated[list[str] | None, Query(alias="metric", description="All of these, e.g. accuracy>=0.9")] = None,
) -> Selection:
    """Different filters narrow each other; one filter given twice widens, but for `metric`. Raises BadRequest."""
    return Selection(
        q=q,
        urn=urn,
        source=source or (),
        status=status or (),
        type=type or (),
        framework=framework or (),
        model=model,
        use_case=use_case,
        metrics=tuple(metric(text) for text in metric_ or ()),
    )


AsOf = Annotated[AwareDatetime | None, Query(description="As it was known at this moment")]
Asked = Annotated[Selection, Depends(selection)]
