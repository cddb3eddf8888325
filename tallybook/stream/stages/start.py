"""Starts each stage as a process: made from the deployment's settings, with its log, its metrics, its way to stop."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple, cast

from books.snapshots.store import SnapshotStore
from processors.stream.intake import StreamIntake
from processors.stream.scoring import StreamScorer
from processors.stream.stage_counts import StageCounts
from processors.stream.ticker import Ticker
from projections.serving.serve import Served, serving
from projections.stream.projection import StreamProjection
from tallybook.child_process import stop_with_parent
from tallybook.clock import now_ms
from tallybook.folder.folder import load_published
from tallybook.stop import Stop, stoppable
from tallybook.stream.open import Stream, instance_name, open_stream, tables_for_writing
from tallybook.stream.stages.endpoints import Observer
from tallybook.stream.stages.log import StageLog, failures_logged, set_up_logging
from tallybook.stream.stages.retry import Stage, run_stage

# Where a supervisor says how often it has started this process before.
STARTED_BEFORE: Final = "TALLYBOOK_STARTED_BEFORE"
Say = Callable[[str], None]
Make = Callable[[Stream, str, StageLog, StageCounts], Stage]


def make_intake(stream: Stream, instance: str, say: Say, counts: StageCounts) -> StreamIntake:
    """Make an intake. Raises TopicsMissing, BooksForeign, KafkaUnreachable."""
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
    """Make a ticker. Raises TopicsMissing, BooksForeign, KafkaUnreachable."""
    partitions = stream.log().partitions
    return Ticker(stream.cluster, stream.topics, partitions, instance=instance, now=now_ms, say=say, counts=counts)


def make_scorer(stream: Stream, partition: int, snapshots: SnapshotStore, counts: StageCounts) -> StreamScorer:
    """Make the scorer of one partition."""
    return StreamScorer(
        stream.cluster, stream.topics, stream.edition, partition, load_published, snapshots=snapshots, counts=counts
    )


class ProjectionStage:
    """Runs a projection with the tables that it fills, and serves them where they are embedded."""

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
            store = self._held.enter_context(tables_for_writing(stream))
        else:
            stream.folder.root.mkdir(parents=True, exist_ok=True)
            embedded = self._held.enter_context(stream.folder.store())
            address = self._held.enter_context(serving(cast(Served, embedded)))
            self._say(f"tables served on {address.host}:{address.port}: `tallybook address` says how to connect")
            store = embedded
        projection = StreamProjection(stream.cluster, stream.topics, stream.edition, store, instance=self._instance)
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


_MAKERS: Final[Mapping[str, Make]] = {"intake": make_intake, "tick": make_ticker, "project": ProjectionStage}


class _Process(NamedTuple):
    """Holds what every stage's process has."""

    stream: Stream
    name: str
    say: StageLog
    counts: StageCounts
    observer: Observer


@contextmanager
def _process(root: Path, stage: str, instance: str, *, as_json: bool) -> Iterator[_Process]:
    """Set up this process's log and counters; what ends the body is written to the log in its own form."""
    name = instance_name(instance)
    with failures_logged(StageLog(stage, name, as_json=as_json)):
        stream = open_stream(root)
        settings = stream.settings
        secrets = (settings.clickhouse_password, settings.accounts_token, *settings.kafka.values())
        say = StageLog(stage, name, as_json=as_json, secrets=secrets)
        set_up_logging(say)
        with failures_logged(say):
            started_before = os.environ.get(STARTED_BEFORE, "")
            counts = StageCounts(restarts=int(started_before) if started_before.isdecimal() else 0)
            stop_with_parent()
            yield _Process(stream, name, say, counts, Observer(stream, stage, name, counts, say))


def run_process(root: Path, stage: str, instance: str, *, metrics_port: int, as_json: bool) -> None:
    """Run a stage, by the name of its command, until it is asked to stop.

    Raises:
        BooksError, StoreError: what does not pass by waiting.
        StreamRefused: the settings are not usable.
    """
    if stage == "score":
        _run_scoring(root, instance, metrics_port=metrics_port, as_json=as_json)
        return
    make = _MAKERS[stage]
    with (
        _process(root, stage, instance, as_json=as_json) as (stream, name, say, counts, observer),
        stoppable() as stop,
        observer.serving(metrics_port),
    ):
        say("starts")
        run_stage(lambda: make(stream, name, say, counts), stop, say, counts)
        say("stopped")


class _WaitsForBooks:
    """A stage that only finds out that Kafka answers and the books are there."""

    def __init__(self, stream: Stream, stop: Stop) -> None:
        self._stream = stream
        self._stop = stop
        self.partitions = 0

    def open(self) -> None:
        self.partitions = self._stream.log().partitions

    def step(self) -> None:
        self._stop.is_asked = True

    def close(self) -> None:
        """Nothing is held."""


def _run_scoring(root: Path, instance: str, *, metrics_port: int, as_json: bool) -> None:
    """Run a scoring worker; any unexpected error ends the process."""
    from processors.stream.faust_worker import ScoringWorker

    with _process(root, "score", instance, as_json=as_json) as (stream, name, say, counts, observer):
        with observer.serving(metrics_port):
            reached = Stop()
            there = _WaitsForBooks(stream, reached)
            run_stage(lambda: there, reached, say, counts)
            say("starts")
            snapshots = stream.snapshot_store()
            worker = ScoringWorker(
                stream.settings.bootstrap,
                group=stream.topics.group("scoring"),
                journal=stream.topics.journal,
                instance=name,
                make_scorer=lambda partition: make_scorer(stream, partition, snapshots, counts),
                say=say,
                on_held=observer.wake,
                settings=stream.settings.kafka,
                timing=stream.cluster.timing,
            )
            observer.watch_over(worker, there.partitions)
            code = worker.run()
        say("stopped")
        if code:
            os._exit(code)
