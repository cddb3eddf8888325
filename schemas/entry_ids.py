"""Names entries and derived facts: one that is made again gets the same name, and so does no harm."""

from typing import Final

DERIVED_SOURCE: Final = "tallybook"


def award_entry_id(source: str, event_id: str, member_id: str, n: int) -> str:
    """The id of the n-th own entry (from 1) of a fact in one account."""
    return f"{source}/{event_id}/{member_id}/{n}"


def expiry_entry_id(member_id: str, lot: int, due_at: int) -> str:
    """The id of a lot's expiry: made from the lot alone, not from the fact or tick that caused it."""
    return f"due:expire:{member_id}/{lot}:{due_at}"


def tick_event_id(at: int) -> str:
    """The event id of postings made by a tick (source `tallybook`)."""
    return f"tick:{at}"


def referee_purchased_event_id(referee_id: str, claim_rank: int, purchase_rank: int) -> str:
    """The event id of a derived RefereePurchased; both copies share it, each in its own account."""
    return f"{referee_id}/claim:{claim_rank}/purchase:{purchase_rank}"


def claim_key(referee_id: str, claim_rank: int) -> str:
    """How an account remembers that a claim was settled."""
    return f"{referee_id}/{claim_rank}"
