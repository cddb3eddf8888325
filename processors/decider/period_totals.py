"""Adds up the points earned per day, week, month, year and ever, in the whole programme and per store."""

from functools import lru_cache
from typing import Final

from processors.decider.account import Account
from processors.decider.local_time import EPOCH_ORDINAL, period_start
from schemas.posting import PeriodTotals

PERIODS = ("day", "week", "month", "year")
MAX_KEYS_KEPT: Final = 16_384
EVER: Final = -1  # no year begins on the day before FIRST_DAY, whose key this would be
_LONGEST_DAYS: Final = (1, 7, 31, 366)
_PERIOD_BITS: Final = 2
_PERIOD_MASK: Final = 3
_PROGRAMME: Final = ("",)
# Keys count from 2000-01-01, so that those of our days are small enough for three bytes when packed; earlier ones are
# negative.
FIRST_DAY: Final = 730_120 - EPOCH_ORDINAL


def totals_after(account: Account, day: int, store_id: str, earned: int, reached_at: int) -> tuple[PeriodTotals, ...]:
    """The totals around local day `day` after `earned` more points; the programme's first, then the store's."""
    in_day, in_week, in_month, in_year = total_keys(day)
    totals: list[PeriodTotals] = []
    for scope in ("", store_id) if store_id else _PROGRAMME:
        kept = account.totals.get(scope)
        if kept is None:
            totals.append(PeriodTotals(scope, day, earned, earned, earned, earned, earned, reached_at))
            continue
        before = kept.get
        total = PeriodTotals(
            scope,
            day,
            before(in_day, 0) + earned,
            before(in_week, 0) + earned,
            before(in_month, 0) + earned,
            before(in_year, 0) + earned,
            kept[EVER] + earned,
            reached_at,
        )
        totals.append(total)
    return tuple(totals)


@lru_cache(MAX_KEYS_KEPT)
def total_keys(day: int) -> tuple[int, int, int, int]:
    """The keys of the day, week, month and year around a local day; see EVER for the fifth total of a scope."""
    in_day, in_week, in_month, in_year = (
        ((period_start(day, per) - FIRST_DAY) << _PERIOD_BITS) + number for number, per in enumerate(PERIODS)
    )
    return in_day, in_week, in_month, in_year


def totals_since(totals: dict[str, dict[int, int]], day: int) -> dict[str, dict[int, int]]:
    """Totals without those of periods that ended by local day `day` (since 1970)."""
    # Of each kind of period, the key of the last one that has ended; a month is taken for 31 days, a year for 366.
    ended = [((day - FIRST_DAY - days) << _PERIOD_BITS) + number for number, days in enumerate(_LONGEST_DAYS)]
    return {
        scope: {key: earned for key, earned in kept.items() if key > ended[key & _PERIOD_MASK] or key == EVER}
        for scope, kept in totals.items()
    }


def enter_totals(account: Account, totals: tuple[PeriodTotals, ...]) -> None:
    """Take over the totals (at least one) that a posting recorded, all of them around the same local day."""
    in_day, in_week, in_month, in_year = total_keys(totals[0].day)
    for total in totals:
        kept = account.totals.get(total.scope)
        if kept is None:
            kept = account.totals[total.scope] = {}
        kept[in_day] = total.earned_day
        kept[in_week] = total.earned_week
        kept[in_month] = total.earned_month
        kept[in_year] = total.earned_year
        kept[EVER] = total.earned_ever
