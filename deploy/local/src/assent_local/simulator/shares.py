"""Groups that accounts share with each other, as AWS Resource Access Manager does it."""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from assent_local.simulator.caller import Place
from assent_local.simulator.errors import invalid
from assent_local.simulator.store import Kind, Store


class Share(BaseModel):
    """What `/_simulator/shares` takes: who else sees a group, with its packages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: The ARN of the model package group.
    group: str
    #: Nobody: it is no longer shared.
    accounts: list[str] = Field(default_factory=list)


class Shares:
    def __init__(self, store: Store) -> None:
        self._store = store

    def set(self, share: Share) -> None:
        *_, region, account, resource = share.group.split(":", 5)
        place, name = Place(account, region), resource.rpartition("/")[2].casefold()
        if self._store.get(Kind.GROUP, place, name) is None:
            raise invalid(f"Model Package Group {share.group} does not exist.")
        self._store.put(Kind.SHARE, place, name, {"Accounts": share.accounts})

    def with_(self, place: Place) -> Iterator[tuple[Place, str]]:
        """The groups that others share with an account: where they are, and by what name."""
        for owner in self._store.places(Kind.SHARE):
            if owner.region == place.region and owner != place:
                for name, record in self._store.all(Kind.SHARE, owner).items():
                    if place.account in record.document["Accounts"]:
                        yield owner, name

    def home(self, place: Place, name_or_arn: str) -> Place:
        """Where the caller finds a group or a package of one: what is shared goes by its full ARN alone."""
        parts = name_or_arn.split(":", 5)
        if len(parts) != 6:
            return place
        owner, group = Place(parts[4], parts[3]), parts[5].casefold().split("/")[1]
        return owner if (owner, group) in self.with_(place) else place
