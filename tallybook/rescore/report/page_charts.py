"""Puts each chart of a report together: its heading, what it shows, the drawing, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec

from processors.decider.local_time import Zone
from tallybook.rescore.plan import Draft, Plan
from tallybook.rescore.report.charts import hidden_side, months_chart, rules_chart, sizes_chart, weeks_chart
from tallybook.rescore.report.day_words import day_words
from tallybook.rescore.report.figures import Bar, Figures, zone_of
from tallybook.rescore.report.sentences import minus, share, signed
from tallybook.screen import counted

_WEEK_DAYS: Final = 7


class Table(msgspec.Struct, frozen=True):
    """The numbers behind a chart."""

    headings: list[str]
    rows: list[list[str]]


class Chart(msgspec.Struct, frozen=True):
    """One chart with its heading, what it shows, and its numbers."""

    heading: str
    caption: str
    svg: str
    table: Table


def make_charts(plan: Plan, draft: Draft, figures: Figures) -> list[Chart]:
    """The charts for which there is anything to show."""
    charts = []
    if any(bar.up or bar.down for bar in figures.by_rule):
        charts += [_rules(figures), _weeks(plan, draft, figures)]
    if figures.sizes:
        charts.append(_sizes(figures))
    if figures.months:
        charts.append(_months(figures))
    return charts


def _rules(figures: Figures) -> Chart:
    bars = figures.by_rule
    greatest = max((bar for bar in bars if not bar.is_rest), key=lambda bar: abs(bar.net))
    told = f"The greatest change is that of {greatest.label}: {signed(greatest.net)} points."
    return Chart(
        "Points by rule",
        f"What members would lose (to the left) and gain (to the right). {told}{_beside(bars)}",
        rules_chart(bars, told),
        Table(
            ["Rule", "Less", "More", "Change"],
            [[bar.label, signed(-bar.down), signed(bar.up), signed(bar.net)] for bar in bars],
        ),
    )


def _beside(bars: Sequence[Bar]) -> str:
    hidden = _hidden(bars)
    return f" {hidden} are too small to be drawn; their numbers stand beside." if hidden else ""


def _hidden(bars: Sequence[Bar]) -> str:
    return {"more": "Gains", "less": "Losses"}.get(hidden_side(bars), "")


def _weeks(plan: Plan, draft: Draft, figures: Figures) -> Chart:
    bars, each = figures.by_week, figures.weeks_a_bar
    more, of = ("", "the week") if each == 1 else (f" ({each} in each bar)", f"the {each} weeks")
    greatest = max(bars, key=lambda bar: abs(bar.net))
    told = f"The greatest change is that of {of} from {greatest.label}: {signed(greatest.net)} points."
    parts = [
        "By the day of the purchase, visit or other fact, or the day of expiry; each bar has the date of its Monday.",
        _broken_weeks(plan, draft, zone_of(draft), bars[0].label, bars[-1].label, each),
        told,
    ]
    hidden = hidden_side(bars)
    if hidden:
        points = sum(getattr(bar, "up" if hidden == "more" else "down") for bar in bars)
        parts.append(f"{_hidden(bars)}, {counted(points, 'point')} in all, are too small to be drawn.")
    return Chart(
        f"Points by week{more}",
        " ".join(part for part in parts if part),
        weeks_chart(bars, told),
        Table(
            ["Week from" if each == 1 else "Weeks from", "Less", "More", "Change"],
            [[bar.label, signed(-bar.down), signed(bar.up), signed(bar.net)] for bar in bars],
        ),
    )


def _broken_weeks(plan: Plan, draft: Draft, zone: Zone, first: str, last: str, each: int) -> str:
    """That the first and the last bar are not whole, where they are not."""
    begins = zone.local(draft.layers[-1].spans[0].from_at).date()
    ends = zone.local(plan.last_tick - 1).date()  # the last day of which anything is known
    said = []
    if first < begins.isoformat():
        said.append(f"The first bar begins on {day_words(begins)}, with the period.")
    whole = ends - timedelta(days=_WEEK_DAYS * each - 1)
    if last > whole.isoformat():
        said.append(f"The last bar ends on {day_words(ends)}.")
    return " ".join(said)


def _sizes(figures: Figures) -> Chart:
    found = figures.summary
    most = max(figures.sizes, key=lambda each: each.members)
    told = f"The most common change is {most.label}{' points' if most.sign else ''}: {counted(most.members, 'member')}."
    untouched = found.accounts - found.members
    parts = [
        "Each bar counts the members who would lose, or gain, as many points as stand beside it.",
        "The steps grow with the points." if len(figures.sizes) > 1 else "",
        told,
        f"Members who are not affected have no bar: {untouched:,} ({share(untouched, found.accounts)}).",
    ]
    return Chart(
        "Members by size of change",
        " ".join(part for part in parts if part),
        sizes_chart(figures.sizes, told),
        Table(["Change of points", "Members"], [[each.label, f"{each.members:,}"] for each in figures.sizes]),
    )


def _months(figures: Figures) -> Chart:
    found = figures.summary
    before, after = (sum(getattr(each, name) for each in figures.months) for name in ("before", "after"))
    told = f"Together {minus(f'{before:,}')} points under the present rules, {minus(f'{after:,}')} under the draft."
    alike = found.balance_before - before
    same = f"{counted(alike, 'point')} more are the same in both, and not shown." if alike > 0 else ""
    return Chart(
        "Liability by month of expiry",
        f"Points by the last month in which members can use them. {told} {same}".rstrip(),
        months_chart(figures.months, told),
        Table(
            ["Month", "Present rules", "Draft", "Change"],
            [
                [each.label, f"{each.before:,}", f"{each.after:,}", signed(each.after - each.before)]
                for each in figures.months
            ],
        ),
    )
