"""Enters a posting into an account without asking any rule: the only place where an account changes."""

from bisect import bisect_left
from typing import Final

from processors.decider.account import Account, Claim, fact_key
from processors.decider.forgetting import forget
from processors.decider.limits import charge
from processors.decider.lots import enter
from processors.decider.partition_state import Partition
from processors.decider.period_totals import enter_totals
from processors.decider.referrals import MAX_PURCHASES_REMEMBERED, purchase_of
from schemas.canonical import content_hash
from schemas.facts import ClockTicked, MemberFact, PurchaseRecorded, RefereePurchased, ReferralMade
from schemas.posting import Posting, Reason

_BEFORE_RULES: Final = frozenset({Reason.TOO_OLD, Reason.DUPLICATE, Reason.CONFLICT})


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
    if type(fact) is ClockTicked or posting.reason in _BEFORE_RULES:
        return
    if partition.horizon_at >= account.forget_next_at:
        forget(partition, account)
    occurred_at = fact.occurred_at
    account.seen[fact_key(fact.source, fact.event_id)] = (occurred_at, content_hash(fact))
    if occurred_at > account.latest_at:
        account.latest_at = occurred_at
    for charged in posting.charges:
        charge(account, charged, occurred_at, partition.horizon_ms)
    if posting.day_held is not None:
        _hold_day(account, posting)
    if posting.totals:
        enter_totals(account, posting.totals)
    if type(fact) is PurchaseRecorded:
        _remember_purchase(account, fact, posting.purchase_rank)
    if posting.claim_opened or posting.claim_paid is not None:
        _apply_claim(partition, account, fact, posting)


def _hold_day(account: Account, posting: Posting) -> None:
    held, days = posting.day_held, account.days
    if held is None:
        raise AssertionError(f"posting {posting.seq} of {posting.member_id} holds no day")
    days.insert(bisect_left(days, held.day), held.day)
    if days[0] < held.kept_from:
        del days[: bisect_left(days, held.kept_from)]
    account.kept_run = held.kept_run


def _remember_purchase(account: Account, fact: PurchaseRecorded, rank: int) -> None:
    purchases = account.purchases
    account.purchases_made = rank
    purchases.append(purchase_of(fact, rank))
    if purchases[0].rank <= rank - MAX_PURCHASES_REMEMBERED:
        del purchases[0]


def _apply_claim(partition: Partition, account: Account, fact: MemberFact, posting: Posting) -> None:
    if posting.claim_opened:
        if not isinstance(fact, ReferralMade | PurchaseRecorded) or fact.referrer_id is None:
            raise AssertionError(f"posting {posting.seq} of {posting.member_id} opens a claim that no fact made")
        account.claims.append(Claim(fact.referrer_id, posting.claim_opened, fact.occurred_at))
        account.claims_opened = posting.claim_opened
    if posting.claim_paid is not None:
        if not isinstance(fact, RefereePurchased):
            raise AssertionError(f"posting {posting.seq} of {posting.member_id} settles a claim without a purchase")
        account.claims_paid[posting.claim_paid] = fact.claimed_at + partition.referral_window_ms
