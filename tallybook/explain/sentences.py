"""Puts into words how a rule came to its points, what its limits left, and why a fact earned nothing."""

from collections.abc import Sequence
from typing import Final

from schemas.posting import Reason, Working
from tallybook.explain.model import LimitSeen

_UNITS: Final = {"minor": "minor", "milli": "thousandths", "event": "event", "line": "line", "day": "day"}
ORDER_PAID: Final = "order_paid"  # what is said of limit_reached where all limits that cut it count orders
_COUNTED: Final = frozenset({"event", "line", "day"})
# The words in braces are filled in by `explain`; see DETAILS for what they say where nothing is known.
SENTENCES: Final[dict[str, str]] = {
    Reason.TOO_OLD: (
        "It happened more than {horizon_days} days (the horizon) before {last_tick}, up to which everything was scored "
        "already when it came."
    ),
    Reason.DUPLICATE: "The same event had been booked before, with the same content. A repeat has no second effect.",
    Reason.CONFLICT: (
        "An event with the same source and id had been booked before, with other content. The first one counts; a "
        "correction needs an event id of its own."
    ),
    Reason.NO_RULESET: "No rules were in force when it happened: the first ones take effect {first_rules}.",
    Reason.AWAITING_PURCHASE: (
        "A referral pays nothing by itself: both sides are paid when {referee} buys within {window_days} days of it "
        "and the purchase meets the rule's conditions."
    ),
    Reason.ALREADY_CLAIMED: (
        "{referrer} already holds a referral of {referee} less than {window_days} days away; one counts."
    ),
    Reason.TOO_MANY_CLAIMS: (
        "{max_claims} members already hold a referral of {referee} less than {window_days} days away; no more count."
    ),
    Reason.CLAIM_ALREADY_PAID: "This referral was settled on an earlier purchase; it is paid once.",
    Reason.OTHER_CURRENCY: "The purchase is in {currency}, and the programme counts {programme_currency} alone.",
    Reason.TOO_MANY_LOTS: (
        "It was worth points, but the account already holds {max_lots} lots (awards that have not expired), as many as "
        "it may; one that expires makes room. To change that, let points expire sooner (`expiry` in the ruleset), or "
        "let a rule that pays very often pay at most so many times a day (`limits` with `per: day` and `times`)."
    ),
    Reason.LIMIT_REACHED: "It was worth points, but there was no room left under {limits}.",
    ORDER_PAID: (
        "It was worth points, but order {order_id} was paid before, under another event: {limits} lets an order be "
        "paid no more than that."
    ),
    Reason.ZERO_POINTS: "Rules took part, but what they make of it is less than one whole point.",
    Reason.DAY_ALREADY_PAID: "The member had already checked in on {local_day}; each local day counts once.",
    Reason.NO_RULE_MATCHED: "No rule pays for it: each one misses a condition.",
}
DETAILS: Final[dict[str, str]] = {
    "horizon_days": "too many",
    "last_tick": "the last tick",
    "first_rules": "later",
    "referee": "the referee",
    "referrer": "The referrer",
    "window_days": "30",
    "max_claims": "Too many",
    "currency": "another currency",
    "programme_currency": "its own",
    "max_lots": "too many",
    "limits": "a limit",
    "local_day": "that day",
    "order_id": "of this purchase",
}


def sentence(reason: str, details: dict[str, str]) -> str:
    """The sentence for a reason of a posting, with what is known filled in; the bare reason if it has no sentence."""
    return SENTENCES.get(reason, reason).format_map(DETAILS | details)


def arithmetic_line(
    working: Working, cuts: Sequence[tuple[str, int]] = (), stacking: str = "multiply", *, per_line: bool = False
) -> str:
    """Such as `1,234 minor × 1/100 × 2 (double-tuesday) = 24.68 → floor → 24, limit day cut 4 → 20 paid`.

    `cuts` names the limits that cut, with how many points each (default: as far as the posting says); `stacking` is
    how several factors combine, `per_line` whether each line of the order was rounded.
    """
    text = f"{_counted(working.basis, working.unit)} × {working.rate}{_factors(working, stacking)} = {working.exact}"
    if working.exact != str(working.rounded):
        text += f" → {working.rounding}{' per line' if per_line else ''} → {working.rounded:,}"
    if working.paid != working.rounded:
        known = cuts or [(" and ".join(working.limit_ids), working.rounded - working.paid)]
        text += "".join(f", limit {limit_id} cut {points:,}" for limit_id, points in known) + f" → {working.paid:,}"
    return f"{text} paid"


def limit_line(limit: LimitSeen) -> str:
    """Such as `limit day (2026-03-01) allows 50 points: 30 used before, cut 4, 20 charged, 0 left`."""
    cut = f"cut {limit.cut:,}, " if limit.cut else ""
    what = limit.of.removesuffix("s") if limit.allows == 1 else limit.of
    return (
        f"limit {limit.limit_id} ({limit.window}) allows {limit.allows:,} {what}: "
        f"{limit.used_before:,} used before, {cut}{limit.charged:,} charged, {limit.left:,} left"
    )


def _counted(basis: int, unit: str) -> str:
    name = _UNITS.get(unit, unit)
    return f"{basis:,} {name}{'s' if unit in _COUNTED and basis != 1 else ''}"


def _factors(working: Working, stacking: str) -> str:
    def of(basis: int) -> str:
        return "" if basis == working.basis else f" on {basis:,} of them"

    factors = working.factors
    if len(factors) > 1 and stacking != "multiply":
        return f" × {stacking} of " + ", ".join(f"{f.factor} ({f.rule_id}{of(f.basis)})" for f in factors)
    return "".join(f" × {f.factor} ({f.rule_id}{of(f.basis)})" for f in factors)
