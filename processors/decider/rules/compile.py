"""Compiles a ruleset, once per version, into one function per kind of fact and what these need beside the fact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from processors.decider.held_days import StreakTable
from processors.decider.limits import CompiledLimit
from processors.decider.local_time import Zone
from processors.decider.rounding import ROUNDINGS, fraction_of
from processors.decider.rules.condition_functions import LineTest, compile_lines
from processors.decider.rules.local_day import RuleDays, term
from processors.decider.rules.points import CompiledMultiplier, CompiledRule, worth_of_lines
from processors.decider.rules.ruleset import (
    EarningRule,
    Expiry,
    FixedRule,
    Limit,
    LineConditions,
    MultiplierRule,
    Ruleset,
    SpendRule,
    StreakRule,
)
from processors.decider.rules.source import NumberedMultiplier, NumberedRule, kind_of, kinds_of, ruleset_source
from schemas.entry_ids import claim_key
from schemas.facts import MemberFact, PurchaseLine, RulesetPublished
from schemas.generated import define
from schemas.posting import Reason

MAX_COMPILED_KEPT: Final = 16
# `earn(awards, account, fact, active)` has the awards pay, and gives the reason for nothing being paid if nothing is.
Earn = Callable[[Any, Any, Any, int], Reason]
_NAMES: Final[Mapping[str, Any]] = {
    "claim_key": claim_key,
    "worth_of_lines": worth_of_lines,
    "CLAIM_ALREADY_PAID": Reason.CLAIM_ALREADY_PAID,
    "DAY_ALREADY_PAID": Reason.DAY_ALREADY_PAID,
    "NO_RULE_MATCHED": Reason.NO_RULE_MATCHED,
    "OTHER_CURRENCY": Reason.OTHER_CURRENCY,
}


@dataclass(frozen=True, slots=True)
class CompiledRuleset:
    """A ruleset version in force: its days, its earning function by the type name of the fact, its rules.

    `source` is the text of these functions, for people.
    """

    version: str
    ruleset_hash: str
    semantics: int
    zone: Zone
    currency: str
    days: RuleDays
    earning: dict[str, Earn]
    rules_by_kind: dict[str, tuple[CompiledRule, ...]]
    source: str

    def rules_for(self, fact: MemberFact) -> tuple[CompiledRule, ...]:
        """The rules that can earn on this kind of fact, in the order of the file."""
        return self.rules_by_kind.get(type(fact).__name__, ())


@lru_cache(MAX_COMPILED_KEPT)
def compile_published(published: RulesetPublished, load: Callable[[str], Ruleset]) -> CompiledRuleset:
    """The compiled ruleset of a publication; all partitions of a process share it, and what it has worked out."""
    zone = Zone(published.timezone, published.tzif)
    return compile_ruleset(load(published.text), published.ruleset_hash, published.semantics, zone)


def compile_ruleset(ruleset: Ruleset, ruleset_hash: str, semantics: int, zone: Zone) -> CompiledRuleset:
    """Compile a validated ruleset against the zone data that was published with it."""
    multipliers = _number_multipliers(ruleset)
    rules = _number_rules(ruleset, multipliers)
    expiries = list(dict.fromkeys(_expiry(ruleset, each.rule) for each in rules))
    limits = {limit.id: _compile_limit(limit) for limit in ruleset.limits}
    names = dict(_NAMES)
    by_kind: dict[str, list[CompiledRule]] = {}
    for each in rules:
        expiry = expiries.index(_expiry(ruleset, each.rule))
        rule = _compile_rule(ruleset, each, multipliers, limits, expiry)
        names[f"rule_{each.number}"], names[f"worths_{each.number}"] = rule, rule.worths
        by_kind.setdefault(kind_of(each.rule), []).append(rule)
    source = ruleset_source(ruleset, rules, multipliers)
    define(f"ruleset {ruleset.programme} {ruleset.version} {ruleset_hash[:8]}", source, names)
    return CompiledRuleset(
        version=ruleset.version,
        ruleset_hash=ruleset_hash,
        semantics=semantics,
        zone=zone,
        currency=ruleset.currency,
        days=_days(zone, rules, multipliers, expiries),
        earning={kind: names[f"earn_{kind}"] for kind in kinds_of(rules)},
        rules_by_kind={kind: tuple(compiled) for kind, compiled in by_kind.items()},
        source=source,
    )


def nothing_earned(*_: object) -> Reason:
    """What a kind of fact earns that no rule counts."""
    return Reason.NO_RULE_MATCHED


def _number_multipliers(ruleset: Ruleset) -> list[NumberedMultiplier]:
    """Every multiplier with a bit of its own."""
    targets = {rule.id: kind_of(rule) for rule in ruleset.rules if not isinstance(rule, MultiplierRule)}
    found = [rule for rule in ruleset.rules if isinstance(rule, MultiplierRule)]
    return [
        NumberedMultiplier(rule, 1 << number, frozenset(targets[rule_id] for rule_id in ruleset.multiplied(rule)))
        for number, rule in enumerate(found)
    ]


def _number_rules(ruleset: Ruleset, multipliers: list[NumberedMultiplier]) -> list[NumberedRule]:
    """The earning rules; those that are not always active have a bit beyond the multipliers'."""
    earning = [rule for rule in ruleset.rules if not isinstance(rule, MultiplierRule)]
    numbered: list[NumberedRule] = []
    for number, rule in enumerate(earning):
        own = [each for each in multipliers if rule.id in ruleset.multiplied(each.rule)]
        numbered.append(
            NumberedRule(
                number=number,
                rule=rule,
                time_bit=1 << len(multipliers) + number if rule.active is not None else 0,
                multipliers=sum(each.bit for each in own),
                by_line=sum(each.bit for each in own if each.rule.lines or each.rule.exclude_lines),
                unit=_unit(rule),
            )
        )
    return numbered


