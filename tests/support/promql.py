"""What a PromQL expression asks Prometheus for."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import promql_parser


class Asked(NamedTuple):
    metric: str
    #: Those that it selects by, and those that it is grouped by afterwards.
    labels: frozenset[str]


def asked(expr: str) -> list[Asked]:
    """Each metric of it. Raises ValueError for what is no PromQL."""
    # Grafana puts a duration and a regular expression in before it asks.
    written = expr.replace("$__rate_interval", "5m").replace("$source", ".*")
    return list(_asked(promql_parser.parse(written), frozenset()))


def _asked(node: Any, grouped: frozenset[str]) -> Iterator[Asked]:
    match node:
        case promql_parser.VectorSelector():
            selected = {matcher.name for matcher in node.matchers.matchers}
            assert node.name is not None, "a metric is named"
            yield Asked(node.name, grouped | selected)
        case promql_parser.MatrixSelector():
            yield from _asked(node.vector_selector, grouped)
        case promql_parser.AggregateExpr():
            by = node.modifier.labels if node.modifier is not None else []
            yield from _asked(node.expr, grouped | frozenset(by))
        case promql_parser.Call():
            for argument in node.args:
                yield from _asked(argument, grouped)
        case promql_parser.BinaryExpr():
            yield from _asked(node.lhs, grouped)
            yield from _asked(node.rhs, grouped)
        case promql_parser.ParenExpr() | promql_parser.SubqueryExpr() | promql_parser.UnaryExpr():
            yield from _asked(node.expr, grouped)
        case promql_parser.NumberLiteral() | promql_parser.StringLiteral():
            pass
        case _:
            raise TypeError(f"what is a {type(node).__name__}?")
