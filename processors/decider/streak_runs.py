"""Holds check-in days: the run of days that ends on one, and which days an account still remembers."""

from bisect import bisect_left

from schemas.bounds import DAY_MS
from schemas.posting import DayHeld


def hold_day(days: list[int], kept_run: int, day: int, grace_days: int, horizon_at: int | None) -> DayHeld | None:
    """What holding `day` makes of the remembered days; None where it is held already.

    `days` (days since 1970, sorted) start with the oldest one kept, on which a run of `kept_run` days ends.
    `horizon_at` (ms) is the last tick less the horizon, or None before the first tick.
    """
    place = bisect_left(days, day)
    if place < len(days) and days[place] == day:
        return None
    first_run = kept_run if place > 0 else 1
    held = days.copy()
    held.insert(place, day)
    run_length = _run(held, place, grace_days, first_run)
    oldest = _oldest_kept(held, horizon_at)
    if oldest == place:
        return DayHeld(day, run_length, day, run_length)
    return DayHeld(day, run_length, held[oldest], _run(held, oldest, grace_days, first_run))


def _oldest_kept(held: list[int], horizon_at: int | None) -> int:
    if horizon_at is None:
        return 0
    # A local day can lag the UTC day by one, so one more day than the horizon is kept; and the day before those,
    # because a late check-in may join the run that ended on it.
    cutoff = horizon_at // DAY_MS - 1
    return max(0, bisect_left(held, cutoff) - 1)


def _run(held: list[int], end: int, grace_days: int, first_run: int) -> int:
    """How many days the run has that ends on `held[end]`; `first_run` is the length of the one on `held[0]`."""
    at, least = end, held[end] - grace_days - 1
    while at > 0 and held[at - 1] >= least:
        at -= 1
        least = held[at] - grace_days - 1
    return end - at + (first_run if at == 0 else 1)
