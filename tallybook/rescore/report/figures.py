"""Adds up the figures of a report in one pass over a run: by rule, week, size of change and month of expiry."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Final

import msgspec

from processors.decider.local_time import EPOCH_ORDINAL, LocalMoment, Zone, period_start
from processors.replay.rescore.differences import LineDifference, MemberDifference
from schemas.posting import Reason
from tallybook.rescore.plan import Draft
from tallybook.rescore.runs import Run
from tallybook.rescore.summary import Adding, Summary, begun

MAX_RULE_BARS: Final = 12
MAX_WEEK_BARS: Final = 60
MAX_MONTH_BARS: Final = 12
MAX_CLASSES: Final = 18
MAX_CHANGES_KEPT: Final = 250_000  # of members, for the one in the middle
EXPIRED: Final = "points that expire"
NEVER: Final = "never"
LATER: Final = "later"
SAME_BALANCE: Final = "same balance"
_WEEK_DAYS: Final = 7
_NEVER_MONTH: Final = "~"  # sorts behind every month
# Changes are counted in classes that begin at 1, 2, 5, 10, 20, 50 ... points; nobody has 10^20 points.
_EDGES: Final = tuple(step * 10**power for power in range(20) for step in (1, 2, 5))
_CauseKey = tuple[str, str, str, int, bool]
_DECADES: Final = tuple(10**power for power in range(20))


class Bar(msgspec.Struct):
    """Points that members have more (`up`) and less (`down`, not negative) for one reason or in one period.

    `is_rest` marks what adds up several that have no bar of their own.
    """

    label: str
    up: int = 0
    down: int = 0
    is_rest: bool = False

    @property
    def net(self) -> int:
        """What comes of both."""
        return self.up - self.down

    def add(self, change: int) -> None:
        """Count a change on its side."""
        if change > 0:
            self.up += change
        else:
            self.down -= change


class SizeClass(msgspec.Struct, frozen=True):
    """How many members' balances change by so many points; `sign` says in which direction."""

    label: str
    sign: int
    members: int


class Month(msgspec.Struct):
    """Points that expire in one month, in both worlds, of the lots that are not alike in both."""

    label: str
    before: int = 0
    after: int = 0


class Cause(msgspec.Struct):
    """What one rule changes in one direction (`sign`), on the facts of one type ("": of any) and for one cause.

    `is_lots`: on one side the account held as many lots as it may.
    """

    rule_id: str
    cause: str
    fact_type: str
    sign: int = 0
    is_lots: bool = False
    lines: int = 0
    before: int = 0
    after: int = 0

    @property
    def change(self) -> int:
        """The points that come of it."""
        return self.after - self.before


class Spread(msgspec.Struct, frozen=True):
    """How many points those gain, or lose, who do: on average, and the one in the middle (None: not known)."""

    average: int
    median: int | None


class Figures(msgspec.Struct):
    """All that a report shows of one draft.

    `facts` counts purchases and other facts that earn otherwise. `weeks_a_bar` says how many weeks are added up in one
    bar. `causes` has those of every member in the lists of the greatest winners and losers, `all_causes` those of all
    members together; the greatest first.
    """

    summary: Summary
    facts: int
    gains: Spread
    losses: Spread
    by_rule: list[Bar]
    by_week: list[Bar]
    weeks_a_bar: int
    sizes: list[SizeClass]
    months: list[Month]
    causes: dict[str, list[Cause]]
    all_causes: list[Cause]


