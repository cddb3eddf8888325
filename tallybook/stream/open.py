"""Opens a stream: the Kafka, registry and ClickHouse that a folder's settings name."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from books.kafka.cluster import Cluster
from books.kafka.log import KafkaLogReader
from books.kafka.take_over import USUAL, Timing
from books.snapshots.shared import PlaceRefused, UrlPlace
from books.snapshots.store import SnapshotStore
from processors.stream.message_door import NO_REGISTRY, WriterSchemas
from processors.stream.registry import RegistrySchemas
from projections.clickhouse.lock import holder_of
from projections.store import Store
from schemas.posting import FIRST_EDITION
from schemas.topics import Topics
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.stream.settings import StreamRefused, StreamSettings, load_settings


class Stream(msgspec.Struct, frozen=True):
    """Holds a deployment's stream: its folder (for caches and embedded tables), its settings and its Kafka."""

    folder: Folder
    settings: StreamSettings
    cluster: Cluster

    @property
    def topics(self) -> Topics:
        """The names of topics and groups."""
        return self.settings.topics

    @property
    def edition(self) -> str:
        """The edition of the ledger that all stages work on: the first, as nothing opens another one yet."""
        return FIRST_EDITION

    def log(self) -> KafkaLogReader:
        """Open the committed books, as of now. Raises TopicsMissing, BooksForeign, KafkaUnreachable."""
        return KafkaLogReader(self.cluster, self.topics, self.edition)

    def snapshot_store(self) -> SnapshotStore:
        """Open the place where scoring keeps account states; raises StreamRefused for a URL of an unknown kind."""
        shared = self.settings.snapshots
        if not shared:
            return self.folder.snapshot_store()
        if "://" not in shared:
            return SnapshotStore(Path(shared) / self.settings.deployment)
        try:
            return SnapshotStore(UrlPlace(f"{shared.rstrip('/')}/{self.settings.deployment}"))
        except PlaceRefused as error:
            raise StreamRefused(f"snapshots: {error}") from error

    def writer_schemas(self) -> WriterSchemas:
        """Open the registry that knows the schemas of Confluent-framed messages."""
        return RegistrySchemas(self.settings.registry) if self.settings.registry else NO_REGISTRY


def open_stream(root: Path, timing: Timing = USUAL) -> Stream:
    """Open the stream that a folder and the environment name; asks nothing of it yet. Raises StreamRefused."""
    return stream_of(root, load_settings(root), timing)


def stream_of(root: Path, settings: StreamSettings, timing: Timing = USUAL) -> Stream:
    """Open the stream that these settings name."""
    return Stream(Folder(root), settings, Cluster(settings.bootstrap, settings.kafka, timing=timing))


def open_stream_log(root: Path) -> KafkaLogReader:
    """Open the committed books of a folder's stream. Raises as `open_stream` and KafkaLogReader do."""
    return open_stream(root).log()


def instance_name(given: str) -> str:
    """Give the static name of a process in its group: the given one, or the machine's."""
    return given or socket.gethostname()


@contextmanager
def tables_for_writing(stream: Stream) -> Iterator[Store]:
    """Open the tables of a stream on their server for writing, migrated.

    Raises:
        StoreUnreachable: the server does not answer now.
        StoreError: it refuses.
    """
    from projections.clickhouse.client import open_server
    from projections.clickhouse.migrate import migrate

    settings = stream.settings
    with open_server(settings.clickhouse, settings.clickhouse_user, settings.clickhouse_password) as store:
        migrate(store)
        yield store


@contextmanager
def tables_for_reading(stream: Stream) -> Iterator[Store]:
    """Open the tables of a stream for reading: on their server, or as the projection serves the embedded ones.

    Raises:
        FolderRefused: no process has the embedded tables open.
        StoreUnreachable, StoreNotOpened: they do not answer.
    """
    from projections.clickhouse.client import open_served, open_server

    settings = stream.settings
    if settings.clickhouse:
        store = open_server(settings.clickhouse, settings.clickhouse_user, settings.clickhouse_password)
    else:
        holder = holder_of(stream.folder.clickhouse)
        if holder is None or holder.address is None:
            raise FolderRefused(
                f"no process serves the tables of {stream.folder.root} now: `tallybook project` or `tallybook up` does "
                "while it runs. Or name a ClickHouse server in stream.toml (clickhouse), or as TALLYBOOK_CLICKHOUSE"
            )
        store = open_served(holder.address)
    with store:
        yield store
