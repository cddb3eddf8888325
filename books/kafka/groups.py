"""Says who is in a consumer group and which places each of them holds, as the group's coordinator sees it."""

from __future__ import annotations

import msgspec

from books.kafka.records import Place


class ConsumerInGroup(msgspec.Struct, frozen=True):
    """One consumer of a group: its static name (else the one that the broker gave it), and the places that it holds."""

    instance: str
    places: frozenset[Place]


class GroupView(msgspec.Struct, frozen=True):
    """A group as its coordinator sees it; `is_settled` is False while places change hands, and where nobody is in."""

    is_settled: bool = False
    consumers: tuple[ConsumerInGroup, ...] = ()

    def consumer(self, instance: str) -> ConsumerInGroup | None:
        """The consumer of this name."""
        return next((one for one in self.consumers if one.instance == instance), None)

    def holder(self, place: Place) -> str | None:
        """The name of whoever holds a place; None where nobody does, or while places change hands."""
        if not self.is_settled:
            return None
        return next((one.instance for one in self.consumers if place in one.places), None)

    @property
    def held(self) -> frozenset[Place]:
        """Every place that somebody holds."""
        return frozenset().union(*(one.places for one in self.consumers)) if self.is_settled else frozenset()