def read_figures(run: Run, draft: Draft, on_row: Callable[[], object] = lambda: None) -> Figures:
    """Read every row of a draft once; memory does not grow with their number, but for MAX_CHANGES_KEPT numbers."""
    adding, periods = Adding(), _Periods(zone_of(draft))
    for _, member in run.members(draft.name):
        on_row()
        adding.member(member)
        periods.member(member)
    summary = adding.into(begun(run, draft.name))
    told: dict[str, dict[_CauseKey, Cause]] = {member.member_id: {} for member in (*summary.winners, *summary.losers)}
    of_all: dict[_CauseKey, Cause] = {}
    facts, last = 0, (-1, -1, -1)
    for partition, line in run.lines(draft.name):
        on_row()
        adding.line(line)
        periods.line(line)
        _note(of_all, line, "")
        causes = told.get(line.member_id)
        if causes is not None:
            _note(causes, line, line.fact_type)
        if line.rule_id and last != (partition, line.page, line.line):  # what one fact earns stands together
            facts, last = facts + 1, (partition, line.page, line.line)
    by_week, weeks_a_bar = week_bars(periods.weeks)
    return Figures(
        summary=adding.into(summary),
        facts=facts,
        gains=spread(summary.points_up, summary.up, periods.gains),
        losses=spread(summary.points_down, summary.down, periods.losses),
        by_rule=rule_bars(periods.rules),
        by_week=by_week,
        weeks_a_bar=weeks_a_bar,
        sizes=size_classes(periods.sizes),
        months=month_bars(periods.months),
        causes={member: _greatest_first(found) for member, found in told.items()},
        all_causes=_greatest_first(of_all),
    )


def zone_of(draft: Draft) -> Zone:
    """The zone of the draft's own rules; a draft has a span at least."""
    published = draft.layers[-1].spans[0].published
    return Zone(published.timezone, published.tzif)


