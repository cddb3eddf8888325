"""Pays what the rules of one fact are worth, in the order of the file, after the limits have cut."""

from __future__ import annotations

from typing import Final

import msgspec

from processors.decider.account import Account
from processors.decider.days import LocalDay
from processors.decider.limits import MAX_EARNED_LIMIT, MAX_LOTS_LIMIT, CompiledLimit, counter_key, left_of
from processors.decider.lots import expiry, lots_due
from processors.decider.partition import Partition
from processors.decider.streaks import hold_day
from processors.decider.worth import CompiledRule, Worth
from schemas.bounds import MAX_EARNED_POINTS
from schemas.entry_ids import award_entry_id
from schemas.facts import MemberFact
from schemas.posting import MAIN_WALLET, DayHeld, Entry, EntryType, LimitCharge, Reason, Working

_AWARDED: Final = EntryType.POINTS_AWARDED


class Till:
    """What one fact is paid: entries with their arithmetic, or the reason for none.

    Awards charge their limits at once, so that a later rule of the same fact sees what the earlier ones took.
    `expired` are the ends of awards that come too late to be spent, `now` being the latest instant known.
    """

    __slots__ = (
        "_account", "_fact", "_now", "_opened", "_partition", "_pending", "_too_many_lots", "_wanted", "charges",
        "claim_paid", "day", "day_held", "earned", "entries", "expired", "workings",
    )  # fmt: skip

    def __init__(self, partition: Partition, account: Account, fact: MemberFact, day: LocalDay, now: int) -> None:
        self._partition = partition
        self._account = account
        self._fact = fact
        self._now = now
        self._opened = 0
        self._wanted = self._too_many_lots = False
        self._pending: dict[str, int] = {}
        self.day = day
        self.entries: list[Entry] = []
        self.expired: list[Entry] = []
        self.workings: list[Working] = []
        self.charges: list[LimitCharge] = []
        self.day_held: DayHeld | None = None
        self.claim_paid: str | None = None
        self.earned = 0

    def pay(self, rule: CompiledRule, worth: Worth) -> None:
        """Pay one rule that matched."""
        paid, working = worth
        if paid:
            self._wanted = True
            account = self._account
            if (
                rule.limits
                or account.earned + self.earned + paid > MAX_EARNED_POINTS
                or len(account.lots) + self._opened >= self._partition.max_lots
            ):
                paid, cut_by = self._allowed(rule.limits, paid)
                if cut_by:
                    working = msgspec.structs.replace(working, paid=paid, limit_ids=cut_by)
            if paid:
                self._award(rule, paid)
        self.workings.append(working)

    def hold_day(self, grace_days: int) -> DayHeld | None:
        """Have the account hold the day of the fact; None where it held it before."""
        partition, account = self._partition, self._account
        horizon_at = partition.horizon_at if partition.last_tick else None
        self.day_held = hold_day(account.days, account.kept_run, self.day.number, grace_days, horizon_at)
        return self.day_held

    def reason(self, otherwise: Reason) -> Reason | None:
        """Why nothing was paid, or None; `otherwise` is the answer where no rule came to be paid."""
        if self.entries:
            return None
        if not self.workings:
            return otherwise
        if self._too_many_lots:
            return Reason.TOO_MANY_LOTS
        return Reason.LIMIT_REACHED if self._wanted else Reason.ZERO_POINTS

    def _award(self, rule: CompiledRule, points: int) -> None:
        fact, account, expires_at = self._fact, self._account, self.day.expiries[rule.expiry]
        self.earned += points
        self._opened = n = self._opened + 1
        at, lot = fact.occurred_at, account.lots_opened + n
        entry_id = award_entry_id(fact.source, fact.event_id, account.member_id, n)
        self.entries.append(Entry(entry_id, _AWARDED, points, at, lot, rule.rule_id, MAIN_WALLET, at, expires_at))
        if expires_at is not None and expires_at <= self._now:
            self.expired.append(expiry(account.member_id, lot, points, at, expires_at))

    def _allowed(self, limits: tuple[CompiledLimit, ...], wanted: int) -> tuple[int, tuple[str, ...]]:
        """What the limits leave of `wanted` points, charged; and the ids of the limits that cut it."""
        allowed, cut = wanted, []
        windows: list[tuple[CompiledLimit, str, str]] = []
        for limit in limits:
            window = limit.window(self._fact, self.day)
            key = counter_key(limit.limit_id, window)
            windows.append((limit, window, key))
            used = self._account.counters.get(key, 0) + self._pending.get(key, 0)
            left = left_of(limit, used, allowed)
            if left < allowed:
                cut.append(limit.limit_id)
                allowed = left
        room = MAX_EARNED_POINTS - self._account.earned - self.earned
        if allowed > room:
            cut.append(MAX_EARNED_LIMIT)
            allowed = max(0, room)
        if allowed > 0 and self._is_full():
            cut.append(MAX_LOTS_LIMIT)
            self._too_many_lots = True
            allowed = 0
        if allowed > 0:
            for limit, window, key in windows:
                amount = 1 if limit.points is None else allowed
                self._pending[key] = self._pending.get(key, 0) + amount
                self.charges.append(LimitCharge(limit.limit_id, window, amount))
        return allowed, tuple(cut)

    def _is_full(self) -> bool:
        """Whether the account holds as many lots as it may; those that are due are closed before the fact's awards."""
        held, most = len(self._account.lots) + self._opened, self._partition.max_lots
        return held >= most and held - lots_due(self._account, self._fact.occurred_at) >= most
