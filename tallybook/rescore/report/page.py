"""Puts the figures, charts and sentences of a report into one HTML page that needs nothing else; made by Jinja2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

import msgspec
from jinja2 import Environment, StrictUndefined

from processors.decider.local_time import Zone
from processors.decider.rules.timeline import RuleTimeline
from processors.replay.rescore.differences import MemberDifference
from tallybook.folder.folder import load_published
from tallybook.rescore.plan import Draft, Plan, worth_of
from tallybook.rescore.report.day_words import ending, last_day, moment, period
from tallybook.rescore.report.figures import EXPIRED, Figures, Spread, zone_of
from tallybook.rescore.report.next_steps import not_said, publishing_command, reading_commands
from tallybook.rescore.report.page_charts import make_charts
from tallybook.rescore.report.rules_compared import Change, Compared, RuleFacts, compare_rules, facts_of_rules
from tallybook.rescore.report.sentences import minus, notes, outcome, reasons, share, signed
from tallybook.rescore.summary import NO_RULE, RuleChange, Summary
from tallybook.screen import counted

TEMPLATE: Final = "report.html.j2"
LONG_FIGURE: Final = 12  # characters: longer ones want wider boxes
MAX_TIMES: Final = 6  # in which other rules meet: told one by one
CAUSES: Final[Mapping[str, str]] = {
    "direct": "the rule itself",
    "knock_on": "knock-on",
    "expiry": "",  # it is all that the row is about
}


class _Figure(msgspec.Struct, frozen=True):
    """One large number, what it counts, and what stands below it."""

    name: str
    value: str
    below: str = ""
    is_wide: bool = False


class _Member(msgspec.Struct, frozen=True):
    """One of the greatest winners or losers."""

    outcome: str
    reasons: str
    balances: str


class _Tried(msgspec.Struct, frozen=True):
    """What the draft changes in one period."""

    heading: str
    changes: tuple[Change, ...]
    rest: str


def render_page(plan: Plan, draft: Draft, present: RuleTimeline, figures: Figures, opened_at: int) -> str:
    """The report of one draft of a finished run; `opened_at` (UTC ms) is when the run was begun."""
    found = figures.summary
    zone = zone_of(draft)
    compared = compare_rules(present, draft, plan.last_tick)
    rules = facts_of_rules(compared, present)
    day = last_day(zone, found.as_of)
    headline = _headline(plan, figures)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files(__package__) / TEMPLATE).read_text("utf-8"))
    return (
        template.render(
            found=found,
            draft=draft.name,
            others=[each.name for each in plan.drafts if each.name != draft.name],
            tried=_tried(zone, compared),
            more_times=max(0, len(compared) - MAX_TIMES),
            period=_periods(zone, compared),
            as_of=ending(zone, found.as_of),
            day=day,
            zone=zone.name,
            opened_at=moment(zone, opened_at),
            proof=_proof(plan, found),
            own_currency=load_published(draft.layers[-1].spans[0].published.text).currency,
            asked=_asked(plan),
            verdict=_verdict(found, day),
            currency=found.point_value.rpartition(" ")[2],
            figures=headline,
            has_long_figures=any(len(figure.value) > LONG_FIGURE * (1 + figure.is_wide) for figure in headline),
            charts=make_charts(plan, draft, figures),
            rules=[_rule_row(rule, found.point_value) for rule in found.rules],
            notes=notes(figures.all_causes, rules),
            winners=[_member(member, figures, rules) for member in found.winners],
            losers=[_member(member, figures, rules) for member in found.losers],
            not_said=not_said(plan, found),
            reading=reading_commands(found),
            publishing=publishing_command(),
        )
        + "\n"
    )


def _periods(zone: Zone, compared: Sequence[Compared]) -> str:
    """The time, or times, for which the draft was tried."""
    times: list[tuple[int, int]] = []
    for each in compared:
        if times and times[-1][1] == each.from_at:
            times[-1] = times[-1][0], each.until_at
        else:
            times.append((each.from_at, each.until_at))
    return "; ".join(period(zone, from_at, until_at) for from_at, until_at in times)


def _tried(zone: Zone, compared: Sequence[Compared]) -> list[_Tried]:
    """What differs, time by time; one time alone needs no heading of its own."""
    return [
        _Tried(
            heading=(f"{period(zone, each.from_at, each.until_at)}: " if len(compared) > 1 else "") + _versions(each),
            changes=each.changes,
            rest=each.rest,
        )
        for each in compared[:MAX_TIMES]
    ]


def _versions(compared: Compared) -> str:
    present = "" if compared.present is None else f"; the present rules are version {compared.present.version}"
    return f"The draft is version {compared.draft.version}{present}"


def _proof(plan: Plan, found: Summary) -> str:
    if found.is_proven:
        return "Check passed: deciding the present rules again gave exactly the points on record."
    if not plan.selection.is_everybody:
        return (
            "Not checked: only some members were decided again, and whether the present rules give exactly the points "
            "on record can only be checked for all of them together."
        )
    return (
        "Not checked: the books keep nothing with which the points on record up to there could be compared, so it is "
        "not proven that the present rules give exactly these."
    )


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


def _verdict(found: Summary, day: str) -> str:
    if not found.changes_anything:
        return f"Nothing would have been otherwise for any of {counted(found.accounts, 'member')}."
    less, more = found.down, found.up
    if less or more:
        of = f"of {counted(found.accounts, 'member')}"
        fewer, extra = (f"{each:,} ({share(each, found.accounts)})" if each else "none" for each in (less, more))
        who = f"With the draft, {fewer} {of} would have had fewer points on {day}; {extra} would have had more."
    else:
        who = f"With the draft, every member would have had as many points on {day}, but some with another expiry."
    return f"{who} {_liability_moves(found)}"


def _liability_moves(found: Summary) -> str:
    change = found.balance_after - found.balance_before
    if not change:
        return "The liability would have been the same."
    part = f" ({share(abs(change), found.balance_before)})" if found.balance_before > 0 else ""
    worth = f", worth {worth_of(abs(change), found.point_value)}" if found.point_value else ""
    return (
        f"The liability would have been {counted(abs(change), 'point')}{part} {'higher' if change > 0 else 'lower'}"
        f"{worth}."
    )


def _headline(plan: Plan, figures: Figures) -> list[_Figure]:
    found = figures.summary
    untouched = found.accounts - found.members
    alike = found.members - found.up - found.down
    same = f"; {alike:,} more have the same balance" if alike else ""
    shown = []
    if found.down:
        shown.append(
            _Figure(
                "Average loss",
                counted(figures.losses.average, "point"),
                f"among those who lose{_middle(figures.losses)}",
            )
        )
    if found.up:
        shown.append(
            _Figure(
                "Average gain", counted(figures.gains.average, "point"), f"among those who gain{_middle(figures.gains)}"
            )
        )
    decisions = sum(cut.postings for cut in plan.cuts)
    of_all = f"of {counted(decisions, 'decision')} on record" if plan.selection.is_everybody else ""
    shown += [
        _Figure(
            "Members not affected", f"{untouched:,}", f"of {found.accounts:,}; {share(untouched, found.accounts)}{same}"
        ),
        _Figure("Purchases and other facts that earn otherwise", f"{figures.facts:,}", of_all),
        _Figure(
            "Liability, in points",
            f"{minus(f'{found.balance_before:,}')} → {minus(f'{found.balance_after:,}')}",
            "present rules → draft",
            is_wide=True,
        ),
    ]
    if found.point_value:
        shown.append(_Figure("Worth of the change", minus(found.cost), f"at {found.point_value} a point"))
    else:
        shown.append(_Figure("Worth of the change", "not known", "no value of a point was given to this run"))
    return shown


def _middle(spread: Spread) -> str:
    return "" if spread.median is None else f"; median {spread.median:,}"


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


def _member(member: MemberDifference, figures: Figures, rules: Mapping[str, RuleFacts]) -> _Member:
    found = figures.summary
    change = member.balance_after - member.balance_before
    worth = f", worth {minus(worth_of(change, found.point_value))}" if found.point_value else ""
    before, after = (minus(f"{balance:,}") for balance in (member.balance_before, member.balance_after))
    return _Member(
        outcome=outcome(member),
        reasons=reasons(figures.causes[member.member_id], rules),
        balances=f"balance {before} → {after} points{worth}",
    )
