"""Explains one posting from the account as it was just before: rules, arithmetic, limits, lots, and the reason."""

from collections.abc import Iterable, Mapping
from typing import Final

from processors.decider.account import Account
from processors.decider.kinds.streak import StreakRule
from processors.decider.limits import (
    MAX_EARNED_LIMIT,
    MAX_LOTS_LIMIT,
    PER_ORDER,
    CompiledLimit,
    counter_key,
    left_of,
    used_of,
)
from processors.decider.local_time import LocalMoment, Zone, iso_day
from processors.decider.referrals import MAX_OPEN_CLAIMS
from processors.decider.rules.explain_rules import Considered, consider
from processors.decider.rules.ruleset import Ruleset
from schemas.bounds import DAY_MS
from schemas.facts import CheckedIn, MemberFact, PurchaseRecorded, RefereePurchased, ReferralMade, RulesetPublished
from schemas.instants import format_instant
from schemas.posting import EntryType, Posting, Reason, Working
from tallybook.explain.account_walk import Moment
from tallybook.explain.model import EntrySeen, LimitSeen, PostingSeen, RuleSeen, RulesInForce
from tallybook.explain.sentences import ORDER_PAID, arithmetic_line, sentence

_LESS_THAN_A_DAY_PAID: Final = frozenset({Reason.LIMIT_REACHED, Reason.ZERO_POINTS})
BEFORE_RULES: Final = frozenset({Reason.TOO_OLD, Reason.DUPLICATE, Reason.CONFLICT})


def explain_posting(moment: Moment, fact: MemberFact, posting: Posting) -> PostingSeen:
    """Explain what a fact did to an account, and why; `moment` is the state just before it."""
    decided_by = None if posting.reason in BEFORE_RULES else moment.rules_at(fact.occurred_at)
    rules: RulesInForce | None = None
    considered: list[RuleSeen] = []
    zone: Zone | None = None
    if decided_by is not None:
        published, ruleset, zone = decided_by
        rules = _in_force(published, moment, fact)
        considered = _considered(ruleset, zone, moment, fact, posting)
    folio = moment.walked.folio
    return PostingSeen(
        member_id=posting.member_id,
        role=_role(fact, posting.member_id),
        partition=-1,
        page=folio.page,
        line=folio.line,
        number=posting.number,
        seq=posting.seq,
        balance_before=moment.account.balance,
        balance_after=posting.balance,
        late=posting.late,
        reason=most_specific(moment, fact, posting) or "",
        why=reason_of(moment, fact, posting, considered),
        rules=rules,
        considered=considered,
        entries=_entries_seen(posting, zone),
        notes=[*_streak_notes(moment.account, fact, posting), *_referral_notes(posting)],
    )


def _entries_seen(posting: Posting, zone: Zone | None) -> list[EntrySeen]:
    own = {entry.lot for entry in posting.entries if entry.type == EntryType.POINTS_AWARDED}
    return [
        EntrySeen(
            entry_id=entry.entry_id,
            type=entry.type,
            points=entry.points,
            lot=entry.lot,
            rule_id=entry.rule_id,
            effective_at=format_instant(entry.effective_at),
            expires_at=None if entry.expires_at is None else format_instant(entry.expires_at),
            last_day=last_day(entry.expires_at, zone),
            is_due_work=entry.lot not in own,
        )
        for entry in posting.entries
    ]


def last_day(expires_at: int | None, zone: Zone | None) -> str | None:
    """Find the last local date of points that expire at an instant (UTC ms); None: not known, or never."""
    return None if expires_at is None or zone is None else zone.local(expires_at - 1).date().isoformat()


def most_specific(moment: Moment, fact: MemberFact, posting: Posting) -> Reason | None:
    """Find the reason that says most of why a fact earned nothing; None if it awarded something.

    The posting names a limit before a day that was paid already, whatever rule it was that met the limit.
    """
    reason = None if posting.reason is None else Reason(posting.reason)
    if reason not in _LESS_THAN_A_DAY_PAID or not isinstance(fact, CheckedIn) or posting.day_held is not None:
        return reason
    decided_by = moment.rules_at(fact.occurred_at)
    if decided_by is None or posting.local_day not in moment.account.days:
        return reason
    _, ruleset, zone = decided_by
    pays_days = any(each.takes_part and each.kind == StreakRule.kind_name() for each in consider(ruleset, zone, fact))
    return Reason.DAY_ALREADY_PAID if pays_days else reason


