"""Adds up what a draft changes: for how many members, by rule and cause, who wins and loses most."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nlargest
from typing import Final

import msgspec

from processors.replay.rescore.differences import MemberDifference
from tallybook.rescore.plan import worth_of
from tallybook.rescore.runs import Run

MOST_SHOWN: Final = 10
NO_RULE: Final = "(expiry)"


class RuleChange(msgspec.Struct):
    """What one rule awards in both worlds, on the lines that differ, by cause; for expiries the rule is NO_RULE."""

    rule_id: str
    cause: str
    lines: int = 0
    points_before: int = 0
    points_after: int = 0


class Summary(msgspec.Struct):
    """What one draft changes. Points; money as text, empty without a point value.

    `balance_before` and `balance_after` are the sums of all accounts (of the sample, if there was one).
    """

    run: str
    draft: str
    as_of: int
    accounts: int
    members: int = 0
    up: int = 0
    down: int = 0
    lines: int = 0
    points_up: int = 0
    points_down: int = 0
    balance_before: int = 0
    balance_after: int = 0
    is_proven: bool = False
    is_sample: bool = False
    point_value: str = ""
    rules: list[RuleChange] = []
    winners: list[MemberDifference] = []
    losers: list[MemberDifference] = []

    @property
    def changes_anything(self) -> bool:
        """Whether any line or member differs."""
        return self.members > 0 or self.lines > 0

    @property
    def cost(self) -> str:
        """What the change of all balances is worth."""
        return worth_of(self.balance_after - self.balance_before, self.point_value)


def summarise(run: Run, draft: str) -> Summary:
    """Read what a finished run found for one draft, and add it up."""
    plan, totals = run.plan(), run.totals()
    found = Summary(
        run.number,
        draft,
        as_of=plan.last_tick,
        accounts=totals.accounts,
        balance_before=totals.balance,
        balance_after=totals.balance,
        is_proven=totals.is_proven,
        is_sample=not plan.selection.is_everybody,
        point_value=plan.point_value,
    )
    rules: dict[tuple[str, str], RuleChange] = {}
    for _, line in run.lines(draft):
        found.lines += 1
        key = (line.rule_id or NO_RULE, line.cause.value)
        rule = rules.setdefault(key, RuleChange(*key))
        rule.lines += 1
        rule.points_before += line.points_before
        rule.points_after += line.points_after
    found.rules = sorted(rules.values(), key=lambda each: (-abs(each.points_after - each.points_before), each.rule_id))
    for _, member in run.members(draft):
        change = member.balance_after - member.balance_before
        found.members += 1
        found.balance_after += change
        if change > 0:
            found.up += 1
            found.points_up += change
        elif change < 0:
            found.down += 1
            found.points_down -= change
    found.winners = nlargest(MOST_SHOWN, _changed(run, draft, 1), key=_gain)
    found.losers = nlargest(MOST_SHOWN, _changed(run, draft, -1), key=lambda member: -_gain(member))
    return found


def _gain(member: MemberDifference) -> int:
    return member.balance_after - member.balance_before


def _changed(run: Run, draft: str, sign: int) -> Iterator[MemberDifference]:
    return (member for _, member in run.members(draft) if _gain(member) * sign > 0)
