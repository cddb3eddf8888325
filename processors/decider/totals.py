"""Period totals: gross points earned per day, week, month, year and ever, programme-wide and per store."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from processors.decider.account import Account
from processors.decider.calendar import period_start
from schemas.posting import PeriodTotals

PERIODS = ("day", "week", "month", "year")
MAX_KEYS_KEPT: Final = 16_384


def totals_after(account: Account, day: int, store_id: str, earned: int, reached_at: int) -> tuple[PeriodTotals, ...]:
    """The totals around local day `day` after `earned` more points; the programme's first, then the store's."""
    whole = _scope_after(account, "", day, earned, reached_at)
    if not store_id:
        return (whole,)
    return (whole, _scope_after(account, store_id, day, earned, reached_at))


@lru_cache(MAX_KEYS_KEPT)
def total_keys(scope: str, day: int) -> tuple[str, str, str, str, str]:
    """The names of the five totals of a scope ("" or a store id) around a day."""
    tail = f"|{scope}" if scope else ""
    week, month, year = (period_start(day, per) for per in PERIODS[1:])
    return (f"day:{day}{tail}", f"week:{week}{tail}", f"month:{month}{tail}", f"year:{year}{tail}", f"ever{tail}")


def _scope_after(account: Account, scope: str, day: int, earned: int, reached_at: int) -> PeriodTotals:
    before = account.totals.get
    in_day, in_week, in_month, in_year, ever = total_keys(scope, day)
    return PeriodTotals(
        scope,
        day,
        before(in_day, 0) + earned,
        before(in_week, 0) + earned,
        before(in_month, 0) + earned,
        before(in_year, 0) + earned,
        before(ever, 0) + earned,
        reached_at,
    )
