"""Explains a member: what it has, which rules brought it, what its limits leave, and its newest facts."""

from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

from books.log import LogReader
from processors.decider.account import FAR_FUTURE, Account
from processors.decider.limits import PER_ORDER, CompiledLimit
from processors.decider.local_time import LocalMoment, Zone, iso_day
from processors.decider.rules.compile import CompiledRuleset
from schemas.facts import BookFact
from schemas.instants import format_instant
from schemas.posting import EntryType, Posting
from tallybook.explain.account_walk import AccountWalk, Moment
from tallybook.explain.model import FactSeen, LimitSeen, LotSeen, MemberExplained, RuleSum
from tallybook.explain.posting import last_day, limit_seen, most_specific, reason_of
from tallybook.explain.sentences import arithmetic_line
from tallybook.screen import counted


class _Award(NamedTuple):
    """Remembers the entry that opened a lot."""

    rule_id: str
    points: int
    event_id: str


def explain_member(
    log: LogReader, member_id: str, newest: int, on_line: Callable[[], object]
) -> MemberExplained | None:
    """Explain one account, with its `newest` facts (the last one first); None if there is no such account."""
    walking = AccountWalk(log, member_id, on_line)
    facts: deque[FactSeen] = deque(maxlen=newest)
    awards: dict[int, _Award] = {}
    sums: dict[str, RuleSum] = {}
    reasons: Counter[str] = Counter()
    for moment in walking:
        for posting in moment.postings:
            _add_up(posting, awards, sums)
            if posting.reason is not None:
                reasons[posting.reason] += 1
            facts.append(_fact_seen(moment, posting))
    account, partition = walking.account, walking.machine.partition
    if not account.seq:
        return None
    published = partition.published_at(partition.last_tick)
    zone = None if published is None else Zone(published.timezone, published.tzif)
    lots = [_lot_seen(lot.number, lot.remaining, lot.expires_at, awards, zone) for lot in account.lots]
    for lot in lots:
        sums[lot.rule_id].left += lot.left
    return MemberExplained(
        member_id=member_id,
        as_of=format_instant(partition.last_tick) if partition.last_tick else None,
        balance=account.balance,
        earned=account.earned,
        postings=account.seq,
        partition=walking.partition,
        rules=sorted(sums.values(), key=lambda each: (-each.awarded, each.rule_id)),
        lots=lots,
        reasons=dict(reasons.most_common()),
        limits=_limits_now(partition.rules_at(partition.last_tick), account, partition.last_tick),
        notes=_notes(account),
        newest=list(reversed(facts)),
    )


def _add_up(posting: Posting, awards: dict[int, _Award], sums: dict[str, RuleSum]) -> None:
    for entry in posting.entries:
        if entry.type == EntryType.POINTS_AWARDED:
            awards[entry.lot] = _Award(entry.rule_id, entry.points, posting.event_id)
            each = sums.setdefault(entry.rule_id, RuleSum(entry.rule_id, 0, 0, 0, 0))
            each.awards += 1
            each.awarded += entry.points
        else:
            sums[awards[entry.lot].rule_id].expired -= entry.points


def _lot_seen(number: int, left: int, expires_at: int, awards: dict[int, _Award], zone: Zone | None) -> LotSeen:
    award = awards[number]
    until = None if expires_at == FAR_FUTURE else expires_at
    return LotSeen(
        lot=number,
        rule_id=award.rule_id,
        left=left,
        awarded=award.points,
        event_id=award.event_id,
        expires_at=None if until is None else format_instant(until),
        last_day=last_day(until, zone),
    )


def _fact_seen(moment: Moment, posting: Posting) -> FactSeen:
    fact = moment.walked.line.fact
    reason, why = posting.reason, ""
    if not isinstance(fact, BookFact):
        reason, why = most_specific(moment, fact, posting), reason_of(moment, fact, posting)
    return FactSeen(
        occurred_at=format_instant(posting.occurred_at),
        fact_type=posting.fact_type,
        source=posting.source,
        event_id=posting.event_id,
        points=sum(entry.points for entry in posting.entries if entry.type == EntryType.POINTS_AWARDED),
        expired=-sum(entry.points for entry in posting.entries if entry.type == EntryType.POINTS_EXPIRED),
        balance_after=posting.balance,
        reason=reason or "",
        why=why,
        arithmetic=_arithmetic(moment, posting),
    )


def _arithmetic(moment: Moment, posting: Posting) -> list[str]:
    decided_by = moment.rules_at(posting.occurred_at) if posting.workings else None
    if decided_by is None:
        return []
    _, ruleset, _ = decided_by
    per_line = {rule.id for rule in ruleset.rules if getattr(rule, "round_per", "") == "line"}
    return [
        f"{each.rule_id}: {arithmetic_line(each, stacking=ruleset.stacking, per_line=each.rule_id in per_line)}"
        for each in posting.workings
    ]


def _limits_now(rules: CompiledRuleset | None, account: Account, at: int) -> list[LimitSeen]:
    """Explain the limits of the rules in force, in the windows around `at`, but those of each SKU, store or order."""
    if rules is None:
        return []
    local = LocalMoment(rules.zone, at)
    limits: dict[str, CompiledLimit] = {}
    for compiled in rules.rules_by_type.values():
        limits.update(
            (limit.limit_id, limit)
            for rule in compiled
            for limit in rule.limits
            if limit.each is None and limit.per != PER_ORDER
        )
    return [
        limit_seen(limit, limit.window(None, local), account.counters, cut=0, charged=0) for limit in limits.values()
    ]


def _notes(account: Account) -> list[str]:
    notes = []
    if account.days:
        notes.append(
            f"last check-in day held: {iso_day(account.days[-1])}; {counted(len(account.days), 'day')} remembered"
        )
    return notes + [
        f"referred by {claim.referrer_id} at {format_instant(claim.claimed_at)} (claim {claim.rank})"
        for claim in account.claims
    ]
