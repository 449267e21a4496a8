"""Random documents of botocore's own shapes: every optional field missing, present and extreme. None breaks the
mapping, and nothing of any is lost from `raw`."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
import pytest
from assent_common.events.model import Payload
from assent_sagemaker.mapping import packages
from assent_sagemaker.mapping.deployments import Models, ServingComponent, ServingEndpoint, Versions
from assent_sagemaker.mapping.documents import ModelPackage, ModelPackageGroup, Whole
from assent_sagemaker.mapping.groups import model
from assent_sagemaker.mapping.jobs import Job
from assent_sagemaker.mapping.reports import Outcomes
from assent_sagemaker.mapping.safe import json_safe
from assent_sagemaker.mapping.serving import Endpoint, EndpointConfig, InferenceComponent, Model
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.session import get_session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HOME = "arn:aws:sagemaker:eu-central-1:111122223333"
#: What the mapping tells things apart by, and so has to be what it says.
ARNS = {
    "ModelPackageArn": [f"{HOME}:model-package/churn/7", f"{HOME}:model-package/alone"],
    "ModelPackageGroupArn": [f"{HOME}:model-package-group/churn"],
    "TrainingJobArn": [f"{HOME}:training-job/churn"],
    "EndpointArn": [f"{HOME}:endpoint/live"],
    "EndpointConfigArn": [f"{HOME}:endpoint-config/live"],
    "ModelArn": [f"{HOME}:model/churn"],
    "InferenceComponentArn": [f"{HOME}:inference-component/churn"],
}
#: With what has bitten others among it: NUL, lone surrogates, right-to-left marks, formulas, long names.
TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "\x00", "\ud800", "\u202e", "=1+1", "x" * 3000, "NaN", "s3://", "s3://b/k", "arn:aws:", "{}"]),
)
MOMENTS = st.integers(0, 2**33).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
DEPTH = 7


@cache
def shape(name: str) -> StructureShape:
    found = get_session().get_service_model("sagemaker").shape_for(name)
    assert isinstance(found, StructureShape)
    return found


def documents(name: str) -> st.SearchStrategy[dict[str, Any]]:
    return structures(shape(name), DEPTH)


def structures(of: StructureShape, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    required = {name: values(of.members[name], name, depth - 1) for name in of.required_members}
    optional = {
        name: values(member, name, depth - 1)
        for name, member in of.members.items()
        if name not in required and (depth > 1 or not isinstance(member, StructureShape | ListShape | MapShape))
    }
    return st.fixed_dictionaries(required, optional=optional)


def values(of: Shape, name: str, depth: int) -> st.SearchStrategy[Any]:
    if name in ARNS:
        return st.sampled_from(ARNS[name])
    match of:
        case StructureShape():
            return st.deferred(lambda: structures(of, depth))
        case ListShape():
            return st.lists(values(of.member, "", depth - 1), max_size=2 if depth > 0 else 0)
        case MapShape():
            return st.dictionaries(TEXTS, values(of.value, "", depth - 1), max_size=2)
        case StringShape():
            return st.one_of(st.sampled_from(of.enum), TEXTS) if of.enum else TEXTS
    return {
        "integer": st.integers(-(2**31), 2**31),
        "long": st.integers(-(2**63), 2**63),
        "float": st.floats(),
        "double": st.floats(),
        "boolean": st.booleans(),
        "timestamp": MOMENTS,
        "blob": st.binary(max_size=8),
    }[of.type_name]


def keeps(read: Whole, document: dict[str, Any]) -> None:
    assert read.raw == json_safe(document)
    assert isinstance(read.raw, dict)
    assert len(read.raw) == len(document)


def travels(payload: Payload) -> None:
    """As an event, and into Postgres: JSON that says the same when it is read again."""
    written = payload.model_dump_json()
    assert type(payload).model_validate_json(written) == payload
    assert "\\u0000" not in written
    orjson.loads(written)


without_haste = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", ["ModelPackage", "DescribeModelPackageOutput"])
@given(data=st.data())
@without_haste
def test_a_package_and_the_job_that_made_it(name: str, data: st.DataObject) -> None:
    document = data.draw(documents(name))
    document.setdefault("ModelPackageArn", ARNS["ModelPackageArn"][0])
    document.setdefault("ModelPackageStatus", "Completed")
    document.setdefault("CreationTime", datetime(2026, 1, 1, tzinfo=UTC))
    job = data.draw(documents("TrainingJob"))
    package = ModelPackage.from_document(document)
    keeps(package, document)
    told = packages.model_version(
        package, source="prod-eu", tags={}, outcomes=Outcomes(), job=Job.known(json_safe(job), None)
    )
    travels(told)
    assert told.urn == document["ModelPackageArn"]


@pytest.mark.parametrize("name", ["ModelPackageGroup", "DescribeModelPackageGroupOutput"])
@given(data=st.data())
@without_haste
def test_a_group(name: str, data: st.DataObject) -> None:
    document = data.draw(documents(name))
    document.setdefault("ModelPackageGroupArn", ARNS["ModelPackageGroupArn"][0])
    document.setdefault("ModelPackageGroupName", "churn")
    document.setdefault("CreationTime", datetime(2026, 1, 1, tzinfo=UTC))
    group = ModelPackageGroup.from_document(document)
    keeps(group, document)
    travels(model(group, source="prod-eu", tags={}))


@given(data=st.data())
@without_haste
def test_an_endpoint_with_its_configuration_and_models(data: st.DataObject) -> None:
    config = EndpointConfig.from_document(data.draw(documents("DescribeEndpointConfigOutput")))
    endpoint = Endpoint.from_document(data.draw(documents("DescribeEndpointOutput")))
    served = Model.from_document(data.draw(documents("DescribeModelOutput")))
    serving = ServingEndpoint(endpoint, config, None)
    for deployed in serving.deployments(Models([served], {}), Versions({}), "prod-eu"):
        travels(deployed.observed)


@given(data=st.data())
@without_haste
def test_an_inference_component(data: st.DataObject) -> None:
    component = InferenceComponent.from_document(data.draw(documents("DescribeInferenceComponentOutput")))
    for deployed in ServingComponent(component).deployments(Models([], {}), Versions({}), "prod-eu"):
        travels(deployed.observed)
