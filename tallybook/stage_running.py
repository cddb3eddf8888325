"""One stage as the whole of a process: its log, its metrics, its way to stop."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from processors.stage_counts import StageCounts
from tallybook.following import Stop, stoppable
from tallybook.stage_making import ProjectionStage, make_intake, make_scorer, make_ticker
from tallybook.stages import Stage, StageLog, die_with_supervisor, run_stage
from tallybook.stream import Stream, instance_name, open_stream

Make = Callable[[Stream, str, StageLog, StageCounts], Stage]


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
    name = instance_name(instance)
    say, counts = StageLog(stage, name, as_json=as_json), StageCounts()
    stream = open_stream(root)
    die_with_supervisor()
    with stoppable() as stop, ExitStack() as held:
        del metrics_port, held
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
    """
    from processors.faust_worker import ScoringWorker

    del metrics_port
    name = instance_name(instance)
    say, counts = StageLog("score", name, as_json=as_json), StageCounts()
    stream = open_stream(root)
    reached = Stop()
    run_stage(lambda: _Reached(stream, reached), reached, say, counts)
    say("starts")
    worker = ScoringWorker(
        stream.settings.bootstrap,
        group=stream.topics.group("scoring"),
        journal=stream.topics.journal,
        instance=name,
        make_scorer=lambda partition: make_scorer(stream, partition, counts),
        say=say,
    )
    die_with_supervisor()
    code = worker.run()
    say("stopped")
    if code:
        os._exit(code)
