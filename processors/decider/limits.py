"""Limits: the window that a fact falls into, and what a window leaves of an award."""

from dataclasses import dataclass
from typing import Any, Final, Protocol

from processors.decider.account import Account
from processors.decider.local_day import LocalDay
from schemas.posting import LimitCharge

PER_ORDER: Final = "order"


class Windowed(Protocol):
    """A moment or a day that can name the calendar periods around it."""

    def window(self, per: str) -> str:
        """The name of a period, such as "month:2026-11-01"."""


# The built-in limits: what an account may ever earn, and how many lots it may hold.
MAX_EARNED_LIMIT = "tallybook:max-earned"
MAX_LOTS_LIMIT = "tallybook:max-lots"


@dataclass(frozen=True, slots=True)
class CompiledLimit:
    """A limit: `points` or `times` in each window of `per`, for every value of the fact's field `each` apart.

    The window of `per: order` is the order, whatever the day.
    """

    limit_id: str
    per: str
    points: int | None
    times: int | None
    each: str | None
    refuse: bool

    def place(self, fact: Any, day: LocalDay) -> tuple[str, str]:
        """The window that a fact falls into, and the counter of an account that counts it."""
        if self.each is not None or self.per == PER_ORDER:
            window = self.window(fact, day)
            return window, counter_key(self.limit_id, window)
        known = day.places.get(self.limit_id)
        if known is None:
            window = self.window(fact, day)
            known = day.places[self.limit_id] = (window, counter_key(self.limit_id, window))
        return known

    def window(self, fact: Any, moment: Windowed) -> str:
        """The window that a fact falls into, such as "month:2026-11-01", "lifetime/sku-7" or "order:9001"."""
        if self.per == PER_ORDER:
            return f"{PER_ORDER}:{fact.order_id}"
        period = moment.window(self.per)
        return period if self.each is None else f"{period}/{getattr(fact, self.each, '')}"


def counter_key(limit_id: str, window: str) -> str:
    """How an account names one window of one limit."""
    return f"{limit_id}|{window}"


def used_of(account: Account, counter: str, at: int, horizon_ms: int) -> int:
    """What a counter has counted for a fact that happened at `at` (ms).

    An order's counts for what happened before the horizon has passed since the fact that charged it first.
    """
    if account.first_charged.get(counter, at) + horizon_ms <= at:
        return 0
    return account.counters.get(counter, 0)


def charge(account: Account, charged: LimitCharge, at: int, horizon_ms: int) -> None:
    """Add to a counter what a fact that happened at `at` (ms) was charged."""
    counter = counter_key(charged.limit_id, charged.window)
    used = used_of(account, counter, at, horizon_ms)
    if not used and charged.window.startswith(f"{PER_ORDER}:"):
        account.first_charged[counter] = at
    account.counters[counter] = used + charged.amount


def left_of(limit: CompiledLimit, used: int, wanted: int) -> int:
    """What one window, of which `used` is taken, leaves of `wanted` points."""
    if limit.points is None:
        return wanted if limit.times is not None and used < limit.times else 0
    room = limit.points - used
    if wanted <= room:
        return wanted
    return 0 if limit.refuse or room < 0 else room
