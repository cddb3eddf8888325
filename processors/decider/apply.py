"""The only place where an account changes: what a posting recorded is entered, and no rule is asked."""

from __future__ import annotations

from bisect import bisect_left
from datetime import date
from functools import lru_cache
from typing import Final

from processors.decider.account import FAR_FUTURE, Account, Claim, fact_key
from processors.decider.calendar import EPOCH_ORDINAL
from processors.decider.limits import counter_key
from processors.decider.lots import enter
from processors.decider.partition import Partition
from processors.decider.referrals import MAX_PURCHASES_REMEMBERED, purchase_of
from processors.decider.totals import total_keys
from schemas.bounds import DAY_MS
from schemas.canonical import content_hash
from schemas.facts import ClockTicked, MemberFact, PurchaseRecorded, RefereePurchased, ReferralMade
from schemas.posting import Posting, Reason

_BEFORE_RULES = frozenset({Reason.TOO_OLD, Reason.DUPLICATE, Reason.CONFLICT})
_PERIOD_DAYS = {"day": 1, "week": 7, "month": 31, "year": 366}
MAX_ENDS_KEPT: Final = 65_536
FORGET_EVERY_MS: Final = 90 * DAY_MS  # looking at everything that is kept costs more than keeping a little longer
_ZONE_SLACK_DAYS = 2  # a local day starts and ends within a day of the UTC one


def apply(partition: Partition, account: Account, fact: MemberFact | ClockTicked, posting: Posting) -> None:
    """Bring `account` forward by one posting.

    Raises:
        AssertionError: the posting does not follow from the account's state (another account, a gap in `seq`, a
            balance that does not add up): a damaged book or a fault in this program, never bad input.
    """
    if posting.member_id != account.member_id or posting.seq != account.seq + 1:
        raise AssertionError(
            f"posting {posting.seq} of {posting.member_id} cannot follow {account.seq} of {account.member_id}"
        )
    account.seq = posting.seq
    for entry in posting.entries:
        enter(account, entry)
    if account.balance != posting.balance:
        raise AssertionError(
            f"posting {posting.seq} of {posting.member_id} says balance {posting.balance}, "
            f"its entries give {account.balance}"
        )
    if isinstance(fact, ClockTicked) or posting.reason in _BEFORE_RULES:
        return
    _forget(partition, account)
    account.seen[fact_key(fact.source, fact.event_id)] = (fact.occurred_at, content_hash(fact))
    account.latest_at = max(account.latest_at, fact.occurred_at)
    _apply_rule_effects(account, posting)
    _apply_referral_effects(partition, account, fact, posting)


def _apply_rule_effects(account: Account, posting: Posting) -> None:
    for charge in posting.charges:
        key = counter_key(charge.limit_id, charge.window)
        account.counters[key] = account.counters.get(key, 0) + charge.amount
    held = posting.day_held
    if held is not None:
        account.days.insert(bisect_left(account.days, held.day), held.day)
        del account.days[: bisect_left(account.days, held.kept_from)]
        account.kept_run = held.kept_run
    for total in posting.totals:
        keys = total_keys(total.scope, total.day)
        account.totals.update(
            zip(
                keys,
                (total.earned_day, total.earned_week, total.earned_month, total.earned_year, total.earned_ever),
                strict=True,
            )
        )


def _apply_referral_effects(partition: Partition, account: Account, fact: MemberFact, posting: Posting) -> None:
    if posting.claim_opened:
        if not isinstance(fact, ReferralMade | PurchaseRecorded) or fact.referrer_id is None:
            raise AssertionError(f"posting {posting.seq} of {posting.member_id} opens a claim that no fact made")
        account.claims.append(Claim(fact.referrer_id, posting.claim_opened, fact.occurred_at))
        account.claims_opened = posting.claim_opened
    if isinstance(fact, PurchaseRecorded):
        account.purchases_made = posting.purchase_rank
        account.purchases.append(purchase_of(fact, posting.purchase_rank))
        del account.purchases[:-MAX_PURCHASES_REMEMBERED]
    if posting.claim_paid is not None:
        if not isinstance(fact, RefereePurchased):
            raise AssertionError(f"posting {posting.seq} of {posting.member_id} settles a claim without a purchase")
        account.claims_paid[posting.claim_paid] = fact.claimed_at + partition.referral_window_ms


def _forget(partition: Partition, account: Account) -> None:
    """Now and then, drop what can no longer matter: whatever asked for it would be `too_old` first."""
    horizon_at = partition.horizon_at
    if horizon_at < account.forget_next_at:
        return
    account.forget_next_at = max(0, horizon_at) + FORGET_EVERY_MS
    if horizon_at <= 0:
        return
    window = partition.referral_window_ms
    account.seen = {key: known for key, known in account.seen.items() if known[0] >= horizon_at}
    account.purchases = [purchase for purchase in account.purchases if purchase.occurred_at >= horizon_at]
    account.claims = [claim for claim in account.claims if claim.claimed_at + window >= horizon_at]
    account.claims_paid = {key: until for key, until in account.claims_paid.items() if until >= horizon_at}
    before_day = horizon_at // DAY_MS - _ZONE_SLACK_DAYS
    account.totals = {key: earned for key, earned in account.totals.items() if _total_ends(key) > before_day}
    account.counters = {key: used for key, used in account.counters.items() if _window_ends(key) > before_day}


@lru_cache(MAX_ENDS_KEPT)
def _total_ends(key: str) -> int:
    period = key.partition("|")[0]
    if period == "ever":
        return FAR_FUTURE
    per, first_day = period.split(":")
    return int(first_day) + _PERIOD_DAYS[per]


@lru_cache(MAX_ENDS_KEPT)
def _window_ends(key: str) -> int:
    window = key.partition("|")[2]
    if window == "lifetime" or "/" in window:
        return FAR_FUTURE
    per, first_day = window.split(":")
    return date.fromisoformat(first_day).toordinal() - EPOCH_ORDINAL + _PERIOD_DAYS[per]
