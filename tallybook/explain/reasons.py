"""Why a fact earned nothing, in sentences that a loyalty manager can pass on to a customer."""

from __future__ import annotations

from typing import Final

from schemas.posting import Reason

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
}


def sentence(reason: str, details: dict[str, str]) -> str:
    """The sentence for a reason of a posting, with what is known filled in; the bare reason if it has no sentence."""
    return SENTENCES.get(reason, reason).format_map(DETAILS | details)
