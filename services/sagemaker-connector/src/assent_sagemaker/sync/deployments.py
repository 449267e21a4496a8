"""What serves model versions now: the endpoints of a source, each with its configuration and its models."""

from collections.abc import Iterable, Mapping

from assent_common import telemetry
from assent_common.clock import to_utc
from assent_common.events.registry import DeploymentObserved, Kind

from assent_sagemaker import arns, metrics, state
from assent_sagemaker.aws.describe import describe_endpoint, describe_endpoint_config, describe_model
from assent_sagemaker.aws.errors import Denied, Gone, Refused
from assent_sagemaker.aws.listing import list_endpoints
from assent_sagemaker.mapping.deployments import Versions, deployments
from assent_sagemaker.mapping.documents import Endpoint, EndpointConfig, Model, Unmappable
from assent_sagemaker.mapping.safe import json_safe
from assent_sagemaker.sync import removals
from assent_sagemaker.sync.changes import digest
from assent_sagemaker.sync.listing import Listed, Listing
from assent_sagemaker.sync.observe import batches
from assent_sagemaker.sync.run import Run, in_parallel

_KINDS = (Kind.DEPLOYMENT,)


class _NotTold(Exception):
    """An endpoint that is there, but whose parts may not be read."""


async def full(run: Run) -> None:
    """All endpoints. What is not allowed is noted, and then nothing counts as gone."""
    await run.enter("deployments")
    listed = await _listed(run)
    if listed is None:
        return
    there, complete = await _read(run, list(listed.values()))
    if complete:
        await removals.count_listing(run, _KINDS, there)


async def incremental(run: Run) -> None:
    """The endpoints that are new or whose summary differs."""
    listed = await _listed(run)
    if not listed:
        return
    async with run.held.database.connection() as connection:
        kept = await state.summaries(connection, run.source.name, *_KINDS)
    described = {_endpoint(key): summary for key, summary in kept.items()}
    await _read(run, [one for key, one in listed.items() if described.get(key) != one.summary_hash])


async def endpoints(run: Run, names: Iterable[str]) -> None:
    """These now, because an event named them."""
    await _read(run, [Listed("", name, "", run.clock.now()) for name in names])


async def _listed(run: Run) -> Listing | None:
    async def read() -> Listing:
        listed: Listing = {}
        async for page in list_endpoints(run.account):
            for summary in page.records:
                arn = summary["EndpointArn"]
                listed[arns.key(arn)] = Listed(
                    arn, summary["EndpointName"], digest(json_safe(summary)), to_utc(summary["CreationTime"])
                )
        return listed

    try:
        return await run.from_the_start_if_expired(read)
    except (Denied, Refused) as error:
        run.note(f"endpoints may not be listed: {error}")
        return None


async def _read(run: Run, endpoints: list[Listed]) -> tuple[set[str], bool]:
    """The keys of the deployments that are there, and whether all of them could be read."""
    if not endpoints:
        return set(), True
    async with run.held.database.connection() as connection:
        versions = Versions(await state.artifacts(connection, run.source.name))
    complete = True
    there: set[str] = set()
    by_name = {endpoint.name: endpoint for endpoint in endpoints}

    async def one(name: str) -> list[tuple[DeploymentObserved, str | None]]:
        nonlocal complete
        try:
            observed = await _deployments(run, name, versions)
        except Gone:
            return []
        except (Denied, _NotTold) as error:
            run.note(f"some endpoints may not be described: {error}")
            complete = False
            return []
        except Unmappable as error:
            run.counts["unmappable"] += 1
            metrics.UNMAPPABLE.labels(run.source.name).inc()
            telemetry.logger().warning("unmappable", source=run.source.name, reason=str(error)[:1000])
            complete = False
            return []
        return [(deployment, by_name[name].summary_hash) for deployment in observed]

    for names in batches(by_name):
        seen = [each for some in await in_parallel(one, names) for each in some]
        there |= {arns.key(deployment.urn) for deployment, _ in seen}
        if seen:
            await run.observer.deployments(seen)
    return there, complete


async def _deployments(run: Run, name: str, versions: Versions) -> list[DeploymentObserved]:
    endpoint = Endpoint.from_document(await describe_endpoint(run.account, name))
    if endpoint.endpoint_config_name is None:
        return []
    try:
        config = EndpointConfig.from_document(
            await describe_endpoint_config(run.account, endpoint.endpoint_config_name)
        )
    except Gone as error:
        raise _NotTold(f"{endpoint.endpoint_arn}: its configuration is gone") from error
    variants = (*config.production_variants, *config.shadow_production_variants)
    names = sorted({variant.model_name for variant in variants if variant.model_name})
    return deployments(endpoint, config, await _models(run, names), versions, source=run.source.name)


async def _models(run: Run, names: list[str]) -> Mapping[str, Model]:
    """Those that are still there: one that serves may be deleted."""
    models = {}
    for name in names:
        try:
            models[name] = Model.from_document(await describe_model(run.account, name))
        except Gone:
            continue
    return models


def _endpoint(deployment: str) -> str:
    """The key of the endpoint that a deployment's key belongs to."""
    return deployment.rpartition("/variant/")[0]
