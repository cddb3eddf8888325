"""One stage of ours as a process under measurement: the product's own objects, with marks by what they have handled.

    python -m benchmarks.kafka.ours_stage STAGE --folder DIR --facts N [--sample FILE]

STAGE is intake, score or project. The stage works until it has committed N facts (their postings, for score and
project), then leaves as it would at SIGTERM. With --sample it writes where its CPU went.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from benchmarks.kafka.categories import category_of
from benchmarks.kafka.measure import Marks, warm_events
from benchmarks.kafka.sampling import Sampler
from processors.stream.scoring import StreamScorer
from processors.stream.stage_counts import StageCounts
from tallybook.garbage_collection import collect_seldom
from tallybook.stream.open import Stream, open_stream
from tallybook.stream.stages.start import ProjectionStage, make_intake, make_scorer

INSTANCE: Final = "bench"
# Of fewer facts a step may take all, so that these are counted from the beginning.
LEAST_WARM_FACTS: Final = 20_000
FUNCTIONS_KEPT: Final = 40


class StepMarks(Marks):
    """Marks of a process that handles many facts in a step: each says how many there were when it was made."""

    def __init__(self, facts: int, sampler: Sampler | None, *, from_start: bool = False) -> None:
        super().__init__(facts)
        self.sampler = sampler
        self._warm_at = 0 if from_start or facts < LEAST_WARM_FACTS else warm_events(facts)

    def started(self) -> None:
        """The stage is about to work; where facts are counted from the beginning, they are from now on."""
        if self.sampler is not None:
            self.sampler.start()
        if not self._warm_at:
            self._warm_up()

    def reached(self, facts: int) -> bool:
        """Note how many facts are committed by now; True where these are all, for the first time."""
        before, self.events = self.events, facts
        if before < self._warm_at <= facts:
            if facts >= self.facts:
                raise RuntimeError(f"all {facts:,} facts were handled in one step: give more with --facts")
            self._warm_up()
        if before < self.facts <= facts:
            self._say("last")
            return True
        return False

    def _warm_up(self) -> None:
        self._say("warm")
        if self.sampler is not None:
            self.sampler.forget()


def log(text: str) -> None:
    """What the stage says goes to standard error; marks alone go to standard output."""
    sys.stderr.write(f"{text}\n")


def run_intake(stream: Stream, marks: StepMarks) -> None:
    """Take in all facts."""
    counts = StageCounts()
    intake = make_intake(stream, INSTANCE, log, counts)
    try:
        intake.open()
        marks.started()
        while not marks.reached(counts.records):
            intake.step()
    finally:
        intake.close()
    if counts.rejects:
        raise RuntimeError(f"the door refused {counts.rejects}")


def run_scoring(stream: Stream, marks: StepMarks) -> None:
    """Decide all facts, in the worker that `tallybook score` runs."""
    from processors.stream.faust_worker import ScoringWorker  # noqa: PLC0415  # Faust would add to other stages' CPU

    # One for each partition: they commit in threads of their own.
    counts: dict[int, StageCounts] = {}
    lock = Lock()

    def make(partition: int) -> StreamScorer:
        counted = counts.setdefault(partition, StageCounts())
        scorer = make_scorer(stream, partition, stream.snapshot_store(), counted)
        commit = scorer.commit

        def commit_and_mark() -> None:
            commit()
            with lock:
                # Of several that commit at the same time the last one finds nothing pending any more.
                if not any(one.has_pending for one in worker.scorers.values()):
                    postings = sum(one.postings for one in counts.values())
                    if marks.reached(postings):
                        os.kill(os.getpid(), signal.SIGTERM)

        scorer.commit = commit_and_mark  # type: ignore[method-assign]  # wraps one instance to time its commits
        return scorer

    worker = ScoringWorker(
        stream.settings.bootstrap,
        group=stream.topics.group("scoring"),
        journal=stream.topics.journal,
        instance=INSTANCE,
        make_scorer=make,
        say=log,
    )
    marks.started()
    code = worker.run()
    if code:
        raise RuntimeError(f"the worker ended with {code}")


def run_projection(stream: Stream, marks: StepMarks) -> None:
    """Carry all postings and their facts into the embedded tables."""
    counts = StageCounts()
    stage = ProjectionStage(stream, INSTANCE, log, counts)
    try:
        stage.open()
        marks.started()
        while not marks.reached(min(counts.postings, counts.facts)):
            stage.step()
    finally:
        stage.close()


RUNS: Final[dict[str, Callable[[Stream, StepMarks], None]]] = {
    "intake": run_intake,
    "score": run_scoring,
    "project": run_projection,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stage that the command line names."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("stage", choices=tuple(RUNS))
    options.add_argument("--folder", type=Path, required=True, help="the deployment's, with its stream.toml")
    options.add_argument("--facts", type=int, required=True, help="how many to handle")
    options.add_argument("--sample", type=Path, help="the file to write where the CPU went")
    asked = options.parse_args(arguments)
    os.environ["TZ"] = "UTC"  # this and the next line as the command line does
    collect_seldom()
    sys.stdout = sys.stderr  # Faust prints its cursor's escapes there, in the midst of the marks' lines
    sampler = None if asked.sample is None else Sampler(category_of)
    # A projection may bring all in at once, so that there is no fact after which it is warm.
    marks = StepMarks(asked.facts, sampler, from_start=asked.stage == "project")
    RUNS[asked.stage](open_stream(asked.folder), marks)
    marks.done()
    if sampler is not None:
        sampler.stop()
        found = {"categories": sampler.by_category, "functions": sampler.functions(FUNCTIONS_KEPT)}
        asked.sample.write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
