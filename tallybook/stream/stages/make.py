"""Makes each stage of the stream from a deployment's settings; the only place that knows all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import cast

from books.snapshots.store import SnapshotStore
from processors.stream.intake import StreamIntake
from processors.stream.scoring import StreamScorer
from processors.stream.stage_counts import StageCounts
from processors.stream.ticker import Ticker
from projections.serving.serve import Served, serving
from projections.stream.projection import StreamProjection
from tallybook.clock import now_ms
from tallybook.folder.folder import EDITION, load_published
from tallybook.stream.open import Stream, stream_tables

Say = Callable[[str], None]


def make_intake(stream: Stream, instance: str, say: Say, counts: StageCounts) -> StreamIntake:
    """An intake. Raises TopicsMissing, BooksForeign, KafkaUnreachable."""
    opened = stream.log().opened()
    return StreamIntake(
        stream.cluster,
        stream.topics,
        opened,
        stream.writer_schemas(),
        instance=instance,
        now=now_ms,
        say=say,
        counts=counts,
    )


def make_ticker(stream: Stream, instance: str, say: Say, counts: StageCounts) -> Ticker:
    """A ticker. Raises TopicsMissing, BooksForeign, KafkaUnreachable."""
    partitions = stream.log().partitions
    return Ticker(stream.cluster, stream.topics, partitions, instance=instance, now=now_ms, say=say, counts=counts)


def make_scorer(stream: Stream, partition: int, snapshots: SnapshotStore, counts: StageCounts) -> StreamScorer:
    """The scorer of one partition."""
    return StreamScorer(
        stream.cluster,
        stream.topics,
        EDITION,
        partition,
        load_published,
        snapshots=snapshots,
        counts=counts,
    )


class ProjectionStage:
    """A projection with the tables that it fills, which are opened with it and, where they are embedded, served."""

    def __init__(self, stream: Stream, instance: str, say: Say, counts: StageCounts) -> None:
        self._stream = stream
        self._instance = instance
        self._say = say
        self._counts = counts
        self._held = ExitStack()
        self._projection: StreamProjection | None = None

    def open(self) -> None:
        """Open the tables and join the group. Raises StoreUnreachable, StoreError, KafkaUnreachable, TopicsMissing."""
        stream = self._stream
        if stream.settings.clickhouse:
            store = self._held.enter_context(stream_tables(stream))
        else:
            stream.folder.root.mkdir(parents=True, exist_ok=True)
            embedded = self._held.enter_context(stream.folder.store())
            address = self._held.enter_context(serving(cast(Served, embedded)))
            self._say(f"tables served on {address.host}:{address.port}: `tallybook address` says how to connect")
            store = embedded
        projection = StreamProjection(stream.cluster, stream.topics, EDITION, store, instance=self._instance)
        self._held.callback(projection.close)
        projection.open()
        self._projection = projection

    def step(self) -> object:
        """Fetch and project. Raises as StreamProjection.step does."""
        projection = self._projection
        if projection is None:
            raise AssertionError("a projection is opened before it is stepped")
        began = time.perf_counter()
        done = projection.step()
        if done is not None:
            self._counts.committed(time.perf_counter() - began, done.postings)
            self._counts.facts += done.facts
        return done

    def close(self) -> None:
        """Leave the group and close the tables."""
        self._projection = None
        self._held.close()
