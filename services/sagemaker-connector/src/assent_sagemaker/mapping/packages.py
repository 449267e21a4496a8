"""A model package to a model version. The one way in is `model_version`."""

from collections.abc import Iterable, Mapping

from assent_common.events.registry import Artifact, LifeCycle, Metric, MetricKind, ModelVersionObserved

from assent_sagemaker import arns
from assent_sagemaker.mapping import cards, jobs, reports
from assent_sagemaker.mapping.content import content, content_hash
from assent_sagemaker.mapping.documents import ModelPackage, Tag, Unmappable
from assent_sagemaker.mapping.images import digest_of
from assent_sagemaker.mapping.jobs import Job, Lineage
from assent_sagemaker.mapping.metrics.names import known_name
from assent_sagemaker.mapping.metrics.numbers import number
from assent_sagemaker.mapping.reports import Outcomes
from assent_sagemaker.mapping.traits import traits


def model_version(
    package: ModelPackage,
    *,
    source: str,
    tags: Mapping[str, str],
    outcomes: Outcomes,
    job: Job = jobs.NOT_READ,
    lineage: Lineage = jobs.NOT_ASKED,
    model: str | None = None,
) -> ModelVersionObserved:
    """The version as it stands, by the document, its group's tags, and what is known of its reports and its
    job. Lineage counts where nothing else tells the job.

    The same input gives the same output, whatever the order of its keys. `model` is the group's urn as its own listing
    spells it (packages lower-case it now and then); without it, it is told by the package's ARN. Raises Unmappable.
    """
    metrics = reports.measured(package, outcomes)
    told = traits(package, reports.problem_kind(package, outcomes))
    named = [reports.report(report, outcomes) for report in reports.reports_of(package)]
    metrics_status, metrics_reason = reports.status(named)
    judged = content(package, outcomes)
    made_by = jobs.reference(package) or lineage.reference
    image = next((container for container in package.containers if container.image), None)
    return ModelVersionObserved(
        urn=package.model_package_arn,
        source=source,
        model=model or _model_urn(package),
        name=_name(package),
        version=package.model_package_version,
        description=package.model_package_description,
        type=told.type,
        framework=told.framework,
        framework_version=told.framework_version,
        algorithm=told.algorithm,
        metrics={**_declared(package), **metrics},
        metrics_status=metrics_status,
        metrics_reason=metrics_reason,
        reports=named,
        source_status=package.model_package_status,
        source_approval_status=package.model_approval_status,
        source_approval_description=package.approval_description,
        registration_type=package.model_package_registration_type,
        life_cycle=_life_cycle(package),
        artifacts=_artifacts(package),
        image=image.image if image else None,
        image_digest=(image.image_digest or digest_of(image.image or "")) if image else None,
        source_uri=package.source_uri,
        domain=package.domain,
        task=package.task,
        training_job=made_by.told if made_by else None,
        training=jobs.training(job.document, made_by.found_by) if made_by and job.document else None,
        datasets=jobs.datasets(job.document) if job.document else [],
        model_card=cards.model_card(package),
        unread=_unread(training=job.reason, lineage=lineage.reason),
        provenance=_provenance(package),
        tags={**tag_map(package.tags), **tags},
        properties=package.customer_metadata_properties,
        created_at=package.creation_time,
        created_by=package.created_by.who if package.created_by else None,
        modified_at=package.last_modified_time,
        modified_by=package.last_modified_by.who if package.last_modified_by else None,
        content_hash=content_hash(judged),
        content=judged,
        raw=package.raw,
    )


def _unread(**reasons: str | None) -> dict[str, str]:
    return {part: reason for part, reason in reasons.items() if reason is not None}


def tag_map(tags: Iterable[Tag]) -> dict[str, str]:
    return {tag.key: tag.value for tag in tags}


def _arn(package: ModelPackage) -> arns.Arn:
    try:
        return arns.Arn.parse(package.model_package_arn)
    except arns.NotAnArn as error:
        raise Unmappable(f"ModelPackage.ModelPackageArn: {error}") from error


def _model_urn(package: ModelPackage) -> str | None:
    group = arns.group_of(_arn(package))
    return str(group) if group else None


def _name(package: ModelPackage) -> str:
    path = _arn(package).path
    # A shared group is named by its ARN.
    group = (package.model_package_group_name or "").rpartition("/")[2]
    return group or package.model_package_name or path.partition("/")[0]


def _declared(package: ModelPackage) -> dict[str, Metric]:
    """Customer metadata that reads like metrics: somebody typed it, so it yields to what was measured."""
    metrics: dict[str, Metric] = {}
    for key, text in sorted(package.customer_metadata_properties.items()):
        name, value = known_name(key), number(text)
        if name and value is not None:
            own = key if key != name else None
            if name not in metrics or own is None:
                metrics[name] = Metric(value=value, kind=MetricKind.DECLARED, source_name=own)
    return metrics


def _life_cycle(package: ModelPackage) -> LifeCycle | None:
    cycle = package.model_life_cycle
    if cycle is None:
        return None
    return LifeCycle(stage=cycle.stage, status=cycle.stage_status, description=cycle.stage_description)


def _artifacts(package: ModelPackage) -> list[Artifact]:
    artifacts = []
    for container in package.containers:
        if container.address:
            source = container.model_data_source.s3_data_source if container.model_data_source else None
            compression = source.compression_type if source else None
            artifacts.append(Artifact(uri=container.address, digest=container.data_digest, compression=compression))
        for additional in container.additional_model_data_sources:
            if data := additional.s3_data_source:
                artifacts.append(Artifact(uri=data.s3_uri, digest=data.etag, compression=data.compression_type))
    return artifacts


def _provenance(package: ModelPackage) -> dict[str, str]:
    properties = package.metadata_properties
    return properties.model_dump(exclude_none=True) if properties else {}
