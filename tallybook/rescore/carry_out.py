"""Carries out a plan: goes on with a run that was stopped, decides what is left, and shows how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tallybook.clock import now_ms
from tallybook.folder.folder import Folder
from tallybook.rescore.plan import Plan, RescoreRefused
from tallybook.rescore.runs import Event, Run, Runs
from tallybook.rescore.workers import rescore_in_children
from tallybook.screen import counted, note, progress
from tallybook.stop import stoppable

NOTE_SECONDS: Final = 10.0  # between two lines of progress where there is no terminal
MAX_NAMED: Final = 5


def carry_out(folder: Folder, plan: Plan, processes: int) -> Run:
    """Re-score what is not finished yet of a plan.

    Raises:
        FolderHeld: another process re-scores this folder.
        RescoreRefused: the base is not proven, a member asked for has no account, or the disk is full.
        KeyboardInterrupt: the run was stopped; what is finished is kept.
    """
    runs = Runs(folder)
    with runs.held(now_ms()):
        run = runs.unfinished(plan)
        if run is None:
            run = runs.open(plan, now_ms())
        done = run.finished()
        if done:
            note(f"run {run.number} goes on: {len(done)} of {len(plan.cuts)} partitions are finished")
        cuts = sorted(
            (cut for cut in run.plan().cuts if cut.partition not in done), key=lambda cut: cut.postings, reverse=True
        )
        with stoppable() as stop, _progress(sum(cut.postings for cut in cuts)) as on_postings:
            if cuts:
                rescore_in_children(
                    folder, run, [cut.partition for cut in cuts], processes, on_postings, lambda: stop.is_asked
                )
        if len(run.finished()) < len(plan.cuts):
            note(f"run {run.number} is stopped: the same command goes on from there")
            raise KeyboardInterrupt
        _require_known_members(runs, run, plan)
        run.clear_away()
        runs.note(Event(run.number, "finished", now_ms()))
        return run


def _require_known_members(runs: Runs, run: Run, plan: Plan) -> None:
    asked = plan.selection.members
    if asked is None:
        return
    unknown = sorted(asked - set(run.totals().members))
    if unknown:
        runs.discard(run, now_ms())
        named = ", ".join(unknown[:MAX_NAMED]) + (", …" if len(unknown) > MAX_NAMED else "")
        raise RescoreRefused(
            f"{counted(len(unknown), 'member')} of --members without an account: {named}. Nothing was kept."
        )


@contextmanager
def _progress(postings: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; elsewhere a line each NOTE_SECONDS."""
    started = told = time.monotonic()
    done = 0
    with progress("deciding again", postings) as tick:

        def move_on(more: int) -> None:
            nonlocal done, told
            done += more
            tick(more)
            now = time.monotonic()
            if now - told >= NOTE_SECONDS and not sys.stderr.isatty():
                told = now
                rate = done / (now - started)
                left = (postings - done) / rate if rate else 0
                note(f"{done:,} of {postings:,} postings decided again, {rate:,.0f}/s, {left:,.0f} s left")

        yield move_on
