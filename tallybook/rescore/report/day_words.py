"""Writes instants as people write days: on the programme's own clock, and midnight as the end of the day before."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from processors.decider.local_time import Zone


def day_words(day: date) -> str:
    """A day, such as `1 July 2017`."""
    return f"{day.day} {day:%B %Y}"


def moment(zone: Zone, at: int) -> str:
    """An instant (UTC ms) to the minute, such as `1 July 2017, 14:05`; midnight is the day alone."""
    local = zone.local(at)
    return day_words(local) if _is_midnight(local) else f"{day_words(local)}, {local:%H:%M}"


def ending(zone: Zone, at: int) -> str:
    """The end (UTC ms) of a time, such as `31 December 2017, 23:01`; at midnight the day that ends there, alone."""
    local = zone.local(at)
    return day_words(local - timedelta(days=1)) if _is_midnight(local) else moment(zone, at)


def last_day(zone: Zone, at: int) -> str:
    """The day that an instant (UTC ms) belongs to; at midnight the day that ends there."""
    return ending(zone, at).partition(",")[0]


def period(zone: Zone, from_at: int, until_at: int) -> str:
    """From one instant (UTC ms) until another, such as `1 July to 31 December 2017`."""
    begins, ends = moment(zone, from_at), ending(zone, until_at)
    year = f" {zone.local(from_at).year}"
    if begins.endswith(year) and last_day(zone, until_at).endswith(year):
        begins = begins.removesuffix(year)
    return f"{begins} to {ends}"


def _is_midnight(local: datetime) -> bool:
    return local.time() < time(0, 1)
