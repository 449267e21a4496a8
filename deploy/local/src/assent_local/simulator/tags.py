"""Tags, by the ARN of what they are tied to."""

from collections.abc import Mapping
from typing import Any

from assent_local.simulator.caller import Caller, Place
from assent_local.simulator.errors import invalid
from assent_local.simulator.store import Document, Kind, Store

_MAX = 50


class Tagging:
    def __init__(self, store: Store) -> None:
        self._store = store
        self.operations = {
            "ListTags": self.list_tags,
            "AddTags": self.add_tags,
            "DeleteTags": self.delete_tags,
        }

    def list_tags(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        arn, _, _ = self._existing(caller, request)
        return {"Tags": read(self._store, caller.place, arn)}

    def add_tags(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        arn, kind, path = self._existing(caller, request)
        if kind == Kind.PACKAGE and "/" in path:
            raise invalid("A versioned model package takes no tags: tag its model package group.")
        write(self._store, caller.place, arn, request["Tags"])
        return {"Tags": read(self._store, caller.place, arn)}

    def delete_tags(self, caller: Caller, request: Mapping[str, Any]) -> Document:
        arn, _, _ = self._existing(caller, request)
        removed = set(request["TagKeys"])
        kept = [tag for tag in read(self._store, caller.place, arn) if tag["Key"] not in removed]
        forget(self._store, caller.place, arn)
        write(self._store, caller.place, arn, kept)
        return {}

    def _existing(self, caller: Caller, request: Mapping[str, Any]) -> tuple[str, Kind, str]:
        arn: str = request["ResourceArn"]
        *_, region, account, resource = arn.split(":", 5)
        kind, _, path = resource.partition("/")
        known = kind in _TAGGED and (region, account) == (caller.place.region, caller.place.account)
        if not known or self._store.get(Kind(kind), caller.place, path.casefold()) is None:
            raise invalid(f"{arn} does not exist.")
        return arn, Kind(kind), path


_TAGGED = {
    str(kind)
    for kind in (
        *(Kind.GROUP, Kind.PACKAGE, Kind.MODEL, Kind.ENDPOINT_CONFIG, Kind.ENDPOINT, Kind.INFERENCE_COMPONENT),
        *(Kind.TRAINING_JOB, Kind.TRANSFORM_JOB, Kind.MONITORING_SCHEDULE),
    )
}


def read(store: Store, place: Place, arn: str) -> list[Document]:
    record = store.get(Kind.TAGS, place, arn.casefold())
    return [{"Key": key, "Value": value} for key, value in record.document.items()] if record else []


def write(store: Store, place: Place, arn: str, tags: list[Document]) -> None:
    """Add the tags to those that are there; one of the same key takes the other's place."""
    if not tags:
        return
    record = store.get(Kind.TAGS, place, arn.casefold())
    together = dict(record.document if record else {}) | {tag["Key"]: tag["Value"] for tag in tags}
    if len(together) > _MAX:
        raise invalid(f"A resource has at most {_MAX} tags.")
    store.put(Kind.TAGS, place, arn.casefold(), together)


def forget(store: Store, place: Place, arn: str) -> None:
    store.remove(Kind.TAGS, place, arn.casefold())
