"""What an operator is told of a role: what works, what is missing, what to add, and who else may approve."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from assent_common.database import Database
from assent_local.simulator import Simulator
from assent_local.simulator.caller import Caller, Place
from assent_sagemaker.access.attempt import Finding, Verdict
from assent_sagemaker.access.check import Access, Checker
from assent_sagemaker.access.fence import Stands, role_of
from assent_sagemaker.access.permissions import PERMISSIONS
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.limiter import Limiter
from assent_sagemaker.sources import Source

from tests.connector import world
from tests.connector.world import metrics_at, register

ROLE = "arn:aws:iam::123456789012:role/assent"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/cards"
WAYS_AROUND = {"Search", "DescribeTrainingJob", "ListArtifacts", "QueryLineage", "DescribeTrialComponent"}
READING = {
    "Search", "ListModelPackageGroups", "ListModelPackages", "DescribeModelPackage", "DescribeModelPackageGroup",
    "ListTags", "ListEndpoints", "DescribeEndpoint", "DescribeEndpointConfig", "DescribeModel",
    "DescribeTrainingJob", "ListArtifacts", "QueryLineage", "DescribeTrialComponent",
}  # fmt: skip


async def _at_once(_: float) -> None:
    """The simulator bears any number of calls."""


@pytest.fixture
async def checker(store: Database) -> AsyncIterator[Checker]:
    async with Clients(store.clock) as clients:
        yield Checker(store, clients, Limiter(sleep=_at_once))


def a_source(**given: Any) -> Source:
    return Source(**{"name": "demo", "region": world.REGION, "role_arn": ROLE, "external_id": "secret-id", **given})


def of(access: Access, action: str) -> list[Finding]:
    found = [each for each in access.permissions if each.action == action]
    assert found, f"{action} was not tried: {[each.action for each in access.permissions]}"
    return found


def missing(access: Access) -> set[str]:
    return {each.action for each in access.permissions if each.verdict is Verdict.MISSING}


async def test_where_everything_is_allowed_everything_works_and_nothing_is_changed(
    simulator: Simulator, sagemaker: Any, s3: Any, checker: Checker
) -> None:
    simulator.dial(external_ids={ROLE: "secret-id"})
    await s3.put_object(Bucket="reports", Key="churn/1.json", Body=b"{}")
    urn = await register(sagemaker, "churn", ModelMetrics=metrics_at("s3://reports/churn/1.json"))
    before = await sagemaker.describe_model_package(ModelPackageName=urn)

    access = await checker.check(a_source(write_back=True))

    assert access.works, [each for each in access.permissions if each.verdict is not Verdict.WORKS]
    assert access.principal == "arn:aws:sts::123456789012:assumed-role/assent/assent"
    assert access.warnings == []
    tried = {each.action.partition(":")[2] for each in access.permissions}
    assert tried >= READING | {"AssumeRole", "GetObject", "ListBucket", "UpdateModelPackage"}
    assert [each.tried_on for each in of(access, "s3:GetObject")] == ["s3://reports/churn/1.json"]
    assert len(of(access, "sagemaker:UpdateModelPackage")) == 3
    after = await sagemaker.describe_model_package(ModelPackageName=urn)
    assert {**before, "ResponseMetadata": None} == {**after, "ResponseMetadata": None}
    assert len((await sagemaker.list_model_packages(ModelPackageType="Both"))["ModelPackageSummaryList"]) == 1


async def test_an_empty_account_can_be_tested_too(simulator: Simulator, checker: Checker) -> None:
    access = await checker.check(a_source(external_id=None, write_back=True))
    assert access.works
    assert of(access, "sagemaker:DescribeModel")[0].tried_on.startswith("assent-test-")


@pytest.mark.parametrize("operation", sorted(READING))
async def test_what_is_denied_is_named_with_the_statement_to_add(
    simulator: Simulator, checker: Checker, operation: str
) -> None:
    simulator.dial(denied=[operation])
    access = await checker.check(a_source(external_id=None))
    assert missing(access) == {f"sagemaker:{operation}"}
    assert access.works is (operation in WAYS_AROUND), "there is a way around these"
    assert not access.unavailable
    denied = of(access, f"sagemaker:{operation}")[0]
    assert denied.statement is not None
    assert (denied.statement["Effect"], denied.statement["Action"]) == ("Allow", f"sagemaker:{operation}")
    resources = denied.statement["Resource"]
    resources = [resources] if isinstance(resources, str) else resources
    assert resources == ["*"] or all(each.startswith("arn:aws:sagemaker:*:123456789012:") for each in resources)
    assert "no identity-based policy allows" in (denied.why or "")


async def test_a_role_that_cannot_be_taken_says_so_and_nothing_else(simulator: Simulator, checker: Checker) -> None:
    simulator.dial(external_ids={ROLE: "another-id"})
    access = await checker.check(a_source())
    assert [each.action for each in access.permissions] == ["sts:AssumeRole"]
    assert (access.works, access.principal) == (False, None)


async def test_a_role_that_asks_for_no_external_id_is_warned_of(simulator: Simulator, checker: Checker) -> None:
    access = await checker.check(a_source())
    assert access.works
    assert "without its external id" in access.warnings[0]


async def test_a_forbidden_bucket_is_told_from_a_forbidden_key(
    simulator: Simulator, sagemaker: Any, s3: Any, checker: Checker
) -> None:
    for bucket in ("open", "closed", "locked"):
        await s3.create_bucket(Bucket=bucket)
        await s3.put_object(Bucket=bucket, Key="1.json", Body=b"{}")
        await register(sagemaker, "churn", ModelMetrics=metrics_at(f"s3://{bucket}/1.json"))
    faults = [{"prefix": "closed/", "kind": "access_denied"}, {"prefix": "locked/1", "kind": "key_denied"}]
    simulator.dial(s3=faults)

    access = await checker.check(a_source(external_id=None))

    assert missing(access) == {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"}
    (closed,) = [each for each in of(access, "s3:GetObject") if each.verdict is Verdict.MISSING]
    assert closed.statement is not None
    assert closed.statement["Resource"] == "arn:aws:s3:::closed/*"
    assert not of(access, "s3:ListBucket")[0].needed
    assert of(access, "kms:Decrypt")[0].tried_on == "s3://locked/1.json"


async def test_a_card_whose_key_is_denied_is_told_from_a_version_that_is(
    simulator: Simulator, sagemaker: Any, checker: Checker
) -> None:
    await register(sagemaker, "churn", SecurityConfig={"KmsKeyId": KEY})
    assert [each.verdict for each in of(await checker.check(a_source(external_id=None)), "kms:Decrypt")] == ["works"]
    simulator.dial(deny=[{"Action": "kms:Decrypt", "Resource": KEY}])
    access = await checker.check(a_source(external_id=None))
    assert missing(access) == {"kms:Decrypt"}
    assert of(access, "sagemaker:DescribeModelPackage")[0].verdict is Verdict.WORKS


async def test_an_outage_is_no_lack_of_permission(simulator: Simulator, checker: Checker) -> None:
    simulator.dial(errors={"ListTags": 1})
    access = await checker.check(a_source(external_id=None))
    (tags,) = of(access, "sagemaker:ListTags")
    assert (tags.verdict, tags.statement) == (Verdict.UNKNOWN, None)
    assert (access.works, access.unavailable) == (False, True)


async def test_what_an_organisation_denies_no_statement_can_mend(simulator: Simulator, checker: Checker) -> None:
    statement = {"Action": "sagemaker:UpdateModelPackage", "Condition": _approving()}
    simulator.dial(deny=[statement])
    access = await checker.check(a_source(external_id=None, write_back=True))
    updates = of(access, "sagemaker:UpdateModelPackage")
    assert [each.verdict for each in updates] == ["missing", "works", "works"]
    assert updates[0].statement is None
    assert "explicit deny" in (updates[0].why or "")
    assert not access.works


async def test_the_queue_is_tried_without_taking_a_message_from_anybody(simulator: Simulator, checker: Checker) -> None:
    queues, place = simulator.app.queues, Place("123456789012", world.REGION)
    queues.make(place, "hints")
    queues.send(place, "hints", "{}")
    url = f"{simulator.url}/123456789012/hints"
    access = await checker.check(a_source(external_id=None, events_queue_url=url))
    assert access.works
    assert {"sqs:ReceiveMessage", "sqs:DeleteMessage"} <= {each.action for each in access.permissions}
    attributes = queues.attributes(Caller(place, "sqs", "test"), {"QueueUrl": url, "AttributeNames": ["All"]})[
        "Attributes"
    ]
    assert attributes["ApproximateNumberOfMessages"] == "1"

    simulator.dial(denied=["DeleteMessage"])
    assert missing(await checker.check(a_source(external_id=None, events_queue_url=url))) == {"sqs:DeleteMessage"}
    access = await checker.check(a_source(external_id=None, events_queue_url=f"{url}-of-nobody"))
    assert (access.works, access.unavailable) == (False, False)


async def test_an_approval_by_hand_shows_that_the_fence_does_not_stand(
    simulator: Simulator, sagemaker: Any, connect: Any, checker: Checker, clock: Any
) -> None:
    source = a_source(external_id=None)
    urn = await register(sagemaker, "churn")
    connector = await connect()
    clean = (await checker.check(source)).fence
    assert clean.stands is Stands.UNKNOWN
    assert "none that says Approved" in clean.checked[0]

    await sagemaker.update_model_package(ModelPackageArn=urn, ModelApprovalStatus="Approved")
    await connector.full()
    broken = (await checker.check(source)).fence
    assert broken.stands is Stands.NO
    assert urn in broken.checked[0]


async def test_who_is_denied_by_simulation_is_fenced_off(
    simulator: Simulator, sagemaker: Any, checker: Checker
) -> None:
    await register(sagemaker, "churn")
    source = a_source(external_id=None)
    open_ = (await checker.check(source)).fence
    assert open_.stands is Stands.UNKNOWN
    assert "may approve" in open_.checked[1]
    assert "leaves out organisation policies" in open_.checked[1]

    simulator.dial(deny=[{"Action": "sagemaker:UpdateModelPackage", "Condition": _approving()}])
    assert (await checker.check(source)).fence.stands is Stands.YES
    simulator.dial(denied=["SimulatePrincipalPolicy"])
    untold = (await checker.check(source)).fence
    assert untold.stands is Stands.UNKNOWN
    assert "iam:SimulatePrincipalPolicy" in untold.checked[1]


def test_every_permission_says_what_it_is_for() -> None:
    assert len(PERMISSIONS) >= 18
    assert len({each.action for each in PERMISSIONS}) == len(PERMISSIONS)
    assert all(each.needed_for for each in PERMISSIONS)


def test_a_session_is_its_role() -> None:
    assert role_of("arn:aws:sts::123456789012:assumed-role/assent/session") == ROLE
    assert role_of(ROLE) == ROLE


def _approving() -> dict[str, Any]:
    return {
        "StringEquals": {"sagemaker:ModelApprovalStatus": "Approved"},
        "ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/writer"},
    }
