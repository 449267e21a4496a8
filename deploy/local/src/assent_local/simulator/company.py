"""The demo company."""

from datetime import datetime

from assent_local.simulator.s3 import Buckets
from assent_local.simulator.store import Store


def move_in(store: Store, buckets: Buckets, now: datetime) -> None:
    pass
