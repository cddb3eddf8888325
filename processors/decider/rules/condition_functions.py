"""Turns declared conditions into plain functions, once per ruleset version."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from operator import attrgetter
from typing import Any, Final

from processors.decider.account import FAR_FUTURE
from processors.decider.local_time import Moment, Zone
from processors.decider.rules.ruleset import Active, LineConditions, NumberCondition, TextCondition, When
from schemas.facts import PurchaseLine, PurchaseRecorded, order_total_minor

FactTest = Callable[[Any], bool]
LineTest = Callable[[PurchaseLine], bool]
MomentTest = Callable[[Moment], bool]


def _quantity_milli(fact: PurchaseRecorded) -> int:
    return sum(line.quantity_milli for line in fact.lines)


# Order-level numbers of a purchase are sums over all its lines; every other field is the fact's own.
_SUMS: Final[dict[str, Callable[[Any], int]]] = {
    "amount_minor": order_total_minor,
    "quantity_milli": _quantity_milli,
}


def compile_when(when: When | None) -> FactTest | None:
    """A test of the whole fact, or None where nothing is asked."""
    if when is None:
        return None
    tests: list[FactTest] = []
    for name, condition in when.texts().items():
        tests.append(_text_test(attrgetter(name), condition))
    for name, bounds in when.numbers().items():
        tests.append(_number_test(_SUMS.get(name, attrgetter(name)), bounds))
    for name, condition in when.attributes.items():
        tests.append(_text_test(_attribute(name), condition))
    return all_of(tests)


def compile_lines(lines: LineConditions | None) -> LineTest | None:
    """A test of one purchase line, or None where nothing is asked."""
    if lines is None:
        return None
    tests: list[FactTest] = []
    for name, condition in lines.texts().items():
        tests.append(_text_test(attrgetter(name), condition))
    for name, bounds in lines.numbers().items():
        tests.append(_number_test(attrgetter(name), bounds))
    return all_of(tests)


def _text_test(get: Callable[[Any], str], condition: TextCondition) -> FactTest:
    """Any of some values, none of some values, or both."""
    unwanted = frozenset(condition.not_in or ())
    if condition.any_of is None:
        return lambda fact: get(fact) not in unwanted
    chosen = frozenset(condition.any_of) - unwanted
    return lambda fact: get(fact) in chosen


def _number_test(get: Callable[[Any], int | None], condition: NumberCondition) -> FactTest:
    """Between min and max, both inclusive; a number that was not given never matches."""
    low = -1 if condition.min is None else condition.min
    high = FAR_FUTURE if condition.max is None else condition.max

    def between(fact: Any) -> bool:
        value = get(fact)
        return value is not None and low <= value <= high

    return between


def compile_active(active: Active | None, zone: Zone) -> MomentTest | None:
    """A test of the fact's moment in local time, or None where a rule is always active."""
    if active is None:
        return None
    tests: list[MomentTest] = []
    if active.from_ is not None:
        tests.append(_not_before(zone, active.from_))
    if active.until is not None:
        tests.append(_before(zone, active.until))
    if active.weekdays is not None:
        weekdays = frozenset(active.weekdays)
        tests.append(lambda moment: moment.weekday in weekdays)
    if active.days_of_month is not None:
        days = frozenset(active.days_of_month)
        tests.append(lambda moment: moment.local.day in days)
    if active.dates is not None:
        dates = frozenset(active.dates)
        tests.append(lambda moment: (moment.local.month, moment.local.day) in dates)
    if active.hours is not None:
        tests.append(_hours(active.hours.from_, active.hours.until))
    return all_of(tests)


def all_of(tests: list[Callable[[Any], bool]]) -> Callable[[Any], bool] | None:
    """One test that holds where all hold; None for no tests."""
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    return lambda value: all(test(value) for test in tests)


def _attribute(name: str) -> Callable[[Any], str]:
    return lambda fact: fact.attributes.get(name, "")


def _not_before(zone: Zone, wall: datetime) -> MomentTest:
    start = zone.instant_of(wall)
    return lambda moment: moment.at >= start


def _before(zone: Zone, wall: datetime) -> MomentTest:
    end = zone.instant_of(wall)
    return lambda moment: moment.at < end


def _hours(start: time, end: time) -> MomentTest:
    first, last = start.hour * 60 + start.minute, end.hour * 60 + end.minute
    if first < last:
        return lambda moment: first <= moment.minute_of_day() < last
    return lambda moment: moment.minute_of_day() >= first or moment.minute_of_day() < last
