"""Each operation against moto's server: another's idea of SageMaker, S3 and STS."""

import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from assent_common import ids
from assent_sagemaker.aws import reports
from assent_sagemaker.aws.account import Account, Document
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.describe import describe_endpoint, describe_model_package, describe_model_package_group
from assent_sagemaker.aws.errors import Gone, Refused
from assent_sagemaker.aws.limiter import Family, Limiter
from assent_sagemaker.aws.listing import list_endpoints, list_model_package_groups, list_model_packages
from assent_sagemaker.aws.pages import Page
from assent_sagemaker.aws.reports import File, fetch
from assent_sagemaker.aws.search import search
from assent_sagemaker.aws.tags import list_tags
from assent_sagemaker.aws.update import approval_description, update_approval
from assent_sagemaker.mapping.documents import ModelPackage, ModelPackageGroup
from assent_sagemaker.mapping.groups import model
from assent_sagemaker.mapping.metrics.read import Unreadable, read
from assent_sagemaker.mapping.packages import model_version
from assent_sagemaker.mapping.reports import Outcomes
from assent_sagemaker.sources import Source

Registry = Callable[[str], Any]


async def all_of(pages: AsyncIterator[Page]) -> list[Document]:
    return [record async for page in pages for record in page.records]


@pytest.fixture
def group(registry: Registry) -> str:
    name = f"churn-{ids.new().hex}"
    registry("sagemaker").create_model_package_group(
        ModelPackageGroupName=name,
        ModelPackageGroupDescription="Who leaves",
        Tags=[{"Key": f"key-{n}", "Value": str(n)} for n in range(30)],
    )
    return name


def a_version(registry: Registry, group: str, **fields: Any) -> str:
    created = registry("sagemaker").create_model_package(
        ModelPackageGroupName=group,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": "1.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:1.7-1"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        **fields,
    )
    return str(created["ModelPackageArn"])


async def test_every_version_of_a_group_is_listed_over_many_pages(
    account: Account, registry: Registry, group: str
) -> None:
    made = {a_version(registry, group) for _ in range(120)}
    pages = [page async for page in list_model_packages(account, group=group)]
    assert len(pages) >= 2
    listed = [record["ModelPackageArn"] for page in pages for record in page.records]
    assert len(listed) == len(made) == 120
    assert set(listed) == made
    everything = await all_of(list_model_packages(account))
    assert made <= {record["ModelPackageArn"] for record in everything}


async def test_a_group_and_its_version_become_records_field_by_field(
    account: Account, registry: Registry, group: str
) -> None:
    registry("s3").create_bucket(Bucket=group, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    registry("s3").put_object(Bucket=group, Key="e.json", Body=gzip.compress(b'{"accuracy": 0.9}', mtime=0))
    uri = f"s3://{group}/e.json"
    arn = a_version(
        registry,
        group,
        ModelPackageDescription="Leaves within 90 days",
        ModelMetrics={"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": uri}}},
        CustomerMetadataProperties={"team": "retention"},
    )
    (summary,) = [
        record
        for record in await all_of(list_model_package_groups(account))
        if record["ModelPackageGroupName"] == group
    ]
    tags = await list_tags(account, summary["ModelPackageGroupArn"])
    assert tags == {f"key-{n}": str(n) for n in range(30)}
    line = model(ModelPackageGroup.from_document(summary), source="default", tags=tags)
    assert (line.name, line.description) == (group, "Who leaves")
    described = await describe_model_package_group(account, group)
    assert described["ModelPackageGroupArn"] == line.urn

    file = await fetch(account, uri)
    assert isinstance(file, File)
    package = ModelPackage.from_document(await describe_model_package(account, arn))
    version = model_version(
        package, source="default", tags=tags, outcomes=Outcomes(now={uri: read(file.body)}), model=line.urn
    )
    assert (version.urn, version.model, version.name, version.version) == (arn, line.urn, group, 1)
    assert version.description == "Leaves within 90 days"
    assert version.metrics["accuracy"].value == 0.9
    assert (version.framework, version.framework_version) == ("xgboost", "1.7")
    assert version.properties == {"team": "retention"}
    assert version.source_approval_status == "PendingManualApproval"
    assert version.modified_at is None


async def test_search_gives_whole_packages(account: Account, registry: Registry, group: str) -> None:
    arn = a_version(registry, group)
    found = await all_of(search(account, "ModelPackage"))
    assert arn in [record["ModelPackageArn"] for record in found]
    assert all(ModelPackage.from_document(record).containers for record in found)


async def test_an_approval_is_written_and_read_back(account: Account, registry: Registry, group: str) -> None:
    arn = a_version(registry, group)
    await update_approval(
        account, arn, approval="Approved", description="Accepted for\nretention", client_token=str(ids.new())
    )
    written = await describe_model_package(account, arn)
    assert written["ModelApprovalStatus"] == "Approved"
    assert written["ApprovalDescription"] == "Accepted for retention"
    assert len(approval_description("é" * 2000)) == 1024


async def test_what_is_not_there_is_gone(account: Account, group: str) -> None:
    with pytest.raises(Gone):
        await describe_model_package(account, f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/{group}/9")
    with pytest.raises(Gone):
        await describe_endpoint(account, "absent")
    assert await all_of(list_endpoints(account)) == []


async def test_a_report_that_is_missing_or_too_large_says_so(
    account: Account, registry: Registry, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = registry("s3")
    s3.create_bucket(Bucket=group, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket=group, Key="large.json", Body=b" " * (2 * 1024 * 1024))
    monkeypatch.setattr(reports, "MAX_BYTES", 1024 * 1024)
    for uri, reason in (
        (f"s3://{group}/absent.json", "no such file"),
        (f"s3://absent-{group}/e.json", "no such file"),
        (f"s3://{group}/large.json", "larger than 1 MB"),
        (f"s3://{group}", "no address"),
        ("https://example.com/e.json", "no address"),
        ("s3://not a bucket/../e.json", "S3 did not give it"),
    ):
        result = await fetch(account, uri)
        assert isinstance(result, Unreadable), uri
        assert reason in result.reason


async def test_sources_of_several_accounts_share_one_client_and_sign_with_their_own_keys(
    clients: Clients, registry: Registry
) -> None:
    limiter = Limiter()
    own = Account.of(Source(name="own", region="eu-central-1"), clients, limiter)
    others = [
        Account.of(
            Source(
                name=f"a{n}",
                region="eu-central-1",
                role_arn=f"arn:aws:iam::{n:012d}:role/assent",
                external_id="7f3c",
            ),
            clients,
            limiter,
        )
        for n in (1, 2)
    ]
    callers = []
    for account in (own, *others):
        from_sts = await account.call("sts", "get_caller_identity", Family.LIST)
        callers.append(from_sts["Account"])
    assert callers[1:] == ["000000000001", "000000000002"]
    assert await clients.of("sts", "eu-central-1") is await clients.of("sts", "eu-central-1")


async def test_a_request_that_breaks_a_rule_is_refused(account: Account) -> None:
    with pytest.raises(Refused):
        await describe_model_package(account, "")
