"""Puts the figures, charts and sentences of a report into one HTML page that needs nothing else; made by Jinja2."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

import msgspec
from jinja2 import Environment, StrictUndefined

from processors.replay.rescore.differences import MemberDifference
from tallybook.rescore.plan import Draft, Plan, worth_of
from tallybook.rescore.print_summary import spans_of
from tallybook.rescore.report.charts import months_chart, rules_chart, sizes_chart, weeks_chart
from tallybook.rescore.report.figures import EXPIRED, Figures, week_begins, zone_of
from tallybook.rescore.report.sentences import minus, outcome, reasons, rules_of, signed
from tallybook.rescore.summary import NO_RULE, RuleChange, Summary
from tallybook.screen import counted

TEMPLATE: Final = "report.html.j2"
LONG_FIGURE: Final = 11  # characters: longer ones want wider boxes
CAUSES: Final[Mapping[str, str]] = {
    "direct": "the rule itself",
    "knock_on": "what came before",
    "expiry": "",  # it is all that the row is about
}


class _Figure(msgspec.Struct, frozen=True):
    """One large number, what it counts, and what stands below it."""

    name: str
    value: str
    below: str = ""


class _Table(msgspec.Struct, frozen=True):
    """The numbers behind a chart."""

    headings: list[str]
    rows: list[list[str]]


class _Chart(msgspec.Struct, frozen=True):
    """One chart with its heading, what it shows, and its numbers."""

    heading: str
    caption: str
    svg: str
    table: _Table


class _Member(msgspec.Struct, frozen=True):
    """One of the greatest winners or losers."""

    outcome: str
    reasons: str
    balances: str
    command: str


class _Command(msgspec.Struct, frozen=True):
    """Something that may be done now, and what to type for it."""

    purpose: str
    line: str


def render_page(plan: Plan, draft: Draft, figures: Figures, opened_at: int) -> str:
    """The report of one draft of a finished run; `opened_at` (UTC ms) is when the run was begun."""
    found = figures.summary
    zone = zone_of(draft)
    rules = rules_of(draft)
    headline = _headline(found)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files(__package__) / TEMPLATE).read_text("utf-8"))
    return (
        template.render(
            found=found,
            draft=draft.name,
            others=[each.name for each in plan.drafts if each.name != draft.name],
            spans=spans_of(draft),
            as_of=f"{zone.local(found.as_of):%Y-%m-%d %H:%M} ({zone.name})",
            opened_at=f"{zone.local(opened_at):%Y-%m-%d %H:%M} ({zone.name})",
            base=plan.base,
            proof=_proof(plan, found),
            asked=_asked(plan),
            verdict=_verdict(found),
            currency=found.point_value.rpartition(" ")[2],
            figures=headline,
            has_long_figures=any(len(figure.value) > LONG_FIGURE for figure in headline),
            charts=_charts(figures),
            rules=[_rule_row(rule, found.point_value) for rule in found.rules],
            winners=[_member(member, figures, rules) for member in found.winners],
            losers=[_member(member, figures, rules) for member in found.losers],
            commands=_commands(found),
        )
        + "\n"
    )


def _proof(plan: Plan, found: Summary) -> str:
    if found.is_proven:
        return (
            "The comparison is proven: the present rules were decided again beside the draft, and came to the very "
            "digest of the ledger in the books."
        )
    if not plan.selection.is_everybody:
        return (
            "The comparison is not proven: only some members were decided again, and the digest of the ledger covers "
            "all of them."
        )
    return "The comparison is not proven: the books keep no digest of the ledger up to there."


def _asked(plan: Plan) -> str:
    """Whose history was scored again, where it was not everybody's."""
    selection = plan.selection
    if selection.is_everybody:
        return ""
    if selection.members is not None:
        return f"All figures are those of {counted(len(selection.members), 'member')} who were named, not of everybody."
    return (
        f"All figures are those of a sample of about {selection.per_million / 10_000:g} % of the members, not of "
        "everybody."
    )


def _verdict(found: Summary) -> str:
    if not found.changes_anything:
        return f"Nothing changes for any of {counted(found.accounts, 'member')}."
    change = found.balance_after - found.balance_before
    if change:
        moved = f"{'rises' if change > 0 else 'falls'} by {counted(abs(change), 'point')}"
        worth = f", worth {worth_of(abs(change), found.point_value)}" if found.point_value else ""
    else:
        moved, worth = "stays the same", ""
    more, less = (f"{members:,}" if members else "none" for members in (found.up, found.down))
    return (
        f"{found.members:,} of {counted(found.accounts, 'member')} would be affected: {more} would have more points, "
        f"{less} would have less. The liability {moved}{worth}."
    )


def _headline(found: Summary) -> list[_Figure]:
    change = found.balance_after - found.balance_before
    alike = found.members - found.up - found.down
    same = f"; {alike:,} with the same balance" if alike else ""
    shown = [
        _Figure("Members affected", f"{found.members:,}", f"of {found.accounts:,}{same}"),
        _Figure("Have more", f"{found.up:,}", f"{signed(found.points_up)} points in all"),
        _Figure("Have less", f"{found.down:,}", f"{signed(-found.points_down)} points in all"),
        _Figure("Points", signed(change), f"on {counted(found.lines, 'line')} that differ"),
        _Figure("Liability", f"{found.balance_after:,}", f"points; {found.balance_before:,} now"),
    ]
    if found.point_value:
        shown.append(_Figure("Worth", minus(found.cost), f"at {found.point_value} a point"))
    return shown


