"""Converts between instants and a programme's local time: days, periods, midnights; by zone data from the journal."""

from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Final
from zoneinfo import ZoneInfo

from schemas.bounds import DAY_MS

EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
MAX_MIDNIGHTS_KEPT: Final = 4096
_MINUTES: Final = 60


class Zone:
    """A time zone read from TZif bytes (never from the system)."""

    def __init__(self, name: str, tzif: bytes) -> None:
        self.name = name
        self._zone = ZoneInfo.from_file(BytesIO(tzif), key=name)
        self._midnights: dict[int, int] = {}

    def local(self, at: int) -> datetime:
        """The local wall clock at an instant (ms), to the second."""
        return datetime.fromtimestamp(at // 1000, self._zone)

    def instant_of(self, wall: datetime) -> int:
        """The first instant (ms) at which a local clock shows `wall` (naive), or has passed it where it is skipped."""
        early = _seconds(wall.replace(tzinfo=self._zone, fold=0))
        if datetime.fromtimestamp(early, self._zone).replace(tzinfo=None) == wall:
            return early * 1000
        # `wall` is skipped: fold=1 reads it with the offset after the change, which is an instant before the change.
        before, after = _seconds(wall.replace(tzinfo=self._zone, fold=1)), early
        while after - before > 1:
            middle = (before + after) // 2
            if datetime.fromtimestamp(middle, self._zone).replace(tzinfo=None) < wall:
                before = middle
            else:
                after = middle
        return after * 1000

    def midnight(self, day: int) -> int:
        """The first instant (ms) of a local day, given as days since 1970."""
        known = self._midnights.get(day)
        if known is None:
            if len(self._midnights) >= MAX_MIDNIGHTS_KEPT:
                self._midnights.clear()
            known = self.instant_of(datetime.combine(date.fromordinal(day + EPOCH_ORDINAL), time.min))
            self._midnights[day] = known
        return known

    def steady_day(self, day: int) -> tuple[int, int]:
        """The instants (ms, half-open) of a local day that has 24 hours and no change of the clocks; else (0, 0).

        It looks at the day's both ends, as no zone has changed its clocks twice within a day, and at the next day's
        beginning, because clocks that go back at midnight make a day of 25 hours whose first 24 look steady.
        """
        first = self.midnight(day)
        begin, end = self.local(first), self.local(first + DAY_MS - 1)
        at_midnight = begin.toordinal() == day + EPOCH_ORDINAL and _seconds_of_day(begin) == 0
        if not at_midnight or begin.utcoffset() != end.utcoffset() or self.midnight(day + 1) != first + DAY_MS:
            return (0, 0)
        return (first, first + DAY_MS)


def _seconds(moment: datetime) -> int:
    offset = moment.utcoffset()
    if offset is None:
        raise AssertionError("a moment in a zone has an offset")
    naive = moment.replace(tzinfo=None)
    return (naive.toordinal() - EPOCH_ORDINAL) * 86_400 + _seconds_of_day(naive) - offset // timedelta(seconds=1)


def _seconds_of_day(naive: datetime) -> int:
    return (naive.hour * _MINUTES + naive.minute) * _MINUTES + naive.second


class LocalMoment:
    """One instant on a programme's local clock and calendar."""

    __slots__ = ("at", "day", "local", "weekday")

    def __init__(self, zone: Zone, at: int) -> None:
        self.at = at
        self.local = zone.local(at)
        ordinal = self.local.toordinal()
        self.day = ordinal - EPOCH_ORDINAL
        self.weekday = (ordinal + 6) % 7

    def minute_of_day(self) -> int:
        """Minutes since the local clock showed 00:00."""
        return self.local.hour * _MINUTES + self.local.minute

    def window(self, per: str) -> str:
        """The name of the calendar period around this moment, such as "month:2026-11-01"."""
        return window_name(self.day, per)


def window_name(day: int, per: str) -> str:
    """The name of the calendar period around a local day, such as "month:2026-11-01"."""
    return per if per == "lifetime" else f"{per}:{iso_day(period_start(day, per))}"


def iso_day(day: int) -> str:
    """A local day (days since 1970) as an ISO date."""
    return date.fromordinal(day + EPOCH_ORDINAL).isoformat()


def period_start(day: int, per: str) -> int:
    """The first day of the day, week (ISO, Monday), month or year that holds `day`."""
    when = date.fromordinal(day + EPOCH_ORDINAL)
    if per == "day":
        return day
    if per == "week":
        return day - when.weekday()
    if per == "month":
        return day - when.day + 1
    if per != "year":
        raise AssertionError(f"{per} is not a period")
    return when.replace(month=1, day=1).toordinal() - EPOCH_ORDINAL


def add_months(when: date, months: int) -> date:
    """The date `months` later; a day that the month does not have becomes the month's last."""
    count = when.year * 12 + when.month - 1 + months
    year, month = divmod(count, 12)
    return date(year, month + 1, min(when.day, _month_length(year, month + 1)))


def period_end(when: date, unit: str) -> date:
    """The last day of the day, month, quarter or year that holds `when`."""
    if unit == "day":
        return when
    month = {"month": when.month, "quarter": (when.month + 2) // 3 * 3, "year": 12}[unit]
    return date(when.year, month, _month_length(when.year, month))


def _month_length(year: int, month: int) -> int:
    following = date(year + month // 12, month % 12 + 1, 1)
    return (following - timedelta(days=1)).day
