"""Sets two drafts of finished runs side by side: what each changes, by rule, and for whom they differ most."""

from __future__ import annotations

from collections.abc import Callable
from heapq import nlargest
from typing import Any, Final

import msgspec

from tallybook.rescore.plan import RescoreRefused
from tallybook.rescore.runs import Run, Runs
from tallybook.rescore.summary import Summary, gain_of, summarise
from tallybook.screen import counted, say, show_table

MOST_NAMED: Final = 10
_FIGURES: Final[dict[str, Callable[[Summary], object]]] = {
    "members changed": lambda found: found.members,
    "have more": lambda found: found.up,
    "have less": lambda found: found.down,
    "lines": lambda found: found.lines,
    "points more": lambda found: found.points_up,
    "points less": lambda found: found.points_down,
    "liability after": lambda found: found.balance_after,
}


class MemberApart(msgspec.Struct):
    """A member whose balance the two drafts change differently, and by how much each."""

    member_id: str
    first: int
    second: int


class Compared(msgspec.Struct):
    """Two drafts side by side; `apart` counts the members with different balances, of whom `most` names the first."""

    first: Summary
    second: Summary
    apart: int
    most: list[MemberApart]


def compare_drafts(runs: Runs, first: str, second: str) -> Compared:
    """Compare two drafts, each given as RUN or RUN:DRAFT.

    Raises:
        RescoreRefused: there is no such run or draft, it is not finished, or they read other books or up to elsewhere.
    """
    (one, name), (other, other_name) = (_found(runs, asked) for asked in (first, second))
    before, after = one.plan(), other.plan()
    if (before.base, before.cuts, before.selection) != (after.base, after.cuts, after.selection):
        raise RescoreRefused(
            f"run {one.number} and run {other.number} read the books up to other places, or other members: run both "
            "again, or as two drafts of one run (--draft NAME=FILE). Nothing was changed."
        )
    changes = {member.member_id: gain_of(member) for _, member in one.members(name)}
    pairs = {member_id: (change, 0) for member_id, change in changes.items()}
    for _, member in other.members(other_name):
        pairs[member.member_id] = (changes.get(member.member_id, 0), gain_of(member))
    apart = [MemberApart(member_id, *both) for member_id, both in pairs.items() if both[0] != both[1]]
    most = nlargest(MOST_NAMED, apart, key=lambda each: (abs(each.second - each.first), each.member_id))
    return Compared(summarise(one, name), summarise(other, other_name), len(apart), most)


def print_compared(found: Compared) -> None:
    """Print both drafts side by side."""
    sides = {"first": _title(found.first), "second": _title(found.second)}
    rows: list[dict[str, Any]] = [
        {"figure": name, "first": figure(found.first), "second": figure(found.second)}
        for name, figure in _FIGURES.items()
    ]
    if found.first.point_value and found.first.point_value == found.second.point_value:
        rows.append({"figure": "worth", "first": found.first.cost, "second": found.second.cost})
    show_table("Two drafts", rows, {"figure": ""} | sides)
    rules = [{rule.rule_id: 0 for rule in side.rules} for side in (found.first, found.second)]
    for side, sums in zip((found.first, found.second), rules, strict=True):
        for rule in side.rules:
            sums[rule.rule_id] += rule.points_after - rule.points_before
    names = dict.fromkeys([*rules[0], *rules[1]])
    by_rule = [{"rule": name, "first": rules[0].get(name, 0), "second": rules[1].get(name, 0)} for name in names]
    show_table("Points by rule, more or less than now", by_rule, {"rule": "rule"} | sides)
    if not found.apart:
        say("every member has the same balance under both")
        return
    say(f"{counted(found.apart, 'member')} have another balance under the one than under the other")
    members = [
        {"member": each.member_id, "first": each.first, "second": each.second, "between": each.second - each.first}
        for each in found.most
    ]
    show_table("Whose balances are furthest apart", members, {"member": "member"} | sides | {"between": "between"})


def _title(found: Summary) -> str:
    return f"{found.run}:{found.draft}"


def _found(runs: Runs, asked: str) -> tuple[Run, str]:
    number, _, draft = asked.partition(":")
    run = runs.find(number)
    runs.require_finished(run)
    return run, run.draft(draft).name
