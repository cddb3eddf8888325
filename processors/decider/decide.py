"""Decides what one fact is worth to one account, under the rules in force when it happened."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from processors.decider.account import Account, Claim, fact_key
from processors.decider.awards import Awards
from processors.decider.lots import due_entries
from processors.decider.partition_state import Partition
from processors.decider.period_totals import totals_after
from processors.decider.referrals import claim_for, owed_for_purchase, owed_to_new_claim, purchase_of
from processors.decider.rules.compile import CompiledRuleset, nothing_earned
from schemas.canonical import content_hash
from schemas.entry_ids import tick_event_id
from schemas.facts import ClockTicked, MemberFact, PurchaseRecorded, RefereePurchased, ReferralMade
from schemas.posting import TICK_SOURCE, Entry, Posting, Reason


class _Referred(msgspec.Struct, frozen=True, gc=False):
    """What a fact did to the referral state, whatever the rules say."""

    reason: Reason | None = None
    purchase_rank: int = 0
    claim: Claim | None = None
    owed: tuple[RefereePurchased, ...] = ()


_NOT_REFERRED = _Referred()


def decide(partition: Partition, account: Account, fact: MemberFact | ClockTicked) -> Posting:
    """Decide one fact for one account; changes nothing.

    Returns:
        The posting, without number and folio, which the caller stamps. A tick's posting has no entries if no work
        was due.
    """
    if type(fact) is ClockTicked:
        return _decide_tick(account, fact)
    at = fact.occurred_at
    due = due_entries(account, at)
    if at < partition.horizon_at:
        return _without_rules(account, fact, due, Reason.TOO_OLD)
    known = account.seen.get(fact_key(fact.source, fact.event_id))
    if known is not None and known[0] >= partition.horizon_at:
        same = known[1] == content_hash(fact)
        return _without_rules(account, fact, due, Reason.DUPLICATE if same else Reason.CONFLICT)
    refer = _REFERRING.get(type(fact))
    referred = _NOT_REFERRED if refer is None else refer(partition, account, fact)
    rules = partition.rules_at(at)
    if rules is None:
        posting = _without_rules(account, fact, due, Reason.NO_RULESET)
        posting.late = at < account.latest_at
        posting.purchase_rank = referred.purchase_rank
        posting.claim_opened = 0 if referred.claim is None else referred.claim.rank
        posting.owed = referred.owed
        return posting
    return _decide_by_rules(rules, partition, account, fact=fact, due=due, referred=referred)


def _decide_tick(account: Account, tick: ClockTicked) -> Posting:
    due = due_entries(account, tick.at)
    return Posting(
        member_id=account.member_id,
        seq=account.seq + 1,
        fact_type="ClockTicked",
        source=TICK_SOURCE,
        event_id=tick_event_id(tick.at),
        occurred_at=tick.at,
        balance=account.balance + _sum(due),
        entries=tuple(due),
    )


def _without_rules(account: Account, fact: MemberFact, due: list[Entry], reason: Reason) -> Posting:
    return Posting(
        member_id=account.member_id,
        seq=account.seq + 1,
        fact_type=type(fact).__name__,
        source=fact.source,
        event_id=fact.event_id,
        occurred_at=fact.occurred_at,
        balance=account.balance + _sum(due),
        reason=reason,
        entries=tuple(due),
        store_id=getattr(fact, "store_id", ""),
        order_id=getattr(fact, "order_id", ""),
    )


def _decide_by_rules(
    rules: CompiledRuleset,
    partition: Partition,
    account: Account,
    *,
    fact: MemberFact,
    due: list[Entry],
    referred: _Referred,
) -> Posting:
    at, latest_at = fact.occurred_at, account.latest_at
    kind = type(fact).__name__
    late = at < latest_at
    reached_at = latest_at if late else at
    day, active = rules.days.at(at)
    awards = Awards(partition, account, fact, day, max(reached_at, partition.last_tick))
    reason = referred.reason
    if reason is None:
        earn = rules.earning.get(kind, nothing_earned)
        nothing = earn(awards, account, fact, active)
        reason = None if awards.entries else awards.reason(nothing)
    entries, earned, store_id = awards.entries, awards.earned, getattr(fact, "store_id", "")
    balance = account.balance + earned
    if due or awards.expired:
        awards.expired.sort(key=lambda entry: (entry.effective_at, entry.lot))
        balance += _sum(due) + _sum(awards.expired)
        entries = [*due, *entries, *awards.expired]
    # By position, in the order of the fields: to name thirty fields of every posting took a tenth of all the time.
    # Number, page, line and sub are the caller's to stamp.
    return Posting(
        account.member_id, account.seq + 1, kind, fact.source, fact.event_id, at, balance, 0, 0, 0, 0, reason, late,
        rules.version, rules.ruleset_hash, rules.semantics, day.number, tuple(entries), tuple(awards.workings),
        tuple(awards.charges), awards.day_held,
        totals_after(account, day.number, store_id, earned, reached_at) if earned else (),
        referred.owed, referred.purchase_rank, 0 if referred.claim is None else referred.claim.rank, awards.claim_paid,
        store_id, getattr(fact, "order_id", ""),
    )  # fmt: skip


def _refer_to_referee(partition: Partition, account: Account, fact: ReferralMade) -> _Referred:
    if account.member_id != fact.referee_id:
        return _Referred(Reason.AWAITING_PURCHASE)
    claim = claim_for(partition, account, fact.referrer_id, fact.occurred_at)
    if isinstance(claim, Reason):
        return _Referred(claim)
    owed = owed_to_new_claim(partition, account, claim)
    return _Referred(Reason.AWAITING_PURCHASE, claim=claim, owed=tuple(owed))


def _refer_purchase(partition: Partition, account: Account, fact: PurchaseRecorded) -> _Referred:
    rank, owed = account.purchases_made + 1, []
    if fact.referrer_id is None and not account.claims:
        return _Referred(None, rank)
    opened: Claim | None = None
    if fact.referrer_id is not None and fact.referrer_id != account.member_id:
        claim = claim_for(partition, account, fact.referrer_id, fact.occurred_at)
        if not isinstance(claim, Reason):
            opened = claim
            owed = owed_to_new_claim(partition, account, claim)
    if opened is not None or account.claims:
        owed += owed_for_purchase(partition, account, opened, purchase_of(fact, rank))
    return _Referred(None, rank, opened, tuple(owed))


_REFERRING: Final[dict[type[Any], Callable[[Partition, Account, Any], _Referred]]] = {
    PurchaseRecorded: _refer_purchase,
    ReferralMade: _refer_to_referee,
}


def _sum(entries: list[Entry]) -> int:
    return sum(entry.points for entry in entries) if entries else 0
