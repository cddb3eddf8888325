"""A second, slow and obvious reading of docs/rules.md, so that a slip in the fast decider is seen.

It and its neighbours `account`, `rules` and `local_time` import nothing of Tallybook but `schemas`. They read the rules
from the plain YAML document, keep lists of everything and count by walking through them. `tests/property/histories.py`
compares it with the decider.
"""

from collections.abc import Sequence
from fractions import Fraction

from schemas.bounds import MAX_EARNED_POINTS, MAX_LOTS
from schemas.entry_ids import (
    DERIVED_SOURCE,
    award_entry_id,
    claim_key,
    expiry_entry_id,
    referee_purchased_event_id,
    tick_event_id,
)
from schemas.facts import (
    CheckedIn,
    ClockTicked,
    JournalOpened,
    MemberFact,
    PurchaseRecorded,
    RefereePurchased,
    ReferralMade,
    RulesetPublished,
    order_total_minor,
)
from schemas.pages import JournalLine
from schemas.posting import TICK_SOURCE, DayHeld, Entry, EntryType, LimitCharge, Posting, Reason, RuleLayer
from tests.reference import rules
from tests.reference.account import Account, Award, Claim, Lot
from tests.reference.local_time import utc_day, zone_from

MAX_CLAIMS_IN_A_WINDOW = 32
MAX_PURCHASES_REMEMBERED = 1_000


class Deciding:
    """What is known while one fact is decided for one account."""

    def __init__(self, account: Account, fact: MemberFact, posting: Posting) -> None:
        self.account = account
        self.fact = fact
        self.posting = posting
        self.entries: list[Entry] = []
        self.owed: list[RefereePurchased] = []
        self.charges: list[LimitCharge] = []
        self.held_before: int | None = None
        self.new_lots: list[Lot] = []
        self.refused_claim: Reason | None = None
        self.some_rule_matched = False
        self.some_rule_was_worth_points = False
        self.day_was_paid_before = False
        self.claim_was_settled_before = False
        self.lots_were_too_many = False