class _Periods:
    """Adds rows up by rule, week and month, and counts members by the size of their change."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self.rules: dict[str, Bar] = {}
        self.weeks: dict[int, Bar] = {}
        self.months: dict[str, Month] = {}
        self.sizes: dict[int, int] = {}
        self.gains: list[int] = []
        self.losses: list[int] = []

    def line(self, line: LineDifference) -> None:
        change = line.points_after - line.points_before
        rule = line.rule_id or EXPIRED
        self.rules.setdefault(rule, Bar(rule)).add(change)
        day = self._day(line.occurred_at) if line.local_day is None else line.local_day
        monday = period_start(day, "week")
        self.weeks.setdefault(monday, Bar("")).add(change)

    def member(self, member: MemberDifference) -> None:
        change = member.balance_after - member.balance_before
        size = signed_class(change)
        self.sizes[size] = self.sizes.get(size, 0) + 1
        kept = self.gains if change > 0 else self.losses
        if change and len(kept) < MAX_CHANGES_KEPT:
            kept.append(abs(change))
        for lots in member.left:
            label = _NEVER_MONTH if lots.expires_at is None else self._month(lots.expires_at)
            month = self.months.setdefault(label, Month(label))
            month.before += lots.points_before
            month.after += lots.points_after

    def _day(self, at: int) -> int:
        return LocalMoment(self._zone, at).day

    def _month(self, expires_at: int) -> str:
        """The month of the last moment at which the points can be used, such as `2026-03`."""
        return iso_date(self._day(expires_at - 1))[: len("2026-03")]


def _note(causes: dict[_CauseKey, Cause], line: LineDifference, fact_type: str) -> None:
    change = line.points_after - line.points_before
    sign = (change > 0) - (change < 0) if line.rule_id else 0  # expiries are added up, whatever their direction
    is_lots = Reason.TOO_MANY_LOTS in (line.reason_before, line.reason_after)
    key = (line.rule_id, line.cause.value, fact_type if line.rule_id else "", sign, is_lots)
    cause = causes.setdefault(key, Cause(*key))
    cause.lines += 1
    cause.before += line.points_before
    cause.after += line.points_after


def _greatest_first(causes: Mapping[_CauseKey, Cause]) -> list[Cause]:
    return sorted(causes.values(), key=lambda each: -abs(each.change))


def spread(points: int, members: int, kept: Sequence[int]) -> Spread:
    """The average of some members' changes, rounded; and the one in the middle, where all of them were `kept`."""
    if not members:
        return Spread(0, None)
    median = sorted(kept)[(members - 1) // 2] if len(kept) == members else None
    return Spread((2 * points + members) // (2 * members), median)


def rule_bars(rules: Mapping[str, Bar]) -> list[Bar]:
    """A bar for each rule, the greatest change first; those behind MAX_RULE_BARS are added up in the last."""
    bars = sorted(rules.values(), key=lambda bar: (-max(bar.up, bar.down), bar.label))
    if len(bars) <= MAX_RULE_BARS:
        return bars
    shown, rest = bars[: MAX_RULE_BARS - 1], bars[MAX_RULE_BARS - 1 :]
    up, down = sum(bar.up for bar in rest), sum(bar.down for bar in rest)
    return [*shown, Bar(f"{len(rest)} other rules", up, down, is_rest=True)]


def week_bars(weeks: Mapping[int, Bar]) -> tuple[list[Bar], int]:
    """A bar for each week from the first to the last, empty ones too; and how many weeks are in one bar.

    Weeks are given by their Monday in days since 1970. There are MAX_WEEK_BARS at most: else each has several weeks.
    """
    if not weeks:
        return [], 1
    first, last = min(weeks), max(weeks)
    count = (last - first) // _WEEK_DAYS + 1
    each = -(-count // MAX_WEEK_BARS)
    bars = [Bar(iso_date(first + start * _WEEK_DAYS)) for start in range(0, count, each)]
    for monday, week in weeks.items():
        bar = bars[(monday - first) // _WEEK_DAYS // each]
        bar.up += week.up
        bar.down += week.down
    return bars, each


def iso_date(day: int) -> str:
    """The date of a day (days since 1970), such as `2026-01-05`."""
    return date.fromordinal(day + EPOCH_ORDINAL).isoformat()


def month_bars(months: Mapping[str, Month]) -> list[Month]:
    """The months in order; those behind MAX_MONTH_BARS are added up, and what never expires comes last."""
    ordered = [months[label] for label in sorted(months) if label != _NEVER_MONTH]
    if len(ordered) > MAX_MONTH_BARS:
        rest = ordered[MAX_MONTH_BARS - 1 :]
        ordered = [
            *ordered[: MAX_MONTH_BARS - 1],
            Month(LATER, sum(each.before for each in rest), sum(each.after for each in rest)),
        ]
    never = months.get(_NEVER_MONTH)
    return ordered if never is None else [*ordered, Month(NEVER, never.before, never.after)]


def signed_class(change: int) -> int:
    """The class of a change of balance: 0 for none, 1 for 1 point, 2 for 2 to 4, 3 for 5 to 9, ...; a loss negative."""
    found = bisect_right(_EDGES, abs(change))
    return found if change > 0 else -found


def size_classes(counted: Mapping[int, int]) -> list[SizeClass]:
    """How many members are in each class from the greatest loss to the greatest gain, those between without any too.

    With more than MAX_CLASSES each is ten times as wide as the one before it.
    """
    if not counted:
        return []
    edges: Sequence[int] = _EDGES
    if max(counted) - min(counted) + (0 in counted) > MAX_CLASSES:
        wider: dict[int, int] = {}
        for found, members in counted.items():
            decade = (abs(found) + 2) // 3 * (1 if found > 0 else -1)
            wider[decade] = wider.get(decade, 0) + members
        counted, edges = wider, _DECADES
    return [
        SizeClass(_class_label(found, edges), (found > 0) - (found < 0), counted.get(found, 0))
        for found in range(min(counted), max(counted) + 1)
        if found or 0 in counted
    ]


def _class_label(found: int, edges: Sequence[int]) -> str:
    if not found:
        return SAME_BALANCE
    sign = "+" if found > 0 else "−"
    least, most = edges[abs(found) - 1], edges[abs(found)] - 1
    if least == most:
        return f"{sign}{least:,}"
    low, high = (least, most) if found > 0 else (most, least)
    return f"{sign}{low:,} to {sign}{high:,}"
