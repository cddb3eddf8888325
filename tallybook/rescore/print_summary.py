"""Prints what a run found, as a plan is read: what changes, for how many, what it costs, what to type next."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from processors.decider.local_time import Zone
from processors.replay.rescore.differences import MemberDifference
from schemas.instants import format_instant
from tallybook.rescore.plan import Draft, Plan, worth_of
from tallybook.rescore.summary import Summary
from tallybook.screen import counted, say, show_table


def print_plan(plan: Plan) -> None:
    """Say which rules are tried from when until when, and up to where the books are read."""
    for draft in plan.drafts:
        say(f"draft {draft.name}:")
        for line in spans_of(draft):
            say(f"  {line}")
    said = f"compared with edition {plan.base} up to the last tick, {format_instant(plan.last_tick)}"
    say(f"{said}: {counted(sum(cut.postings for cut in plan.cuts), 'posting')}")


def spans_of(draft: Draft) -> list[str]:
    """The spans of a draft's own layer, a line each."""
    said = []
    for span in draft.layers[-1].spans:
        zone = Zone(span.published.timezone, span.published.tzif)
        until = "on" if span.until_at is None else f"until {_local(zone, span.until_at)}"
        said.append(f"version {span.published.version} from {_local(zone, span.from_at)} {until} ({zone.name})")
    return said


def _local(zone: Zone, at: int) -> str:
    """An instant (UTC ms) on a programme's clock, to the minute."""
    return f"{zone.local(at):%Y-%m-%d %H:%M}"


def print_summary(found: Summary) -> None:
    """Say what one draft changes."""
    say("")
    say(f"run {found.run}, draft {found.draft}, as of {format_instant(found.as_of)} ({_proof(found)})")
    print_changes(found)
    if not found.changes_anything:
        return
    most = [*found.losers, *found.winners]
    if most:
        say(f"why: tallybook rescore why {found.run} {quote(most[0].member_id)} --draft {found.draft}")
    say(f"all of it: tallybook rescore export {found.run} --draft {found.draft} --csv --output differences.csv")


def print_changes(found: Summary) -> None:
    """Say for how many members and points something changes, by rule, and for whom most."""
    if not found.changes_anything:
        say(f"nothing changes for {counted(found.accounts, 'member')}")
        return
    say(
        f"{counted(found.members, 'member')} of {found.accounts:,} change: {found.up:,} have more "
        f"(+{found.points_up:,} points), {found.down:,} have less (-{found.points_down:,} points)"
    )
    change = found.balance_after - found.balance_before
    money = f", worth {found.cost} at {found.point_value} a point" if found.point_value else ""
    say(f"liability {found.balance_before:,} -> {found.balance_after:,} points ({change:+,}{money})")
    rows = [
        {
            "rule": rule.rule_id,
            "cause": rule.cause,
            "lines": rule.lines,
            "before": rule.points_before,
            "after": rule.points_after,
            "change": rule.points_after - rule.points_before,
        }
        for rule in found.rules
    ]
    show_table("By rule, on the lines that differ", rows)
    _print_members("Who gains most", found.winners, found.point_value)
    _print_members("Who loses most", found.losers, found.point_value)


def _proof(found: Summary) -> str:
    if found.is_proven:
        return "the base is proven by its digest"
    return "a sample: the base is not proven" if found.is_sample else "the base is not proven"


def _print_members(title: str, members: Sequence[MemberDifference], point_value: str) -> None:
    if not members:
        return
    rows = []
    for member in members:
        change = member.balance_after - member.balance_before
        row = {
            "member": member.member_id,
            "before": member.balance_before,
            "after": member.balance_after,
            "change": change,
            "lines": member.lines,
        }
        rows.append(row | ({"worth": worth_of(change, point_value)} if point_value else {}))
    show_table(title, rows)