class ReferenceLedger:
    """The ledger of one partition in an edition with `layers`; `opened` gives the horizon and referral window (ms)."""

    def __init__(self, opened: JournalOpened, max_lots: int = MAX_LOTS, layers: Sequence[RuleLayer] = ()) -> None:
        self.horizon_ms = opened.horizon_ms
        self.referral_window_ms = opened.referral_window_ms
        self.max_lots = max_lots
        self.layers = layers
        self.last_tick: int | None = None
        self.publications: list[RulesetPublished] = []
        self.accounts: dict[str, Account] = {}

    def feed(self, line: JournalLine) -> list[Posting]:
        """The postings that one journal line makes: one per fact and member, for a tick one per account with due work.

        Folio and number are not set, and the workings are not computed.
        """
        fact = line.fact
        if isinstance(fact, JournalOpened):
            return []
        if isinstance(fact, RulesetPublished):
            self.publications.append(fact)
            return []
        if isinstance(fact, ClockTicked):
            return self._tick(fact.at)
        if line.member_id is None:
            return []
        return [self._decide(self.accounts.setdefault(line.member_id, Account(line.member_id)), fact)]

    # -------------------------------------------------------------------------------------------- order of deciding

    def _tick(self, at: int) -> list[Posting]:
        if self.last_tick is not None and at <= self.last_tick:
            return []
        postings = []
        for account in sorted(self.accounts.values(), key=lambda account: account.member_id.encode()):
            entries = [self._expire(account, lot) for lot in account.due(at)]
            if entries:
                account.postings += 1
                posting = Posting(
                    member_id=account.member_id,
                    seq=account.postings,
                    fact_type=ClockTicked.__name__,
                    source=TICK_SOURCE,
                    event_id=tick_event_id(at),
                    occurred_at=at,
                    balance=account.balance(),
                    entries=tuple(entries),
                )
                postings.append(posting)
        self.last_tick = at
        return postings

    def _decide(self, account: Account, fact: MemberFact) -> Posting:
        account.postings += 1
        posting = Posting(
            member_id=account.member_id,
            seq=account.postings,
            fact_type=type(fact).__name__,
            source=fact.source,
            event_id=fact.event_id,
            occurred_at=fact.occurred_at,
            balance=0,
            store_id=getattr(fact, "store_id", ""),
            order_id=getattr(fact, "order_id", ""),
        )
        deciding = Deciding(account, fact, posting)
        deciding.entries += [self._expire(account, lot) for lot in account.due(fact.occurred_at)]
        reason = self._seen_before(account, fact)
        if reason is None:
            reason = self._decide_by_rules(deciding)
        posting.reason = reason
        posting.entries = tuple(deciding.entries)
        posting.charges = tuple(deciding.charges)
        posting.owed = tuple(deciding.owed)
        posting.balance = account.balance()
        return posting

    def _is_too_old(self, at: int) -> bool:
        return self.last_tick is not None and at < self.last_tick - self.horizon_ms

    def _seen_before(self, account: Account, fact: MemberFact) -> Reason | None:
        if self._is_too_old(fact.occurred_at):
            return Reason.TOO_OLD
        for seen in account.facts:
            if (seen.source, seen.event_id) == (fact.source, fact.event_id) and not self._is_too_old(seen.occurred_at):
                return Reason.DUPLICATE if seen == fact else Reason.CONFLICT
        return None

    def _decide_by_rules(self, deciding: Deciding) -> Reason | None:
        account, fact, posting = deciding.account, deciding.fact, deciding.posting
        deciding.held_before = account.latest()
        posting.late = deciding.held_before is not None and deciding.held_before > fact.occurred_at
        account.facts.append(fact)
        account.instants.append(fact.occurred_at)
        if isinstance(fact, ReferralMade) and fact.referee_id == account.member_id:
            self._open_claim(deciding, fact.referrer_id)
        if isinstance(fact, PurchaseRecorded):
            if fact.referrer_id is not None and fact.referrer_id != account.member_id:
                self._open_claim(deciding, fact.referrer_id)
            account.purchases.append(fact)
            posting.purchase_rank = len(account.purchases)
            for claim in account.claims:
                self._owe(deciding, claim, posting.purchase_rank)
        published = self._ruleset_at(fact.occurred_at)
        if published is None:
            return Reason.NO_RULESET
        posting.ruleset_version = published.version
        posting.ruleset_hash = published.ruleset_hash
        posting.semantics = published.semantics
        posting.local_day = zone_from(published.tzif).day(fact.occurred_at)
        return self._apply_rules(deciding, published)

    def _ruleset_at(self, at: int) -> RulesetPublished | None:
        """The top layer with a span there decides; what came after its opening may win from within the span."""
        for layer in self.layers[::-1]:
            for span in layer.spans:
                if at < span.from_at or (span.until_at is not None and at >= span.until_at):
                    continue
                came_later = [p for p in self.publications[layer.covers :] if p.effective_from >= span.from_at]
                return self._latest(came_later, at) or span.published
        return self._latest(self.publications, at)

    def _latest(self, publications: Sequence[RulesetPublished], at: int) -> RulesetPublished | None:
        in_force = None
        for published in publications:
            if published.effective_from <= at and (
                in_force is None or published.effective_from >= in_force.effective_from
            ):
                in_force = published
        return in_force

    # -------------------------------------------------------------------------------------------- referrals

    def _open_claim(self, deciding: Deciding, referrer_id: str) -> None:
        account, claimed_at = deciding.account, deciding.fact.occurred_at
        near = [c for c in account.claims if abs(c.claimed_at - claimed_at) < self.referral_window_ms]
        if any(claim.referrer_id == referrer_id for claim in near):
            deciding.refused_claim = Reason.ALREADY_CLAIMED
        elif len(near) >= MAX_CLAIMS_IN_A_WINDOW:
            deciding.refused_claim = Reason.TOO_MANY_CLAIMS
        else:
            claim = Claim(len(account.claims) + 1, referrer_id, claimed_at)
            account.claims.append(claim)
            deciding.posting.claim_opened = claim.rank
            remembered = list(enumerate(account.purchases, 1))[-MAX_PURCHASES_REMEMBERED:]
            for rank, purchase in remembered:
                if not self._is_too_old(purchase.occurred_at):
                    self._owe(deciding, claim, rank)

    def _owe(self, deciding: Deciding, claim: Claim, purchase_rank: int) -> None:
        referee_id = deciding.account.member_id
        purchase = deciding.account.purchases[purchase_rank - 1]
        if not claim.claimed_at <= purchase.occurred_at < claim.claimed_at + self.referral_window_ms:
            return
        for recipient in (claim.referrer_id, referee_id):
            derived = RefereePurchased(
                source=DERIVED_SOURCE,
                event_id=referee_purchased_event_id(referee_id, claim.rank, purchase_rank),
                occurred_at=purchase.occurred_at,
                member_id=recipient,
                referrer_id=claim.referrer_id,
                referee_id=referee_id,
                claim_rank=claim.rank,
                purchase_rank=purchase_rank,
                amount_minor=order_total_minor(purchase),
                currency=purchase.currency,
                claimed_at=claim.claimed_at,
                purchase_source=purchase.source,
                purchase_event_id=purchase.event_id,
            )
            deciding.owed.append(derived)

    # -------------------------------------------------------------------------------------------- rules

    def _apply_rules(self, deciding: Deciding, published: RulesetPublished) -> Reason | None:
        fact = deciding.fact
        if isinstance(fact, ReferralMade):
            return deciding.refused_claim or Reason.AWAITING_PURCHASE
        programme = rules.Programme.of(published)
        currency = programme.document["currency"]
        is_other_currency = isinstance(fact, PurchaseRecorded | RefereePurchased) and fact.currency != currency
        if isinstance(fact, RefereePurchased):
            settled = claim_key(fact.referee_id, fact.claim_rank) in deciding.account.settled
            deciding.claim_was_settled_before = settled
        if not is_other_currency:
            for rule in programme.document["rules"]:
                if rule["kind"] == "multiplier" or not rules.is_active(rule, programme.zone, fact.occurred_at):
                    continue
                matched = self._match(deciding, programme, rule)
                if matched is not None:
                    basis, rate = matched
                    points = rules.worth(programme, rule, fact, basis, rate)
                    self._pay(deciding, programme, rule, points)
        if deciding.new_lots:
            self._total_up(deciding)
            self._expire_what_is_past(deciding)
            return None
        return self._why_nothing(deciding, is_other_currency=is_other_currency)

    def _match(
        self, deciding: Deciding, programme: rules.Programme, rule: rules.Document
    ) -> tuple[rules.Basis, Fraction] | None:
        fact = deciding.fact
        if rule["kind"] == "streak":
            return self._match_streak(deciding, rule) if isinstance(fact, CheckedIn) else None
        if rule["kind"] == "referral":
            return self._match_referral(deciding, rule) if isinstance(fact, RefereePurchased) else None
        basis = rules.basis_of_event(programme, rule, fact)
        return None if basis is None else (basis, rules.rate_of_event(rule))

    def _match_streak(self, deciding: Deciding, rule: rules.Document) -> tuple[rules.Basis, Fraction] | None:
        account, day = deciding.account, deciding.posting.local_day
        assert day is not None
        if not rules.holds(rule.get("when", {}), deciding.fact):
            return None
        if day in account.days:
            deciding.day_was_paid_before = True
            return None
        forget_before = None if self.last_tick is None else utc_day(self.last_tick - self.horizon_ms) - 1
        run = account.hold_day(day, int(rule.get("grace_days", "0")), forget_before)
        deciding.posting.day_held = DayHeld(day, run, min(account.days), account.run_on_oldest_day)
        return [(1, None)], rules.fraction(rule.get("daily", "0")) + rules.bonus(rule, run)

    def _match_referral(self, deciding: Deciding, rule: rules.Document) -> tuple[rules.Basis, Fraction] | None:
        account, fact = deciding.account, deciding.fact
        assert isinstance(fact, RefereePurchased)
        if (
            deciding.claim_was_settled_before
            or str(fact.claim_rank) not in rule.get("claim_ranks", ["1"])
            or fact.amount_minor < int(rule.get("min_amount_minor", "0"))
            or (rule.get("new_members") == "true" and fact.purchase_rank != 1)
        ):
            return None
        deciding.posting.claim_paid = claim_key(fact.referee_id, fact.claim_rank)
        account.settled.append(deciding.posting.claim_paid)
        side = "referrer_points" if account.member_id == fact.referrer_id else "referee_points"
        return [(1, None)], rules.fraction(rule[side])

    # -------------------------------------------------------------------------------------------- limits and entries

    def _pay(self, deciding: Deciding, programme: rules.Programme, rule: rules.Document, points: int) -> None:
        account, fact = deciding.account, deciding.fact
        deciding.some_rule_matched = True
        deciding.some_rule_was_worth_points = deciding.some_rule_was_worth_points or points > 0
        charged: list[tuple[rules.Document, str]] = []
        for limit_id in rule.get("limits", []):
            limit = next(limit for limit in programme.document["limits"] if limit["id"] == limit_id)
            window = rules.window_of(limit, programme.zone, fact)
            used = 0 if self._is_order_over(account, limit_id, window, fact) else account.charged(limit_id, window)
            charged.append((limit, window))
            if "times" in limit:
                points = points if used < int(limit["times"]) else 0
                continue
            room = max(0, int(limit["points"]) - used)
            if points > room:
                points = 0 if limit.get("when_reached") == "refuse" else room
        points = min(points, MAX_EARNED_POINTS - account.earned())
        if points <= 0:
            return
        if len([lot for lot in account.lots if lot.remaining > 0]) >= self.max_lots:
            deciding.lots_were_too_many = True
            return
        for limit, window in charged:
            if self._is_order_over(account, limit["id"], window, fact):
                account.begin_order_anew(limit["id"], window)
            charge = LimitCharge(limit["id"], window, 1 if "times" in limit else points)
            account.charges.append(charge)
            if limit["per"] == "order":
                account.first_charged.setdefault((limit["id"], window), fact.occurred_at)
            deciding.charges.append(charge)
        self._award(deciding, rule["id"], points, rules.expires_at(programme, rule, fact.occurred_at))

    def _is_order_over(self, account: Account, limit_id: str, window: str, fact: MemberFact) -> bool:
        first = account.first_charged.get((limit_id, window))
        return first is not None and fact.occurred_at >= first + self.horizon_ms

    def _award(self, deciding: Deciding, rule_id: str, points: int, expires_at: int | None) -> None:
        account, fact = deciding.account, deciding.fact
        lot = Lot(len(account.lots) + 1, points, fact.occurred_at, expires_at)
        account.lots.append(lot)
        deciding.new_lots.append(lot)
        day = deciding.posting.local_day
        assert day is not None
        account.awards.append(Award(day, deciding.posting.store_id, points))
        entry = Entry(
            entry_id=award_entry_id(fact.source, fact.event_id, account.member_id, len(deciding.new_lots)),
            type=EntryType.POINTS_AWARDED,
            points=points,
            effective_at=fact.occurred_at,
            lot=lot.number,
            rule_id=rule_id,
            available_at=fact.occurred_at,
            expires_at=expires_at,
        )
        account.instants.append(entry.effective_at)
        deciding.entries.append(entry)

    def _expire(self, account: Account, lot: Lot) -> Entry:
        due_at = lot.due_at()
        assert due_at is not None
        entry = Entry(
            entry_id=expiry_entry_id(account.member_id, lot.number, due_at),
            type=EntryType.POINTS_EXPIRED,
            points=-lot.remaining,
            effective_at=due_at,
            lot=lot.number,
        )
        lot.remaining = 0
        account.instants.append(due_at)
        return entry

    def _expire_what_is_past(self, deciding: Deciding) -> None:
        known = [deciding.fact.occurred_at, deciding.held_before, self.last_tick]
        past = max(instant for instant in known if instant is not None)
        deciding.entries += [
            self._expire(deciding.account, lot) for lot in deciding.account.due(past) if lot in deciding.new_lots
        ]

    def _total_up(self, deciding: Deciding) -> None:
        account, posting = deciding.account, deciding.posting
        assert posting.local_day is not None
        reached_at = max(posting.occurred_at, deciding.held_before or posting.occurred_at)
        scopes = [""] + ([posting.store_id] if posting.store_id else [])
        posting.totals = tuple(account.totals(scope, posting.local_day, reached_at) for scope in scopes)

    def _why_nothing(self, deciding: Deciding, *, is_other_currency: bool) -> Reason:
        if deciding.claim_was_settled_before:
            return Reason.CLAIM_ALREADY_PAID
        if is_other_currency:
            return Reason.OTHER_CURRENCY
        if deciding.some_rule_was_worth_points:
            return Reason.TOO_MANY_LOTS if deciding.lots_were_too_many else Reason.LIMIT_REACHED
        if deciding.some_rule_matched:
            return Reason.ZERO_POINTS
        if deciding.day_was_paid_before:
            return Reason.DAY_ALREADY_PAID
        return Reason.NO_RULE_MATCHED
