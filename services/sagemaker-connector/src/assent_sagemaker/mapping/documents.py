"""SageMaker's documents as types: what Assent reads of them, parsed once, at the door. The rest is in `raw`."""

from collections.abc import Mapping
from typing import Any, Self

from assent_common.events.model import Json, UtcTime
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal

from assent_sagemaker.mapping.safe import TooDeep, json_safe


class Unmappable(ValueError):
    """A document that lacks what every one of its kind has, or has it in another form."""


class Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_pascal, protected_namespaces=())


class Whole(Document):
    """A document that came by itself, with its JSON beside the fields."""

    raw: Json = Field(default=None, exclude=True)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Raises Unmappable, naming the field at fault."""
        try:
            raw = {name: json_safe(value) for name, value in document.items() if name != "ResponseMetadata"}
            return cls.model_validate({**raw, "Raw": raw})
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            field = ".".join(map(str, problem["loc"]))
            raise Unmappable(f"{cls.__name__}.{field}: {problem['msg']}") from error
        except (TooDeep, TypeError, ValueError) as error:
            raise Unmappable(f"{cls.__name__}: {error}") from error


class Tag(Document):
    key: str
    value: str = ""


class Identity(Document):
    arn: str | None = None


class UserContext(Document):
    user_profile_arn: str | None = None
    user_profile_name: str | None = None
    iam_identity: Identity | None = None

    @property
    def who(self) -> str | None:
        iam = self.iam_identity.arn if self.iam_identity else None
        return iam or self.user_profile_arn or self.user_profile_name


class S3DataSource(Document):
    s3_uri: str = Field(alias="S3Uri")
    compression_type: str | None = None
    etag: str | None = Field(default=None, alias="ETag")


class ModelDataSource(Document):
    s3_data_source: S3DataSource | None = Field(default=None, alias="S3DataSource")


class AdditionalModelDataSource(Document):
    channel_name: str = ""
    s3_data_source: S3DataSource | None = Field(default=None, alias="S3DataSource")


class BaseModelReference(Document):
    hub_content_name: str | None = None


class Container(Document):
    image: str | None = None
    image_digest: str | None = None
    model_data_url: str | None = None
    model_data_source: ModelDataSource | None = None
    model_data_etag: str | None = Field(default=None, alias="ModelDataETag")
    additional_model_data_sources: list[AdditionalModelDataSource] = Field(default_factory=list)
    framework: str | None = None
    framework_version: str | None = None
    nearest_model_name: str | None = None
    base_model: BaseModelReference | None = None
    #: Of a container of a model (not of a package): the package that it was made from.
    model_package_name: str | None = None

    @property
    def address(self) -> str | None:
        """Where the model data lies."""
        source = self.model_data_source.s3_data_source if self.model_data_source else None
        return source.s3_uri if source else self.model_data_url

    @property
    def data_digest(self) -> str | None:
        source = self.model_data_source.s3_data_source if self.model_data_source else None
        return self.model_data_etag or (source.etag if source else None)


class InferenceSpecification(Document):
    containers: list[Container] = Field(default_factory=list)


class SourceAlgorithm(Document):
    algorithm_name: str
    model_data_url: str | None = None
    model_data_source: ModelDataSource | None = None
    model_data_etag: str | None = Field(default=None, alias="ModelDataETag")


class SourceAlgorithmSpecification(Document):
    source_algorithms: list[SourceAlgorithm] = Field(default_factory=list)


class MetricsSource(Document):
    s3_uri: str = Field(alias="S3Uri")
    content_type: str | None = None
    content_digest: str | None = None


class Quality(Document):
    statistics: MetricsSource | None = None
    constraints: MetricsSource | None = None


class Bias(Document):
    report: MetricsSource | None = None
    pre_training_report: MetricsSource | None = None
    post_training_report: MetricsSource | None = None


class Explainability(Document):
    report: MetricsSource | None = None


class ModelMetrics(Document):
    model_quality: Quality | None = None
    model_data_quality: Quality | None = None
    bias: Bias | None = None
    explainability: Explainability | None = None


class BiasBaseline(Document):
    config_file: MetricsSource | None = None
    pre_training_constraints: MetricsSource | None = None
    post_training_constraints: MetricsSource | None = None


class ExplainabilityBaseline(Document):
    config_file: MetricsSource | None = None
    constraints: MetricsSource | None = None


class DriftCheckBaselines(Document):
    model_quality: Quality | None = None
    model_data_quality: Quality | None = None
    bias: BiasBaseline | None = None
    explainability: ExplainabilityBaseline | None = None


class MetadataProperties(Document):
    commit_id: str | None = None
    repository: str | None = None
    generated_by: str | None = None
    project_id: str | None = None


class ModelCard(Document):
    model_card_content: str | None = None
    model_card_status: str | None = None


class ModelLifeCycle(Document):
    stage: str
    stage_status: str
    stage_description: str | None = None


class ModelPackage(Whole):
    model_package_arn: str
    model_package_name: str | None = None
    model_package_group_name: str | None = None
    model_package_version: int | None = None
    model_package_registration_type: str | None = None
    model_package_description: str | None = None
    model_package_status: str
    model_approval_status: str | None = None
    approval_description: str | None = None
    creation_time: UtcTime
    created_by: UserContext | None = None
    last_modified_time: UtcTime | None = None
    last_modified_by: UserContext | None = None
    inference_specification: InferenceSpecification | None = None
    source_algorithm_specification: SourceAlgorithmSpecification | None = None
    metadata_properties: MetadataProperties | None = None
    model_metrics: ModelMetrics | None = None
    drift_check_baselines: DriftCheckBaselines | None = None
    customer_metadata_properties: dict[str, str] = Field(default_factory=dict)
    domain: str | None = None
    task: str | None = None
    source_uri: str | None = None
    model_card: ModelCard | None = None
    model_life_cycle: ModelLifeCycle | None = None
    tags: list[Tag] = Field(default_factory=list)

    @property
    def containers(self) -> list[Container]:
        return self.inference_specification.containers if self.inference_specification else []


class ModelPackageGroup(Whole):
    model_package_group_arn: str
    model_package_group_name: str
    model_package_group_description: str | None = None
    model_package_group_status: str | None = None
    creation_time: UtcTime
    created_by: UserContext | None = None
    tags: list[Tag] = Field(default_factory=list)
