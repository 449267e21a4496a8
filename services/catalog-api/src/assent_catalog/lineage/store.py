"""The lineage of one thing, read round by round: each takes the edges of all that the round before found."""

from collections.abc import Collection, Mapping
from typing import Literal

import asyncpg

from assent_catalog.lineage.graph import Edge, Graph, Node, NodeKind, graph, named

Direction = Literal["up", "down", "both"]

MOST_NODES = 2_000
# Index: lineage_edges_to, lineage_edges_from.
UP = "select from_kind as kind, from_urn as urn, from_urn, to_urn, relation from lineage where to_urn = any($1::text[])"
DOWN = "select to_kind as kind, to_urn as urn, from_urn, to_urn, relation from lineage where from_urn = any($1::text[])"
NAMES: Mapping[NodeKind, str] = {
    NodeKind.DATASET: """
        select id, urn, urn as name, null as status, true as live from datasets where urn = any($1::text[])
    """,
    NodeKind.MODEL_VERSION: """
        select id, urn, concat_ws(' ', name, version) as name, status, live from model_versions
         where urn = any($1::text[])
    """,
    NodeKind.DEPLOYMENT: """
        select id, urn, concat_ws(' ', name, variant) as name, status, live from deployments where urn = any($1::text[])
    """,
    NodeKind.USE_CASE: """
        select id, key as urn, name, stage as status, true as live from use_cases where key = any($1::text[])
    """,
}


async def lineage(
    connection: asyncpg.Connection, kind: NodeKind, urn: str, direction: Direction, depth: int | None
) -> Graph:
    """All that leads to it, and all that it leads to, so many steps far. A cycle is gone round once."""
    kinds: dict[str, NodeKind] = {urn: kind}
    edges: set[Edge] = set()
    truncated = False
    for statement, wanted in ((UP, direction in ("up", "both")), (DOWN, direction in ("down", "both"))):
        reached = {urn}
        frontier: Collection[str] = reached if wanted else ()
        steps = 0
        while frontier and not truncated:
            if steps == depth:
                break
            rows = await connection.fetch(statement, list(frontier))
            edges |= {Edge(row["from_urn"], row["to_urn"], row["relation"]) for row in rows}
            found = {row["urn"]: NodeKind(row["kind"]) for row in rows}
            frontier = found.keys() - reached
            reached |= frontier
            kinds |= found
            truncated = len(kinds) > MOST_NODES
            steps += 1
    return graph(urn, await _nodes(connection, kinds), edges, truncated=truncated)


async def _nodes(connection: asyncpg.Connection, kinds: Mapping[str, NodeKind]) -> list[Node]:
    nodes = {
        urn: Node(urn=urn, kind=kind, name=named(urn, kind), live=kind in (NodeKind.DATASET, NodeKind.TRAINING_JOB))
        for urn, kind in kinds.items()
    }
    for kind, statement in NAMES.items():
        urns = [urn for urn, of in kinds.items() if of is kind]
        for row in await connection.fetch(statement, urns) if urns else ():
            nodes[row["urn"]] = Node(kind=kind, **row)
    return list(nodes.values())
