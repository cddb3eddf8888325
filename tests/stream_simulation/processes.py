"""The stages of a simulated deployment, each as a process that is stepped, killed, suspended and begun anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast

from books.errors import BooksError
from books.kafka.cluster import Cluster
from books.kafka.records import Place
from books.snapshots.store import SnapshotStore
from processors.stream.intake import StreamIntake
from processors.stream.message_door import NO_REGISTRY
from processors.stream.scoring import StreamScorer
from processors.stream.ticker import Ticker
from projections.store import Columns, Staged
from projections.stream.projection import StreamProjection
from schemas.facts import JournalOpened
from schemas.posting import FIRST_EDITION
from schemas.topics import Topics
from tests.fakes.kafka import FakeCluster, FakeMember
from tests.fakes.store import FakeStore
from tests.support.deciders import load

POLL_PAGES = 3


class Process(Protocol):
    """Anything that is stepped."""

    def open(self) -> None: ...

    def step(self) -> object: ...

    def close(self) -> None: ...


class World(Protocol):
    """What processes live in."""

    cluster: FakeCluster
    topics: Topics
    opened: JournalOpened
    store: DyingStore
    snapshots: SnapshotStore
    said: list[str]

    def now(self) -> int: ...


class DyingStore(FakeStore):
    """A store before whose every effect a process may die."""

    def __init__(self, cluster: FakeCluster) -> None:
        super().__init__()
        self._cluster = cluster

    def insert(self, table: str, columns: Columns) -> None:
        self._cluster.on_effect("insert")
        super().insert(table, columns)

    def insert_staged(self, staged: Staged, table: str, edition: str, partitions: int) -> None:
        self._cluster.on_effect("insert")
        super().insert_staged(staged, table, edition, partitions)


class ScoringProcess:
    """Does what the Faust worker does, without Faust: pages of the assigned partitions, committed now and then."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._member = world.cluster.group_consumer(world.topics.group("scoring"), "any")
        self._scorers: dict[int, StreamScorer] = {}
        self._kept: dict[int, StreamScorer] = {}

    @property
    def member(self) -> FakeMember:
        return self._member

    def open(self) -> None:
        self._member.subscribe([self._world.topics.journal], self._assigned, self._revoked)

    def step(self) -> object:
        for record in self._member.poll(POLL_PAGES, 0.0).records:
            scorer = self._scorers.get(record.partition)
            if scorer is not None:
                scorer.score(record)
        for scorer in self._scorers.values():
            scorer.commit()
            if scorer.postings_since_snapshot > 40:
                scorer.keep_snapshot()
        return None

    def close(self) -> None:
        for scorer in self._scorers.values():
            scorer.release()
        self._member.close()

    def _assigned(self, places: set[Place]) -> Mapping[Place, int]:
        numbers = sorted(place.partition for place in places)
        self._scorers = {
            number: self._kept.pop(number) if number in self._kept else self._new(number) for number in numbers
        }
        self._kept = {}
        topic = self._world.topics.journal
        return {Place(topic, number): scorer.take_over() for number, scorer in self._scorers.items()}

    def _revoked(self, _: set[Place]) -> None:
        for number, scorer in self._scorers.items():
            try:
                scorer.commit()
            except BooksError as error:
                self._world.said.append(f"let go: {error}")
            scorer.release()
            self._kept[number] = scorer
        self._scorers = {}

    def _new(self, partition: int) -> StreamScorer:
        cluster = cast(Cluster, self._world.cluster)
        return StreamScorer(
            cluster, self._world.topics, FIRST_EDITION, partition, load, snapshots=self._world.snapshots
        )


def new_process(world: World, stage: str, name: str) -> Process:
    """A process of a stage."""
    cluster = cast(Cluster, world.cluster)
    say = world.said.append
    if stage == "intake":
        return StreamIntake(cluster, world.topics, world.opened, NO_REGISTRY, instance=name, now=world.now, say=say)
    if stage == "ticker":
        return Ticker(cluster, world.topics, world.opened.partitions, instance=name, now=world.now, say=say)
    if stage == "projection":
        return StreamProjection(cluster, world.topics, FIRST_EDITION, world.store, instance=name)
    return ScoringProcess(world)


def members_of_process(process: object) -> list[FakeMember]:
    """The group memberships of a process, wherever it keeps them."""
    found: list[FakeMember] = []
    waiting: list[Any] = [process]
    while waiting:
        for value in vars(waiting.pop()).values():
            if isinstance(value, FakeMember):
                found.append(value)
            elif type(value).__name__ == "StreamFeed":
                waiting.append(value)
    return found
