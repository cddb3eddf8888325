"""Works out the points of a rule before limits: basis × factors × rate, exactly, then rounded."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

import msgspec

from processors.decider.fields.condition_source import LineTest
from processors.decider.limits import CompiledLimit
from processors.decider.rounding import exact_text
from schemas.facts import PurchaseLine
from schemas.posting import Factor, Working

MAX_FACTORS_KEPT: Final = 1_024
MAX_WORTHS_KEPT: Final = 4_096
MAX_CUTS_KEPT: Final = 1_024
_NO_FACTOR: Final = (1, 1)


class Counted(NamedTuple):
    """What a rule counts, and how many points one of it is worth before factors.

    `unit` and `rate_text` are as they are recorded. `of_line` counts one line of a purchase; None: the fact counts as
    one event. `points_of` gives the points where events differ in them, by the number that the rule's source passes.
    """

    unit: str
    rate: Fraction = Fraction(1)
    rate_text: str = "1"
    of_line: Callable[[PurchaseLine], int] | None = None
    round_per_line: bool = False
    points_of: Callable[[int], Fraction] | None = None


@dataclass(frozen=True, slots=True)
class CompiledMultiplier:
    """A multiplier of a rule; `bit` (a power of two) stands for it in the sum of those that take part in a fact."""

    rule_id: str
    bit: int
    factor: Fraction
    text: str
    line_counts: LineTest | None


# One rule's result before limits in whole points, with the arithmetic as it is recorded where nothing is cut.
Worth = tuple[int, Working]


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """An earning rule, ready to be counted.

    `expiry` is its place among the ruleset's expiries. `worths`, `combined` and `cuts` remember what was worked out
    before: a worth by the bits of the multipliers that take part, and the basis or what `points_of` is asked for.
    """

    rule_id: str
    counted: Counted
    rounding: str
    round_whole: Callable[[int, int], int]
    stacking: str
    multipliers: tuple[CompiledMultiplier, ...]
    limits: tuple[CompiledLimit, ...]
    expiry: int
    worths: dict[tuple[int, int], Worth]
    combined: dict[int, tuple[int, int]]
    cuts: dict[tuple[int, int, tuple[str, ...]], tuple[Working, Working]]

    def worth(self, taking: int, basis: int) -> Worth:
        """What a basis is worth as a whole, multiplied by all of `taking`."""
        return self._kept((taking, basis), self._whole(taking, basis, self.counted.rate, self.counted.rate_text))

    def worth_of_event(self, taking: int, asked: int) -> Worth:
        """What one event is worth where events differ in points: `asked` is the number that `points_of` takes."""
        if self.counted.points_of is None:
            raise AssertionError(f"every event that rule {self.rule_id} counts is worth the same")
        points = self.counted.points_of(asked)
        text = exact_text(points.numerator, points.denominator)
        return self._kept((taking, asked), self._whole(taking, 1, points, text))

    def cut(self, whole: Working, paid: int, limit_ids: tuple[str, ...]) -> Working:
        """The arithmetic of an award that limits have cut; the same cut of the same worth gives the same object."""
        key = (id(whole), paid, limit_ids)
        known = self.cuts.get(key)
        if known is not None and known[0] is whole:
            return known[1]
        if len(self.cuts) >= MAX_CUTS_KEPT:
            self.cuts.clear()
        cut = msgspec.structs.replace(whole, paid=paid, limit_ids=limit_ids)
        self.cuts[key] = (whole, cut)
        return cut

    def _kept(self, key: tuple[int, int], worth: Worth) -> Worth:
        if len(self.worths) >= MAX_WORTHS_KEPT:
            self.worths.clear()
        self.worths[key] = worth
        return worth

    def _whole(self, taking: int, basis: int, rate: Fraction, rate_text: str) -> Worth:
        over, under = _combined(self, taking)
        numerator, denominator = basis * over * rate.numerator, under * rate.denominator
        reached = [basis if taking & m.bit else 0 for m in self.multipliers]
        rounded, exact = self.round_whole(numerator, denominator), exact_text(numerator, denominator)
        return _recorded(self, basis, rate_text, exact=exact, rounded=rounded, reached=reached)


def worth_of_lines(rule: CompiledRule, lines: list[PurchaseLine], taking: int) -> Worth:
    """What lines (at least one) are worth one by one, as they are multiplied or rounded apart from each other.

    Lines below 0 take off what the others are worth, but no more than that.
    """
    counted = rule.counted
    if counted.of_line is None:
        raise AssertionError(f"rule {rule.rule_id} does not count by line")
    total = numerator = rounded = 0
    denominator = 1
    reached = [0] * len(rule.multipliers)
    parts: dict[int, int] = {}
    for line in lines:
        total += counted.of_line(line)
    if total <= 0:
        return _recorded(rule, 0, counted.rate_text, exact="0", rounded=0, reached=reached)
    for line in lines:
        amount = counted.of_line(line)
        hit = _hit(rule, taking, line, amount, reached)
        parts[hit] = parts.get(hit, 0) + amount
        if counted.round_per_line:
            over, under = _combined(rule, hit)
            above, below = abs(amount) * over * counted.rate.numerator, under * counted.rate.denominator
            rounded += rule.round_whole(above, below) if amount > 0 else -rule.round_whole(above, below)
    for hit, amount in parts.items():
        over, under = _combined(rule, hit)
        numerator, denominator = numerator * under + amount * over * denominator, denominator * under
    numerator, denominator = max(0, numerator) * counted.rate.numerator, denominator * counted.rate.denominator
    rounded = max(0, rounded) if counted.round_per_line else rule.round_whole(numerator, denominator)
    exact = exact_text(numerator, denominator)
    return _recorded(rule, total, counted.rate_text, exact=exact, rounded=rounded, reached=reached)


def _recorded(rule: CompiledRule, basis: int, rate_text: str, *, exact: str, rounded: int, reached: list[int]) -> Worth:
    """A worth with its arithmetic; `reached` is how much of the basis each multiplier has multiplied."""
    factors = tuple(Factor(m.rule_id, m.text, n) for m, n in zip(rule.multipliers, reached, strict=True) if n)
    working = Working(
        rule_id=rule.rule_id,
        basis=basis,
        unit=rule.counted.unit,
        rate=rate_text,
        exact=exact,
        rounded=rounded,
        paid=rounded,
        rounding=rule.rounding,
        factors=factors,
    )
    return rounded, working


def _hit(rule: CompiledRule, taking: int, line: PurchaseLine, amount: int, reached: list[int]) -> int:
    hit = 0
    for index, multiplier in enumerate(rule.multipliers):
        if taking & multiplier.bit and (multiplier.line_counts is None or multiplier.line_counts(line)):
            hit |= multiplier.bit
            reached[index] += amount
    return hit


def _combined(rule: CompiledRule, hit: int) -> tuple[int, int]:
    if not hit:
        return _NO_FACTOR
    known = rule.combined.get(hit)
    if known is None:
        if len(rule.combined) >= MAX_FACTORS_KEPT:
            rule.combined.clear()
        known = _stack(rule.stacking, [m.factor for m in rule.multipliers if hit & m.bit])
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
