"""Awards what the rules of one fact are worth, in the order of the file, as far as limits allow."""

from typing import Final

import msgspec

from processors.decider.account import Account
from processors.decider.limits import MAX_EARNED_LIMIT, MAX_LOTS_LIMIT, CompiledLimit, left_of, used_of
from processors.decider.local_day import LocalDay
from processors.decider.lots import expiry, lots_due
from processors.decider.partition_state import Partition
from processors.decider.points import CompiledRule, Worth
from processors.decider.streak_runs import hold_day
from schemas.bounds import MAX_EARNED_POINTS
from schemas.entry_ids import award_entry_id
from schemas.facts import MemberFact
from schemas.posting import MAIN_WALLET, DayHeld, Entry, EntryType, LimitCharge, Reason, Working

_AWARDED: Final = EntryType.POINTS_AWARDED


class Awards(msgspec.Struct, gc=False):
    """Collects what one fact is awarded: entries with their arithmetic, or the reason for none.

    Awards charge their limits at once, so that a later rule of the same fact sees what the earlier ones took.
    `expired` are the expiries of awards that had ended by `now`, the latest instant known. It is a struct because one
    is made for every fact, and a struct is made faster than an ordinary object.
    """

    partition: Partition
    account: Account
    fact: MemberFact
    day: LocalDay
    now: int
    earned: int = 0
    count: int = 0
    wanted: bool = False
    too_many_lots: bool = False
    entries: list[Entry] = []
    expired: list[Entry] = []
    workings: list[Working] = []
    charges: list[LimitCharge] = []
    day_held: DayHeld | None = None
    claim_paid: str | None = None

    def pay(self, rule: CompiledRule, worth: Worth) -> None:
        """Pay one rule that matched."""
        paid, working = worth
        if paid:
            self.wanted = True
            account = self.account
            if (
                rule.limits
                or account.earned + self.earned + paid > MAX_EARNED_POINTS
                or len(account.lots) + self.count >= self.partition.max_lots
            ):
                paid, cut_by = self._allowed(rule.limits, paid)
                if cut_by:
                    working = rule.cut(working, paid, cut_by)
            if paid:
                self._award(rule, paid)
        self.workings.append(working)

    def hold_day(self, grace_days: int) -> DayHeld | None:
        """Have the account hold the day of the fact; None where it held it before."""
        partition, account = self.partition, self.account
        horizon_at = partition.horizon_at if partition.last_tick else None
        self.day_held = hold_day(account.days, account.kept_run, self.day.number, grace_days, horizon_at)
        return self.day_held

    def reason(self, otherwise: Reason) -> Reason:
        """Why nothing was paid, where nothing was; `otherwise` is the answer where no rule came to be paid."""
        if not self.workings:
            return otherwise
        if self.too_many_lots:
            return Reason.TOO_MANY_LOTS
        return Reason.LIMIT_REACHED if self.wanted else Reason.ZERO_POINTS

    def _award(self, rule: CompiledRule, points: int) -> None:
        fact, account, expires_at = self.fact, self.account, self.day.expiries[rule.expiry]
        self.earned += points
        self.count = n = self.count + 1
        at, lot = fact.occurred_at, account.lots_opened + n
        entry_id = award_entry_id(fact.source, fact.event_id, account.member_id, n)
        self.entries.append(Entry(entry_id, _AWARDED, points, at, lot, rule.rule_id, MAIN_WALLET, at, expires_at))
        if expires_at is not None and expires_at <= self.now:
            self.expired.append(expiry(account.member_id, lot, points, at, expires_at))

    def _allowed(self, limits: tuple[CompiledLimit, ...], wanted: int) -> tuple[int, tuple[str, ...]]:
        """What the limits leave of `wanted` points, charged; and the ids of the limits that cut it."""
        allowed, charges, windows = wanted, self.charges, []
        cut: tuple[str, ...] = ()
        for limit in limits:
            window, counter = limit.place(self.fact, self.day)
            windows.append(window)
            used = used_of(self.account, counter, self.fact.occurred_at, self.partition.horizon_ms)
            for charge in charges:
                if charge.limit_id == limit.limit_id:  # a fact falls into one window of a limit
                    used += charge.amount
            left = left_of(limit, used, allowed)
            if left < allowed:
                cut += (limit.limit_id,)
                allowed = left
        room = MAX_EARNED_POINTS - self.account.earned - self.earned
        if allowed > room:
            cut += (MAX_EARNED_LIMIT,)
            allowed = max(0, room)
        if allowed > 0 and len(self.account.lots) + self.count >= self.partition.max_lots and self._is_full():
            cut += (MAX_LOTS_LIMIT,)
            self.too_many_lots = True
            allowed = 0
        if allowed > 0:
            for limit, window in zip(limits, windows, strict=True):
                amount = 1 if limit.points is None else allowed
                charges.append(LimitCharge(limit.limit_id, window, amount))
        return allowed, cut

    def _is_full(self) -> bool:
        """Whether the account holds as many lots as it may; those that are due are closed before the fact's awards."""
        held, most = len(self.account.lots) + self.count, self.partition.max_lots
        return held >= most and held - lots_due(self.account, self.fact.occurred_at) >= most
