"""Where a version neither names its training job nor lies where one put it, SageMaker's lineage is asked, once."""

from typing import Any

import pytest
from assent_common.clock import FrozenClock
from assent_common.events.registry import ModelVersionObserved
from assent_local.simulator import Simulator
from assent_sagemaker.backlog import TAKEN_FOR
from assent_sagemaker.lineages import SETTLES
from assent_sagemaker.reports import LONGEST_RETRY

from tests.connector import world
from tests.connector.conftest import Connect
from tests.connector.test_training_jobs import IMAGE, loads, train
from tests.connector.world import Connector, register
from tests.support.wait import until

ASKED = ("ListArtifacts", "QueryLineage", "DescribeTrialComponent")


async def lead(sagemaker: Any, job: str, urn: str) -> None:
    """Associate the job with the version, as a pipeline of the company's own does."""
    (artifact,) = (await sagemaker.list_artifacts(SourceUri=urn))["ArtifactSummaries"]
    await sagemaker.add_association(
        SourceArn=component_of(job), DestinationArn=artifact["ArtifactArn"], AssociationType="ContributedTo"
    )


def component_of(job: str) -> str:
    return f"{job.replace('training-job', 'experiment-trial-component')}-aws-training-job"


def asked(simulator: Simulator) -> dict[str, int]:
    return {operation: simulator.calls(operation) for operation in ASKED}


async def settled(connector: Connector, clock: FrozenClock) -> None:
    """What was registered so long ago that lineage knows it has been asked about."""
    clock.advance(SETTLES)

    async def done() -> bool:
        # Taken, they are due again in a while.
        due = await connector.rows("select from lineages where due_at <= $1", clock.now() + TAKEN_FOR)
        jobs = await connector.rows("select from job_readings where due_at is not null and attempts = 0")
        return not due and not jobs

    await until(done, within_s=10)


async def of(connector: Connector, urn: str) -> ModelVersionObserved:
    version: ModelVersionObserved = (await connector.versions())[urn]
    return version


async def test_it_leads_to_the_job_that_nothing_else_tells(
    simulator: Simulator, sagemaker: Any, connect: Connect, clock: FrozenClock
) -> None:
    job = await train(sagemaker, "churn-2026-11")
    urn = await register(sagemaker, "churn")
    await lead(sagemaker, job, urn)
    connector = await connect()
    assert (await of(connector, urn)).training_job is None
    simulator.app.calls.clear()
    await settled(connector, clock)

    async def trained() -> bool:
        return (await of(connector, urn)).training is not None

    await until(trained, within_s=10)
    version = await of(connector, urn)
    assert version.training is not None
    assert (version.training_job, version.training.urn, version.training.found_by) == (job, job, "lineage")
    assert version.training.image == IMAGE
    assert len(version.datasets) == 2
    assert asked(simulator) == {"ListArtifacts": 1, "QueryLineage": 1, "DescribeTrialComponent": 1}


async def test_a_model_that_was_packed_anew_leads_to_the_nearest_job(
    sagemaker: Any, connect: Connect, clock: FrozenClock
) -> None:
    base, tuned = await train(sagemaker, "base"), await train(sagemaker, "tuned")
    packed = "s3://models/packed/model.tar.gz"
    urn = await register(sagemaker, "churn", InferenceSpecification=loads(packed))
    of_base, of_tuned, (to,) = [
        (await sagemaker.list_artifacts(SourceUri=uri))["ArtifactSummaries"]
        for uri in (
            "s3://models/churn/base/output/model.tar.gz",
            "s3://models/churn/tuned/output/model.tar.gz",
            packed,
        )
    ]
    await sagemaker.add_association(SourceArn=of_base[0]["ArtifactArn"], DestinationArn=component_of(tuned))
    await sagemaker.add_association(SourceArn=of_tuned[0]["ArtifactArn"], DestinationArn=to["ArtifactArn"])
    connector = await connect()
    await settled(connector, clock)

    async def named() -> bool:
        return (await of(connector, urn)).training_job is not None

    await until(named, within_s=10)
    assert (await of(connector, urn)).training_job == tuned != base


