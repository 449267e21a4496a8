"""What the `List*` operations have in common: filters by name and creation time, order, and the answer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from assent_local.simulator.store import Document


def select(
    documents: Iterable[Document],
    request: Mapping[str, Any],
    *,
    name: str,
    or_else: str | None = None,
    default_order: str = "Ascending",
) -> list[Document]:
    """The documents that the request asks for, in its order. `or_else` names them where they have no `name`."""

    def name_of(document: Document) -> str:
        value: str = document.get(name) or document[or_else or name]
        return value

    chosen = list(documents)
    if "NameContains" in request:
        part = request["NameContains"].casefold()
        chosen = [document for document in chosen if part in name_of(document).casefold()]
    for time in ("CreationTime", "LastModifiedTime"):
        if f"{time}After" in request:
            chosen = [document for document in chosen if document[time] > request[f"{time}After"]]
        if f"{time}Before" in request:
            chosen = [document for document in chosen if document[time] < request[f"{time}Before"]]
    order: Mapping[str, Callable[[Document], Any]] = {
        "Name": lambda document: (name_of(document), document.get("ModelPackageVersion", 0)),
        "CreationTime": lambda document: document["CreationTime"],
        "ScheduledTime": lambda document: document["ScheduledTime"],
        "Status": lambda document: next(value for member, value in document.items() if member.endswith("Status")),
    }
    descending = request.get("SortOrder", default_order) == "Descending"
    return sorted(chosen, key=order[request.get("SortBy", "CreationTime")], reverse=descending)


def answer(member: str, rows: Sequence[Document], token: str | None) -> Document:
    return {member: rows, "NextToken": token} if token else {member: rows}
