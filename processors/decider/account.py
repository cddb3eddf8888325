"""Holds the state of one member in one edition: all that decisions depend on, and nothing that stands elsewhere."""

from typing import Final

import msgspec

FAR_FUTURE: Final = 2**62  # stands for "never expires" in comparisons


class Lot(msgspec.Struct, array_like=True, gc=False):
    """Points of one award with one expiry; `expires_at` FAR_FUTURE never expires. Kept while `remaining` > 0."""

    number: int
    remaining: int
    available_at: int
    expires_at: int


class Claim(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A referrer's claim on this account's purchases, ranked from 1 in the account's journal order."""

    referrer_id: str
    rank: int
    claimed_at: int


class Purchase(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A remembered purchase, for claims that arrive after it."""

    rank: int
    occurred_at: int
    amount_minor: int
    currency: str
    source: str
    event_id: str


class Account(msgspec.Struct, array_like=True):
    """One member's state. `decide` reads it, only `apply` changes it.

    `lots` stand in spending order (`lot_order` in lots.py). `seen` maps
    "source/event_id" to (occurred_at, content hash). `days` are held check-in days (days since 1970, sorted) and
    `kept_run` the run length on the first of them. `counters` are limit windows ("limit|window"), `totals` gross
    points by scope ("" or a store) and period (see period_totals.py). `first_charged` has, for the counters of orders,
    the instant (ms) of the fact that charged each first. What has become older than the horizon is dropped
    at the latest when the horizon (ms) reaches `forget_next_at` (see forgetting.py).
    """

    member_id: str
    seq: int = 0
    balance: int = 0
    earned: int = 0
    latest_at: int = 0
    lots_opened: int = 0
    lots: list[Lot] = []
    seen: dict[str, tuple[int, bytes]] = {}
    days: list[int] = []
    kept_run: int = 1
    counters: dict[str, int] = {}
    totals: dict[str, dict[int, int]] = {}
    claims: list[Claim] = []
    claims_opened: int = 0
    purchases: list[Purchase] = []
    purchases_made: int = 0
    claims_paid: dict[str, int] = {}
    forget_next_at: int = 0
    first_charged: dict[str, int] = {}


def fact_key(source: str, event_id: str) -> str:
    """The identity of a fact inside one account."""
    return f"{source}/{event_id}"
