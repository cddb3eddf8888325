"""Limits: how much of an award the open windows leave, and what it charges to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from processors.decider.account import Account
from processors.decider.calendar import Moment
from processors.decider.lots import lots_due
from schemas.bounds import MAX_EARNED_POINTS
from schemas.posting import LimitCharge

MAX_EARNED_LIMIT = "tallybook:max-earned"
MAX_LOTS_LIMIT = "tallybook:max-lots"


@dataclass(frozen=True, slots=True)
class CompiledLimit:
    """A limit: `points` or `times` in each window of `per`, for every value of the fact's field `each` apart."""

    limit_id: str
    per: str
    points: int | None
    times: int | None
    each: str | None
    refuse: bool

    def window(self, fact: Any, moment: Moment) -> str:
        """The window that a fact falls into, such as "month:2026-11-01" or "lifetime/sku-7"."""
        period = moment.window(self.per)
        return period if self.each is None else f"{period}/{getattr(fact, self.each, '')}"


def counter_key(limit_id: str, window: str) -> str:
    """How an account names one window of one limit."""
    return f"{limit_id}|{window}"


class LimitDesk:
    """Cuts the awards of one fact: earlier awards of the same fact have charged before later ones are cut."""

    def __init__(self, account: Account, fact: Any, moment: Moment, max_lots: int) -> None:
        self._account = account
        self._fact = fact
        self._moment = moment
        self._max_lots = max_lots
        self._opened = 0
        self._pending: dict[str, int] = {}
        self._earned = 0
        self.charges: list[LimitCharge] = []
        self.refused_lots = 0

    def pay(self, limits: tuple[CompiledLimit, ...], wanted: int) -> tuple[int, tuple[str, ...]]:
        """What is left of `wanted` points, charged; and the ids of the limits that cut it."""
        allowed, cut = wanted, []
        windows: list[tuple[CompiledLimit, str, str]] = []
        for limit in limits:
            window = limit.window(self._fact, self._moment)
            key = counter_key(limit.limit_id, window)
            windows.append((limit, window, key))
            used = self._account.counters.get(key, 0) + self._pending.get(key, 0)
            left = _left(limit, used, allowed)
            if left < allowed:
                cut.append(limit.limit_id)
                allowed = left
        room = MAX_EARNED_POINTS - self._account.earned - self._earned
        if allowed > room:
            cut.append(MAX_EARNED_LIMIT)
            allowed = max(0, room)
        if allowed > 0 and self._is_full():
            cut.append(MAX_LOTS_LIMIT)
            self.refused_lots += 1
            allowed = 0
        if allowed > 0:
            self._opened += 1
            self._earned += allowed
            for limit, window, key in windows:
                amount = 1 if limit.points is None else allowed
                self._pending[key] = self._pending.get(key, 0) + amount
                self.charges.append(LimitCharge(limit.limit_id, window, amount))
        return allowed, tuple(cut)

    def _is_full(self) -> bool:
        """Whether the account holds as many lots as it may; those that are due are closed before the fact's awards."""
        lots = self._account.lots
        if len(lots) + self._opened < self._max_lots:
            return False
        return len(lots) - lots_due(self._account, self._moment.at) + self._opened >= self._max_lots


def _left(limit: CompiledLimit, used: int, wanted: int) -> int:
    if limit.points is None:
        return wanted if limit.times is not None and used < limit.times else 0
    room = max(0, limit.points - used)
    if wanted <= room:
        return wanted
    return 0 if limit.refuse else room
