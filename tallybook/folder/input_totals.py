"""Adds up what inputs hold, so that a shop can compare it with its own books."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from processors.decider.local_time import Zone
from processors.zones import zone_data
from schemas.currencies import format_minor
from schemas.facts import PublishedFact, PurchaseRecorded, members_of, order_total_minor
from schemas.instants import format_instant
from tallybook.screen import counted

MAX_MEMBERS: Final = 1_000_000  # members that are told apart; the rest is "more than"


class OfCurrency(msgspec.Struct):
    """The orders in one currency, their lines, and the sum of the lines' amounts in minor units."""

    orders: int = 0
    lines: int = 0
    amount_minor: int = 0


class Totals(msgspec.Struct):
    """Adds up facts, so that a shop can compare them with its own books; instants in UTC ms, None without facts.

    `members` are counted up to MAX_MEMBERS.
    """

    currencies: dict[str, OfCurrency] = {}
    guest_orders: int = 0
    other_facts: int = 0
    first_at: int | None = None
    last_at: int | None = None
    members: set[str] = set()

    @property
    def orders(self) -> int:
        """How many orders there are in all currencies."""
        return sum(one.orders for one in self.currencies.values())

    def add(self, fact: PublishedFact) -> None:
        """Add one fact."""
        at = fact.occurred_at
        if self.first_at is None or at < self.first_at:
            self.first_at = at
        if self.last_at is None or at > self.last_at:
            self.last_at = at
        members = members_of(fact)
        if len(self.members) < MAX_MEMBERS:
            self.members.update(filter(None, members))
        if type(fact) is not PurchaseRecorded:
            self.other_facts += 1
            return
        self.guest_orders += None in members
        of_currency = self.currencies.get(fact.currency)
        if of_currency is None:
            of_currency = self.currencies[fact.currency] = OfCurrency()
        of_currency.orders += 1
        of_currency.lines += len(fact.lines)
        of_currency.amount_minor += order_total_minor(fact)

    def as_json(self) -> dict[str, Any]:
        """Give the same as plain data; instants as RFC 3339."""
        return {
            "orders": self.orders,
            "guest_orders": self.guest_orders,
            "other_events": self.other_facts,
            "members": len(self.members),
            "amounts": [
                {"currency": currency, **msgspec.structs.asdict(one)} for currency, one in self.currencies.items()
            ],
            "first_at": None if self.first_at is None else format_instant(self.first_at),
            "last_at": None if self.last_at is None else format_instant(self.last_at),
        }

    def told(self, timezone: str) -> list[str]:
        """Say it in two lines or so; times are local to `timezone`."""
        if self.first_at is None or self.last_at is None:
            return []
        said = []
        for currency, one in sorted(self.currencies.items(), key=lambda each: (-each[1].orders, each[0])):
            amount = format_minor(one.amount_minor, currency)
            said.append(f"{counted(one.orders, 'order')} of {amount} in {counted(one.lines, 'line')}")
        if self.other_facts:
            said.append(
                counted(self.other_facts, "event") if not said else f"{counted(self.other_facts, 'other event')}"
            )
        many = "more than " if len(self.members) >= MAX_MEMBERS else ""
        guests = f" and {counted(self.guest_orders, 'guest order')}" if self.guest_orders else ""
        zone = Zone(timezone, zone_data(timezone))
        first, last = (zone.local(at).strftime("%Y-%m-%d %H:%M:%S") for at in (self.first_at, self.last_at))
        return [
            ", ".join(said),
            f"by {many}{counted(len(self.members), 'member')}{guests}, from {first} to {last} ({timezone})",
        ]
