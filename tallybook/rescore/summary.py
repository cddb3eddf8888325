"""Adds up what a draft changes: for how many members, by rule and cause, who wins and loses most."""

from __future__ import annotations

from heapq import nlargest
from typing import Final

import msgspec

from processors.replay.rescore.differences import LineDifference, MemberDifference
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


class Adding:
    """Adds up lines and members that differ, wherever they come from; `most` winners and losers are kept."""

    def __init__(self, most: int = MOST_SHOWN) -> None:
        self._most = most
        self._rules: dict[tuple[str, str], RuleChange] = {}
        self._members = Summary("", "", 0, 0)
        self._lines = 0
        self._winners: list[MemberDifference] = []
        self._losers: list[MemberDifference] = []

    def line(self, line: LineDifference) -> None:
        """Add a line."""
        self._lines += 1
        key = (line.rule_id or NO_RULE, line.cause.value)
        rule = self._rules.setdefault(key, RuleChange(*key))
        rule.lines += 1
        rule.points_before += line.points_before
        rule.points_after += line.points_after

    def member(self, member: MemberDifference) -> None:
        """Add a member."""
        change, sums = gain_of(member), self._members
        sums.members += 1
        if change > 0:
            sums.up += 1
            sums.points_up += change
            self._winners = self._keep(self._winners, member, 1)
        elif change < 0:
            sums.down += 1
            sums.points_down -= change
            self._losers = self._keep(self._losers, member, -1)

    def into(self, found: Summary) -> Summary:
        """Fill in a summary that has all but this; its `balance_before` is that of all accounts."""
        sums = self._members
        for name in ("members", "up", "down", "points_up", "points_down"):
            setattr(found, name, getattr(sums, name))
        found.lines = self._lines
        found.balance_after = found.balance_before + sums.points_up - sums.points_down
        found.rules = sorted(
            self._rules.values(), key=lambda each: (-abs(each.points_after - each.points_before), each.rule_id)
        )
        found.winners = nlargest(self._most, self._winners, key=gain_of)
        found.losers = nlargest(self._most, self._losers, key=lambda member: -gain_of(member))
        return found

    def _keep(self, kept: list[MemberDifference], member: MemberDifference, sign: int) -> list[MemberDifference]:
        """The members so far without those that are surely not among the most; of equals the first ones stay."""
        kept.append(member)
        if len(kept) < 2 * self._most:
            return kept
        return nlargest(self._most, kept, key=lambda each: sign * gain_of(each))


def summarise(run: Run, draft: str) -> Summary:
    """Read what a run found for one draft, and add it up."""
    adding = Adding()
    for _, line in run.lines(draft):
        adding.line(line)
    for _, member in run.members(draft):
        adding.member(member)
    return adding.into(begun(run, draft))


def begun(run: Run, draft: str) -> Summary:
    """The summary of a draft without what its lines and members add up to."""
    plan, totals = run.plan(), run.totals()
    return Summary(
        run.number,
        draft,
        as_of=plan.last_tick,
        accounts=totals.accounts,
        balance_before=totals.balance,
        is_proven=totals.is_proven,
        is_sample=not plan.selection.is_everybody,
        point_value=plan.point_value,
    )


def gain_of(member: MemberDifference) -> int:
    """How many points more a member has; less, if negative."""
    return member.balance_after - member.balance_before
