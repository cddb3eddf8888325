"""What a matching rule is worth before limits: basis × factor × rate, exactly, then rounded once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from processors.decider.arithmetic import exact_text
from processors.decider.calendar import Moment
from processors.decider.conditions import FactTest, LineTest, MomentTest
from processors.decider.limits import CompiledLimit
from processors.decider.streaks import StreakTable
from schemas.facts import PurchaseLine
from schemas.posting import Factor

MAX_FACTORS_KEPT: Final = 1024
_NO_FACTOR: Final = (1, 1)


@dataclass(frozen=True, slots=True)
class CompiledMultiplier:
    """A multiplier, ready to ask whether it takes part and on which lines."""

    rule_id: str
    factor: Fraction
    text: str
    matches: FactTest | None
    active: MomentTest | None
    line_counts: LineTest | None

    def takes_part(self, fact: Any, moment: Moment) -> bool:
        """Whether it multiplies anything of this fact."""
        return (self.active is None or self.active(moment)) and (self.matches is None or self.matches(fact))


@dataclass(frozen=True, slots=True)
class ReferralTerms:
    """What a referral rule asks and pays."""

    referrer_points: int
    referee_points: int
    min_amount_minor: int
    claim_ranks: frozenset[int]
    new_members: bool


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """An earning rule, ready to be asked; `rate` is points per unit of the basis."""

    rule_id: str
    kind: str
    rate: Fraction
    rate_text: str
    unit: str
    basis: Callable[[PurchaseLine], int] | None
    matches: FactTest | None
    active: MomentTest | None
    line_counts: LineTest | None
    rounding: str
    round_whole: Callable[[int, int], int]
    round_per_line: bool
    stacking: str
    multipliers: tuple[CompiledMultiplier, ...]
    limits: tuple[CompiledLimit, ...]
    expires_at: Callable[[Moment], int | None]
    streak: StreakTable | None
    referral: ReferralTerms | None
    combined: dict[tuple[str, ...], tuple[int, int]]

    def applies(self, fact: Any, moment: Moment) -> bool:
        """Whether the rule's conditions on the whole fact and its moment hold."""
        return (self.active is None or self.active(moment)) and (self.matches is None or self.matches(fact))


@dataclass(frozen=True, slots=True)
class Worth:
    """One rule's result before limits: exact is `numerator`/`denominator`."""

    rule: CompiledRule
    basis: int
    rate_text: str
    numerator: int
    denominator: int
    rounded: int
    factors: tuple[Factor, ...]

    @property
    def exact(self) -> str:
        """The unrounded result as text."""
        return exact_text(self.numerator, self.denominator)


def worth_of_lines(rule: CompiledRule, lines: list[PurchaseLine], fact: Any, moment: Moment) -> Worth:
    """What a rule that counts by line is worth for the lines that count (at least one)."""
    if rule.basis is None:
        raise AssertionError(f"rule {rule.rule_id} does not count by line")
    taking = [m for m in rule.multipliers if m.takes_part(fact, moment)]
    if not taking and not rule.round_per_line:
        basis = sum(map(rule.basis, lines))
        return _worth(rule, basis, basis, 1, ())
    total = numerator = rounded = 0
    denominator = 1
    reached = [0] * len(taking)
    parts: dict[tuple[str, ...], int] = {}
    for line in lines:
        amount = rule.basis(line)
        total += amount
        hit = _hit(taking, line, amount, reached)
        parts[hit] = parts.get(hit, 0) + amount
        if rule.round_per_line:
            over, under = _combined(rule, taking, hit)
            rounded += rule.round_whole(amount * over * rule.rate.numerator, under * rule.rate.denominator)
    for hit, amount in parts.items():
        over, under = _combined(rule, taking, hit)
        numerator, denominator = numerator * under + amount * over * denominator, denominator * under
    factors = tuple(Factor(m.rule_id, m.text, n) for m, n in zip(taking, reached, strict=True) if n)
    whole = _worth(rule, total, numerator, denominator, factors)
    if not rule.round_per_line:
        return whole
    return Worth(rule, whole.basis, whole.rate_text, whole.numerator, whole.denominator, rounded, factors)


def worth_of_event(rule: CompiledRule, points: Fraction, rate_text: str, fact: Any, moment: Moment) -> Worth:
    """What a rule that counts the fact as one event is worth at `points` before factors."""
    taking = [m for m in rule.multipliers if m.takes_part(fact, moment)]
    over, under = _combined(rule, taking, tuple(m.rule_id for m in taking))
    factors = tuple(Factor(m.rule_id, m.text, 1) for m in taking)
    numerator = over * points.numerator
    denominator = under * points.denominator
    return Worth(rule, 1, rate_text, numerator, denominator, rule.round_whole(numerator, denominator), factors)


def _worth(rule: CompiledRule, basis: int, over: int, under: int, factors: tuple[Factor, ...]) -> Worth:
    numerator, denominator = over * rule.rate.numerator, under * rule.rate.denominator
    rounded = rule.round_whole(numerator, denominator)
    return Worth(rule, basis, rule.rate_text, numerator, denominator, rounded, factors)


def _hit(taking: list[CompiledMultiplier], line: PurchaseLine, amount: int, reached: list[int]) -> tuple[str, ...]:
    hit: list[str] = []
    for index, multiplier in enumerate(taking):
        if multiplier.line_counts is None or multiplier.line_counts(line):
            hit.append(multiplier.rule_id)
            reached[index] += amount
    return tuple(hit)


def _combined(rule: CompiledRule, taking: list[CompiledMultiplier], hit: tuple[str, ...]) -> tuple[int, int]:
    if not hit:
        return _NO_FACTOR
    known = rule.combined.get(hit)
    if known is None:
        if len(rule.combined) >= MAX_FACTORS_KEPT:
            rule.combined.clear()
        known = _stack(rule.stacking, [m.factor for m in taking if m.rule_id in hit])
        rule.combined[hit] = known
    return known


def _stack(stacking: str, factors: list[Fraction]) -> tuple[int, int]:
    if stacking == "best":
        result = max(factors)
    elif stacking == "add":
        result = max(Fraction(0), 1 + sum((factor - 1 for factor in factors), Fraction(0)))
    else:
        result = Fraction(1)
        for factor in factors:
            result *= factor
    return result.numerator, result.denominator
