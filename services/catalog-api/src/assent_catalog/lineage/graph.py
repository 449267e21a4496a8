"""What came of what, as a graph. Plain values: nothing here reads or writes anything."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import BaseModel, Field


class NodeKind(StrEnum):
    """What a node is; the order in which one leads to the next."""

    DATASET = "dataset"
    TRAINING_JOB = "training_job"
    MODEL_VERSION = "model_version"
    DEPLOYMENT = "deployment"
    USE_CASE = "use_case"


class Node(BaseModel):
    """One thing in the lineage."""

    #: The urn; of a use case its key.
    urn: str
    kind: NodeKind
    #: Where it can be read, if the catalogue has it.
    id: UUID | None = None
    name: str
    status: str | None = None
    #: False where its source no longer has it.
    live: bool = True


class Edge(NamedTuple):
    source: str
    target: str
    relation: str


class EdgeOut(BaseModel):
    """One thing led to another."""

    #: The node that it comes from.
    source: str
    target: str
    #: `training`, `validation`, `test`, `baseline`, `described`, `trained`, `deployed`, `serves`, or the status of the
    #: candidacy.
    relation: str


class Graph(BaseModel):
    """What leads to a thing, and where it leads."""

    #: The node that was asked for.
    root: str
    nodes: list[Node]
    edges: list[EdgeOut]
    #: True where there is more than is shown.
    truncated: bool = Field(default=False)


def graph(root: str, nodes: Iterable[Node], edges: Iterable[Edge], *, truncated: bool) -> Graph:
    """In one order, whatever order they were found in."""
    kinds = list(NodeKind)
    return Graph(
        root=root,
        nodes=sorted(nodes, key=lambda node: (kinds.index(node.kind), node.name, node.urn)),
        edges=[EdgeOut(source=e.source, target=e.target, relation=e.relation) for e in sorted(set(edges))],
        truncated=truncated,
    )


def columns(drawn: Graph) -> Sequence[Sequence[Node]]:
    """The nodes by kind, from data to use cases; a kind of which there is none has no column."""
    by_kind = ([node for node in drawn.nodes if node.kind is kind] for kind in NodeKind)
    return [nodes for nodes in by_kind if nodes]


def named(urn: str, kind: NodeKind) -> str:
    """What to call something of which only the urn is known."""
    path = urn.rstrip("/")
    return path.rpartition("/")[2] if kind is NodeKind.TRAINING_JOB else path


def openlineage(drawn: Graph, *, producer: str, at: str) -> list[dict[str, Any]]:
    """The same as OpenLineage job events (schema 2-0-2): one for each training job and each deployment.

    A model version is a dataset there, for OpenLineage knows jobs and datasets only.
    """
    schema = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/JobEvent"
    jobs = [node.urn for node in drawn.nodes if node.kind in (NodeKind.TRAINING_JOB, NodeKind.DEPLOYMENT)]
    data = {node.urn for node in drawn.nodes if node.kind in (NodeKind.DATASET, NodeKind.MODEL_VERSION)}
    return [
        {
            "eventTime": at,
            "producer": producer,
            "schemaURL": schema,
            "job": _identified(job),
            "inputs": [_identified(e.source) for e in drawn.edges if e.target == job and e.source in data],
            "outputs": [_identified(e.target) for e in drawn.edges if e.source == job and e.target in data],
        }
        for job in jobs
    ]


def _identified(urn: str) -> dict[str, str]:
    """OpenLineage's naming: S3 has its bucket for a namespace, an ARN its account."""
    if urn.startswith("s3://"):
        bucket, _, key = urn.removeprefix("s3://").partition("/")
        return {"namespace": f"s3://{bucket}", "name": key or "/"}
    if urn.startswith("arn:"):
        head, _, name = urn.rpartition(":")
        return {"namespace": head, "name": name}
    return {"namespace": "assent", "name": urn}
