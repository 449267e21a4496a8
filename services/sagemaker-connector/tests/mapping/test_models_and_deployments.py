from datetime import UTC, datetime
from typing import Any

import pytest
from assent_sagemaker.mapping.deployments import Versions, deployments
from assent_sagemaker.mapping.documents import Endpoint, EndpointConfig, Model, ModelPackageGroup, Unmappable
from assent_sagemaker.mapping.groups import model

HOME = "arn:aws:sagemaker:eu-central-1:111122223333"
V1, V2 = f"{HOME}:model-package/churn/1", f"{HOME}:model-package/churn/2"
AT = datetime(2026, 3, 1, tzinfo=UTC)

VERSIONS = Versions({V1: ["s3://b/1.tar.gz", "s3://b/shared.tar.gz"], V2: ["s3://b/2.tar.gz", "s3://b/shared.tar.gz"]})


def served(container: dict[str, Any] | None, **endpoint: Any) -> str | None:
    models = {"m": Model.from_document({"ModelName": "m", "PrimaryContainer": container})} if container else {}
    (deployment,) = deployments(
        Endpoint.from_document(
            {"EndpointArn": f"{HOME}:endpoint/live", "EndpointName": "live", "CreationTime": AT, **endpoint}
        ),
        EndpointConfig.from_document(
            {"EndpointConfigName": "c", "ProductionVariants": [{"VariantName": "AllTraffic", "ModelName": "m"}]}
        ),
        models,
        VERSIONS,
        source="prod-eu",
    )
    return deployment.model_version


def test_a_variant_serves_the_package_that_its_model_was_made_from() -> None:
    assert served({"ModelPackageName": V1}) == V1
    assert served({"ModelPackageName": V1.replace("churn", "Churn")}) == V1
    assert served({"ModelPackageName": "churn/2"}) == V2
    assert served({"ModelPackageName": f"{HOME}:model-package/other/9"}) == f"{HOME}:model-package/other/9"


def test_else_the_version_whose_artifact_it_loads_if_there_is_but_one() -> None:
    assert served({"ModelDataUrl": "s3://b/2.tar.gz", "Image": "shared"}) == V2
    assert served({"ModelDataUrl": "s3://b/shared.tar.gz"}) is None
    assert served({"ModelDataUrl": "s3://b/unknown.tar.gz"}) is None
    assert served(None) is None


def test_each_variant_is_a_deployment_shadows_too() -> None:
    config = EndpointConfig.from_document(
        {
            "EndpointConfigName": "c",
            "ProductionVariants": [{"VariantName": "blue", "ModelName": "one"}, {"VariantName": "green"}],
            "ShadowProductionVariants": [{"VariantName": "dark", "ModelName": "two"}],
        }
    )
    models = {
        name: Model.from_document({"ModelName": name, "Containers": [{"Image": "pre"}, {"ModelPackageName": urn}]})
        for name, urn in (("one", V1), ("two", V2))
    }
    endpoint = Endpoint.from_document(
        {
            "EndpointArn": f"{HOME}:endpoint/live",
            "EndpointName": "live",
            "EndpointStatus": "InService",
            "CreationTime": AT,
        }
    )
    observed = deployments(endpoint, config, models, VERSIONS, source="prod-eu")
    assert [(d.urn.rpartition("/")[2], d.model_version) for d in observed] == [
        ("blue", V1),
        ("green", None),
        ("dark", V2),
    ]
    assert observed[0].urn == f"{HOME}:endpoint/live/variant/blue"
    assert (observed[0].kind, observed[0].name, observed[0].status) == ("endpoint", "live", "InService")
    assert observed[0].raw["Model"]["ModelName"] == "one"


def test_an_endpoint_without_an_arn_is_refused() -> None:
    with pytest.raises(Unmappable):
        served(None, EndpointArn="live")


def test_a_group_becomes_a_model() -> None:
    group = {
        "ModelPackageGroupArn": f"{HOME}:model-package-group/Churn",
        "ModelPackageGroupName": "Churn",
        "ModelPackageGroupDescription": "Who leaves",
        "ModelPackageGroupStatus": "Completed",
        "CreationTime": AT,
        "CreatedBy": {"UserProfileName": "ada"},
    }
    observed = model(ModelPackageGroup.from_document(group), source="prod-eu", tags={"team": "retention"})
    assert (observed.urn, observed.name) == (f"{HOME}:model-package-group/Churn", "Churn")
    assert (observed.description, observed.created_by, observed.created_at) == ("Who leaves", "ada", AT)
    assert observed.tags == {"team": "retention"}
    assert observed.raw["CreationTime"] == "2026-03-01T00:00:00Z"
