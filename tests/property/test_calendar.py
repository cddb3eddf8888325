"""Local midnights and wall clocks around every clock change, found by arithmetic and by looking at the clock."""

import struct
from datetime import datetime, timedelta
from importlib import resources
from itertools import pairwise
from typing import Final

import pytest

from processors.decider.local_time import Zone
from processors.zones import zone_data
from tests.reference.local_time import DAY_MS, HOUR_MS, date_of, day_of, utc_day
from tests.reference.local_time import Zone as ReferenceZone

# Changes at midnight both ways, a whole day skipped (Apia), one minute past midnight (St. John's), half an hour (Lord
# Howe), two hours (Troll), a standard offset that moved (Caracas, Pyongyang), none at all.
ZONES: Final = (
    "America/Caracas",
    "America/Havana",
    "America/Nuuk",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "UTC",
)
MILLISECOND: Final = timedelta(milliseconds=1)
FIRST_AT: Final = 946_684_800_000  # 2000-01-01T00:00:00Z
LAST_AT: Final = 2_082_758_400_000  # 2036-01-01T00:00:00Z
CLOCKS: Final = ((0, 0), (0, 30), (1, 0), (1, 59), (2, 0), (2, 30), (3, 0), (23, 30))


def days_around_changes(zone: ReferenceZone) -> list[int]:
    """The local days from the day before to the day after each change of the offset."""
    days: set[int] = set()
    at = FIRST_AT
    while at < LAST_AT:
        if zone.clock(at + DAY_MS) - zone.clock(at) != timedelta(days=1):
            days.update(range(utc_day(at) - 1, utc_day(at) + 4))
        at += DAY_MS
    return sorted(days) or [utc_day(FIRST_AT)]


@pytest.mark.parametrize("name", ZONES)
def test_wall_clocks_around_every_change(name: str) -> None:
    zone, reference = Zone(name, zone_data(name)), ReferenceZone(zone_data(name))
    for day in days_around_changes(reference):
        when = date_of(day)
        assert zone.midnight(day) == reference.midnight(when)
        for hour, minute in CLOCKS:
            wall = datetime(when.year, when.month, when.day, hour, minute)  # noqa: DTZ001 a wall clock has no zone
            assert zone.instant_of(wall) == reference.first_instant(wall), wall


@pytest.mark.parametrize("name", ZONES)
def test_midnight_is_the_first_instant_at_which_the_clock_shows_the_day_or_a_later_one(name: str) -> None:
    zone = Zone(name, zone_data(name))
    for day in days_around_changes(ReferenceZone(zone_data(name))):
        at = zone.midnight(day)
        assert day_of(zone.local(at).date()) >= day
        earlier = [day_of(zone.local(at - back).date()) for back in (1, HOUR_MS // 2, HOUR_MS, 3 * HOUR_MS)]
        assert max(earlier) < day


@pytest.mark.parametrize("name", ZONES)
def test_minutes_are_counted_from_midnight_on_steady_days_only(name: str) -> None:
    zone, reference = Zone(name, zone_data(name)), ReferenceZone(zone_data(name))
    for day in days_around_changes(reference):
        first, midnight = reference.midnight(date_of(day)), datetime.combine(date_of(day), datetime.min.time())
        quarters = [timedelta(minutes=15 * number) for number in range(96)]
        steady = all(reference.clock(first + quarter // MILLISECOND) == midnight + quarter for quarter in quarters)
        # Clocks that go back at midnight give the day a 25th hour.
        steady &= reference.midnight(date_of(day + 1)) == first + DAY_MS
        assert zone.steady_day(day) == ((first, first + DAY_MS) if steady else (0, 0))


def test_no_zone_changes_its_clocks_twice_within_a_day() -> None:
    names = resources.files("tzdata").joinpath("zones").read_text("utf-8").split()
    changes = {name: changes_of(zone_data(name)) for name in names}
    gaps = [after - before for found in changes.values() for before, after in pairwise(found)]
    assert len(gaps) > 10_000
    assert min(gaps) > 2 * DAY_MS // 1000


def changes_of(tzif: bytes) -> tuple[int, ...]:
    """The changes (s) that zone data list one by one (RFC 9636, section 3); the rule at their end makes two a year."""
    utc, standard, leaps, times, types, letters = struct.unpack(">6l", tzif[20:44])
    second = 44 + times * 5 + types * 6 + letters + leaps * 8 + standard + utc
    (times,) = struct.unpack(">l", tzif[second + 32 : second + 36])
    return struct.unpack(f">{times}q", tzif[second + 44 : second + 44 + 8 * times])
