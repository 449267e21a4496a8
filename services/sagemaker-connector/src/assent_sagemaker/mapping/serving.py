"""SageMaker's documents of what serves models, as types: endpoints, inference components, batch transforms, and what
watches them."""

from assent_common.events.model import Json, UtcTime
from pydantic import Field

from assent_sagemaker.mapping.documents import Container, Document, Whole


class VariantSummary(Document):
    variant_name: str
    #: Its share of the traffic by the sum of all weights.
    current_weight: float | None = None


class PendingDeployment(Document):
    endpoint_config_name: str


class Endpoint(Whole):
    endpoint_arn: str
    endpoint_name: str
    endpoint_config_name: str | None = None
    endpoint_status: str | None = None
    production_variants: list[VariantSummary] = Field(default_factory=list)
    #: What it is being changed to: both serve until that is done.
    pending_deployment_summary: PendingDeployment | None = None
    creation_time: UtcTime
    last_modified_time: UtcTime | None = None


class ProductionVariant(Document):
    variant_name: str
    #: Absent where inference components bring the models.
    model_name: str | None = None


class EndpointConfig(Whole):
    endpoint_config_name: str
    production_variants: list[ProductionVariant] = Field(default_factory=list)
    shadow_production_variants: list[ProductionVariant] = Field(default_factory=list)


class Model(Whole):
    model_name: str
    model_arn: str | None = None
    primary_container: Container | None = None
    containers: list[Container] = Field(default_factory=list)
    creation_time: UtcTime | None = None

    @property
    def all_containers(self) -> list[Container]:
        return [self.primary_container, *self.containers] if self.primary_container else self.containers


class ComponentContainer(Document):
    artifact_url: str | None = None


class ComponentSpecification(Document):
    model_name: str | None = None
    container: ComponentContainer | None = None


class InferenceComponent(Whole):
    inference_component_arn: str
    inference_component_name: str
    inference_component_status: str | None = None
    endpoint_arn: str
    endpoint_name: str
    variant_name: str | None = None
    specification: ComponentSpecification | None = None
    #: Of one that is not the same on every instance type.
    specifications: list[ComponentSpecification] = Field(default_factory=list)
    creation_time: UtcTime
    last_modified_time: UtcTime | None = None

    @property
    def all_specifications(self) -> list[ComponentSpecification]:
        return [*([self.specification] if self.specification else []), *self.specifications]


class TransformJob(Whole):
    transform_job_arn: str
    transform_job_name: str
    transform_job_status: str | None = None
    model_name: str
    creation_time: UtcTime
    transform_end_time: UtcTime | None = None


class MonitoringExecution(Document):
    scheduled_time: UtcTime | None = None
    monitoring_execution_status: str | None = None
    failure_reason: str | None = None


class MonitoringAlert(Document):
    monitoring_alert_name: str
    alert_status: str
    last_modified_time: UtcTime | None = None


class MonitoringSchedule(Document):
    monitoring_schedule_arn: str
    monitoring_schedule_name: str
    monitoring_schedule_status: str | None = None
    monitoring_type: str | None = None
    #: Absent where it watches batch transforms.
    endpoint_name: str | None = None
    last_monitoring_execution_summary: MonitoringExecution | None = None
    monitoring_alert_summaries: list[MonitoringAlert] = Field(default_factory=list)


class DashboardModel(Whole):
    """What Search says of a `Model`: the model amid what serves it and how that is watched."""

    model: Json
    monitoring_schedules: list[MonitoringSchedule] = Field(default_factory=list)
    last_batch_transform_job: Json = None
