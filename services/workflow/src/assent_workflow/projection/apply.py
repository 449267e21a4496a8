"""A batch of events to rows, and to what follows for candidacies, in one transaction."""

from collections.abc import Sequence

from assent_common import census
from assent_common.events.catalog import UseCaseChanged
from assent_common.events.envelope import CloudEvent
from assent_common.events.registry import (
    DeploymentObserved,
    Kind,
    ModelObserved,
    ModelVersionObserved,
    Removed,
    SyncCompleted,
)
from assent_common.uow import UnitOfWork

from assent_workflow import subjects
from assent_workflow.findings import look
from assent_workflow.findings.rules import CLOSED_STAGES
from assent_workflow.projection import deployments, use_cases, versions
from assent_workflow.reviews import watch
from assent_workflow.steps.propose import proposals_changed


async def apply(uow: UnitOfWork, events: Sequence[CloudEvent]) -> None:
    """Any order, any number of times: each entity's sequence decides what is new, and only that has an effect."""
    connection = await uow.sql()
    observations: list[versions.Observation] = []
    gone: list[tuple[CloudEvent, Removed]] = []
    others: list[versions.Other] = []
    deployed: list[deployments.Deployed] = []
    shut_down: list[tuple[CloudEvent, Removed]] = []
    described: list[tuple[CloudEvent, UseCaseChanged]] = []
    for event in events:
        match event.payload:
            case ModelVersionObserved() as version:
                observations.append(versions.Observation(event, version))
            case ModelObserved() as model:
                others.append(versions.Other(model.urn, model.source, Kind.MODEL, True, event.number, model.created_by))
            case DeploymentObserved() as deployment:
                deployed.append(deployments.Deployed(event, deployment))
            case Removed(kind=Kind.MODEL_VERSION) as removed:
                gone.append((event, removed))
            case Removed(kind=Kind.DEPLOYMENT) as removed:
                shut_down.append((event, removed))
            case Removed() as removed:
                others.append(versions.Other(removed.urn, removed.source, removed.kind, False, event.number))
            case SyncCompleted() as completed:
                await census.announce(connection, completed, event.number)
            case UseCaseChanged() as use_case:
                described.append((event, use_case))
    served = await deployments.served(
        connection, [each.deployment.urn for each in deployed] + [removed.urn for _, removed in shut_down]
    )
    served |= {urn for each in deployed for urn in each.versions}
    await subjects.hold_to_change(
        connection,
        use_cases={use_case.id for _, use_case in described},
        given_up={use_case.id for _, use_case in described if use_case.stage in CLOSED_STAGES},
        versions=served
        | {observation.version.urn for observation in observations}
        | {removed.urn for _, removed in gone},
    )
    await versions.others(connection, others)
    changed_use_cases = await use_cases.changed(connection, described)
    changed = await versions.observed(connection, observations)
    changed += await versions.removed(connection, gone)
    rolled_out = await deployments.observed(connection, deployed)
    rolled_out += await deployments.removed(connection, shut_down)
    concerned = await subjects.versions_of(connection, changed_use_cases)
    # Before the checks are looked at again: a policy may ask what is found.
    await look.look(uow, versions={*changed, *concerned, *(served if rolled_out else ())}, deployments=rolled_out)
    causes = {event.subject: event for event in events}
    await proposals_changed(uow, changed_use_cases, causes)
    await watch.use_cases_changed(uow, changed_use_cases, causes)
    await watch.versions_changed(uow, changed, causes)
    if rolled_out:
        await watch.serving_changed(uow, sorted(served), causes)
