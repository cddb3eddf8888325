"""Prints what a ruleset that is being written came to: errors and warnings, then what it changes."""

from __future__ import annotations

from pathlib import Path

from processors.replay.rescore.two_worlds import MILLION
from schemas.instants import format_instant
from tallybook.rescore.print_summary import print_changes
from tallybook.rescore.try_rules import Tried
from tallybook.screen import counted, say

PER_CENT = MILLION // 100


def print_tried(tried: Tried, file: Path, days: int) -> None:
    """Say what one text came to."""
    for line in tried.checked.report():
        say(line)
    if tried.note:
        say(tried.note)
    found = tried.found
    if found is None:
        return
    say("")
    say(
        f"had it been in force for the last {counted(days, 'day')} (from {tried.from_day}, local midnight) up to the "
        f"last tick, {format_instant(found.as_of)}:"
    )
    if tried.share < MILLION:
        say(f"a sample of {counted(found.accounts, 'member')}, about {tried.share / PER_CENT:.3g}% of all")
    if not found.accounts:
        say("that is nobody: take a larger --sample")
        return
    print_changes(found)
    if found.changes_anything:
        say(f"for all members, kept: tallybook rescore run --rules {file} --from {tried.from_day} --until never")