def reason_of(moment: Moment, fact: MemberFact, posting: Posting, considered: Iterable[RuleSeen] = ()) -> str:
    """Give the sentence for the reason of a posting, the most specific first; empty if it awarded something."""
    if posting.reason is None:
        return ""
    partition = moment.machine.partition
    details = {
        "horizon_days": f"{partition.horizon_ms // DAY_MS}",
        "window_days": f"{partition.referral_window_ms // DAY_MS}",
        "last_tick": format_instant(partition.last_tick),
        "max_claims": str(MAX_OPEN_CLAIMS),
        "max_lots": f"{partition.max_lots:,}",
    }
    if isinstance(fact, ReferralMade | RefereePurchased):
        details |= {"referrer": fact.referrer_id, "referee": fact.referee_id}
    if isinstance(fact, PurchaseRecorded | RefereePurchased):
        details["currency"] = fact.currency
    decided_by = moment.rules_at(fact.occurred_at)
    if decided_by is not None:
        details["programme_currency"] = decided_by[1].currency
    elif partition.publications:
        first = min(published.effective_from for published in partition.publications)
        details["first_rules"] = f"at {format_instant(first)}"
    if posting.local_day is not None:
        details["local_day"] = iso_day(posting.local_day)
    cutting = [f"{limit.limit_id} ({limit.window})" for rule in considered for limit in rule.limits if limit.cut]
    cutting = cutting or [limit_id for working in posting.workings for limit_id in working.limit_ids]
    if cutting:
        details["limits"] = " and ".join(dict.fromkeys(cutting))
    said = sentence(_as_said(fact, posting, decided_by[1] if decided_by else None, details), details)
    specific = most_specific(moment, fact, posting)
    if specific not in (None, posting.reason):
        return f"{sentence(specific, details)} Of the other rules the ledger says {posting.reason}: {said}"
    return said


def _as_said(fact: MemberFact, posting: Posting, ruleset: Ruleset | None, details: dict[str, str]) -> str:
    """The reason by which SENTENCES knows what to say; of an order that was paid before it fills in `details`."""
    reason = str(posting.reason)
    if posting.reason != Reason.LIMIT_REACHED or not isinstance(fact, PurchaseRecorded) or ruleset is None:
        return reason
    per = {limit.id: limit.per for limit in ruleset.limits}
    cut = {limit_id for working in posting.workings for limit_id in working.limit_ids}
    if {per.get(limit_id) for limit_id in cut} != {PER_ORDER}:
        return reason
    details |= {"order_id": fact.order_id, "limits": " and ".join(sorted(cut))}
    return ORDER_PAID


def limit_seen(limit: CompiledLimit, window: str, counters: Mapping[str, int], *, cut: int, charged: int) -> LimitSeen:
    """Explain how one window of a limit stands: `counters` has what was used before, by counter."""
    used = counters.get(counter_key(limit.limit_id, window), 0)
    allows = limit.points if limit.points is not None else limit.times or 0
    return LimitSeen(
        limit_id=limit.limit_id,
        window=window,
        allows=allows,
        of="awards" if limit.points is None else "points",
        used_before=used,
        cut=cut,
        charged=charged,
        left=max(0, allows - used - charged),
    )


def _limits_seen(
    limits: Iterable[CompiledLimit], counters: dict[str, int], fact: MemberFact, local: LocalMoment, working: Working
) -> list[LimitSeen]:
    """Explain how each limit of one rule stood, and add what the rule charged to `counters`, for the rules after it."""
    seen: list[LimitSeen] = []
    allowed = working.rounded
    for limit in limits:
        window = limit.window(fact, local)
        key = counter_key(limit.limit_id, window)
        left = left_of(limit, counters.get(key, 0), allowed)
        charged = (1 if limit.points is None else working.paid) if working.paid else 0
        seen.append(limit_seen(limit, window, counters, cut=allowed - left, charged=charged))
        counters[key] = counters.get(key, 0) + charged
        allowed = left
    return seen


