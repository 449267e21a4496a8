"""SageMaker's lineage: the training job that leads to a model package, by what SageMaker noted of both by itself and by
what people associated.

Two calls for a package of which it knows no job, three for one of which it does. Raises AwsError.
"""

from collections.abc import Collection, Mapping
from typing import Any

from assent_sagemaker import arns
from assent_sagemaker.aws.account import Account
from assent_sagemaker.aws.errors import Denied, Gone
from assent_sagemaker.aws.limiter import Family
from assent_sagemaker.aws.pages import pages

DEEPEST = 4
"""Associations from a package to its job: two by what SageMaker notes (the package's artifact, its model data, the
job), and two more where the model was packed anew in between. Beyond are the jobs of what it was built on."""

#: What SageMaker calls a job's trial component: the job's name, and this.
_SUFFIX = "-aws-training-job"


async def training_job_of(account: Account, package: str) -> str | None:
    """The job's ARN; of several at the same distance the first by name. `package` is spelled as in its own ARN."""
    async for page in pages(
        account,
        "list_artifacts",
        Family.LINEAGE,
        records=lambda response: response.get("ArtifactSummaries", []),
        identity=lambda artifact: artifact["ArtifactArn"],
        SourceUri=package,
    ):
        for artifact in page.records:
            for component in await _training_before(account, artifact["ArtifactArn"]):
                if job := await _job_of(account, component):
                    return job
    return None


async def _training_before(account: Account, artifact: str) -> list[str]:
    """The trial components of training jobs that are nearest to the artifact, upstream."""
    vertices: dict[str, Mapping[str, Any]] = {}
    edges = []
    try:
        async for page in pages(
            account,
            "query_lineage",
            Family.LINEAGE,
            records=lambda response: [*response.get("Vertices", []), *response.get("Edges", [])],
            identity=lambda one: one.get("Arn") or (one["SourceArn"], one["DestinationArn"]),
            StartArns=[artifact],
            Direction="Ascendants",
            IncludeEdges=True,
            Filters={"LineageTypes": ["TrialComponent"]},
            MaxDepth=DEEPEST,
        ):
            vertices |= {one["Arn"]: one for one in page.records if "Arn" in one}
            edges += [(one["SourceArn"], one["DestinationArn"]) for one in page.records if "SourceArn" in one]
    except Gone:
        return []
    return nearest(artifact, edges, {arn for arn, one in vertices.items() if _is_training(one)})


def nearest(start: str, edges: Collection[tuple[str, str]], wanted: Collection[str]) -> list[str]:
    """Those of `wanted` that lie the fewest associations before `start`, by name. Edges lead from cause to effect."""
    front, seen = {start}, {start}
    while front:
        front = {source for source, destination in edges if destination in front} - seen
        seen |= front
        if found := front.intersection(wanted):
            return sorted(found)
    return []


def _is_training(vertex: Mapping[str, Any]) -> bool:
    # `TrainingJob` by QueryLineage, `SageMakerTrainingJob` by ListAssociations.
    return vertex.get("LineageType") == "TrialComponent" and "TrainingJob" in vertex.get("Type", "")


async def _job_of(account: Account, component: str) -> str | None:
    try:
        described = await account.call(
            "sagemaker", "describe_trial_component", Family.LINEAGE, TrialComponentName=component.rpartition("/")[2]
        )
        source: str = (described.get("Source") or {}).get("SourceArn", "")
    except (Gone, Denied):
        source = ""
    if ":training-job/" in source:
        return source
    # By its name, then: the job itself will be read, and says whether there is one.
    arn = arns.Arn.parse(component)
    if arn.path.endswith(_SUFFIX):
        return str(arn.beside("training-job", arn.path.removesuffix(_SUFFIX)))
    return None
