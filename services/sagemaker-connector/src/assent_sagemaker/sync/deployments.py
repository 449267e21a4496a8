"""What serves model versions now: endpoints, inference components and batch transforms, with how they are watched.

A full reading reads all of it. Every second poll asks which endpoints were modified; the others, by turns, which
components, batch transforms and executions of monitors were. And a deployment of which nobody could tell what it
serves is looked at again as soon as a version appears, in whichever source, whose artifact it loads.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from assent_common import telemetry
from assent_common.clock import to_utc
from assent_common.events.registry import Kind

from assent_sagemaker import arns, metrics, state
from assent_sagemaker.aws import listing
from assent_sagemaker.aws.account import Document
from assent_sagemaker.aws.describe import (
    describe_endpoint,
    describe_endpoint_config,
    describe_inference_component,
    describe_transform_job,
)
from assent_sagemaker.aws.errors import Denied, Gone, Refused
from assent_sagemaker.aws.pages import Page
from assent_sagemaker.mapping import deployments as mapping
from assent_sagemaker.mapping.deployments import (
    Serving,
    ServingComponent,
    ServingEndpoint,
    ServingTransforms,
    Versions,
)
from assent_sagemaker.mapping.documents import Unmappable
from assent_sagemaker.mapping.safe import json_safe
from assent_sagemaker.mapping.serving import Endpoint, EndpointConfig, InferenceComponent, TransformJob
from assent_sagemaker.sync import removals
from assent_sagemaker.sync.changes import digest
from assent_sagemaker.sync.dashboard import Dashboard
from assent_sagemaker.sync.observe import batches
from assent_sagemaker.sync.rounds import OVERLAP, Rounds
from assent_sagemaker.sync.run import Run, in_parallel

_KINDS = (Kind.DEPLOYMENT,)

_Read = Callable[[Run, str], Awaitable[Serving | None]]


class _Listed(NamedTuple):
    arn: str
    name: str
    summary_hash: str


async def full(run: Run) -> None:
    """Everything. What may not be read is noted, and counts as being there as it was."""
    await run.enter("deployments")
    dashboard = Dashboard(run)
    is_shown = await dashboard.show_all()
    there: set[str] = set()
    endpoints = await _listed(run, "endpoints", listing.list_endpoints(run.account), _endpoint_of)
    there |= await (_endpoints(run, endpoints, dashboard) if endpoints is not None else _kept(run, ":endpoint/"))
    components = await _listed(run, "components", listing.list_inference_components(run.account), _component_of)
    there |= await (
        _components(run, components, dashboard) if components is not None else _kept(run, ":inference-component/")
    )
    there |= await (_transforms(run, dashboard.jobs, dashboard) if is_shown else _kept(run, mapping.BATCH_TRANSFORM))
    await removals.count_listing(run, _KINDS, there)


async def incremental(run: Run, turn: Rounds) -> None:
    """What was modified since the last poll whose turn it was, and what can be told now of what is served."""
    dashboard = Dashboard(run)
    names: dict[str, _Listed] = {}
    match _TURNS[turn.serving % len(_TURNS)]:
        case "endpoints":
            modified = await _modified(run, turn, "endpoints", listing.list_endpoints)
            names = {one.name: one for one in _differing(modified, await _summaries(run), _endpoint_of)}
        case "components":
            await _modified_components(run, turn, dashboard)
        case "batch transforms":
            await _modified_transforms(run, turn, dashboard)
        case "executions of monitors":
            names = {name: _Listed("", name, "") for name in await _watched_again(run, turn, dashboard)}
    turn.serving += 1
    async with run.held.database.connection() as connection:
        now_known = await state.matchable(connection, run.source.name)
    await _again(run, now_known, names, dashboard)


_TURNS = ("endpoints", "components", "endpoints", "batch transforms", "endpoints", "executions of monitors")


async def endpoints(run: Run, names: Collection[str]) -> None:
    """These now, because an event named them; with the components on them."""
    dashboard = Dashboard(run)
    await _endpoints(run, [_Listed("", name, "") for name in names], dashboard)
    for name in names:
        on_it = listing.list_inference_components(run.account, endpoint=name)
        listed = await _listed(run, "components", on_it, _component_of)
        await _components(run, listed or [], dashboard)


async def _again(run: Run, urns: Collection[str], endpoints: Mapping[str, _Listed], dashboard: Dashboard) -> None:
    """These deployments, and these endpoints."""
    names = dict(endpoints)
    components, models = [], []
    for urn in urns:
        match mapping.part_of(urn):
            case "endpoint", name:
                names.setdefault(name, _Listed("", name, ""))
            case "inference-component", name:
                components.append(_Listed(urn, name, ""))
            case "model", name:
                models.append(name)
    await _endpoints(run, list(names.values()), dashboard)
    await _components(run, components, dashboard)
    if models:
        async with run.held.database.connection() as connection:
            kept = (await state.known(connection, [arns.key(urn) for urn in urns])).values()
        jobs = [TransformJob.from_document(k.document["TransformJob"]) for k in kept if "TransformJob" in k.document]
        await _transforms(run, jobs, dashboard)


async def _listed(
    run: Run, what: str, pages: AsyncIterator[Page], of: Callable[[Document], _Listed]
) -> list[_Listed] | None:
    """All of a listing; None where it may not be listed."""
    try:
        return [of(summary) async for page in pages for summary in page.records]
    except (Denied, Refused) as error:
        run.note(f"{what} may not be listed: {error}")
        return None


async def _modified(run: Run, turn: Rounds, what: str, read: Callable[..., AsyncIterator[Page]]) -> list[Document]:
    """The summaries of what was modified since the newest that was seen, by the source's own clock; for the first time
    all endpoints and components, but of jobs, of which there is no end, those of the newest page."""
    since = turn.modified.get(what)

    async def summaries() -> list[Document]:
        found: list[Document] = []
        async for page in read(run.account, modified_after=since - OVERLAP if since else None):
            found += page.records
            if since is None and what in _ENDLESS:
                break
        return found

    try:
        found = await run.from_the_start_if_expired(summaries)
    except (Denied, Refused) as error:
        run.note(f"{what} may not be listed: {error}")
        return []
    digests = [digest(json_safe(one)) for one in found]
    seen = set(turn.looked_at.get(what, ()))
    turn.looked_at[what] = digests
    moments = [to_utc(one.get("LastModifiedTime") or one["CreationTime"]) for one in found]
    if newest := max((*moments, *([since] if since else [])), default=None):
        turn.modified[what] = newest
    return [one for one, its in zip(found, digests, strict=True) if its not in seen]


_ENDLESS = {"executions of monitors", "batch transforms"}


async def _watched_again(run: Run, turn: Rounds, dashboard: Dashboard) -> set[str]:
    """The names of the endpoints that monitors looked at since."""
    executions = await _modified(run, turn, "executions of monitors", listing.list_monitoring_executions)
    dashboard.heed(executions)
    return {one["EndpointName"] for one in executions if one.get("EndpointName")}


async def _modified_components(run: Run, turn: Rounds, dashboard: Dashboard) -> None:
    modified = await _modified(run, turn, "components", listing.list_inference_components)
    await _components(run, _differing(modified, await _summaries(run), _component_of), dashboard)


async def _modified_transforms(run: Run, turn: Rounds, dashboard: Dashboard) -> None:
    modified = await _modified(run, turn, "batch transforms", listing.list_transform_jobs)

    async def one(name: str) -> Document | None:
        try:
            return await describe_transform_job(run.account, name)
        except (Gone, Denied):
            return None

    documents = await in_parallel(one, [summary["TransformJobName"] for summary in modified])
    jobs = _mapped(run, [document for document in documents if document], TransformJob.from_document)
    await _transforms(run, jobs, dashboard)


async def _endpoints(run: Run, listed: Collection[_Listed], dashboard: Dashboard) -> set[str]:
    """Read and keep these. The keys of their deployments; of those that may not be read, the keys that are kept."""
    return await _serving(run, listed, dashboard, _endpoint, lambda one: f":endpoint/{one.name}/variant/".casefold())


async def _components(run: Run, listed: Collection[_Listed], dashboard: Dashboard) -> set[str]:
    return await _serving(run, listed, dashboard, _component, lambda one: arns.key(one.arn))


async def _serving(
    run: Run,
    listed: Collection[_Listed],
    dashboard: Dashboard,
    read: _Read,
    part: Callable[[_Listed], str],
) -> set[str]:
    """`part`: of the keys of what is kept of one."""
    there: set[str] = set()
    for some in batches(listed):
        found = []
        for one, outcome in zip(some, await in_parallel(lambda n: _told(run, read, n), _names(some)), strict=True):
            if isinstance(outcome, _NotTold):
                there |= await _kept(run, part(one))
            elif outcome is not None:
                found.append((outcome, one.summary_hash or None))
        there |= await _keep(run, found, dashboard)
    return there


async def _transforms(run: Run, jobs: Iterable[TransformJob], dashboard: Dashboard) -> set[str]:
    """Of each model the last of these."""
    last = {job.model_name.casefold(): job for job in sorted(jobs, key=lambda job: job.creation_time)}
    there: set[str] = set()
    for some in batches(last.values()):
        there |= await _keep(run, [(ServingTransforms(job), None) for job in some], dashboard)
    return there


async def _keep(run: Run, found: Sequence[tuple[Serving, str | None]], dashboard: Dashboard) -> set[str]:
    """Tell of these what they serve. The keys of the deployments."""
    names = {name for serving, _ in found for name in serving.models}
    await dashboard.know(names)
    await dashboard.know_how_watched(names)
    models = dashboard.models()
    origins = [origin for each in _mapped(run, found, lambda one: one[0].origins(models)) for origin in each]
    packages = {arns.key(origin.package) for origin in origins if origin.package}
    addresses = {origin.address for origin in origins if origin.address}
    async with run.held.database.connection() as connection:
        versions = Versions(await state.artifacts(connection, packages, addresses))
    told = _mapped(
        run, found, lambda one: [(each, one[1]) for each in one[0].deployments(models, versions, run.source.name)]
    )
    seen = [each for some in told for each in some]
    if seen:
        await run.observer.deployments(seen)
    return {arns.key(deployed.observed.urn) for deployed, _ in seen}


class _NotTold:
    """It is there, but may not be read."""


async def _endpoint(run: Run, name: str) -> Serving | None:
    endpoint = Endpoint.from_document(await describe_endpoint(run.account, name))
    if endpoint.endpoint_config_name is None:
        return None
    coming = endpoint.pending_deployment_summary
    try:
        config = await _config(run, endpoint.endpoint_config_name)
        pending = await _config(run, coming.endpoint_config_name) if coming else None
    except Gone as error:
        raise Unmappable(f"{endpoint.endpoint_arn}: its configuration is gone") from error
    return ServingEndpoint(endpoint, config, pending)


async def _config(run: Run, name: str) -> EndpointConfig:
    return EndpointConfig.from_document(await describe_endpoint_config(run.account, name))


async def _component(run: Run, name: str) -> Serving:
    return ServingComponent(InferenceComponent.from_document(await describe_inference_component(run.account, name)))


async def _told(
    run: Run, read: Callable[[Run, str], Awaitable[Serving | None]], name: str
) -> Serving | _NotTold | None:
    """What is read; None for what is gone."""
    try:
        return await read(run, name)
    except Gone:
        return None
    except Denied as error:
        run.note(f"some deployments may not be described: {error}")
    except Unmappable as error:
        run.note(f"some deployments could not be understood: {error}")
        _skip(run, error)
    return _NotTold()


def _mapped(run: Run, things: Iterable[Any], of: Callable[[Any], Any]) -> list[Any]:
    """Each of them, without those that can't be understood."""
    mapped = []
    for thing in things:
        try:
            mapped.append(of(thing))
        except Unmappable as error:
            _skip(run, error)
    return mapped


