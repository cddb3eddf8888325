"""Says of every rule of a ruleset whether it takes part in a fact, and if not, the first condition that fails."""

import msgspec

from processors.decider.fields.condition_source import ORDER_SUMS, first_unmet, line_function, line_test
from processors.decider.fields.conditions import LineConditions
from processors.decider.kinds.rule import AnyRule, EarningRule
from processors.decider.local_day import term
from processors.decider.local_time import LocalMoment, Zone, iso_day
from processors.decider.rules.ruleset import Ruleset
from schemas.facts import MemberFact, PurchaseLine, PurchaseRecorded

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Considered(msgspec.Struct, frozen=True):
    """One rule and one fact: `takes_part` False says in `because` the first condition that did not hold.

    `unpaid` is what to say where a rule takes part and yet nothing was worked out; empty for a rule that pays nothing.
    """

    rule_id: str
    kind: str
    takes_part: bool
    because: str
    unpaid: str


def consider(ruleset: Ruleset, zone: Zone, fact: MemberFact) -> list[Considered]:
    """Every rule of the ruleset, in the order of the file. Limits and earlier payments are not looked at here."""
    moment = LocalMoment(zone, fact.occurred_at)
    considered: list[Considered] = []
    for rule in ruleset.rules:
        problem = _first_problem(ruleset, zone, rule, fact, moment)
        unpaid = rule.unpaid if isinstance(rule, EarningRule) else ""
        because = problem or "all its conditions hold"
        considered.append(Considered(rule.id, rule.kind, not problem, because, unpaid))
    return considered


def _first_problem(ruleset: Ruleset, zone: Zone, rule: AnyRule, fact: MemberFact, moment: LocalMoment) -> str | None:
    not_counted = rule.not_counted(fact, ruleset.rules)
    if not_counted:
        return not_counted
    currency = getattr(fact, "currency", None)
    if currency is not None and currency != ruleset.currency:
        return f"the currency is {currency}, the programme's is {ruleset.currency}"
    unmet = term(0, rule.active, zone).unmet_at(moment)
    if unmet:
        shown = f"{_WEEKDAYS[moment.weekday]} {iso_day(moment.day)}, {moment.local:%H:%M} local time"
        return f"it is not active then: `{unmet}` does not hold on {shown}"
    if not isinstance(fact, PurchaseRecorded):
        return first_unmet(rule.tests(), fact, ())
    # Where no line counts, what their sum should have been says little.
    of_lines = [test for test in rule.tests() if test.value in ORDER_SUMS]
    of_fact = [test for test in rule.tests() if test.value not in ORDER_SUMS]
    lines, no_line = _counting(ruleset, rule, fact)
    return first_unmet(of_fact, fact, lines) or no_line or first_unmet(of_lines, fact, lines)


def _counting(ruleset: Ruleset, rule: AnyRule, fact: PurchaseRecorded) -> tuple[list[PurchaseLine], str]:
    """The lines that count for a rule; and why they cannot make it pay, or ""."""
    lines = [line for line in fact.lines if not _matches(ruleset.exclude_lines, line)]
    if not lines:
        return lines, "no line is left: the programme excludes all of them"
    wanted, unwanted = rule.lines_asked()
    if wanted is not None:
        lines = [line for line in lines if _matches(wanted, line)]
        if not lines:
            return lines, f"no line matches its `lines`: {_lines_asked(wanted)}"
    if unwanted is not None:
        lines = [line for line in lines if not _matches(unwanted, line)]
        if not lines:
            return lines, f"its `exclude_lines` leaves no line: {_lines_asked(unwanted)}"
    return lines, rule.not_paid_for(lines)


def _matches(conditions: LineConditions | None, line: PurchaseLine) -> bool:
    return conditions is not None and line_function(line_test(conditions, None))(line)


def _lines_asked(lines: LineConditions) -> str:
    return ", ".join(f"`{name}` {getattr(lines, name)}" for name in lines.asked())
