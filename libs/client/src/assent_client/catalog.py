# Made by `make docs` from the service's OpenAPI; a test holds them equal.

"""The catalogue, an operation a method."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from assent_client import types
from assent_client.answers import Answer, Changed

if TYPE_CHECKING:
    from assent_client.connection import Connection


class Catalog:
    """AI use cases and model versions: what exists, what it is for, how good it is, who agreed to it."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    async def get_model_version_lineage(
        self, id: str, *, direction: Literal["up", "down", "both"] | None = None, depth: int | None = None
    ) -> Answer[types.Graph]:
        """Read the lineage of a model version."""
        return await self._connection.request(
            "GET", f"/v1/model-versions/{quote(id, safe='')}/lineage", query={"direction": direction, "depth": depth}
        )

    async def get_model_version_lineage_as(
        self,
        id: str,
        *,
        format: types.LineageForm,
        direction: Literal["up", "down", "both"] | None = None,
        depth: int | None = None,
    ) -> Answer[Any]:
        """Read the lineage of a model version, in another form."""
        return await self._connection.request(
            "GET",
            f"/v1/model-versions/{quote(id, safe='')}/lineage",
            query={"direction": direction, "depth": depth, "format": format},
        )

    async def get_dataset_lineage(
        self, id: str, *, direction: Literal["up", "down", "both"] | None = None, depth: int | None = None
    ) -> Answer[types.Graph]:
        """Read the lineage of a dataset."""
        return await self._connection.request(
            "GET", f"/v1/datasets/{quote(id, safe='')}/lineage", query={"direction": direction, "depth": depth}
        )

    async def get_dataset_lineage_as(
        self,
        id: str,
        *,
        format: types.LineageForm,
        direction: Literal["up", "down", "both"] | None = None,
        depth: int | None = None,
    ) -> Answer[Any]:
        """Read the lineage of a dataset, in another form."""
        return await self._connection.request(
            "GET",
            f"/v1/datasets/{quote(id, safe='')}/lineage",
            query={"direction": direction, "depth": depth, "format": format},
        )

    async def get_deployment_lineage(
        self, id: str, *, direction: Literal["up", "down", "both"] | None = None, depth: int | None = None
    ) -> Answer[types.Graph]:
        """Read the lineage of a deployment."""
        return await self._connection.request(
            "GET", f"/v1/deployments/{quote(id, safe='')}/lineage", query={"direction": direction, "depth": depth}
        )

    async def get_deployment_lineage_as(
        self,
        id: str,
        *,
        format: types.LineageForm,
        direction: Literal["up", "down", "both"] | None = None,
        depth: int | None = None,
    ) -> Answer[Any]:
        """Read the lineage of a deployment, in another form."""
        return await self._connection.request(
            "GET",
            f"/v1/deployments/{quote(id, safe='')}/lineage",
            query={"direction": direction, "depth": depth, "format": format},
        )

    async def get_use_case_lineage(
        self, key: str, *, direction: Literal["up", "down", "both"] | None = None, depth: int | None = None
    ) -> Answer[types.Graph]:
        """Read the lineage of a use case."""
        return await self._connection.request(
            "GET", f"/v1/use-cases/{quote(key, safe='')}/lineage", query={"direction": direction, "depth": depth}
        )

    async def get_use_case_lineage_as(
        self,
        key: str,
        *,
        format: types.LineageForm,
        direction: Literal["up", "down", "both"] | None = None,
        depth: int | None = None,
    ) -> Answer[Any]:
        """Read the lineage of a use case, in another form."""
        return await self._connection.request(
            "GET",
            f"/v1/use-cases/{quote(key, safe='')}/lineage",
            query={"direction": direction, "depth": depth, "format": format},
        )

    async def import_use_cases(
        self,
        body: bytes,
        *,
        content_type: Literal["text/csv", "application/json", "application/jsonl"] = "text/csv",
        dry_run: bool | None = None,
    ) -> Answer[types.ImportReport]:
        """Import use cases."""
        return await self._connection.request(
            "POST",
            "/v1/use-cases/import",
            query={"dry_run": dry_run},
            headers={"Content-Type": content_type},
            content=body,
        )

    async def list_use_case_templates(self) -> Answer[types.PageTemplate]:
        """List the templates of use cases."""
        return await self._connection.request("GET", "/v1/use-case-templates")

    async def get_use_case_schema(self) -> Answer[dict[str, Any]]:
        """Read the schema of the company's own fields."""
        return await self._connection.request("GET", "/v1/use-case-schema")

    async def list_use_cases(
        self,
        *,
        q: str | None = None,
        stage: types.Stage | None = None,
        risk_class: types.RiskClass | None = None,
        owner: str | None = None,
        complete: bool | None = None,
        as_of: datetime | str | None = None,
        fields: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.PageUseCaseOut]:
        """List use cases, the newest first."""
        return await self._connection.request(
            "GET",
            "/v1/use-cases",
            query={
                "q": q,
                "stage": stage,
                "risk_class": risk_class,
                "owner": owner,
                "complete": complete,
                "as_of": as_of,
                "fields": fields,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def each_use_cases(
        self,
        *,
        q: str | None = None,
        stage: types.Stage | None = None,
        risk_class: types.RiskClass | None = None,
        owner: str | None = None,
        complete: bool | None = None,
        as_of: datetime | str | None = None,
        fields: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.UseCaseOut]:
        """List use cases, the newest first: each of them, page by page."""
        return self._connection.pages(
            "/v1/use-cases",
            {
                "q": q,
                "stage": stage,
                "risk_class": risk_class,
                "owner": owner,
                "complete": complete,
                "as_of": as_of,
                "fields": fields,
                "limit": limit,
            },
        )

    async def create_use_case(
        self, body: types.UseCaseIn, *, idempotency_key: str | None = None
    ) -> Answer[types.UseCaseOut]:
        """Create a use case."""
        return await self._connection.request(
            "POST", "/v1/use-cases", headers={"Idempotency-Key": idempotency_key}, json=body
        )

    async def put_use_case(
        self, key: str, body: types.Written, *, if_match: str | None = None
    ) -> Answer[types.UseCaseOut]:
        """Create a use case, or replace what is written of it."""
        return await self._connection.request(
            "PUT", f"/v1/use-cases/{quote(key, safe='')}", headers={"If-Match": if_match}, json=body
        )

    async def get_use_case(
        self, key: str, *, as_of: datetime | str | None = None, fields: str | None = None
    ) -> Answer[types.UseCaseOut]:
        """Read a use case."""
        return await self._connection.request(
            "GET", f"/v1/use-cases/{quote(key, safe='')}", query={"as_of": as_of, "fields": fields}
        )

    async def patch_use_case(
        self, key: str, body: Mapping[str, Any], *, if_match: str | None = None
    ) -> Answer[types.UseCaseOut]:
        """Change a use case."""
        return await self._connection.request(
            "PATCH", f"/v1/use-cases/{quote(key, safe='')}", headers={"If-Match": if_match}, json=body
        )

    async def get_use_case_completeness(self, key: str) -> Answer[types.CompletenessOut]:
        """Read what a use case still lacks."""
        return await self._connection.request("GET", f"/v1/use-cases/{quote(key, safe='')}/completeness")

    async def compare_use_case(
        self, key: str, *, from_: datetime | str, to: datetime | str | None = None
    ) -> Answer[list[types.Change]]:
        """Compare a use case with itself."""
        return await self._connection.request(
            "GET", f"/v1/use-cases/{quote(key, safe='')}/diff", query={"from": from_, "to": to}
        )

    async def list_similar_use_cases(self, key: str) -> Answer[types.PageSimilar]:
        """List use cases that may be the same."""
        return await self._connection.request("GET", f"/v1/use-cases/{quote(key, safe='')}/similar")

    async def list_use_case_models(
        self, key: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PageCandidateModel]:
        """List the model versions of a use case."""
        return await self._connection.request(
            "GET", f"/v1/use-cases/{quote(key, safe='')}/models", query={"limit": limit, "cursor": cursor}
        )

    def each_use_case_models(self, key: str, *, limit: int | None = None) -> AsyncIterator[types.CandidateModel]:
        """List the model versions of a use case: each of them, page by page."""
        return self._connection.pages(f"/v1/use-cases/{quote(key, safe='')}/models", {"limit": limit})

    async def list_use_case_history(
        self, key: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PageUseCaseState]:
        """List every state of a use case."""
        return await self._connection.request(
            "GET", f"/v1/use-cases/{quote(key, safe='')}/history", query={"limit": limit, "cursor": cursor}
        )

    def each_use_case_history(self, key: str, *, limit: int | None = None) -> AsyncIterator[types.UseCaseState]:
        """List every state of a use case: each of them, page by page."""
        return self._connection.pages(f"/v1/use-cases/{quote(key, safe='')}/history", {"limit": limit})

    async def move_use_case(
        self, key: str, body: types.StageIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Answer[types.UseCaseOut]:
        """Move a use case to another stage."""
        return await self._connection.request(
            "POST",
            f"/v1/use-cases/{quote(key, safe='')}/stage",
            headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            json=body,
        )

    async def create_proposal(
        self, key: str, body: types.ProposalIn, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> Answer[types.UseCaseOut]:
        """Propose that a use case go to another stage."""
        return await self._connection.request(
            "POST",
            f"/v1/use-cases/{quote(key, safe='')}/proposal",
            headers={"If-Match": if_match, "Idempotency-Key": idempotency_key},
            json=body,
        )

    async def remove_proposal(self, key: str, *, if_match: str | None = None) -> Answer[types.UseCaseOut]:
        """Take a proposal back."""
        return await self._connection.request(
            "DELETE", f"/v1/use-cases/{quote(key, safe='')}/proposal", headers={"If-Match": if_match}
        )

    async def list_model_versions(
        self,
        *,
        sort: types.Sort | None = None,
        as_of: datetime | str | None = None,
        facets: str | None = None,
        fields: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        q: str | None = None,
        urn: str | None = None,
        source: Sequence[str] | None = None,
        status: Sequence[types.ModelVersionStatus] | None = None,
        type: Sequence[str] | None = None,
        framework: Sequence[str] | None = None,
        model: str | None = None,
        use_case: str | None = None,
        metric: Sequence[str] | None = None,
    ) -> Answer[types.VersionPage]:
        """Find model versions."""
        return await self._connection.request(
            "GET",
            "/v1/model-versions",
            query={
                "sort": sort,
                "as_of": as_of,
                "facets": facets,
                "fields": fields,
                "limit": limit,
                "cursor": cursor,
                "q": q,
                "urn": urn,
                "source": source,
                "status": status,
                "type": type,
                "framework": framework,
                "model": model,
                "use_case": use_case,
                "metric": metric,
            },
        )

    def each_model_versions(
        self,
        *,
        sort: types.Sort | None = None,
        as_of: datetime | str | None = None,
        facets: str | None = None,
        fields: str | None = None,
        limit: int | None = None,
        q: str | None = None,
        urn: str | None = None,
        source: Sequence[str] | None = None,
        status: Sequence[types.ModelVersionStatus] | None = None,
        type: Sequence[str] | None = None,
        framework: Sequence[str] | None = None,
        model: str | None = None,
        use_case: str | None = None,
        metric: Sequence[str] | None = None,
    ) -> AsyncIterator[types.VersionSummary]:
        """Find model versions: each of them, page by page."""
        return self._connection.pages(
            "/v1/model-versions",
            {
                "sort": sort,
                "as_of": as_of,
                "facets": facets,
                "fields": fields,
                "limit": limit,
                "q": q,
                "urn": urn,
                "source": source,
                "status": status,
                "type": type,
                "framework": framework,
                "model": model,
                "use_case": use_case,
                "metric": metric,
            },
        )

    async def list_model_version_history(
        self, id: str, *, as_of: datetime | str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PageHistoryEntry]:
        """List what was told of a version."""
        return await self._connection.request(
            "GET",
            f"/v1/model-versions/{quote(id, safe='')}/history",
            query={"as_of": as_of, "limit": limit, "cursor": cursor},
        )

    def each_model_version_history(
        self, id: str, *, as_of: datetime | str | None = None, limit: int | None = None
    ) -> AsyncIterator[types.HistoryEntry]:
        """List what was told of a version: each of them, page by page."""
        return self._connection.pages(
            f"/v1/model-versions/{quote(id, safe='')}/history", {"as_of": as_of, "limit": limit}
        )

    async def compare_model_versions(
        self,
        id: str,
        *,
        against: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
    ) -> Answer[types.Comparison]:
        """Compare a version with another, or with itself."""
        return await self._connection.request(
            "GET", f"/v1/model-versions/{quote(id, safe='')}/diff", query={"against": against, "from": from_, "to": to}
        )

    async def get_model_version(
        self, id: str, *, as_of: datetime | str | None = None, fields: str | None = None
    ) -> Answer[types.VersionOut]:
        """Read a model version."""
        return await self._connection.request(
            "GET", f"/v1/model-versions/{quote(id, safe='')}", query={"as_of": as_of, "fields": fields}
        )

    async def rank_model_versions(
        self,
        *,
        by: str,
        order: types.Order | None = None,
        fields: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        q: str | None = None,
        urn: str | None = None,
        source: Sequence[str] | None = None,
        status: Sequence[types.ModelVersionStatus] | None = None,
        type: Sequence[str] | None = None,
        framework: Sequence[str] | None = None,
        model: str | None = None,
        use_case: str | None = None,
        metric: Sequence[str] | None = None,
    ) -> Answer[types.PageRanked]:
        """Rank model versions by a metric."""
        return await self._connection.request(
            "GET",
            "/v1/rankings",
            query={
                "by": by,
                "order": order,
                "fields": fields,
                "limit": limit,
                "cursor": cursor,
                "q": q,
                "urn": urn,
                "source": source,
                "status": status,
                "type": type,
                "framework": framework,
                "model": model,
                "use_case": use_case,
                "metric": metric,
            },
        )

    async def list_models(
        self,
        *,
        source: str | None = None,
        q: str | None = None,
        as_of: datetime | str | None = None,
        expand: str | None = None,
        fields: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.PageModelOut]:
        """List models by name."""
        return await self._connection.request(
            "GET",
            "/v1/models",
            query={
                "source": source,
                "q": q,
                "as_of": as_of,
                "expand": expand,
                "fields": fields,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def each_models(
        self,
        *,
        source: str | None = None,
        q: str | None = None,
        as_of: datetime | str | None = None,
        expand: str | None = None,
        fields: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.ModelOut]:
        """List models by name: each of them, page by page."""
        return self._connection.pages(
            "/v1/models", {"source": source, "q": q, "as_of": as_of, "expand": expand, "fields": fields, "limit": limit}
        )

    async def list_versions_of_model(
        self, id: str, *, fields: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PageVersionSummary]:
        """List the versions of a model."""
        return await self._connection.request(
            "GET",
            f"/v1/models/{quote(id, safe='')}/versions",
            query={"fields": fields, "limit": limit, "cursor": cursor},
        )

    def each_versions_of_model(
        self, id: str, *, fields: str | None = None, limit: int | None = None
    ) -> AsyncIterator[types.VersionSummary]:
        """List the versions of a model: each of them, page by page."""
        return self._connection.pages(f"/v1/models/{quote(id, safe='')}/versions", {"fields": fields, "limit": limit})

    async def list_model_history(
        self, id: str, *, as_of: datetime | str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PageState]:
        """List what was told of a model."""
        return await self._connection.request(
            "GET", f"/v1/models/{quote(id, safe='')}/history", query={"as_of": as_of, "limit": limit, "cursor": cursor}
        )

    def each_model_history(
        self, id: str, *, as_of: datetime | str | None = None, limit: int | None = None
    ) -> AsyncIterator[types.State]:
        """List what was told of a model: each of them, page by page."""
        return self._connection.pages(f"/v1/models/{quote(id, safe='')}/history", {"as_of": as_of, "limit": limit})

    async def compare_model(
        self, id: str, *, from_: datetime | str, to: datetime | str | None = None
    ) -> Answer[list[types.Change]]:
        """Compare a model with itself."""
        return await self._connection.request(
            "GET", f"/v1/models/{quote(id, safe='')}/diff", query={"from": from_, "to": to}
        )

    async def get_model(
        self, id: str, *, as_of: datetime | str | None = None, expand: str | None = None, fields: str | None = None
    ) -> Answer[types.ModelOut]:
        """Read a model."""
        return await self._connection.request(
            "GET", f"/v1/models/{quote(id, safe='')}", query={"as_of": as_of, "expand": expand, "fields": fields}
        )

    async def list_datasets(
        self,
        *,
        q: str | None = None,
        use_case: str | None = None,
        as_of: datetime | str | None = None,
        fields: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.PageDatasetOut]:
        """List the data behind the models."""
        return await self._connection.request(
            "GET",
            "/v1/datasets",
            query={"q": q, "use_case": use_case, "as_of": as_of, "fields": fields, "limit": limit, "cursor": cursor},
        )

    def each_datasets(
        self,
        *,
        q: str | None = None,
        use_case: str | None = None,
        as_of: datetime | str | None = None,
        fields: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.DatasetOut]:
        """List the data behind the models: each of them, page by page."""
        return self._connection.pages(
            "/v1/datasets", {"q": q, "use_case": use_case, "as_of": as_of, "fields": fields, "limit": limit}
        )

    async def list_dataset_history(
        self, id: str, *, as_of: datetime | str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PageNaming]:
        """List what was told of a dataset."""
        return await self._connection.request(
            "GET",
            f"/v1/datasets/{quote(id, safe='')}/history",
            query={"as_of": as_of, "limit": limit, "cursor": cursor},
        )

    def each_dataset_history(
        self, id: str, *, as_of: datetime | str | None = None, limit: int | None = None
    ) -> AsyncIterator[types.Naming]:
        """List what was told of a dataset: each of them, page by page."""
        return self._connection.pages(f"/v1/datasets/{quote(id, safe='')}/history", {"as_of": as_of, "limit": limit})

    async def compare_dataset(
        self, id: str, *, from_: datetime | str, to: datetime | str | None = None
    ) -> Answer[list[types.Change]]:
        """Compare a dataset with itself."""
        return await self._connection.request(
            "GET", f"/v1/datasets/{quote(id, safe='')}/diff", query={"from": from_, "to": to}
        )

    async def get_dataset(
        self, id: str, *, as_of: datetime | str | None = None, fields: str | None = None
    ) -> Answer[types.DatasetOut]:
        """Read a dataset."""
        return await self._connection.request(
            "GET", f"/v1/datasets/{quote(id, safe='')}", query={"as_of": as_of, "fields": fields}
        )

    async def list_deployment_history(
        self, id: str, *, as_of: datetime | str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PageState]:
        """List what was told of a deployment."""
        return await self._connection.request(
            "GET",
            f"/v1/deployments/{quote(id, safe='')}/history",
            query={"as_of": as_of, "limit": limit, "cursor": cursor},
        )

    def each_deployment_history(
        self, id: str, *, as_of: datetime | str | None = None, limit: int | None = None
    ) -> AsyncIterator[types.State]:
        """List what was told of a deployment: each of them, page by page."""
        return self._connection.pages(f"/v1/deployments/{quote(id, safe='')}/history", {"as_of": as_of, "limit": limit})

    async def compare_deployment(
        self, id: str, *, from_: datetime | str, to: datetime | str | None = None
    ) -> Answer[list[types.Change]]:
        """Compare a deployment with itself."""
        return await self._connection.request(
            "GET", f"/v1/deployments/{quote(id, safe='')}/diff", query={"from": from_, "to": to}
        )

    async def get_deployment(
        self, id: str, *, as_of: datetime | str | None = None, fields: str | None = None
    ) -> Answer[types.DeploymentWhole]:
        """Read a deployment."""
        return await self._connection.request(
            "GET", f"/v1/deployments/{quote(id, safe='')}", query={"as_of": as_of, "fields": fields}
        )

    async def list_deployments(
        self,
        *,
        source: str | None = None,
        model_version: str | None = None,
        as_of: datetime | str | None = None,
        fields: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.PageDeploymentOut]:
        """List what serves now."""
        return await self._connection.request(
            "GET",
            "/v1/deployments",
            query={
                "source": source,
                "model_version": model_version,
                "as_of": as_of,
                "fields": fields,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def each_deployments(
        self,
        *,
        source: str | None = None,
        model_version: str | None = None,
        as_of: datetime | str | None = None,
        fields: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.DeploymentOut]:
        """List what serves now: each of them, page by page."""
        return self._connection.pages(
            "/v1/deployments",
            {"source": source, "model_version": model_version, "as_of": as_of, "fields": fields, "limit": limit},
        )

    async def list_monitors(
        self,
        *,
        source: str | None = None,
        deployment: str | None = None,
        last_execution_status: str | None = None,
        as_of: datetime | str | None = None,
        fields: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.PageMonitorOut]:
        """List what watches over what serves."""
        return await self._connection.request(
            "GET",
            "/v1/monitors",
            query={
                "source": source,
                "deployment": deployment,
                "last_execution_status": last_execution_status,
                "as_of": as_of,
                "fields": fields,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def each_monitors(
        self,
        *,
        source: str | None = None,
        deployment: str | None = None,
        last_execution_status: str | None = None,
        as_of: datetime | str | None = None,
        fields: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.MonitorOut]:
        """List what watches over what serves: each of them, page by page."""
        return self._connection.pages(
            "/v1/monitors",
            {
                "source": source,
                "deployment": deployment,
                "last_execution_status": last_execution_status,
                "as_of": as_of,
                "fields": fields,
                "limit": limit,
            },
        )

    async def list_monitor_history(
        self, urn: str, *, as_of: datetime | str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Answer[types.PageMonitorState]:
        """List what was told of a monitor."""
        return await self._connection.request(
            "GET",
            f"/v1/monitors/{quote(urn, safe='')}/history",
            query={"as_of": as_of, "limit": limit, "cursor": cursor},
        )

    def each_monitor_history(
        self, urn: str, *, as_of: datetime | str | None = None, limit: int | None = None
    ) -> AsyncIterator[types.MonitorState]:
        """List what was told of a monitor: each of them, page by page."""
        return self._connection.pages(f"/v1/monitors/{quote(urn, safe='')}/history", {"as_of": as_of, "limit": limit})

    async def compare_monitor(
        self, urn: str, *, from_: datetime | str, to: datetime | str | None = None
    ) -> Answer[list[types.Change]]:
        """Compare a monitor with itself."""
        return await self._connection.request(
            "GET", f"/v1/monitors/{quote(urn, safe='')}/diff", query={"from": from_, "to": to}
        )

    async def get_monitor(
        self, urn: str, *, as_of: datetime | str | None = None, fields: str | None = None
    ) -> Answer[types.MonitorOut]:
        """Read a monitor."""
        return await self._connection.request(
            "GET", f"/v1/monitors/{quote(urn, safe='')}", query={"as_of": as_of, "fields": fields}
        )

    async def search_everything(
        self,
        *,
        q: str,
        kind: Sequence[types.FoundKind] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.FoundPage]:
        """Search everything."""
        return await self._connection.request(
            "GET", "/v1/search", query={"q": q, "kind": kind, "limit": limit, "cursor": cursor}
        )

    def export_model_versions(
        self,
        *,
        format: types.ExportForm | None = None,
        q: str | None = None,
        urn: str | None = None,
        source: Sequence[str] | None = None,
        status: Sequence[types.ModelVersionStatus] | None = None,
        type: Sequence[str] | None = None,
        framework: Sequence[str] | None = None,
        model: str | None = None,
        use_case: str | None = None,
        metric: Sequence[str] | None = None,
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Export model versions."""
        return self._connection.stream(
            "/v1/exports/model-versions",
            query={
                "format": format,
                "q": q,
                "urn": urn,
                "source": source,
                "status": status,
                "type": type,
                "framework": framework,
                "model": model,
                "use_case": use_case,
                "metric": metric,
            },
        )

    def export_use_cases(
        self, *, format: types.ExportForm | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Export use cases."""
        return self._connection.stream("/v1/exports/use-cases", query={"format": format})

    async def list_sources(self) -> Answer[types.PageSourceOut]:
        """List the registries that are read."""
        return await self._connection.request("GET", "/v1/sources")

    def follow_events(
        self, *, type: Sequence[str] | None = None, after: int | None = None, last_event_id: int | None = None
    ) -> AsyncIterator[Changed]:
        """Follow the changes."""
        return self._connection.events("/v1/events", {"type": type, "after": after}, {"Last-Event-Id": last_event_id})

    async def list_audit_records(
        self,
        *,
        subject: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Answer[types.PageAuditRecord]:
        """List who did what, oldest first."""
        return await self._connection.request(
            "GET",
            "/v1/audit",
            query={"subject": subject, "actor": actor, "action": action, "limit": limit, "cursor": cursor},
        )

    def each_audit_records(
        self,
        *,
        subject: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[types.AuditRecord]:
        """List who did what, oldest first: each of them, page by page."""
        return self._connection.pages(
            "/v1/audit", {"subject": subject, "actor": actor, "action": action, "limit": limit}
        )

    async def get_audit_keys(self) -> Answer[types.PublicKeys]:
        """Read the public keys that sign checkpoints."""
        return await self._connection.request("GET", "/v1/audit/keys")

    async def get_audit_checkpoint(self) -> Answer[types.AuditCheckpoint]:
        """Sign where the log ends now."""
        return await self._connection.request("GET", "/v1/audit/checkpoint")

    def export_audit(self, *, up_to: int | None = None) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Export the log, for an auditor."""
        return self._connection.stream("/v1/audit/export", query={"up_to": up_to})
