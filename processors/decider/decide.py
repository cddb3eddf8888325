"""The decider: what one fact is worth to one account, under the rules in force when it happened."""

from __future__ import annotations

from dataclasses import dataclass, field

from processors.decider.account import Account, Claim, fact_key
from processors.decider.calendar import Moment
from processors.decider.compile import CompiledRuleset
from processors.decider.earn import Award, Earning, earn
from processors.decider.lots import due_entries, expiry
from processors.decider.partition import Partition
from processors.decider.referrals import claim_for, owed_for_purchase, owed_to_new_claim, purchase_of
from processors.decider.totals import totals_after
from schemas.canonical import content_hash
from schemas.entry_ids import award_entry_id, tick_event_id
from schemas.facts import ClockTicked, MemberFact, PurchaseRecorded, RefereePurchased, ReferralMade
from schemas.posting import TICK_SOURCE, Entry, EntryType, Posting, Reason


@dataclass(slots=True)
class _Referred:
    """What a fact did to the referral state, whatever the rules say."""

    reason: Reason | None = None
    purchase_rank: int = 0
    claim: Claim | None = None
    owed: list[RefereePurchased] = field(default_factory=list)


def decide(partition: Partition, account: Account, fact: MemberFact | ClockTicked) -> Posting:
    """Decide one fact for one account; changes nothing.

    Returns:
        The posting, without number and folio, which the caller stamps. A tick's posting has no entries if no work
        was due.
    """
    if isinstance(fact, ClockTicked):
        return _decide_tick(account, fact)
    due = due_entries(account, fact.occurred_at)
    early = _reason_before_rules(partition, account, fact)
    if early is not None:
        return _posting(account, fact, due, reason=early)
    return _decide_by_rules(partition, account, fact, due)


def _decide_tick(account: Account, tick: ClockTicked) -> Posting:
    due = due_entries(account, tick.at)
    return Posting(
        member_id=account.member_id,
        seq=account.seq + 1,
        fact_type="ClockTicked",
        source=TICK_SOURCE,
        event_id=tick_event_id(tick.at),
        occurred_at=tick.at,
        balance=_balance_after(account, due),
        entries=tuple(due),
    )


def _reason_before_rules(partition: Partition, account: Account, fact: MemberFact) -> Reason | None:
    if fact.occurred_at < partition.horizon_at:
        return Reason.TOO_OLD
    known = account.seen.get(fact_key(fact.source, fact.event_id))
    if known is None or known[0] < partition.horizon_at:
        return None
    return Reason.DUPLICATE if known[1] == content_hash(fact) else Reason.CONFLICT


def _decide_by_rules(partition: Partition, account: Account, fact: MemberFact, due: list[Entry]) -> Posting:
    referred = _refer(partition, account, fact)
    rules = partition.rules_at(fact.occurred_at)
    if rules is None:
        posting = _posting(account, fact, due, reason=Reason.NO_RULESET)
    else:
        posting = _decide_under(rules, partition, account, fact=fact, due=due, referred=referred)
    posting.late = fact.occurred_at < account.latest_at
    posting.purchase_rank = referred.purchase_rank
    posting.claim_opened = 0 if referred.claim is None else referred.claim.rank
    posting.owed = tuple(referred.owed)
    return posting


def _decide_under(
    rules: CompiledRuleset,
    partition: Partition,
    account: Account,
    *,
    fact: MemberFact,
    due: list[Entry],
    referred: _Referred,
) -> Posting:
    moment = Moment(rules.zone, fact.occurred_at)
    earning = Earning() if referred.reason is not None else earn(rules, partition, account, fact, moment)
    now = max(fact.occurred_at, account.latest_at, partition.last_tick)
    entries = [*due, *_awards(account, fact, earning.awards, now)]
    posting = _posting(account, fact, entries, reason=None if earning.awards else referred.reason or earning.reason)
    posting.workings = tuple(earning.workings)
    posting.charges = tuple(earning.charges)
    posting.day_held = earning.day_held
    posting.claim_paid = earning.claim_paid
    posting.local_day = moment.day
    posting.ruleset_version, posting.ruleset_hash = rules.version, rules.ruleset_hash
    posting.semantics = rules.semantics
    if earning.awards:
        reached_at = max(fact.occurred_at, account.latest_at)
        earned = sum(award.points for award in earning.awards)
        posting.totals = totals_after(account, moment.day, posting.store_id, earned, reached_at)
    return posting


def _refer(partition: Partition, account: Account, fact: MemberFact) -> _Referred:
    if isinstance(fact, ReferralMade):
        if account.member_id != fact.referee_id:
            return _Referred(reason=Reason.AWAITING_PURCHASE)
        claim = claim_for(partition, account, fact.referrer_id, fact.occurred_at)
        if isinstance(claim, Reason):
            return _Referred(reason=claim)
        return _Referred(Reason.AWAITING_PURCHASE, claim=claim, owed=owed_to_new_claim(partition, account, claim))
    if not isinstance(fact, PurchaseRecorded):
        return _Referred()
    referred = _Referred(purchase_rank=account.purchases_made + 1)
    if fact.referrer_id is not None and fact.referrer_id != account.member_id:
        claim = claim_for(partition, account, fact.referrer_id, fact.occurred_at)
        if not isinstance(claim, Reason):
            referred.claim = claim
            referred.owed = owed_to_new_claim(partition, account, claim)
    if referred.claim is not None or account.claims:
        purchase = purchase_of(fact, referred.purchase_rank)
        referred.owed += owed_for_purchase(partition, account, referred.claim, purchase)
    return referred


def _awards(account: Account, fact: MemberFact, awards: list[Award], now: int) -> list[Entry]:
    entries: list[Entry] = []
    expired: list[Entry] = []
    for n, award in enumerate(awards, start=1):
        lot = account.lots_opened + n
        entries.append(
            Entry(
                entry_id=award_entry_id(fact.source, fact.event_id, account.member_id, n),
                type=EntryType.POINTS_AWARDED,
                points=award.points,
                effective_at=fact.occurred_at,
                lot=lot,
                rule_id=award.rule_id,
                available_at=fact.occurred_at,
                expires_at=award.expires_at,
            )
        )
        if award.expires_at is not None and award.expires_at <= now:
            expired.append(expiry(account.member_id, lot, award.points, fact.occurred_at, award.expires_at))
    expired.sort(key=lambda entry: (entry.effective_at, entry.lot))
    return entries + expired


def _balance_after(account: Account, entries: list[Entry]) -> int:
    balance = account.balance
    for entry in entries:
        balance += entry.points
    return balance


def _posting(account: Account, fact: MemberFact, entries: list[Entry], *, reason: Reason | None) -> Posting:
    return Posting(
        member_id=account.member_id,
        seq=account.seq + 1,
        fact_type=type(fact).__name__,
        source=fact.source,
        event_id=fact.event_id,
        occurred_at=fact.occurred_at,
        balance=_balance_after(account, entries),
        reason=reason,
        entries=tuple(entries),
        store_id=getattr(fact, "store_id", ""),
        order_id=getattr(fact, "order_id", ""),
    )
