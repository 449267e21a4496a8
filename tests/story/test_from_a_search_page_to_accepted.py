"""A data scientist registers a version; five departments approve it; SageMaker says Approved; the gate says allow."""

import httpx
from aiokafka import AIOKafkaConsumer
from assent_common.events import envelope
from assent_common.events.envelope import CloudEvent
from assent_common.kafka.topics import CATALOG, REGISTRY

from tests.support.assent import APPROVERS, FACETS, Assent
from tests.support.wait import until

REPORT = {
    "binary_classification_metrics": {
        "accuracy": {"value": 0.91, "standard_deviation": 0.01},
        "precision": {"value": 0.87, "standard_deviation": "NaN"},
    }
}


async def test_a_version_that_all_five_approve_is_accepted_and_sagemaker_says_approved(
    assent: Assent, topic_prefix: str
) -> None:
    urn = await assent.register_version("customer-churn", REPORT, ModelPackageDescription="October campaign")
    version = await assent.version(urn)
    assert version["metrics"]["accuracy"]["value"] == 0.91
    assert (
        version["metrics"]["precision"] | {"value": 0.87, "standard_deviation": None} == version["metrics"]["precision"]
    )
    assert version["description"] == "October campaign"
    assert version["status"] == "registered"
    await assent.describe_use_case("retention")

    candidacy = await assent.put_forward("retention", urn)
    assert candidacy["status"] == "under_review"
    assert (await assent.gate(urn, "retention"))["allow"] is False

    tasks = await assent.tasks(candidacy["id"])
    assert set(tasks) == set(APPROVERS)
    for number, role in enumerate(APPROVERS, 1):
        answer = await assent.decide(tasks[role])
        assert answer.status_code == 200, answer.text
        status = (await assent.candidacy(candidacy["id"]))["status"]
        assert status == ("accepted" if number == len(APPROVERS) else "under_review")
        assert (await assent.gate(urn, "retention"))["allow"] is (number == len(APPROVERS))

    async def approved() -> bool:
        return bool((await assent.package(urn))["ModelApprovalStatus"] == "Approved")

    async def accepted_in_the_catalogue() -> bool:
        version = await assent.version(urn)
        return (version["status"], version["source_approval_status"]) == ("accepted", "Approved")

    await until(approved, within_s=30)
    await until(accepted_in_the_catalogue, within_s=30)
    await _one_trace_runs_from_the_poll_to_the_catalogue(assent, topic_prefix, urn)


async def _one_trace_runs_from_the_poll_to_the_catalogue(assent: Assent, topic_prefix: str, urn: str) -> None:
    first: dict[str, CloudEvent] = {}
    names = [topic.full_name(topic_prefix) for topic in (REGISTRY, CATALOG)]
    async with AIOKafkaConsumer(*names, bootstrap_servers=assent.kafka, auto_offset_reset="earliest") as consumer:

        async def told() -> bool:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for event in (envelope.from_bytes(record.value) for record in records):
                    if event.subject == urn and event.number == 1:
                        first[event.type] = event
            return len(first) == 2

        await until(told, within_s=30)
    observed = first["assent.registry.model_version.observed.v1"]
    changed = first["assent.catalog.model_version.changed.v1"]
    assert observed.traceparent is not None
    assert changed.traceparent is not None
    assert changed.traceparent.split("-")[1] == observed.traceparent.split("-")[1]
    assert changed.correlationid == observed.correlationid


async def test_what_falls_short_of_the_policy_is_not_accepted_and_says_why(assent: Assent) -> None:
    urn = await assent.register_version("customer-churn", REPORT)
    await assent.describe_use_case("retention")
    candidacy = await assent.put_forward("retention", urn, subject="ada")
    tasks = await assent.tasks(candidacy["id"])
    assert len(tasks) == 5

    by_the_proposer = await assent.decide(tasks["data_scientist"], subject="ada")
    _refused(by_the_proposer, 403, "put")
    for role in APPROVERS[:3]:
        assert (await assent.decide(tasks[role], subject=f"{role}-person")).status_code == 200
    _refused(await assent.decide(tasks["legal"], subject="legal-person"), 409, "decided")
    _refused(await assent.decide(tasks["security"], subject="legal-person"), 403, "one person")
    assert (await assent.decide(tasks["security"])).status_code == 200
    assert (await assent.candidacy(candidacy["id"]))["status"] == "under_review"

    verdict = await assent.gate(urn, "retention")
    assert verdict["allow"] is False
    assert any("under_review" in reason or "under review" in reason for reason in verdict["reasons"])


async def test_a_failing_check_keeps_a_version_from_acceptance_until_it_passes(assent: Assent) -> None:
    urn = await assent.register_version("customer-churn", REPORT)
    await assent.describe_use_case("half-described", {**FACETS, "impact": {}})
    candidacy = await assent.put_forward("half-described", urn)
    for task in (await assent.tasks(candidacy["id"])).values():
        assert (await assent.decide(task)).status_code == 200

    held = await assent.candidacy(candidacy["id"])
    assert held["status"] == "under_review"
    assert "impact" in str(held["blocked_by"])
    assert (await assent.gate(urn, "half-described"))["allow"] is False

    use_case = await assent.request("GET", "catalog-api", "/v1/use-cases/half-described")
    completed = await assent.request(
        *("PATCH", "catalog-api", "/v1/use-cases/half-described"),
        role="data_steward",
        json={"facets": {"impact": FACETS["impact"]}},
        headers={"If-Match": use_case.headers["etag"]},
    )
    assert completed.status_code == 200, completed.text

    async def accepted() -> bool:
        return bool((await assent.candidacy(candidacy["id"]))["status"] == "accepted")

    await until(accepted, within_s=30)


async def test_a_rejection_is_written_back(assent: Assent) -> None:
    urn = await assent.register_version("customer-churn", REPORT)
    await assent.describe_use_case("retention")
    candidacy = await assent.put_forward("retention", urn)
    tasks = await assent.tasks(candidacy["id"])
    assert (await assent.decide(tasks["legal"], "reject")).status_code == 200
    assert (await assent.candidacy(candidacy["id"]))["status"] == "rejected"

    async def rejected() -> bool:
        return bool((await assent.package(urn))["ModelApprovalStatus"] == "Rejected")

    await until(rejected, within_s=30)


def _refused(answer: httpx.Response, status: int, word: str) -> None:
    assert answer.status_code == status, answer.text
    assert word in answer.json()["detail"].lower(), answer.text