def _in_force(published: RulesetPublished, moment: Moment, fact: MemberFact) -> RulesInForce:
    earlier = len(moment.machine.partition.publications)
    since = format_instant(published.effective_from)
    why = f"in effect from {since}, and the fact happened at {format_instant(fact.occurred_at)}"
    if earlier > 1:
        why += f"; the latest in effect by then of the {earlier} published before the fact came"
    return RulesInForce(published.version, published.ruleset_hash, since, published.semantics, why)


def _considered(ruleset: Ruleset, zone: Zone, moment: Moment, fact: MemberFact, posting: Posting) -> list[RuleSeen]:
    workings = {working.rule_id: working for working in posting.workings}
    compiled = moment.machine.partition.rules_at(fact.occurred_at)
    by_id = {} if compiled is None else {rule.rule_id: rule for rule in compiled.rules_for(fact)}
    account, at, horizon_ms = moment.account, fact.occurred_at, moment.machine.partition.horizon_ms
    local = LocalMoment(zone, at)
    counters = {counter: used_of(account, counter, at, horizon_ms) for counter in account.counters}
    seen: list[RuleSeen] = []
    for each in consider(ruleset, zone, fact):
        working = workings.get(each.rule_id)
        if working is None:
            seen.append(_without_working(each, posting))
            continue
        rule = by_id[each.rule_id]
        limits = _limits_seen(rule.limits, counters, fact, local, working)
        cuts = [(limit.limit_id, limit.cut) for limit in limits if limit.cut]
        built_in = [name for name in (MAX_EARNED_LIMIT, MAX_LOTS_LIMIT) if name in working.limit_ids][-1:]
        cuts += [(name, working.rounded - working.paid - sum(points for _, points in cuts)) for name in built_in]
        line = arithmetic_line(working, cuts, ruleset.stacking, per_line=rule.counted.round_per_line)
        seen.append(RuleSeen(each.rule_id, each.kind, True, each.because, line, working.paid, limits))
    return seen


def _without_working(each: Considered, posting: Posting) -> RuleSeen:
    """Explain a rule that did not compute anything, although its conditions may hold."""
    if not each.takes_part:
        return RuleSeen(each.rule_id, each.kind, False, each.because)
    if each.unpaid:
        return RuleSeen(each.rule_id, each.kind, False, each.unpaid)
    multiplied = [
        working.rule_id
        for working in posting.workings
        if any(factor.rule_id == each.rule_id for factor in working.factors)
    ]
    names = ", ".join(multiplied)
    because = f"multiplies {names}" if multiplied else "its conditions hold, but there was nothing to multiply"
    return RuleSeen(each.rule_id, each.kind, bool(multiplied), because)


def _role(fact: MemberFact, member_id: str) -> str:
    if isinstance(fact, ReferralMade | RefereePurchased):
        return "referrer" if member_id == fact.referrer_id else "referee"
    return ""


def _streak_notes(account: Account, fact: MemberFact, posting: Posting) -> list[str]:
    held = posting.day_held
    if held is not None:
        # A late check-in has held days on both sides of it; a run is made of those before it.
        before = ", ".join([iso_day(day) for day in account.days if day < held.day][-7:]) or "none"
        return [f"{iso_day(held.day)} is day {held.run_length} of its run (days held before: {before})"]
    if isinstance(fact, CheckedIn) and posting.local_day in account.days:
        return [f"the account held the local day {iso_day(posting.local_day)} already"]
    return []


def _referral_notes(posting: Posting) -> list[str]:
    notes = []
    if posting.claim_opened:
        notes.append(f"opens claim number {posting.claim_opened} on this member's purchases")
    if posting.claim_paid is not None:
        referee, _, rank = posting.claim_paid.rpartition("/")
        notes.append(f"settles claim {rank} on {referee} for this account")
    if posting.purchase_rank:
        notes.append(f"is purchase number {posting.purchase_rank} of this member")
    return notes + [
        f"tells {owed.member_id} of it: event {owed.event_id} (referral of {owed.referee_id})" for owed in posting.owed
    ]
