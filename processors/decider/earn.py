"""Asks every rule that can earn on a kind of fact, in the order of the file, and lets the limits cut."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from processors.decider.account import Account
from processors.decider.arithmetic import exact_text
from processors.decider.calendar import Moment
from processors.decider.compile import CompiledRuleset
from processors.decider.limits import LimitDesk
from processors.decider.partition import Partition
from processors.decider.streaks import hold_day
from processors.decider.worth import CompiledRule, ReferralTerms, Worth, worth_of_event, worth_of_lines
from schemas.entry_ids import claim_key
from schemas.facts import CheckedIn, MemberFact, PurchaseRecorded, RefereePurchased
from schemas.posting import DayHeld, LimitCharge, Reason, Working


class Award(NamedTuple):
    """Points that a rule pays, after limits; they expire at `expires_at` (UTC ms) or never."""

    rule_id: str
    points: int
    expires_at: int | None


@dataclass(slots=True)
class Earning:
    """What the rules made of one fact: awards with their arithmetic, or the reason for none."""

    awards: list[Award] = field(default_factory=list)
    workings: list[Working] = field(default_factory=list)
    charges: list[LimitCharge] = field(default_factory=list)
    day_held: DayHeld | None = None
    claim_paid: str | None = None
    reason: Reason = Reason.NO_RULE_MATCHED


def earn(rules: CompiledRuleset, partition: Partition, account: Account, fact: MemberFact, moment: Moment) -> Earning:
    """Apply the rules in force to a fact that is to be decided by them."""
    earning = Earning()
    worths: list[Worth]
    if isinstance(fact, PurchaseRecorded):
        worths = _purchase(rules, fact, moment, earning)
    elif isinstance(fact, RefereePurchased):
        worths = _referral(rules, account, fact, moment, earning)
    elif isinstance(fact, CheckedIn):
        worths = _check_in(rules, partition, account, fact=fact, moment=moment, earning=earning)
    else:
        worths = _events(rules.rules_for(fact), fact, moment)
    if worths:
        _pay(LimitDesk(account, fact, moment, partition.max_lots), worths, moment, earning)
    return earning


def _purchase(rules: CompiledRuleset, fact: PurchaseRecorded, moment: Moment, earning: Earning) -> list[Worth]:
    if fact.currency != rules.currency:
        earning.reason = Reason.OTHER_CURRENCY
        return []
    counted = rules.counted_lines(fact)
    worths: list[Worth] = []
    for rule in rules.purchase_rules:
        if not rule.applies(fact, moment):
            continue
        test = rule.line_counts
        lines = counted if test is None else [line for line in counted if test(line)]
        if lines:
            if rule.basis is None:
                worths.append(worth_of_event(rule, rule.rate, rule.rate_text, fact, moment))
            else:
                worths.append(worth_of_lines(rule, lines, fact, moment))
    return worths


def _events(rules: tuple[CompiledRule, ...], fact: MemberFact, moment: Moment) -> list[Worth]:
    return [
        worth_of_event(rule, rule.rate, rule.rate_text, fact, moment) for rule in rules if rule.applies(fact, moment)
    ]


def _check_in(
    rules: CompiledRuleset,
    partition: Partition,
    account: Account,
    *,
    fact: CheckedIn,
    moment: Moment,
    earning: Earning,
) -> list[Worth]:
    worths: list[Worth] = []
    for rule in rules.rules_for(fact):
        if not rule.applies(fact, moment):
            continue
        if rule.streak is None:
            worths.append(worth_of_event(rule, rule.rate, rule.rate_text, fact, moment))
            continue
        horizon_at = partition.horizon_at if partition.last_tick else None
        held = hold_day(account.days, account.kept_run, moment.day, rule.streak.grace_days, horizon_at)
        if held is None:
            earning.reason = Reason.DAY_ALREADY_PAID
            continue
        earning.day_held = held
        worths.append(_worth_of_points(rule, rule.streak.points(held.run_length), fact, moment))
    return worths


def _referral(
    rules: CompiledRuleset, account: Account, fact: RefereePurchased, moment: Moment, earning: Earning
) -> list[Worth]:
    key = claim_key(fact.referee_id, fact.claim_rank)
    if key in account.claims_paid:
        earning.reason = Reason.CLAIM_ALREADY_PAID
        return []
    if fact.currency != rules.currency:
        earning.reason = Reason.OTHER_CURRENCY
        return []
    worths: list[Worth] = []
    for rule in rules.rules_for(fact):
        if rule.referral is not None and rule.applies(fact, moment) and _qualifies(rule.referral, fact):
            earning.claim_paid = key
            terms = rule.referral
            points = terms.referrer_points if account.member_id == fact.referrer_id else terms.referee_points
            worths.append(_worth_of_points(rule, Fraction(points), fact, moment))
    return worths


def _qualifies(terms: ReferralTerms, fact: RefereePurchased) -> bool:
    return (
        fact.claim_rank in terms.claim_ranks
        and fact.amount_minor >= terms.min_amount_minor
        and (not terms.new_members or fact.purchase_rank == 1)
    )


def _worth_of_points(rule: CompiledRule, points: Fraction, fact: MemberFact, moment: Moment) -> Worth:
    return worth_of_event(rule, points, exact_text(points.numerator, points.denominator), fact, moment)


def _pay(desk: LimitDesk, worths: list[Worth], moment: Moment, earning: Earning) -> None:
    wanted = 0
    for worth in worths:
        rule = worth.rule
        wanted += worth.rounded
        paid, cut_by = desk.pay(rule.limits, worth.rounded) if worth.rounded else (0, ())
        if paid:
            earning.awards.append(Award(rule.rule_id, paid, rule.expires_at(moment)))
        earning.workings.append(
            Working(
                rule_id=rule.rule_id,
                basis=worth.basis,
                unit=rule.unit,
                rate=worth.rate_text,
                exact=worth.exact,
                rounded=worth.rounded,
                paid=paid,
                rounding=rule.rounding,
                factors=worth.factors,
                limit_ids=cut_by,
            )
        )
    earning.charges = desk.charges
    if desk.refused_lots:
        earning.reason = Reason.TOO_MANY_LOTS
    else:
        earning.reason = Reason.LIMIT_REACHED if wanted else Reason.ZERO_POINTS
