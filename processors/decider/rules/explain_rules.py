"""Says of every rule of a ruleset whether it takes part in a fact, and if not, the first condition that fails."""

from __future__ import annotations

from typing import Any

import msgspec

from processors.decider.local_time import Moment, Zone, iso_day
from processors.decider.rules.condition_functions import compile_active, compile_lines, compile_when
from processors.decider.rules.ruleset import (
    Active,
    EarningRule,
    FixedRule,
    LineConditions,
    MultiplierRule,
    NumberCondition,
    ReferralRule,
    Rule,
    Ruleset,
    SpendRule,
    StreakRule,
    TextCondition,
    When,
)
from schemas.facts import CheckedIn, ContentShared, MemberFact, PurchaseRecorded, RefereePurchased, ReviewSubmitted

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SUMMED = frozenset({"amount_minor", "quantity_milli"})
_ON_TYPES = {"purchase": PurchaseRecorded, "check_in": CheckedIn, "share": ContentShared, "review": ReviewSubmitted}


class Considered(msgspec.Struct, frozen=True):
    """One rule and one fact: `takes_part` False says in `because` the first condition that did not hold."""

    rule_id: str
    kind: str
    takes_part: bool
    because: str


def consider(ruleset: Ruleset, zone: Zone, fact: MemberFact) -> list[Considered]:
    """Every rule of the ruleset, in the order of the file. Limits and earlier payments are not looked at here."""
    moment = Moment(zone, fact.occurred_at)
    return [_consider(ruleset, zone, rule, fact, moment) for rule in ruleset.rules]


def _consider(ruleset: Ruleset, zone: Zone, rule: Rule, fact: MemberFact, moment: Moment) -> Considered:
    problem = _first_problem(ruleset, zone, rule, fact, moment)
    return Considered(rule.id, rule.kind, problem is None, problem or "all its conditions hold")


def _first_problem(ruleset: Ruleset, zone: Zone, rule: Rule, fact: MemberFact, moment: Moment) -> str | None:
    targets: list[EarningRule] = []
    if isinstance(rule, MultiplierRule):
        wanted = ruleset.multiplied(rule)
        targets.extend(
            other
            for other in ruleset.rules
            if not isinstance(other, MultiplierRule) and other.id in wanted and isinstance(fact, _counted_type(other))
        )
        if not targets:
            return f"none of the rules it multiplies ({', '.join(wanted)}) counts a {type(fact).__name__}"
    elif not isinstance(fact, _counted_type(rule)):
        return f"it counts {_counted_type(rule).__name__}, this is {type(fact).__name__}"
    currency = getattr(fact, "currency", None)
    if currency is not None and currency != ruleset.currency:
        return f"the currency is {currency}, the programme's is {ruleset.currency}"
    return (
        _inactive(rule.active, zone, moment)
        or (None if isinstance(rule, ReferralRule) else _unmet(rule.when, fact))
        or _no_line(ruleset, rule, fact)
        or (_unsettled(rule, fact) if isinstance(rule, ReferralRule) else None)
    )


def _counted_type(rule: EarningRule) -> type:
    if isinstance(rule, FixedRule):
        return _ON_TYPES[rule.on]
    if isinstance(rule, SpendRule):
        return PurchaseRecorded
    return CheckedIn if isinstance(rule, StreakRule) else RefereePurchased


def _inactive(active: Active | None, zone: Zone, moment: Moment) -> str | None:
    if active is None:
        return None
    for name in type(active).model_fields:
        part = getattr(active, name)
        if part is None:
            continue
        test = compile_active(Active.model_validate({name: part}), zone)
        if test is not None and not test(moment):
            shown = f"{_WEEKDAYS[moment.weekday]} {iso_day(moment.day)}, {moment.local:%H:%M} local time"
            return f"it is not active then: `{name.rstrip('_')}` does not hold on {shown}"
    return None


def _unmet(when: When | None, fact: MemberFact) -> str | None:
    if when is None:
        return None
    for name in when.asked():
        parts: dict[str, Any] = {name: getattr(when, name)}
        if name == "attributes":
            for key, condition in when.attributes.items():
                test = compile_when(When.model_validate({"attributes": {key: condition}}))
                if test is not None and not test(fact):
                    actual = getattr(fact, "attributes", {}).get(key, "")
                    return f"attribute `{key}` is {actual!r}, it asks for {_asked(condition)}"
            continue
        test = compile_when(When.model_validate(parts))
        if test is not None and not test(fact):
            return f"`{name}` {_actual(fact, name)}, it asks for {_asked(parts[name])}"
    return None


def _actual(fact: MemberFact, name: str) -> str:
    if isinstance(fact, PurchaseRecorded) and name in _SUMMED:
        return f"of the whole order is {sum(getattr(line, name) for line in fact.lines)}"
    value = getattr(fact, name, None)
    return "is not given" if value is None else f"is {value!r}"


def _no_line(ruleset: Ruleset, rule: Rule, fact: MemberFact) -> str | None:
    if not isinstance(fact, PurchaseRecorded) or not isinstance(rule, SpendRule | FixedRule | MultiplierRule):
        return None
    excluded = compile_lines(ruleset.exclude_lines)
    left = [line for line in fact.lines if excluded is None or not excluded(line)]
    if not left:
        return "no line is left: the programme excludes all of them"
    wanted, unwanted = compile_lines(rule.lines), compile_lines(rule.exclude_lines)
    matching = [line for line in left if wanted is None or wanted(line)]
    if not matching:
        return f"no line matches its `lines`: {_lines_asked(rule.lines)}"
    if unwanted is not None and all(unwanted(line) for line in matching):
        return f"its `exclude_lines` leaves no line: {_lines_asked(rule.exclude_lines)}"
    return None


def _unsettled(rule: ReferralRule, fact: MemberFact) -> str | None:
    if not isinstance(fact, RefereePurchased):
        return None
    if fact.claim_rank not in rule.claim_ranks:
        return f"the claim is number {fact.claim_rank} on this referee, it pays {list(rule.claim_ranks)}"
    if fact.amount_minor < rule.min_amount_minor:
        return f"the order's total is {fact.amount_minor}, it asks for at least {rule.min_amount_minor}"
    if rule.new_members and fact.purchase_rank != 1:
        return f"it pays new members only, and this is purchase {fact.purchase_rank} of the referee"
    return None


def _lines_asked(lines: LineConditions | None) -> str:
    if lines is None:
        return "any"
    return ", ".join(f"`{name}` {_asked(getattr(lines, name))}" for name in lines.asked())


def _asked(condition: TextCondition | NumberCondition) -> str:
    if isinstance(condition, NumberCondition):
        if condition.min == condition.max:
            return str(condition.min)
        parts = [f"at least {condition.min}"] if condition.min is not None else []
        parts += [f"at most {condition.max}"] if condition.max is not None else []
        return " and ".join(parts)
    parts = [] if condition.any_of is None else [f"one of {_listed(condition.any_of)}"]
    parts += [] if condition.not_in is None else [f"none of {_listed(condition.not_in)}"]
    return " and ".join(parts)


def _listed(values: tuple[str, ...]) -> str:
    shown = ", ".join(repr(value) for value in values[:5])
    return f"{shown} and {len(values) - 5} more" if len(values) > 5 else shown
