"""Works out once for each local day: which rules are active, when points expire, what its periods are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from processors.decider.fields.conditions import MINUTES_A_DAY, Active
from processors.decider.fields.expiry_and_limit import Expiry, FixedExpiry, NoExpiry, RollingExpiry
from processors.decider.local_time import EPOCH_ORDINAL, LocalMoment, Zone, add_months, period_end, window_name

MAX_DAYS_KEPT: Final = 2_048
_MINUTE_MS: Final = 60_000
_BEGINNING: Final = -(2**62)
_END: Final = 2**62


@dataclass(frozen=True, slots=True)
class Term:
    """When one rule is active: on days for which `holds_on` says so, in some minutes, from one instant to another.

    `bit` (a power of two) stands for the rule in the sums of the rules that are active.
    """

    bit: int
    active: Active | None
    from_at: int
    until_at: int

    def holds_on(self, day: date) -> bool:
        """Whether the rule is active at some instant of a local day, as far as weekday and date go."""
        return self.active is None or not self.active.unmet_on(day)

    def meets(self, day: LocalDay) -> bool:
        """Whether some instant of the day is in the term; True of any day on which the clocks change."""
        return not day.until_at or (self.from_at < day.until_at and day.first_at < self.until_at)

    def covers(self, day: LocalDay) -> bool:
        """Whether all instants of the day surely are in the term."""
        return day.until_at > 0 and self.from_at <= day.first_at and day.until_at <= self.until_at

    def unmet_at(self, moment: LocalMoment) -> str:
        """Which field of `active` does not hold at a moment; empty if all of them do."""
        if self.active is None:
            return ""
        if moment.at < self.from_at:
            return "from"
        if moment.at >= self.until_at:
            return "until"
        in_hours = self.active.holds_in(moment.minute_of_day())
        return self.active.unmet_on(moment.local.date()) or ("" if in_hours else "hours")


def term(bit: int, active: Active | None, zone: Zone) -> Term:
    """The term of one rule in a zone."""
    if active is None:
        return Term(bit, None, _BEGINNING, _END)
    from_at = _BEGINNING if active.from_ is None else zone.instant_of(active.from_)
    until_at = _END if active.until is None else zone.instant_of(active.until)
    return Term(bit, active, from_at, until_at)


class LocalDay:
    """One local day under one ruleset: the rules active on it, and the expiry of points that are earned on it.

    `number` is in days since 1970. `first_at` to `until_at` (ms, half-open) are its instants; both are 0 for a day on
    which the clocks change, whose minutes cannot be counted from its beginning.
    """

    __slots__ = ("_windows", "active", "edges", "expiries", "first_at", "number", "places", "until_at")

    def __init__(self, number: int, steady: tuple[int, int], expiries: tuple[int | None, ...]) -> None:
        self.number = number
        self.first_at, self.until_at = steady
        self.expiries = expiries
        self.active = 0
        self.edges: tuple[Term, ...] = ()
        self._windows: dict[str, str] = {}
        # The windows of the limits that count all facts of the day together, by limit; limits are bounded, so is this.
        self.places: dict[str, tuple[str, str]] = {}

    def window(self, per: str) -> str:
        """The name of the calendar period around this day, such as "month:2026-11-01"."""
        known = self._windows.get(per)
        if known is None:
            known = self._windows[per] = window_name(self.number, per)
        return known


class RuleDays:
    """The days of one ruleset in its zone; `terms` of all rules, and each different expiry once."""

    def __init__(self, zone: Zone, terms: Sequence[Term], expiries: Sequence[Expiry]) -> None:
        self._zone = zone
        self._terms = terms
        self._expiries = expiries
        self._days: dict[int, LocalDay] = {}
        self._last = LocalDay(0, (0, 0), ())
        by_hour = any(each.active is not None and each.active.hours is not None for each in terms)
        minutes = range(MINUTES_A_DAY) if by_hour else ()
        # The rules active in each minute of a day; empty where no rule asks for the hour.
        self._minutes = tuple(
            sum(each.bit for each in terms if each.active is None or each.active.holds_in(minute)) for minute in minutes
        )

    def at(self, instant: int) -> tuple[LocalDay, int]:
        """The local day around an instant (ms), and the sum of the bits of the rules that are active at the instant."""
        day = self._last
        if not day.first_at <= instant < day.until_at:
            day = self._last = self._day_at(instant)
        active = day.active
        if self._minutes:
            minute = (instant - day.first_at) // _MINUTE_MS if day.until_at else self._minute(instant)
            active &= self._minutes[minute]
        for each in day.edges:
            if not each.from_at <= instant < each.until_at:
                active &= ~each.bit
        return day, active

    def _day_at(self, instant: int) -> LocalDay:
        number = self._zone.local(instant).toordinal() - EPOCH_ORDINAL
        known = self._days.get(number)
        if known is None:
            if len(self._days) >= MAX_DAYS_KEPT:
                self._days.clear()
            known = self._days[number] = self._day(number)
        return known

    def _minute(self, instant: int) -> int:
        local = self._zone.local(instant)
        return local.hour * 60 + local.minute

    def _day(self, number: int) -> LocalDay:
        when = date.fromordinal(number + EPOCH_ORDINAL)
        expiries = tuple(self._expires_at(expiry, when) for expiry in self._expiries)
        day = LocalDay(number, self._zone.steady_day(number), expiries)
        held = [each for each in self._terms if each.holds_on(when) and each.meets(day)]
        day.active = sum(each.bit for each in held)
        day.edges = tuple(each for each in held if not each.covers(day))
        return day

    def _expires_at(self, expiry: Expiry, when: date) -> int | None:
        if isinstance(expiry, NoExpiry):
            return None
        return self._zone.midnight(_last_day(expiry, when).toordinal() - EPOCH_ORDINAL + 1)


def _last_day(expiry: FixedExpiry | RollingExpiry, when: date) -> date:
    if isinstance(expiry, FixedExpiry):
        return expiry.on
    later = when + timedelta(days=expiry.days) if expiry.days is not None else add_months(when, expiry.months or 0)
    return period_end(later, expiry.round_up_to)
