"""Says in sentences what a draft changes: for whom, by which rules, and what these rules give now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from processors.decider.fields.expiry_and_limit import Limit
from processors.decider.kinds.fixed import FixedRule
from processors.decider.kinds.referral import ReferralRule
from processors.decider.kinds.registry import Rule
from processors.decider.kinds.spend import SpendRule
from processors.decider.kinds.streak import StreakRule
from processors.decider.rules.ruleset import Ruleset
from processors.replay.rescore.differences import Cause as Why
from processors.replay.rescore.differences import MemberDifference
from schemas.currencies import DECIMALS
from tallybook.folder.folder import load_published
from tallybook.rescore.plan import Draft
from tallybook.rescore.report.figures import Cause
from tallybook.screen import counted

MAX_CAUSES: Final = 2  # named in one sentence; the others are added up
_FACTS: Final[Mapping[str, tuple[str, str]]] = {
    "PurchaseRecorded": ("purchase", "purchases"),
    "CheckedIn": ("check-in", "check-ins"),
    "ContentShared": ("share", "shares"),
    "ReviewSubmitted": ("review", "reviews"),
    "ReferralMade": ("referral", "referrals"),
    "RefereePurchased": ("purchase of a friend", "purchases of friends"),
}
_OTHER_FACTS: Final = ("fact", "facts")
_PAID_ON: Final[Mapping[str, str]] = {"purchase": "purchase", "check_in": "check-in"}


def signed(number: int) -> str:
    """A change with its sign, such as `+1,234` or `−1,234`; `0` for none."""
    return minus(f"{number:+,}") if number else "0"


def minus(text: str) -> str:
    """A number as a person writes it: with a real minus sign."""
    return text.replace("-", "−", 1) if text.startswith("-") else text


def outcome(member: MemberDifference) -> str:
    """How many points more or less one member has, such as `m00001 loses 3,039 points`."""
    change = member.balance_after - member.balance_before
    return f"{member.member_id} {'gains' if change > 0 else 'loses'} {counted(abs(change), 'point')}"


def reasons(causes: Sequence[Cause], rules: Mapping[str, str]) -> str:
    """Why a member has more or less, the greatest causes first; `rules` says what each rule gives in the draft.

    Such as: 53 purchases earn 3,039 points less under “base”, which gives 1 point per 0.20 EUR in this draft.
    """
    named, others = causes[:MAX_CAUSES], causes[MAX_CAUSES:]
    clauses = [_cause_clause(cause, rules) for cause in named]
    if others:
        lines = sum(cause.lines for cause in others)
        come = "comes" if lines == 1 else "come"
        points = sum(cause.change for cause in others)
        unit = "point" if abs(points) == 1 else "points"
        clauses.append(f"{counted(lines, 'other line')} {come} to {signed(points)} {unit}")
    return f"{'; '.join(clauses)}."


def _cause_clause(cause: Cause, rules: Mapping[str, str]) -> str:
    if cause.cause == Why.EXPIRY:
        more = "fewer" if cause.change > 0 else "more"
        expire = "expires" if abs(cause.change) == 1 else "expire"
        points = counted(abs(cause.change), "point")
        return f"{points} {more} {expire} ({-cause.after:,} instead of {-cause.before:,})"
    earn = "earns" if cause.lines == 1 else "earn"
    facts = f"{cause.lines:,} {_FACTS.get(cause.fact_type, _OTHER_FACTS)[cause.lines != 1]}"
    points = counted(abs(cause.change), "point")
    if not cause.change:
        what = f"{facts} {earn} the same points in all, some of them with another expiry,"
    elif cause.after == 0:
        what = f"{facts} {earn} nothing instead of {points}"
    else:
        what = f"{facts} {earn} {points} {'more' if cause.change > 0 else 'less'}"
    return f"{what} under “{cause.rule_id}”{_why(cause, rules)}"


def _why(cause: Cause, rules: Mapping[str, str]) -> str:
    if cause.cause == Why.KNOCK_ON:
        return ", a rule that stays the same: what came before it differs (the room under a limit, or the run of days)"
    gives = rules.get(cause.rule_id)
    if gives is None:
        return ", which this draft does not have"
    return f", which gives {gives} in this draft" if gives else ""


def rules_of(draft: Draft) -> dict[str, str]:
    """What each rule of a draft gives, in words; empty for one that is not the same in all its spans."""
    spans = draft.layers[-1].spans
    said: dict[str, list[str]] = {}
    for span in spans:
        ruleset = load_published(span.published.text)
        limits = {limit.id: limit for limit in ruleset.limits}
        for rule in ruleset.rules:
            said.setdefault(rule.id, []).append(_gives(rule, ruleset, limits))
    return {
        rule_id: texts[0] if len(texts) == len(spans) and len(set(texts)) == 1 else ""
        for rule_id, texts in said.items()
    }


def _gives(rule: Rule, ruleset: Ruleset, limits: Mapping[str, Limit]) -> str:
    if isinstance(rule, SpendRule):
        amount = Decimal(rule.per_minor).scaleb(-DECIMALS[ruleset.currency])
        what = f"{_points(rule.points)} per {amount:,f} {ruleset.currency}"
    elif isinstance(rule, FixedRule):
        per = _PAID_ON.get(rule.on, rule.on) if rule.per == "event" else rule.per
        what = f"{_points(rule.points)} for each {per}"
    elif isinstance(rule, StreakRule):
        what = _streak(rule)
    elif isinstance(rule, ReferralRule):
        what = f"{rule.referrer_points:,} to the one who brings a friend and {rule.referee_points:,} to the friend"
    else:
        return ""
    named = [_limit(limits[name]) for name in rule.limits]
    return what + (f" (at most {' and '.join(named)})" if named else "")


def _points(points: Decimal) -> str:
    return f"{points:,f} {'point' if points == 1 else 'points'}"


def _streak(rule: StreakRule) -> str:
    daily = f"{_points(rule.daily)} a day"
    if not rule.steps:
        return daily
    return f"{daily} and a bonus on {counted(len(rule.steps), 'day')} of a run"


def _limit(limit: Limit) -> str:
    most = counted(limit.points, "point") if limit.points is not None else counted(limit.times or 0, "time")
    per = {"lifetime": "in a lifetime", "order": "an order"}.get(limit.per, f"a {limit.per}")
    each = {"sku": " for each product", "store_id": " at each store"}.get(limit.each or "", "")
    return f"{most} {per}{each}"
