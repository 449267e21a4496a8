from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from assent_common.events.registry import DeploymentObserved
from assent_sagemaker.mapping.deployments import Models, Serving, ServingComponent, ServingEndpoint, Versions
from assent_sagemaker.mapping.documents import ModelPackageGroup, Unmappable
from assent_sagemaker.mapping.groups import model
from assent_sagemaker.mapping.serving import Endpoint, EndpointConfig, InferenceComponent, Model

HOME = "arn:aws:sagemaker:eu-central-1:111122223333"
V1, V2 = f"{HOME}:model-package/churn/1", f"{HOME}:model-package/churn/2"
AT = datetime(2026, 3, 1, tzinfo=UTC)

VERSIONS = Versions({V1: ["s3://b/1.tar.gz", "s3://b/shared.tar.gz"], V2: ["s3://b/2.tar.gz", "s3://b/shared.tar.gz"]})


def models(**containers: dict[str, Any]) -> Models:
    documents = ({"ModelName": name, "PrimaryContainer": container} for name, container in containers.items())
    return Models(map(Model.from_document, documents), {})


def endpoint(**more: Any) -> Endpoint:
    live = {"EndpointArn": f"{HOME}:endpoint/live", "EndpointName": "live", "EndpointStatus": "InService"}
    return Endpoint.from_document({**live, "CreationTime": AT, **more})


def config(*variants: tuple[str, str | None], shadows: Sequence[tuple[str, str]] = ()) -> EndpointConfig:
    def told(variant: tuple[str, str | None]) -> dict[str, Any]:
        name, model = variant
        return {"VariantName": name, **({"ModelName": model} if model else {})}

    return EndpointConfig.from_document(
        {
            "EndpointConfigName": "c",
            "ProductionVariants": [told(variant) for variant in variants],
            "ShadowProductionVariants": [told(variant) for variant in shadows],
        }
    )


def deployments(serving: Serving, among: Models) -> list[DeploymentObserved]:
    return [deployed.observed for deployed in serving.deployments(among, VERSIONS, "prod-eu")]


def served(container: dict[str, Any] | None, **more: Any) -> str | None:
    among = models(m=container) if container else models()
    (deployment,) = deployments(ServingEndpoint(endpoint(**more), config(("AllTraffic", "m"))), among)
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


def test_what_could_not_be_matched_is_kept_in_mind() -> None:
    serving = ServingEndpoint(endpoint(), config(("a", "m")))
    (deployed,) = serving.deployments(models(m={"ModelDataUrl": "s3://b/unknown.tar.gz"}), VERSIONS, "prod-eu")
    assert deployed.unmatched == ["s3://b/unknown.tar.gz"]
    (deployed,) = serving.deployments(models(m={"ModelDataUrl": "s3://b/2.tar.gz"}), VERSIONS, "prod-eu")
    assert (deployed.unmatched, deployed.observed.matched_by) == ([], "artifact")


def test_each_variant_with_a_model_is_a_deployment_shadows_too() -> None:
    among = models(one={"ModelPackageName": V1}, two={"ModelPackageName": V2})
    of = config(("blue", "one"), ("green", None), shadows=[("dark", "two")])
    weights = [{"VariantName": "blue", "CurrentWeight": 3.0}, {"VariantName": "green", "CurrentWeight": 1.0}]
    blue, dark = deployments(ServingEndpoint(endpoint(ProductionVariants=weights), of), among)
    assert (blue.variant, blue.model_version, blue.weight, blue.shadow) == ("blue", V1, 0.75, False)
    assert (dark.variant, dark.model_version, dark.weight, dark.shadow) == ("dark", V2, None, True)
    assert blue.urn == f"{HOME}:endpoint/live/variant/blue"
    assert (blue.kind, blue.name, blue.status) == ("endpoint", "live", "InService")
    assert [model["ModelName"] for model in blue.raw["Models"]] == ["one"]


def test_while_it_is_rolled_out_the_next_version_serves_beside_the_last() -> None:
    among = models(old={"ModelPackageName": V1}, new={"ModelPackageName": V2})
    (deployment,) = deployments(ServingEndpoint(endpoint(), config(("all", "old")), config(("all", "new"))), among)
    assert (deployment.model_version, deployment.model_versions) == (V1, [V1, V2])


def test_an_inference_component_serves_its_model_or_its_own_artifact() -> None:
    def component(**specification: Any) -> ServingComponent:
        return ServingComponent(
            InferenceComponent.from_document(
                {
                    "InferenceComponentArn": f"{HOME}:inference-component/adapter",
                    "InferenceComponentName": "adapter",
                    "EndpointArn": f"{HOME}:endpoint/pool",
                    "EndpointName": "pool",
                    "VariantName": "all",
                    "CreationTime": AT,
                    "Specification": specification,
                }
            )
        )

    (by_model,) = deployments(component(ModelName="m"), models(m={"ModelPackageName": V1}))
    (by_artifact,) = deployments(component(Container={"ArtifactUrl": "s3://b/2.tar.gz"}), models())
    assert (by_model.kind, by_model.model_version, by_model.endpoint) == (
        *("inference_component", V1),
        f"{HOME}:endpoint/pool",
    )
    assert (by_artifact.model_version, by_artifact.matched_by) == (V2, "artifact")


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
