"""How far a run has got, kept with each batch: whoever takes it up after a crash goes on from here."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

from assent_common.events.model import Json
from assent_common.events.registry import Kind
from pydantic import BaseModel


class Progress(BaseModel):
    """Packages and groups are read in the order of their creation, by either plan: what was created before the moment
    reached has been kept. Listings are always begun again, for only a whole one proves that something is gone."""

    #: By which settings and release: what others read is read again.
    read_as: str = ""
    groups: datetime | None = None
    packages: datetime | None = None
    #: The newest change that the run is known to have seen, with all before it.
    watermark: datetime | None = None
    #: Why Search is not used, where it was given up on the way.
    search_useless: str | None = None
    #: Of what kinds the listing was counted: one run is one listing, however often it is taken up.
    counted: list[Kind] = []
    #: What could not be read, in words.
    notes: list[str] = []

    @classmethod
    def left(cls, written: Mapping[str, Json], read_as: str) -> Self:
        progress = cls.model_validate(written)
        return progress if progress.read_as == read_as else cls(read_as=read_as)

    def begin_reading_again(self) -> None:
        self.groups = self.packages = None
