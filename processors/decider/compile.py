"""Compiles a ruleset, once per version, into functions that need no look-up of names per fact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Final

from processors.decider.arithmetic import ROUNDINGS, fraction_of
from processors.decider.calendar import EPOCH_ORDINAL, Moment, Zone, add_months, period_end
from processors.decider.conditions import LineTest, compile_active, compile_lines, compile_when
from processors.decider.limits import CompiledLimit
from processors.decider.ruleset import (
    EarningRule,
    Expiry,
    FixedExpiry,
    FixedRule,
    Limit,
    LineConditions,
    MultiplierRule,
    NoExpiry,
    ReferralRule,
    RollingExpiry,
    Ruleset,
    SpendRule,
    StreakRule,
)
from processors.decider.streaks import StreakTable
from processors.decider.worth import CompiledMultiplier, CompiledRule, ReferralTerms
from schemas.facts import (
    CheckedIn,
    ContentShared,
    MemberFact,
    PurchaseLine,
    PurchaseRecorded,
    RefereePurchased,
    ReviewSubmitted,
)

MAX_EXPIRIES_KEPT: Final = 4096
_ON_TYPES: Final = {
    "purchase": PurchaseRecorded,
    "check_in": CheckedIn,
    "share": ContentShared,
    "review": ReviewSubmitted,
}


@dataclass(frozen=True, slots=True)
class CompiledRuleset:
    """A ruleset version in force: its zone and its rules by kind of fact, in the order of the file."""

    version: str
    ruleset_hash: str
    semantics: int
    zone: Zone
    currency: str
    excluded: LineTest | None
    purchase_rules: tuple[CompiledRule, ...]
    rules_by_type: dict[type, tuple[CompiledRule, ...]]

    def rules_for(self, fact: MemberFact) -> tuple[CompiledRule, ...]:
        """The rules that can earn on this kind of fact."""
        return self.rules_by_type.get(type(fact), ())

    def counted_lines(self, fact: PurchaseRecorded) -> list[PurchaseLine]:
        """The lines that the programme does not exclude."""
        excluded = self.excluded
        if excluded is None:
            return list(fact.lines)
        return [line for line in fact.lines if not excluded(line)]


def compile_ruleset(ruleset: Ruleset, ruleset_hash: str, semantics: int, zone: Zone) -> CompiledRuleset:
    """Compile a validated ruleset against the zone data that was published with it."""
    limits = {limit.id: _compile_limit(limit) for limit in ruleset.limits}
    rules: dict[type, list[CompiledRule]] = {}
    for rule in ruleset.rules:
        if not isinstance(rule, MultiplierRule):
            rules.setdefault(_fact_type(rule), []).append(_compile_rule(ruleset, rule, limits, zone))
    by_type = {kind: tuple(compiled) for kind, compiled in rules.items()}
    return CompiledRuleset(
        version=ruleset.version,
        ruleset_hash=ruleset_hash,
        semantics=semantics,
        zone=zone,
        currency=ruleset.currency,
        excluded=compile_lines(ruleset.exclude_lines),
        purchase_rules=by_type.get(PurchaseRecorded, ()),
        rules_by_type=by_type,
    )


def _fact_type(rule: EarningRule) -> type:
    if isinstance(rule, FixedRule):
        return _ON_TYPES[rule.on]
    if isinstance(rule, SpendRule):
        return PurchaseRecorded
    return CheckedIn if isinstance(rule, StreakRule) else RefereePurchased


def _compile_limit(limit: Limit) -> CompiledLimit:
    return CompiledLimit(limit.id, limit.per, limit.points, limit.times, limit.each, limit.when_reached == "refuse")


def _compile_rule(ruleset: Ruleset, rule: EarningRule, limits: dict[str, CompiledLimit], zone: Zone) -> CompiledRule:
    rate, rate_text, unit, basis = _rate(rule)
    rounding = rule.rounding or ruleset.rounding
    counted = rule if isinstance(rule, SpendRule | FixedRule) else None
    return CompiledRule(
        rule_id=rule.id,
        kind=rule.kind,
        rate=rate,
        rate_text=rate_text,
        unit=unit,
        basis=basis,
        matches=None if isinstance(rule, ReferralRule) else compile_when(rule.when),
        active=compile_active(rule.active, zone),
        line_counts=None if counted is None else _lines_test(counted.lines, counted.exclude_lines),
        rounding=rounding,
        round_whole=ROUNDINGS[rounding],
        round_per_line=counted is not None and counted.round_per == "line",
        stacking=ruleset.stacking,
        multipliers=tuple(
            _compile_multiplier(other, zone)
            for other in ruleset.rules
            if isinstance(other, MultiplierRule) and _multiplies(other, rule)
        ),
        limits=tuple(limits[limit_id] for limit_id in rule.limits),
        expires_at=_compile_expiry(rule.expiry or ruleset.expiry, zone),
        streak=_streak_table(rule) if isinstance(rule, StreakRule) else None,
        referral=_referral_terms(rule) if isinstance(rule, ReferralRule) else None,
        combined={},
    )


def _rate(rule: EarningRule) -> tuple[Fraction, str, str, Callable[[PurchaseLine], int] | None]:
    """Points per unit of the basis, as a fraction and as text; the unit; and the basis of a line (None: the event)."""
    if isinstance(rule, SpendRule):
        return fraction_of(rule.points) / rule.per_minor, f"{rule.points:f}/{rule.per_minor}", "minor", _amount_minor
    if isinstance(rule, FixedRule):
        points = fraction_of(rule.points)
        if rule.per == "unit":
            return points / 1000, f"{rule.points:f}/1000", "milli", _quantity_milli
        return points, f"{rule.points:f}", rule.per, _one if rule.per == "line" else None
    return Fraction(1), "1", "day" if isinstance(rule, StreakRule) else "event", None


def _amount_minor(line: PurchaseLine) -> int:
    return line.amount_minor


def _quantity_milli(line: PurchaseLine) -> int:
    return line.quantity_milli


def _one(_: PurchaseLine) -> int:
    return 1


def _multiplies(multiplier: MultiplierRule, rule: EarningRule) -> bool:
    if multiplier.applies_to is None:
        return isinstance(rule, SpendRule)
    return rule.id in multiplier.applies_to


def _compile_multiplier(rule: MultiplierRule, zone: Zone) -> CompiledMultiplier:
    return CompiledMultiplier(
        rule_id=rule.id,
        factor=fraction_of(rule.factor),
        text=f"{rule.factor:f}",
        matches=compile_when(rule.when),
        active=compile_active(rule.active, zone),
        line_counts=_lines_test(rule.lines, rule.exclude_lines),
    )


def _lines_test(lines: LineConditions | None, exclude_lines: LineConditions | None) -> LineTest | None:
    wanted, unwanted = compile_lines(lines), compile_lines(exclude_lines)
    if unwanted is None:
        return wanted
    if wanted is None:
        return lambda line: not unwanted(line)
    return lambda line: wanted(line) and not unwanted(line)


def _streak_table(rule: StreakRule) -> StreakTable:
    bonuses = {step.day: fraction_of(step.bonus) for step in rule.steps}
    return StreakTable(fraction_of(rule.daily), bonuses, max(bonuses, default=0), rule.beyond, rule.grace_days)


def _referral_terms(rule: ReferralRule) -> ReferralTerms:
    return ReferralTerms(
        rule.referrer_points,
        rule.referee_points,
        rule.min_amount_minor,
        frozenset(rule.claim_ranks),
        rule.new_members,
    )


def _compile_expiry(expiry: Expiry, zone: Zone) -> Callable[[Moment], int | None]:
    if isinstance(expiry, NoExpiry):
        return lambda _: None
    known: dict[int, int] = {}

    def expires_at(moment: Moment) -> int:
        instant = known.get(moment.day)
        if instant is None:
            if len(known) >= MAX_EXPIRIES_KEPT:
                known.clear()
            last = _last_day(expiry, date.fromordinal(moment.day + EPOCH_ORDINAL))
            instant = zone.midnight(last.toordinal() - EPOCH_ORDINAL + 1)
            known[moment.day] = instant
        return instant

    return expires_at


def _last_day(expiry: FixedExpiry | RollingExpiry, when: date) -> date:
    if isinstance(expiry, FixedExpiry):
        return expiry.on
    later = when + timedelta(days=expiry.days) if expiry.days is not None else add_months(when, expiry.months or 0)
    return period_end(later, expiry.round_up_to)