def _names(listed: Iterable[_Listed]) -> list[str]:
    return [one.name for one in listed]


def _skip(run: Run, error: Unmappable) -> None:
    run.counts["unmappable"] += 1
    metrics.UNMAPPABLE.labels(run.source.name).inc()
    telemetry.logger().warning("unmappable", source=run.source.name, reason=str(error)[:1000])


async def _kept(run: Run, part: str) -> set[str]:
    """The keys of the deployments that are known, of those whose key has such a part."""
    return {key for key in await _summaries(run) if part in key}


async def _summaries(run: Run) -> dict[str, str | None]:
    async with run.held.database.connection() as connection:
        return await state.summaries(connection, run.source.name, *_KINDS)


def _differing(
    summaries: Iterable[Document], kept: Mapping[str, str | None], of: Callable[[Document], _Listed]
) -> list[_Listed]:
    """Those that look otherwise than when they were last described."""
    described = {key.rpartition("/variant/")[0] or key: summary for key, summary in kept.items()}
    return [one for one in map(of, summaries) if described.get(arns.key(one.arn)) != one.summary_hash]


def _endpoint_of(summary: Document) -> _Listed:
    return _Listed(summary["EndpointArn"], summary["EndpointName"], digest(json_safe(summary)))


def _component_of(summary: Document) -> _Listed:
    name = summary["InferenceComponentName"]
    return _Listed(summary["InferenceComponentArn"], name, digest(json_safe(summary)))
