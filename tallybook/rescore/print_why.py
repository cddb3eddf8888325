"""Prints what a draft changes for one member: the first difference first, both explanations one under the other."""

from __future__ import annotations

from typing import Final

from processors.replay.rescore.differences import Cause
from schemas.instants import format_instant
from tallybook.explain.model import PostingSeen
from tallybook.explain.sentences import limit_line
from tallybook.rescore.why import LineExplained, MemberRescored
from tallybook.screen import counted, say

MAX_SHOWN: Final = 5
_CAUSES: Final = {
    Cause.DIRECT: "the rule itself is another",
    Cause.KNOCK_ON: "the rule is the same, and the account was another",
    Cause.EXPIRY: "points expired otherwise",
}


def print_why(found: MemberRescored, limit: int = MAX_SHOWN) -> None:
    """Print the first `limit` lines in full, and say how many more there are."""
    member = found.member
    if member is None:
        say(f"{found.member_id}: nothing changes under draft {found.draft}")
    else:
        change = member.balance_after - member.balance_before
        say(
            f"{found.member_id} under draft {found.draft}: balance {member.balance_before:,} → "
            f"{member.balance_after:,} ({change:+,}), {counted(member.lines, 'line')} differ"
        )
    for line in found.lines[:limit]:
        _print_line(line)
    left = len(found.lines) - limit + found.more
    if left > 0:
        say(f"\n… and {counted(left, 'more fact')} with a difference (--limit, or --json for all)")
    for expired in found.expired[:limit]:
        at = format_instant(expired.occurred_at)
        points = f"{-expired.points_before:,} → {-expired.points_after:,} points"
        say(f"\nexpired around {at}: {points} ({_CAUSES[Cause.EXPIRY]})")
    if len(found.expired) > limit:
        say(f"… and {counted(len(found.expired) - limit, 'more day')} on which other points expired")


def _print_line(line: LineExplained) -> None:
    say(f"\n{line.occurred_at} {line.fact_type} {line.source}/{line.event_id}")
    for each in line.differences:
        change = each.points_after - each.points_before
        until = ", with another expiry" if each.expires_before != each.expires_after and not change else ""
        say(
            f"  {each.rule_id}: {each.points_before:,} → {each.points_after:,} ({change:+,}){until}; "
            f"{each.cause}: {_CAUSES[each.cause]}"
        )
    if not line.differences:
        say("  no difference")
    _print_world("before", line.before)
    _print_world("after", line.after)


def _print_world(which: str, posting: PostingSeen) -> None:
    rules = "no rules" if posting.rules is None else f"version {posting.rules.version}"
    said = f"; no points: {posting.reason}. {posting.why}" if posting.reason else ""
    say(f"  {which} ({rules}): balance {posting.balance_before:,} → {posting.balance_after:,}{said}")
    for rule in posting.considered:
        if rule.takes_part:
            say(f"    ✓ {rule.rule_id}: {rule.arithmetic or rule.because}")
            for limit in rule.limits:
                say(f"        {limit_line(limit)}")
    for note in posting.notes:
        say(f"    {note}")
