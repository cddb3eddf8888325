"""Says in sentences what a draft changes: for whom, by which rules, and why a rule that stays the same changes too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from processors.replay.rescore.differences import Cause as Why
from processors.replay.rescore.differences import MemberDifference
from tallybook.rescore.report.figures import Cause
from tallybook.rescore.report.rule_words import listed
from tallybook.rescore.report.rules_compared import RuleFacts
from tallybook.screen import counted

MAX_CAUSES: Final = 3  # named in one sentence; the others are added up
MAX_NOTES: Final = 12  # about rules that change without saying something else
_FACTS: Final[Mapping[str, tuple[str, str]]] = {
    "PurchaseRecorded": ("purchase", "purchases"),
    "CheckedIn": ("check-in", "check-ins"),
    "ContentShared": ("share", "shares"),
    "ReviewSubmitted": ("review", "reviews"),
    "ReferralMade": ("referral", "referrals"),
    "RefereePurchased": ("purchase of a friend", "purchases of friends"),
}
_OTHER_FACTS: Final = ("fact", "facts")
_UNKNOWN: Final = RuleFacts(None, None)


def signed(number: int) -> str:
    """A change with its sign, such as `+1,234` or `−1,234`; `0` for none."""
    return minus(f"{number:+,}") if number else "0"


def minus(text: str) -> str:
    """A number as a person writes it: with a real minus sign."""
    return text.replace("-", "−", 1) if text.startswith("-") else text


def share(part: int, whole: int) -> str:
    """A part in per cent of a whole, such as `98 %`; only none is `0 %`, and only all of it is `100 %`."""
    per_cent = (200 * part + whole) // (2 * whole) if whole else 0
    if part and not per_cent:
        return "less than 1 %"
    return "more than 99 %" if part < whole and per_cent == 100 else f"{per_cent} %"


def outcome(member: MemberDifference) -> str:
    """How many points more or less one member has, such as `Member m00001 loses 3,039 points`."""
    change = member.balance_after - member.balance_before
    return f"Member {member.member_id} {'gains' if change > 0 else 'loses'} {counted(abs(change), 'point')}"


def reasons(causes: Sequence[Cause], rules: Mapping[str, RuleFacts]) -> str:
    """Why a member has more or less, the greatest causes first.

    Such as: 53 purchases earn 3,039 points less under “base”, which gives 1 point per 0.20 EUR instead of 1 point per
    0.10 EUR.
    """
    named, others = causes[:MAX_CAUSES], causes[MAX_CAUSES:]
    clauses = [_cause_clause(cause, rules.get(cause.rule_id, _UNKNOWN)) for cause in named]
    if others:
        lines = sum(cause.lines for cause in others)
        come = "comes" if lines == 1 else "come"
        points = sum(cause.change for cause in others)
        unit = "point" if abs(points) == 1 else "points"
        clauses.append(f"{counted(lines, 'other difference')} {come} to {signed(points)} {unit}")
    return f"{'; '.join(clauses)}."


def notes(causes: Sequence[Cause], rules: Mapping[str, RuleFacts]) -> list[str]:
    """Why rules change that say the same, and why some facts change against what a rule says; for all members."""
    found = []
    for cause in causes:
        facts = rules.get(cause.rule_id, _UNKNOWN)
        if cause.cause == Why.KNOCK_ON:
            told = f"though the rule says the same, because {_before_it(cause, facts)}"
        elif cause.cause == Why.DIRECT and _is_against(cause, facts):
            told = f"though the rule gives {'less' if facts.moves < 0 else 'more'}, because {_before_it(cause, facts)}"
        else:
            continue
        which = "award is" if cause.lines == 1 else "awards are"
        much = f"{counted(abs(cause.change), 'point')} {'more' if cause.change > 0 else 'less'}"
        found.append(f"“{cause.rule_id}”: {cause.lines:,} {which} {much} in all, {told}.")
    return found[:MAX_NOTES]


def _cause_clause(cause: Cause, facts: RuleFacts) -> str:
    if cause.cause == Why.EXPIRY:
        more = "fewer" if cause.change > 0 else "more"
        expire = "expires" if abs(cause.change) == 1 else "expire"
        points = counted(abs(cause.change), "point")
        return f"{points} {more} {expire} ({-cause.after:,} instead of {-cause.before:,})"
    earn = "earns" if cause.lines == 1 else "earn"
    of_facts = f"{cause.lines:,} {_FACTS.get(cause.fact_type, _OTHER_FACTS)[cause.lines != 1]}"
    points = counted(abs(cause.change), "point")
    if not cause.change:
        what = f"{of_facts} {earn} the same points, with another expiry,"
    elif cause.after == 0:
        what = f"{of_facts} {earn} nothing instead of {points}"
    else:
        what = f"{of_facts} {earn} {points} {'more' if cause.change > 0 else 'less'}"
    return f"{what} under “{cause.rule_id}”{_why(cause, facts)}"


def _why(cause: Cause, facts: RuleFacts) -> str:
    if cause.cause == Why.KNOCK_ON:
        return f", which stays the same, because {_before_it(cause, facts)}"
    if _is_against(cause, facts):
        return f", because {_before_it(cause, facts)}"
    if facts.draft is None:
        return ", which the draft does not have"
    if facts.present is None:
        return f", which only the draft has: {facts.draft}"
    parts = f"of which the draft changes {listed(facts.changed)}" if facts.changed else ""
    if facts.draft and facts.present and facts.draft != facts.present:
        too = f", and {parts} too" if parts else ""
        return f", which gives {facts.draft} instead of {facts.present}{too}"
    return f", {parts or 'which the draft changes'}"


def _is_against(cause: Cause, facts: RuleFacts) -> bool:
    """Whether awards grow under a rule that gives less by its rate alone, or shrink under one that gives more."""
    return cause.sign * facts.moves < 0


def _before_it(cause: Cause, facts: RuleFacts) -> str:
    """What the account had met before, which makes a rule that says the same come to something else."""
    if cause.is_lots:
        return "the account holds as many single awards as it may, on one side alone"
    less = "less" if cause.sign > 0 else "more"
    limit = f"{less} of {facts.limits} was used up before" if facts.limits and cause.sign else ""
    known = [each for each in (facts.memory, limit) if each]
    if known:
        return ", or ".join(known)
    return "what the member had earned before was another, such as how much of a limit was used up"
