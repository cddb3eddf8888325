"""Drops what an account need not remember: only a fact older than the horizon could ask for it, and that is refused."""

from datetime import date
from functools import lru_cache
from typing import Final

from processors.decider.account import FAR_FUTURE, Account
from processors.decider.local_time import EPOCH_ORDINAL
from processors.decider.partition_state import Partition
from processors.decider.period_totals import totals_since
from schemas.bounds import DAY_MS

MAX_ENDS_KEPT: Final = 65_536
# Looking at everything that is kept costs more than keeping it longer, in the few accounts that are never packed.
FORGET_EVERY_MS: Final = 360 * DAY_MS
FORGET_BEFORE_PACKING_MS: Final = 15 * DAY_MS  # what is packed may lie long, and packing looks at everything anyway
_PERIOD_DAYS: Final = {"day": 1, "week": 7, "month": 31, "year": 366}
_ZONE_SLACK_DAYS: Final = 2  # a local day starts and ends within a day of the UTC one


def forget(partition: Partition, account: Account, every_ms: int = FORGET_EVERY_MS) -> None:
    """Drop what can no longer matter, if the horizon has moved on by `every_ms` since it was last done."""
    horizon_at = partition.horizon_at
    if horizon_at >= account.forget_next_at - FORGET_EVERY_MS + every_ms:
        account.forget_next_at = max(0, horizon_at) + FORGET_EVERY_MS
        drop_old(partition, account)


def drop_old(partition: Partition, account: Account) -> None:
    """Drop what is older than the horizon; the containers that `account` had are left as they were.

    When it is done changes no decision: dropping at one horizon and then at a later one leaves what dropping at the
    later one alone would.
    """
    horizon_at = partition.horizon_at
    if horizon_at <= 0:
        return
    window = partition.referral_window_ms
    account.seen = {key: known for key, known in account.seen.items() if known[0] >= horizon_at}
    account.purchases = [purchase for purchase in account.purchases if purchase.occurred_at >= horizon_at]
    account.claims = [claim for claim in account.claims if claim.claimed_at + window >= horizon_at]
    account.claims_paid = {key: until for key, until in account.claims_paid.items() if until >= horizon_at}
    before_day = horizon_at // DAY_MS - _ZONE_SLACK_DAYS
    account.totals = totals_since(account.totals, before_day)
    # What counts until the horizon has passed since an instant is kept until the horizon has passed since that end.
    orders = {key: at for key, at in account.first_charged.items() if at + partition.horizon_ms > horizon_at}
    account.counters = {
        key: used
        for key, used in account.counters.items()
        if (key in orders if key in account.first_charged else _window_ends(key) > before_day)
    }
    account.first_charged = orders


@lru_cache(MAX_ENDS_KEPT)
def _window_ends(key: str) -> int:
    window = key.partition("|")[2]
    if window == "lifetime" or "/" in window:
        return FAR_FUTURE
    per, first_day = window.split(":")
    return date.fromisoformat(first_day).toordinal() - EPOCH_ORDINAL + _PERIOD_DAYS[per]
