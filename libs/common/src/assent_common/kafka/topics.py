"""The table of topics: name, how long it is kept, whose events it carries and who reads it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    name: str
    #: The consumer groups that Assent itself runs on it.
    readers: tuple[str, ...]
    compacted: bool = True
    #: Nothing of it is ever let go; otherwise what is not compacted is kept for a time.
    for_ever: bool = False

    def full_name(self, prefix: str) -> str:
        return prefix + self.name


CATALOG_API = "assent-catalog-api"
WORKFLOW = "assent-workflow"
CONNECTOR = "assent-sagemaker-connector"

REGISTRY = Topic("assent.registry.v1", readers=(CATALOG_API, WORKFLOW))
CATALOG = Topic("assent.catalog.v1", readers=(WORKFLOW,))
GOVERNANCE = Topic("assent.governance.v1", readers=(CATALOG_API, CONNECTOR))
# Witnesses: compaction would let a later record of the same key take an earlier one away.
AUDIT = Topic("assent.audit.v1", readers=(), compacted=False, for_ever=True)

ALL = (REGISTRY, CATALOG, GOVERNANCE, AUDIT)


def dead_letters_of(group: str) -> Topic:
    """Where a consumer group puts what it cannot apply: `assent.<consumer>.dlq.v1`."""
    return Topic(f"assent.{group.removeprefix('assent-')}.dlq.v1", readers=(), compacted=False)