async def test_that_it_knows_nothing_is_an_answer_and_not_asked_for_again(
    simulator: Simulator, sagemaker: Any, connect: Connect, clock: FrozenClock
) -> None:
    urns = [await register(sagemaker, "churn") for _ in range(3)]
    connector = await connect()
    await settled(connector, clock)
    assert asked(simulator) == {"ListArtifacts": 3, "QueryLineage": 3, "DescribeTrialComponent": 0}
    told = len(await connector.events())

    simulator.app.calls.clear()
    await connector.full()
    await settled(connector, clock)
    assert asked(simulator) == dict.fromkeys(ASKED, 0)
    assert {event.type for event in (await connector.events())[told:]} == {world.COMPLETED}
    assert [(await of(connector, urn)).unread for urn in urns] == [{}, {}, {}]

    # Another artifact is another question; an approval is none.
    await sagemaker.update_model_package(ModelPackageArn=urns[0], ModelApprovalStatus="Approved")
    await sagemaker.update_model_package(
        ModelPackageArn=urns[1], InferenceSpecification=loads("s3://models/other/model.tar.gz")
    )
    await connector.full()
    await settled(connector, clock)
    assert asked(simulator)["ListArtifacts"] == 1


async def test_a_version_of_which_the_job_is_known_is_not_asked_about(
    simulator: Simulator, sagemaker: Any, connect: Connect, clock: FrozenClock
) -> None:
    job = await train(sagemaker, "churn-2026-11")
    await register(sagemaker, "churn", MetadataProperties={"GeneratedBy": job})
    await register(
        sagemaker, "churn", InferenceSpecification=loads("s3://models/churn/churn-2026-11/output/model.tar.gz")
    )
    connector = await connect()
    await settled(connector, clock)
    assert asked(simulator) == dict.fromkeys(ASKED, 0)
    assert await connector.rows("select from lineages") == []


@pytest.mark.parametrize("operation", ["ListArtifacts", "QueryLineage"])
async def test_denied_it_is_said_once_and_nothing_else_breaks(
    simulator: Simulator, sagemaker: Any, connect: Connect, clock: FrozenClock, operation: str
) -> None:
    simulator.dial(denied=[operation])
    job = await train(sagemaker, "churn-2026-11")
    urns = [await register(sagemaker, "churn") for _ in range(3)]
    connector = await connect()
    before = await of(connector, urns[0])
    await settled(connector, clock)
    versions = [await of(connector, urn) for urn in urns]
    assert all("not authorized" in version.unread["lineage"] for version in versions)
    assert versions[0].content_hash == before.content_hash
    # What is denied of one is not asked of the others.
    assert simulator.calls(operation) == 1
    told = len(await connector.events())
    simulator.app.calls.clear()
    clock.advance(LONGEST_RETRY)
    await settled(connector, clock)
    assert simulator.calls(operation) == 1
    assert [e.type for e in (await connector.events())[told:] if e.type != world.COMPLETED] == []

    simulator.dial()
    await lead(sagemaker, job, urns[0])
    clock.advance(LONGEST_RETRY)
    await settled(connector, clock)

    async def trained() -> bool:
        return (await of(connector, urns[0])).training is not None

    await until(trained, within_s=10)
    assert [(await of(connector, urn)).unread for urn in urns] == [{}, {}, {}]


async def test_its_component_denied_the_job_is_told_by_its_name(
    simulator: Simulator, sagemaker: Any, connect: Connect, clock: FrozenClock
) -> None:
    simulator.dial(denied=["DescribeTrialComponent"])
    job = await train(sagemaker, "churn-2026-11")
    urn = await register(sagemaker, "churn")
    await lead(sagemaker, job, urn)
    connector = await connect()
    await settled(connector, clock)

    async def trained() -> bool:
        return (await of(connector, urn)).training is not None

    await until(trained, within_s=10)
    assert (await of(connector, urn)).training_job == job


async def test_a_passing_fault_is_not_told_of(
    simulator: Simulator, sagemaker: Any, connect: Connect, clock: FrozenClock
) -> None:
    urn = await register(sagemaker, "churn")
    connector = await connect()
    simulator.dial(errors={"ListArtifacts": 1})
    clock.advance(SETTLES)

    async def tried() -> bool:
        return bool(await connector.rows("select from lineages where attempts = 1"))

    await until(tried, within_s=10)
    assert (await of(connector, urn)).unread == {}
    simulator.dial()
    await settled(connector, clock)
    (row,) = await connector.rows("select job, reason, due_at from lineages")
    assert tuple(row) == (None, None, None)
