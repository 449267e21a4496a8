"""Lineage: what SageMaker notes by itself of jobs and model packages, and the associations that people add.

As in AWS it outlives what it is about: a package that was deleted is still an artifact.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from assent_local.simulator.caller import Caller, Place
from assent_local.simulator.errors import AwsError, invalid
from assent_local.simulator.listing import answer
from assent_local.simulator.pages import Pages
from assent_local.simulator.store import Document, Kind, Record, Store

_DEPTH = 10


class Vertex(NamedTuple):
    arn: str
    #: `Model`, `TrainingJob`, …
    type: str
    #: `Artifact` or `TrialComponent`.
    lineage_type: str
    #: The URI of an artifact, the ARN of a component's job.
    source: str
    created_at: float


class Edge(NamedTuple):
    source: str
    destination: str
    kind: str


@dataclass(slots=True)
class Graph:
    """Of one account and region."""

    vertices: dict[str, Vertex] = field(default_factory=dict)
    by_source: dict[str, Vertex] = field(default_factory=dict)
    #: By the vertex at their other end.
    into: dict[str, dict[Edge, None]] = field(default_factory=lambda: defaultdict(dict))
    out_of: dict[str, dict[Edge, None]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, vertex: Vertex) -> Vertex:
        """There is one of a source."""
        if (known := self.by_source.get(vertex.source)) is not None:
            return known
        self.vertices[vertex.arn] = self.by_source[vertex.source] = vertex
        return vertex

    def associate(self, edge: Edge) -> None:
        self.into[edge.destination][edge] = None
        self.out_of[edge.source][edge] = None


class Lineage:
    def __init__(self, store: Store, pages: Pages) -> None:
        self._store = store
        self._pages = pages
        self._graphs: dict[Place, Graph] = defaultdict(Graph)
        self.operations = {
            "ListArtifacts": self.list_artifacts,
            "QueryLineage": self.query,
            "DescribeTrialComponent": self.describe_component,
            "AddAssociation": self.add_association,
        }
        store.listen(self._changed)

    def list_artifacts(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        graph = self._graphs[caller.place]

        def rows() -> list[Document]:
            if (uri := request.get("SourceUri")) is not None:
                found = [graph.by_source[uri]] if uri in graph.by_source else []
            else:
                found = list(graph.vertices.values())
            wanted = request.get("ArtifactType")
            return [
                {
                    "ArtifactArn": one.arn,
                    "Source": {"SourceUri": one.source},
                    "ArtifactType": one.type,
                    "CreationTime": one.created_at,
                }
                for one in found
                if one.lineage_type == "Artifact" and wanted in (None, one.type)
            ]

        page, token, _ = self._pages.cut(caller.place, "ListArtifacts", request, self._store.generation, rows, size=10)
        return answer("ArtifactSummaries", page, token)

    def query(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        graph = self._graphs[caller.place]
        (start,) = request.get("StartArns") or [None]
        if start not in graph.vertices:
            raise AwsError("ResourceNotFound", f"Lineage entity {start} does not exist.")
        direction = request.get("Direction", "Both")
        reached = dict(_walk(graph, start, direction, min(request.get("MaxDepth", _DEPTH), _DEPTH)))
        filters = request.get("Filters", {})
        wanted = {arn for arn in reached if arn != start and _matches(graph.vertices[arn], filters)}
        edges: list[Edge] = []
        if request.get("IncludeEdges", True):
            for arn in reversed(reached):
                if arn in wanted:
                    edges += reached[arn]
                    wanted |= {_other_end(edge, arn) for edge in reached[arn]}

        def rows() -> list[Vertex]:
            return [graph.vertices[arn] for arn in reached if arn in wanted and arn != start]

        page, token, _ = self._pages.cut(caller.place, "QueryLineage", request, self._store.generation, rows, size=50)
        shown = {vertex.arn for vertex in page}
        return {
            "Vertices": [{"Arn": v.arn, "Type": v.type, "LineageType": v.lineage_type} for v in page],
            "Edges": [
                {"SourceArn": edge.source, "DestinationArn": edge.destination, "AssociationType": edge.kind}
                for edge in dict.fromkeys(edges)
                if {edge.source, edge.destination} & shown
            ],
            **({"NextToken": token} if token else {}),
        }

    def describe_component(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        name = request["TrialComponentName"].rpartition("/")[2]
        vertex = self._graphs[caller.place].vertices.get(_component(caller.place, name))
        if vertex is None:
            raise AwsError("ResourceNotFound", f"Trial component {name} does not exist.")
        return {
            "TrialComponentName": name,
            "TrialComponentArn": vertex.arn,
            "Source": {"SourceArn": vertex.source, "SourceType": "SageMakerTrainingJob"},
            "Status": {"PrimaryStatus": "Completed"},
            "CreationTime": vertex.created_at,
        }

    def add_association(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        ends = {name: request[name] for name in ("SourceArn", "DestinationArn")}
        for arn in ends.values():
            if arn not in self._graphs[caller.place].vertices:
                raise AwsError("ResourceNotFound", f"Lineage entity {arn} does not exist.")
        if ends["SourceArn"] == ends["DestinationArn"]:
            raise invalid("A lineage entity is not associated with itself.")
        document = {**ends, "AssociationType": request.get("AssociationType", "AssociatedWith")}
        self._store.put(Kind.ASSOCIATION, caller.place, "\n".join(ends.values()), document)
        return ends

    def _changed(self, kind: Kind, place: Place, _: str, record: Record | None) -> None:
        if record is None:
            return
        match kind:
            case Kind.PACKAGE:
                self._package(place, record.document)
            case Kind.TRAINING_JOB:
                self._training(place, record.document)
            case Kind.ASSOCIATION:
                said = record.document
                self._graphs[place].associate(
                    Edge(said["SourceArn"], said["DestinationArn"], said["AssociationType"]),
                )

    def _package(self, place: Place, document: Document) -> None:
        graph, at = self._graphs[place], document["CreationTime"]
        package = graph.add(_artifact(place, document["ModelPackageArn"], "ModelPackage", at))
        for container in document.get("InferenceSpecification", {}).get("Containers", []):
            for uri, what in ((container.get("ModelDataUrl"), "Model"), (container.get("Image"), "Image")):
                if uri:
                    artifact = graph.add(_artifact(place, uri, what, at))
                    graph.associate(Edge(artifact.arn, package.arn, "ContributedTo"))

    def _training(self, place: Place, document: Document) -> None:
        graph, at = self._graphs[place], document["CreationTime"]
        name = f"{document['TrainingJobName']}-aws-training-job"
        arn = _component(place, name)
        job = graph.add(Vertex(arn, "TrainingJob", "TrialComponent", document["TrainingJobArn"], at))
        for uri, what in _inputs(document):
            graph.associate(Edge(graph.add(_artifact(place, uri, what, at)).arn, job.arn, "ContributedTo"))
        made = graph.add(_artifact(place, document["ModelArtifacts"]["S3ModelArtifacts"], "Model", at))
        graph.associate(Edge(job.arn, made.arn, "Produced"))


def _inputs(job: Document) -> Iterator[tuple[str, str]]:
    if image := job.get("AlgorithmSpecification", {}).get("TrainingImage"):
        yield image, "Image"
    for channel in job.get("InputDataConfig", []):
        if data := channel["DataSource"].get("S3DataSource"):
            yield data["S3Uri"], "DataSet"


def _artifact(place: Place, uri: str, what: str, at: float) -> Vertex:
    arn = place.arn("artifact", hashlib.sha256(uri.encode()).hexdigest()[:32])
    return Vertex(arn, what, "Artifact", uri, at)


def _component(place: Place, name: str) -> str:
    return place.arn("experiment-trial-component", name.casefold())


def _walk(graph: Graph, start: str, direction: str, depth: int) -> Iterator[tuple[str, list[Edge]]]:
    """What is reached, the nearest first, each with the edges by which it is."""
    reached: dict[str, list[Edge]] = {start: []}
    front = [start]
    for _ in range(depth):
        following: dict[str, list[Edge]] = defaultdict(list)
        for arn in front:
            for edge in _edges(graph, arn, direction):
                if (other := _other_end(edge, arn)) not in reached:
                    following[other].append(edge)
        reached |= following
        front = list(following)
    yield from reached.items()


def _edges(graph: Graph, arn: str, direction: str) -> Iterable[Edge]:
    if direction != "Descendants":
        yield from graph.into.get(arn, ())
    if direction != "Ascendants":
        yield from graph.out_of.get(arn, ())


def _other_end(edge: Edge, arn: str) -> str:
    return edge.destination if edge.source == arn else edge.source


def _matches(vertex: Vertex, filters: Mapping[str, Any]) -> bool:
    return vertex.lineage_type in filters.get("LineageTypes", [vertex.lineage_type]) and vertex.type in filters.get(
        "Types", [vertex.type]
    )
