"""The demo company, read whole: by Search as the connector does it, and by List and Describe as the second opinion."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from assent_common.clock import SystemClock
from assent_common.events.registry import MetricsStatus, ModelVersionObserved
from assent_local.simulator import Simulator, running
from assent_sagemaker import arns
from assent_sagemaker.aws.account import Account, Document
from assent_sagemaker.aws.clients import Clients
from assent_sagemaker.aws.describe import (
    describe_endpoint,
    describe_endpoint_config,
    describe_model,
    describe_model_package,
)
from assent_sagemaker.aws.limiter import Limiter
from assent_sagemaker.aws.listing import list_endpoints, list_model_package_groups, list_model_packages
from assent_sagemaker.aws.pages import Page
from assent_sagemaker.aws.reports import File, Unchanged, fetch
from assent_sagemaker.aws.search import changed, search
from assent_sagemaker.aws.tags import list_tags
from assent_sagemaker.aws.update import update_approval
from assent_sagemaker.mapping.deployments import Models, ServingEndpoint, Versions
from assent_sagemaker.mapping.documents import ModelPackage
from assent_sagemaker.mapping.metrics.read import Reading, Unreadable, read
from assent_sagemaker.mapping.packages import model_version
from assent_sagemaker.mapping.reports import Outcomes, reports_of
from assent_sagemaker.mapping.serving import Endpoint, EndpointConfig, Model
from assent_sagemaker.sources import Source


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running(company=True) as simulator:
        yield simulator


@pytest.fixture
async def account(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Account]:
    for name, value in simulator.environment.items():
        monkeypatch.setenv(name, value)
    region = simulator.environment["AWS_REGION"]
    async with Clients(SystemClock()) as clients:
        yield Account.of(Source(name="default", region=region), clients, Limiter())


async def all_of(pages: AsyncIterator[Page]) -> list[Document]:
    return [record async for page in pages for record in page.records]


Lines = dict[str, tuple[str, dict[str, str]]]


async def lines_of(account: Account) -> Lines:
    """Urn and tags of each group, by how urns are compared: the company has one whose versions lower-case its name."""
    urns = [group["ModelPackageGroupArn"] for group in await all_of(list_model_package_groups(account))]
    return {arns.key(urn): (urn, await list_tags(account, urn)) for urn in urns}


async def observed(account: Account, lines: Lines, document: Document) -> ModelVersionObserved:
    package = ModelPackage.from_document(document)
    model, tags = lines[arns.key(str(arns.group_of(arns.Arn.parse(package.model_package_arn))))]
    now: dict[str, Reading | Unreadable] = {}
    for report in reports_of(package):
        file = await fetch(account, report.source.s3_uri)
        assert not isinstance(file, Unchanged)
        now[report.source.s3_uri] = read(file.body) if isinstance(file, File) else file
    return model_version(package, source="default", tags=tags, outcomes=Outcomes(now=now), model=model)


async def test_both_ways_of_reading_find_the_same_versions_with_the_same_content(account: Account) -> None:
    lines = await lines_of(account)
    found = await all_of(search(account, "ModelPackage"))
    listed = await all_of(list_model_packages(account))
    assert len(found) >= 40
    assert {r["ModelPackageArn"] for r in found} == {r["ModelPackageArn"] for r in listed}
    assert len({r["ModelPackageArn"] for r in found}) == len(found)
    for document in found[:10]:
        searched = await observed(account, lines, document)
        described = await observed(account, lines, await describe_model_package(account, searched.urn))
        assert searched.model_copy(update={"raw": None}) == described.model_copy(update={"raw": None})


async def test_every_version_of_the_company_has_what_a_reviewer_asks_for(account: Account) -> None:
    lines = await lines_of(account)
    versions = [await observed(account, lines, document) for document in await all_of(search(account, "ModelPackage"))]
    groups = {urn for urn, _ in lines.values()}
    assert len(versions) >= 40
    assert len(groups) >= 6
    for version in versions:
        assert version.model in groups, version.urn
        assert version.type, version.urn
        assert version.framework or version.algorithm, version.urn
        assert version.artifacts, version.urn
        assert version.metrics_status is MetricsStatus.COMPLETE, version.metrics_reason
        assert version.metrics, version.urn
    assert len({version.type for version in versions}) >= 3
    assert len({version.framework for version in versions}) >= 3


async def test_what_changed_since_a_moment_is_found_and_our_own_write_is_no_new_content(account: Account) -> None:
    lines = await lines_of(account)
    before = await all_of(search(account, "ModelPackage"))
    latest = max(record.get("LastModifiedTime", record["CreationTime"]) for record in before)
    chosen = before[0]
    await update_approval(
        account, chosen["ModelPackageArn"], approval="Approved", description="Accepted", client_token="once"
    )
    found = await all_of(changed(account, "ModelPackage", modified_since=latest + timedelta(seconds=1)))
    assert [record["ModelPackageArn"] for record in found] == [chosen["ModelPackageArn"]]
    old, new = await observed(account, lines, chosen), await observed(account, lines, found[0])
    assert new.source_approval_status == "Approved"
    assert new.content_hash == old.content_hash


async def test_each_endpoint_serves_a_version_that_can_be_told(account: Account) -> None:
    lines = await lines_of(account)
    versions = [await observed(account, lines, document) for document in await all_of(search(account, "ModelPackage"))]
    served = []
    for summary in await all_of(list_endpoints(account)):
        endpoint = Endpoint.from_document(await describe_endpoint(account, summary["EndpointName"]))
        assert endpoint.endpoint_config_name
        config = EndpointConfig.from_document(await describe_endpoint_config(account, endpoint.endpoint_config_name))
        serving = ServingEndpoint(endpoint, config)
        models = [Model.from_document(await describe_model(account, name)) for name in serving.models]
        served += serving.deployments(Models(models, {}), Versions.of(versions), "default")
    assert served
    assert {deployed.observed.model_version for deployed in served} & {version.urn for version in versions}
