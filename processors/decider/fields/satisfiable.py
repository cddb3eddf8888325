"""Tells whether conditions can hold together, so that a rule which never pays is found before it is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from processors.decider.fields.condition_source import ORDER_SUMS
from processors.decider.fields.conditions import (
    MINUTES_A_DAY,
    Active,
    LineConditions,
    NumberCondition,
    TextCondition,
    When,
)
from processors.decider.fields.scalars import FIRST_YEAR, LAST_YEAR
from schemas.bounds import MAX_AMOUNT_MINOR, MAX_LINES, MAX_MEDIA, MAX_QUANTITY_MILLI, MAX_TEXT_LENGTH

# Long enough to meet every pairing of weekday and date, 29 February included, also across the year 2100.
MAX_DAYS_SEARCHED: Final = 41 * 366
_FIRST_DAY: Final = date(FIRST_YEAR, 1, 1)
_LAST_DAY: Final = date(LAST_YEAR, 12, 31)
_GREATEST: Final = {"rating": 10, "text_length": MAX_TEXT_LENGTH, "media_count": MAX_MEDIA}
_GREATEST_OF_LINE: Final = {"amount_minor": MAX_AMOUNT_MINOR, "quantity_milli": MAX_QUANTITY_MILLI}
_GREATEST_OF_ORDER: Final = {name: most * MAX_LINES for name, most in _GREATEST_OF_LINE.items()}


@dataclass(frozen=True, slots=True)
class Values:
    """A set of texts: those named, or (`excluded`) all but those named."""

    named: frozenset[str]
    excluded: bool = False

    def both(self, other: Values) -> Values:
        """What is in this set and in the other."""
        if self.excluded and other.excluded:
            return Values(self.named | other.named, excluded=True)
        if self.excluded:
            return Values(other.named - self.named)
        if other.excluded:
            return Values(self.named - other.named)
        return Values(self.named & other.named)

    def within(self, other: Values) -> bool:
        """Whether every value of this set is in the other."""
        if self.excluded:
            return other.excluded and other.named <= self.named
        return self.named.isdisjoint(other.named) if other.excluded else self.named <= other.named

    def is_empty(self) -> bool:
        """Whether no value is in it."""
        return not self.excluded and not self.named


@dataclass(frozen=True, slots=True)
class Range:
    """The whole numbers from `least` to `most`."""

    least: int
    most: int

    def both(self, other: Range) -> Range:
        """What is in this range and in the other."""
        return Range(max(self.least, other.least), min(self.most, other.most))

    def within(self, other: Range) -> bool:
        """Whether every number of this range is in the other."""
        return other.least <= self.least and self.most <= other.most

    def is_empty(self) -> bool:
        """Whether no number is in it."""
        return self.least > self.most


Sets = dict[str, Values | Range]


def asked_of_fact(when: When | None) -> Sets:
    """What `when` lets in, by field; attributes as `attributes.<name>`."""
    if when is None:
        return {}
    sets = _sets(when.texts(), when.numbers(), _GREATEST | _GREATEST_OF_ORDER)
    return sets | _sets({f"attributes.{name}": test for name, test in when.attributes.items()}, {}, {})


def asked_of_line(lines: LineConditions | None) -> Sets:
    """What `lines` or `exclude_lines` names, by field."""
    return {} if lines is None else _sets(lines.texts(), lines.numbers(), _GREATEST_OF_LINE)


def _sets(
    texts: Mapping[str, TextCondition], numbers: Mapping[str, NumberCondition], greatest: Mapping[str, int]
) -> Sets:
    sets: Sets = {}
    for name, text in texts.items():
        wanted = text.wanted()
        sets[name] = Values(frozenset(text.not_in or ()), excluded=True) if wanted is None else Values(wanted)
    for name, number in numbers.items():
        most = greatest[name]
        least = -most if name in ORDER_SUMS else 0  # amounts and quantities may be below 0
        sets[name] = Range(
            least if number.min is None else number.min, most if number.max is None else min(number.max, most)
        )
    return sets


def together(parts: Sequence[Sets]) -> Sets:
    """What all parts let in, field by field."""
    joined: Sets = {}
    for part in parts:
        for name, values in part.items():
            joined[name] = _both(joined[name], values) if name in joined else values
    return joined


def empty_field(sets: Sets) -> str | None:
    """The first field that can have no value, or None."""
    return next((name for name, values in sets.items() if values.is_empty()), None)


def is_covered(sets: Sets, excluded: Sets) -> bool:
    """Whether everything that `sets` lets in is excluded: `excluded` asks no more than `sets` ensures."""
    return bool(excluded) and all(name in sets and _within(sets[name], values) for name, values in excluded.items())


def _both(values: Values | Range, other: Values | Range) -> Values | Range:
    if isinstance(values, Values) and isinstance(other, Values):
        return values.both(other)
    if isinstance(values, Range) and isinstance(other, Range):
        return values.both(other)
    raise AssertionError("a field is either a text or a number")


def _within(values: Values | Range, other: Values | Range) -> bool:
    if isinstance(values, Values) and isinstance(other, Values):
        return values.within(other)
    return isinstance(values, Range) and isinstance(other, Range) and values.within(other)


def ever_active(parts: Sequence[Active]) -> bool:
    """Whether there is a minute at which all parts are active (clock changes apart)."""
    starts = [part.from_ for part in parts if part.from_ is not None]
    ends = [part.until for part in parts if part.until is not None]
    start = max(starts, default=datetime.combine(_FIRST_DAY, time()))
    end = min(ends, default=datetime.combine(_LAST_DAY, time()))
    if start >= end:
        return False
    return any(_active_minutes(day, parts, start, end) for day in _days(start.date(), end.date()))


def _days(first: date, last: date) -> Iterator[date]:
    for offset in range(min((last - first).days + 1, MAX_DAYS_SEARCHED)):
        yield first + timedelta(days=offset)


def _active_minutes(day: date, parts: Sequence[Active], start: datetime, end: datetime) -> bool:
    if not all(not part.unmet_on(day) for part in parts):
        return False
    midnight = datetime.combine(day, time())
    first = max(0, -((midnight - start) // timedelta(minutes=1)))
    last = min(MINUTES_A_DAY, -((midnight - end) // timedelta(minutes=1)))
    spans = [(first, last)]
    for part in parts:
        spans = [
            (max(here, low), min(there, high))
            for here, there in spans
            for low, high in (((0, MINUTES_A_DAY),) if part.hours is None else part.hours.minutes())
            if max(here, low) < min(there, high)
        ]
    return any(here < there for here, there in spans)
