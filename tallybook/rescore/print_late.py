"""Prints who would have something else had everything come in order."""

from __future__ import annotations

from processors.replay.rescore.differences import Cause
from processors.replay.rescore.late import Counted
from schemas.bounds import DAY_MS
from schemas.instants import format_instant
from tallybook.rescore.late import LateReport
from tallybook.rescore.print_summary import print_changes
from tallybook.screen import counted, say


def print_late(report: LateReport) -> None:
    """Say what differs, then what is told apart."""
    found, summary = report.found, report.summary
    if not found.late.facts:
        say("no fact came late: in order, nobody would have more or less")
    else:
        say(f"late: {_counted(found.late)}. Had everything come in order, as of {format_instant(summary.as_of)}:")
        print_changes(summary)
        if any(rule.cause == Cause.KNOCK_ON for rule in summary.rules):
            say("knock_on: in order, the fact would have met another account")
        if any(rule.cause == Cause.DIRECT for rule in summary.rules):
            say("direct: the fact was decided before the rules of its day were published")
        say(
            f"decided in order: {counted(found.lines, 'posting')} of theirs, {found.bytes:,} bytes, at most "
            f"{found.most_bytes:,} in memory"
        )
    if found.too_old.facts:
        days = report.horizon_ms // DAY_MS
        say(f"apart, not scored as they came after the horizon of {counted(days, 'day')}: {_counted(found.too_old)}")
    if found.before_rules.facts:
        say(f"apart, decided before the rules of their day were published: {_counted(found.before_rules)}")
    say("this is a report: nothing was written, and what was decided stays as it is")


def _counted(what: Counted) -> str:
    return f"{counted(what.facts, 'fact')} of {counted(what.members, 'member')}"
