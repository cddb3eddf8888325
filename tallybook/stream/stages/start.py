"""One stage as the whole of a process: its log, its metrics, its way to stop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from processors.stream.stage_counts import StageCounts
from tallybook.stop import Stop, stoppable
from tallybook.stream.open import Stream, instance_name, open_stream
from tallybook.stream.stages.endpoints import Observer
from tallybook.stream.stages.log import StageLog, last_words, set_up_logging
from tallybook.stream.stages.make import ProjectionStage, make_intake, make_scorer, make_ticker
from tallybook.stream.stages.retry import STARTED_BEFORE, Stage, die_with_supervisor, run_stage

Make = Callable[[Stream, str, StageLog, StageCounts], Stage]


class _Process(NamedTuple):
    """What every stage's process has."""

    stream: Stream
    name: str
    say: StageLog
    counts: StageCounts
    observer: Observer


@contextmanager
def _process(root: Path, stage: str, instance: str, *, as_json: bool) -> Iterator[_Process]:
    """Set up this process's log and counters; what ends the body is said in the log's own form."""
    name = instance_name(instance)
    with last_words(StageLog(stage, name, as_json=as_json)):
        stream = open_stream(root)
        settings = stream.settings
        secrets = (settings.clickhouse_password, settings.accounts_token, *settings.kafka.values())
        say = StageLog(stage, name, as_json=as_json, secrets=secrets)
        set_up_logging(say)
        with last_words(say):
            started_before = os.environ.get(STARTED_BEFORE, "")
            counts = StageCounts(restarts=int(started_before) if started_before.isdecimal() else 0)
            yield _Process(stream, name, say, counts, Observer(stream, stage, name, counts, say))


def run_intake(root: Path, instance: str, *, metrics_port: int, as_json: bool) -> None:
    """Run an intake until it is asked to stop. Raises BooksError for what does not pass by waiting."""
    _run(root, "intake", instance, make_intake, metrics_port=metrics_port, as_json=as_json)


def run_ticker(root: Path, instance: str, *, metrics_port: int, as_json: bool) -> None:
    """Run a ticker until it is asked to stop. Raises BooksError for what does not pass by waiting."""
    _run(root, "tick", instance, make_ticker, metrics_port=metrics_port, as_json=as_json)


def run_projection(root: Path, instance: str, *, metrics_port: int, as_json: bool) -> None:
    """Run a projection until it is asked to stop. Raises BooksError, StoreError for what does not pass by waiting."""
    _run(root, "project", instance, ProjectionStage, metrics_port=metrics_port, as_json=as_json)


def _run(root: Path, stage: str, instance: str, make: Make, *, metrics_port: int, as_json: bool) -> None:
    with _process(root, stage, instance, as_json=as_json) as (stream, name, say, counts, observer):
        die_with_supervisor()
        with stoppable() as stop, observer.serving(metrics_port):
            say("starts")
            run_stage(lambda: make(stream, name, say, counts), stop, say, counts)
            say("stopped")


class _Reached:
    """A stage that does nothing but find out that Kafka answers and the books are there."""

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


def run_scoring(root: Path, instance: str, *, metrics_port: int, as_json: bool) -> None:
    """Run a scoring worker until it is asked to stop; whatever it does not expect ends the process.

    Raises:
        BooksError: there are no books, or others.
        StreamRefused: the settings are not usable.
    """
    from processors.stream.faust_worker import ScoringWorker

    with _process(root, "score", instance, as_json=as_json) as (stream, name, say, counts, observer):
        die_with_supervisor()
        with observer.serving(metrics_port):
            reached = Stop()
            there = _Reached(stream, reached)
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
            )
            observer.watch_over(worker, there.partitions)
            code = worker.run()
        say("stopped")
        if code:
            os._exit(code)
