"""A Kafka-protocol broker inside this process: librdkafka's mock cluster, which confluent-kafka's wheel brings along.

Nothing to install and up in milliseconds. It serves aiokafka's idempotent producer (zstd, batches of 500), one consumer
a group with commits, offsets of groups asked for by others, and first and last offsets. What it cannot do, measured
with librdkafka 2.16:

* It keeps at most 5 MiB of each partition, drops the oldest beyond that, and all of it when the process ends. Its
  cluster id is new each time.
* It has no admin API: topics come into being with 4 partitions when they are first written to or asked about, unless
  `create_topic` made them before. There is no compaction, and ListGroups is missing. OffsetFetch must name its
  partitions.
* It refuses a second member in a group (`InvalidRequestError`), and the first then has to join again. Who joins a group
  that somebody left, in whatever way, waits for its session timeout less a second.
* Its port is its own choice: whoever starts it tells the others.

The Python package reaches none of the knobs of the mock cluster (number of partitions, delay of a group's first join,
3 s unless told otherwise), so the C library is called by its own public functions, those of `rdkafka_mock.h`.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

_PRODUCER = 0
_OK = 0


class BrokerFailed(Exception):
    """librdkafka refused; the message is its own."""


@contextmanager
def embedded() -> "Iterator[Broker]":
    """An empty broker on 127.0.0.1, gone with everything in it when the block ends."""
    library = _library()
    reason = ctypes.create_string_buffer(512)
    configuration = library.rd_kafka_conf_new()
    # Its only word would be that the cluster is a mock.
    for name, value in ((b"test.mock.num.brokers", b"1"), (b"log_level", b"0")):
        if library.rd_kafka_conf_set(configuration, name, value, reason, len(reason)) != _OK:
            raise BrokerFailed(reason.value.decode())
    client = library.rd_kafka_new(_PRODUCER, configuration, reason, len(reason))
    if client is None:
        raise BrokerFailed(reason.value.decode())
    try:
        yield Broker(library, library.rd_kafka_handle_mock_cluster(client))
    finally:
        library.rd_kafka_destroy(client)


class Broker:
    """It works in threads of its own, whether or not the event loop turns."""

    def __init__(self, library: ctypes.CDLL, cluster: int) -> None:
        self._library = library
        self._cluster = cluster
        addresses: bytes = library.rd_kafka_mock_cluster_bootstraps(cluster)
        self.bootstrap_servers = addresses.decode()
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)

    def create_topic(self, name: str, partitions: int) -> None:
        """Must come before anybody asks about the topic: then it is there already, with 4 partitions."""
        error = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        if error != _OK:
            raise BrokerFailed(f"topic {name}: {self._library.rd_kafka_err2str(error).decode()}")


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(_library_path()))
    pointer, text, size, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_conf_set", number, [pointer, text, text, text, size]),
        ("rd_kafka_new", pointer, [number, pointer, text, size]),
        ("rd_kafka_destroy", None, [pointer]),
        ("rd_kafka_err2str", text, [number]),
        ("rd_kafka_handle_mock_cluster", pointer, [pointer]),
        ("rd_kafka_mock_cluster_bootstraps", text, [pointer]),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_topic_create", number, [pointer, text, number, number]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _library_path() -> Path:
    package = find_spec("confluent_kafka")
    assert package is not None
    assert package.submodule_search_locations is not None
    home = Path(package.submodule_search_locations[0])
    if sys.platform == "darwin":
        return next((home / ".dylibs").glob("librdkafka*.dylib"))
    return next((home.parent / "confluent_kafka.libs").glob("librdkafka*.so*"))