def _charts(figures: Figures) -> list[_Chart]:
    charts = []
    if any(bar.up or bar.down for bar in figures.by_rule):
        charts += [_rules(figures), _weeks(figures)]
    if figures.sizes:
        charts.append(_sizes(figures))
    if figures.months:
        charts.append(_months(figures))
    return charts


def _rules(figures: Figures) -> _Chart:
    bars = figures.by_rule
    greatest = max((bar for bar in bars if not bar.is_rest), key=lambda bar: abs(bar.net))
    told = f"The greatest change is that of {greatest.label}: {signed(greatest.net)} points."
    return _Chart(
        "Points by rule",
        f"What members gain (to the right) and lose (to the left). {told}",
        rules_chart(bars, told),
        _Table(
            ["Rule", "Less", "More", "Change"],
            [[bar.label, signed(-bar.down), signed(bar.up), signed(bar.net)] for bar in bars],
        ),
    )


def _weeks(figures: Figures) -> _Chart:
    bars, each = figures.by_week, figures.weeks_a_bar
    more, of = ("", "") if each == 1 else (f" ({each} in each bar)", f"the {each} weeks from ")
    greatest = max(bars, key=lambda bar: abs(bar.net))
    told = f"The greatest change is that of {of}{greatest.label}: {signed(greatest.net)} points."
    return _Chart(
        f"Points by ISO week{more}",
        f"By the day of the purchase, visit or other fact, or the day of expiry. {told}",
        weeks_chart(bars, told),
        _Table(
            ["Week" if each == 1 else "First week", "Begins", "Less", "More", "Change"],
            [[bar.label, week_begins(bar.label), signed(-bar.down), signed(bar.up), signed(bar.net)] for bar in bars],
        ),
    )


def _sizes(figures: Figures) -> _Chart:
    most = max(figures.sizes, key=lambda each: each.members)
    told = f"The most common change is {most.label}{' points' if most.sign else ''}: {counted(most.members, 'member')}."
    return _Chart(
        "Members by size of change",
        f"How many members gain or lose how many points. {told}",
        sizes_chart(figures.sizes, told),
        _Table(["Change of points", "Members"], [[each.label, f"{each.members:,}"] for each in figures.sizes]),
    )


def _months(figures: Figures) -> _Chart:
    before, after = (sum(getattr(each, name) for each in figures.months) for name in ("before", "after"))
    told = f"Together {minus(f'{before:,}')} points now, {minus(f'{after:,}')} under the draft."
    return _Chart(
        "Liability by month of expiry",
        f"Points by the last month in which they can be used. Only what differs is shown. {told}",
        months_chart(figures.months, told),
        _Table(
            ["Month", "Now", "Draft", "Change"],
            [
                [each.label, f"{each.before:,}", f"{each.after:,}", signed(each.after - each.before)]
                for each in figures.months
            ],
        ),
    )


def _rule_row(rule: RuleChange, point_value: str) -> dict[str, str]:
    change = rule.points_after - rule.points_before
    return {
        "rule": EXPIRED if rule.rule_id == NO_RULE else rule.rule_id,
        "cause": CAUSES[rule.cause],
        "lines": f"{rule.lines:,}",
        "before": minus(f"{rule.points_before:,}"),
        "after": minus(f"{rule.points_after:,}"),
        "change": signed(change),
        "worth": minus(worth_of(change, point_value).partition(" ")[0]),  # its currency heads the column
    }


def _member(member: MemberDifference, figures: Figures, rules: Mapping[str, str]) -> _Member:
    found = figures.summary
    change = member.balance_after - member.balance_before
    worth = f", worth {minus(worth_of(change, found.point_value))}" if found.point_value else ""
    return _Member(
        outcome=outcome(member),
        reasons=reasons(figures.causes[member.member_id], rules),
        balances=f"{minus(f'{member.balance_before:,}')} → {minus(f'{member.balance_after:,}')} points{worth}",
        command=_why(found, member.member_id),
    )


def _why(found: Summary, member_id: str) -> str:
    dashes = "-- " if member_id.startswith("-") else ""
    return f"tallybook rescore why --draft {found.draft} {dashes}{found.run} {shlex.quote(member_id)}"


def _commands(found: Summary) -> list[_Command]:
    run, draft = found.run, found.draft
    query = f"SELECT * FROM rescore_by_store WHERE run = '{run}' AND draft = '{draft}'"
    most: Sequence[MemberDifference] = found.losers or found.winners
    purpose = "See why a member has more or less: each fact under the present rules and under the draft"
    why = [_Command(purpose, _why(found, most[0].member_id))] if most else []
    return [
        *why,
        _Command(
            "Take all differences into a spreadsheet",
            f"tallybook rescore export {run} --draft {draft} --csv --output differences.csv",
        ),
        _Command("Ask by store, day, rule or reason", f'tallybook sql "{query}"'),
        _Command("Try other rules or another day", "tallybook rescore run --rules FILE --from DATE"),
        _Command(
            "Let rules hold from a day to come; what is past stays as it is",
            "tallybook rules publish FILE --effective-from DATE",
        ),
        _Command("Throw this run away", f"tallybook rescore discard {run}"),
    ]
