"""A batch of events to rows, in one transaction and a handful of statements."""

from collections import defaultdict
from collections.abc import Sequence

from assent_common import census
from assent_common.events.envelope import CloudEvent
from assent_common.events.governance import CandidacyChanged, ReviewedStages, StepChanged
from assent_common.events.registry import (
    DeploymentObserved,
    Kind,
    ModelObserved,
    ModelVersionObserved,
    Removed,
    SyncCompleted,
)
from assent_common.uow import UnitOfWork

from assent_catalog.projection import candidacies, histories, lineage, model_versions, monitors, others, removals, tell
from assent_catalog.use_cases.decided import stages_changed, steps_changed
from assent_catalog.use_cases.follow import candidacies_changed

HELD = """
select source, 'model' as kind, count(*) as live, sum(sequence)::bigint as sequences from models where live group by 1
union all
select source, 'model_version', count(*), sum(sequence)::bigint from model_versions where live group by 1
union all
select source, 'deployment', count(*), sum(sequence)::bigint from deployments where live group by 1
"""

# Versions of two partitions do not meet, so their batches go side by side. A candidacy lies in another partition than
# its version: where two consumers apply them at once, each must see what the other wrote, or the status is lost.
BESIDE_OTHERS = "select pg_advisory_xact_lock_shared(7021001)"
ALONE = "select pg_advisory_xact_lock(7021001)"


async def apply(uow: UnitOfWork, events: Sequence[CloudEvent]) -> None:
    """Any order, any number of times: each entity's sequence decides what is new, and only that has an effect."""
    connection = await uow.sql()
    observations: list[model_versions.Observation] = []
    models: list[tuple[CloudEvent, ModelObserved]] = []
    deployments: list[tuple[CloudEvent, DeploymentObserved]] = []
    gone: dict[Kind, list[tuple[CloudEvent, Removed]]] = defaultdict(list)
    standing: list[tuple[CloudEvent, CandidacyChanged]] = []
    steps: list[tuple[CloudEvent, StepChanged]] = []
    reviewed: list[tuple[CloudEvent, ReviewedStages]] = []
    # Urn of a model version → the last event that told of it.
    causes: dict[str, CloudEvent] = {}
    for event in events:
        match event.payload:
            case ModelVersionObserved() as version:
                observations.append(model_versions.Observation(event, version))
            case ModelObserved() as model:
                models.append((event, model))
            case DeploymentObserved() as deployment:
                deployments.append((event, deployment))
            case Removed() as removed:
                gone[removed.kind].append((event, removed))
                causes[removed.urn] = event
            case CandidacyChanged() as candidacy:
                standing.append((event, candidacy))
                causes[candidacy.model_version] = event
            case StepChanged() as step:
                steps.append((event, step))
            case ReviewedStages() as stages:
                reviewed.append((event, stages))
            case SyncCompleted() as completed:
                await census.announce(connection, completed, event.number)
    await connection.execute(ALONE if standing else BESIDE_OTHERS)
    await removals.keep(connection, [removal for removed in gone.values() for removal in removed])
    await histories.keep(connection, Kind.MODEL, [*models, *gone[Kind.MODEL]])
    await histories.keep(connection, Kind.DEPLOYMENT, [*deployments, *gone[Kind.DEPLOYMENT]])
    await histories.keep(connection, Kind.MODEL_VERSION, gone[Kind.MODEL_VERSION])
    await others.models(connection, models)
    await others.deployments(connection, deployments)
    await others.removed(connection, gone[Kind.MODEL], others.REMOVE_MODELS)
    await others.removed(connection, gone[Kind.DEPLOYMENT], others.REMOVE_DEPLOYMENTS)
    # Before the versions, whose status follows from them.
    candidates = await candidacies.changed(connection, standing)
    tell.observed(uow, await model_versions.observed(connection, observations))
    no_more = await model_versions.removed(connection, gone[Kind.MODEL_VERSION])
    touched = {deployment.urn for _, deployment in deployments} | {removed.urn for _, removed in gone[Kind.DEPLOYMENT]}
    await lineage.deployments(connection, touched)
    await monitors.deployments(connection, touched)
    await lineage.candidacies(connection, {candidacy.id for _, candidacy in standing})
    await tell.settle(uow, no_more, candidates, causes)
    await steps_changed(uow, steps, beside={candidacy.use_case for _, candidacy in standing})
    await candidacies_changed(uow, {candidacy.use_case: event for event, candidacy in standing})
    # After the use cases, as who moves one by hand locks them.
    await stages_changed(connection, reviewed)
