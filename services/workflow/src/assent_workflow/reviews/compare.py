"""What the content under review differs in from what was judged before. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from assent_common.content import Change, diff
from assent_common.events.governance import ContentDifference, MetricDifference
from assent_common.events.model import Json

#: So many are told in an event.
MAX_METRICS = 50


@dataclass(frozen=True)
class Judged:
    """What a review was pinned to."""

    review: UUID
    #: None of a use case.
    model_version: str | None
    content_hash: str
    status: str
    requested_at: datetime
    ended_at: datetime | None
    content: Mapping[str, Json]


@dataclass(frozen=True)
class Comparison:
    """Against what, and field by field."""

    before: Judged
    changes: tuple[Change, ...]
    metrics: tuple[MetricDifference, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(change.part.partition(".")[0] for change in self.changes))

    @property
    def told(self) -> ContentDifference:
        """As an event has room for it."""
        return ContentDifference(
            review=self.before.review,
            model_version=self.before.model_version,
            content_hash=self.before.content_hash,
            parts=self.parts,
            fields=len(self.changes),
            metrics=self.metrics[:MAX_METRICS],
        )


def compare(before: Judged, content: Mapping[str, Json]) -> Comparison:
    """Empty of changes where both judged the same."""
    then, now = dict(_measured((), before.content.get("metrics"))), dict(_measured((), content.get("metrics")))
    differing = [name for name in sorted({**then, **now}) if then.get(name) != now.get(name)]
    return Comparison(
        before=before,
        changes=tuple(diff(before.content, content)),
        metrics=tuple(_difference(name, then.get(name), now.get(name)) for name in differing),
    )


def _difference(name: str, before: float | None, after: float | None) -> MetricDifference:
    # Of numbers as people write them: 0.9 is 0.01 less than 0.91, not 0.010000000000000009.
    by = None if before is None or after is None else float(f"{after - before:.12g}")
    return MetricDifference(name=name, before=before, after=after, difference=by)


def _measured(way: tuple[str, ...], metrics: Json) -> Iterator[tuple[str, float]]:
    """Every number that a report measured, by the report's role and its name."""
    match metrics:
        case bool():
            return
        case int() | float():
            yield ".".join(way), float(metrics)
        case {"value": bool()}:
            return
        case {"value": int() | float() as value}:
            yield ".".join(way), float(value)
        case Mapping():
            for name, inner in metrics.items():
                yield from _measured((*way, str(name)), inner)