def _days(
    zone: Zone, rules: list[NumberedRule], multipliers: list[NumberedMultiplier], expiries: list[Expiry]
) -> RuleDays:
    terms = [term(each.bit, each.rule.active, zone) for each in multipliers]
    terms += [term(each.time_bit, each.rule.active, zone) for each in rules if each.time_bit]
    return RuleDays(zone, terms, expiries)


def _expiry(ruleset: Ruleset, rule: EarningRule) -> Expiry:
    return rule.expiry or ruleset.expiry


def _compile_limit(limit: Limit) -> CompiledLimit:
    return CompiledLimit(limit.id, limit.per, limit.points, limit.times, limit.each, limit.when_reached == "refuse")


def _compile_rule(
    ruleset: Ruleset,
    numbered: NumberedRule,
    multipliers: list[NumberedMultiplier],
    limits: dict[str, CompiledLimit],
    expiry: int,
) -> CompiledRule:
    rule = numbered.rule
    rate, rate_text, basis = _rate(rule)
    rounding = rule.rounding or ruleset.rounding
    return CompiledRule(
        rule_id=rule.id,
        rate=rate,
        rate_text=rate_text,
        unit=numbered.unit,
        basis=basis,
        rounding=rounding,
        round_whole=ROUNDINGS[rounding],
        round_per_line=isinstance(rule, SpendRule | FixedRule) and rule.round_per == "line",
        stacking=ruleset.stacking,
        multipliers=tuple(_compile_multiplier(each) for each in multipliers if numbered.multipliers & each.bit),
        limits=tuple(limits[limit_id] for limit_id in rule.limits),
        expiry=expiry,
        streak=_streak_table(rule) if isinstance(rule, StreakRule) else None,
        worths={},
        combined={},
        cuts={},
    )


def _unit(rule: EarningRule) -> str:
    """What a rule counts, as it is recorded."""
    if isinstance(rule, SpendRule):
        return "minor"
    if isinstance(rule, FixedRule):
        return "milli" if rule.per == "unit" else rule.per
    return "day" if isinstance(rule, StreakRule) else "event"


def _rate(rule: EarningRule) -> tuple[Fraction, str, Callable[[PurchaseLine], int] | None]:
    """Points per unit of the basis, as a fraction and as text; and the basis of a line (None: the event)."""
    if isinstance(rule, SpendRule):
        return fraction_of(rule.points) / rule.per_minor, f"{rule.points:f}/{rule.per_minor}", _amount_minor
    if isinstance(rule, FixedRule):
        points = fraction_of(rule.points)
        if rule.per == "unit":
            return points / 1000, f"{rule.points:f}/1000", _quantity_milli
        return points, f"{rule.points:f}", _one if rule.per == "line" else None
    return Fraction(1), "1", None


def _amount_minor(line: PurchaseLine) -> int:
    return line.amount_minor


def _quantity_milli(line: PurchaseLine) -> int:
    return line.quantity_milli


def _one(_: PurchaseLine) -> int:
    return 1


def _compile_multiplier(numbered: NumberedMultiplier) -> CompiledMultiplier:
    rule = numbered.rule
    counts = _lines_test(rule.lines, rule.exclude_lines)
    return CompiledMultiplier(rule.id, numbered.bit, fraction_of(rule.factor), f"{rule.factor:f}", counts)


def _lines_test(lines: LineConditions | None, exclude_lines: LineConditions | None) -> LineTest | None:
    wanted, unwanted = compile_lines(lines), compile_lines(exclude_lines)
    if unwanted is None:
        return wanted
    if wanted is None:
        return lambda line: not unwanted(line)
    return lambda line: wanted(line) and not unwanted(line)


def _streak_table(rule: StreakRule) -> StreakTable:
    bonuses = {step.day: fraction_of(step.bonus) for step in rule.steps}
    return StreakTable(fraction_of(rule.daily), bonuses, max(bonuses, default=0), rule.beyond)
