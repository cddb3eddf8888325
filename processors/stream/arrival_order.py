"""Merges the records of several partitions in the order of their timestamps, so that no topic overtakes another.

Without it, a day's purchases could be taken in before the check-ins of that day were fetched, which would then be late.
"""

from collections import deque
from collections.abc import Iterable
from heapq import heapify, heappop, heapreplace
from typing import Final

from books.kafka.records import Place, Polled, Record

# Records less than this apart may come in any order.
STEP_MS: Final = 500
# A partition whose newest record is older than this is still catching up.
BEHIND_MS: Final = 10_000
# How long to wait for a partition that should have records and gives none (its broker may be down).
PATIENCE_MS: Final = 3_000
MAX_HELD: Final = 4_000  # records of one partition; more are not fetched before some are taken
# Of all partitions together: beyond this, only partitions are fetched of which nothing is held.
MAX_HELD_BYTES: Final = 64 << 20
# What is taken at once goes to the journal in one transaction, which must end before its time-out.
MAX_TAKEN_BYTES: Final = 16 << 20


class ArrivalOrder:
    """Holds fetched records until all partitions have come as far. All instants are UTC ms by the door's own clock."""

    def __init__(self) -> None:
        self._held: dict[Place, deque[Record]] = {}
        self._held_bytes = 0
        self._behind: set[Place] = set()
        self._waiting_since: int | None = None

    def assign(self, places: Iterable[Place]) -> None:
        """Hold records of these partitions from now on; those of others are dropped."""
        wanted = set(places)
        self.revoke(self._held.keys() - wanted)
        self._held = {place: self._held.get(place, deque()) for place in wanted}
        self._behind = wanted

    def revoke(self, places: Iterable[Place]) -> None:
        """Drop the records of these partitions."""
        for place in places:
            self._held_bytes -= sum(map(_size, self._held.pop(place, ())))
            self._behind.discard(place)

    def add(self, polled: Polled, now: int) -> None:
        """Hold what was fetched."""
        for record in polled.records:
            held = self._held.get(record.place)
            if held is None:
                raise AssertionError(f"a record of {record.place}, which is not ours")
            held.append(record)
            self._held_bytes += _size(record)
        for place in {record.place for record in polled.records}:
            if self._held[place][-1].timestamp < now - BEHIND_MS:
                self._behind.add(place)
            else:
                self._behind.discard(place)
        self._behind -= polled.at_end.keys()

    def full(self) -> set[Place]:
        """The partitions of which no more need be fetched for now."""
        most = MAX_HELD if self._held_bytes < MAX_HELD_BYTES else 1
        return {place for place, held in self._held.items() if len(held) >= most}

    def take(self, most: int, now: int) -> list[Record]:
        """The next records in the order of their timestamps, none of them later than what a partition may still bring.

        A timestamp in the future counts as now, so that the records behind it need not wait.
        """
        heads = [(min(held[0].timestamp, now), place) for place, held in self._held.items() if held]
        if not heads or not self._may_go_on(now):
            return []
        heapify(heads)
        until = heads[0][0] + STEP_MS
        taken: list[Record] = []
        before = self._held_bytes
        while heads and heads[0][0] <= until and len(taken) < most and before - self._held_bytes < MAX_TAKEN_BYTES:
            _, place = heads[0]
            held = self._held[place]
            record = held.popleft()
            taken.append(record)
            self._held_bytes -= _size(record)
            if held:
                heapreplace(heads, (min(held[0].timestamp, now), place))
            else:
                heappop(heads)
        return taken

    def _may_go_on(self, now: int) -> bool:
        if not any(not self._held[place] for place in self._behind):
            self._waiting_since = None
            return True
        if self._waiting_since is None or now < self._waiting_since:
            self._waiting_since = now
        return now - self._waiting_since >= PATIENCE_MS


def _size(record: Record) -> int:
    return len(record.value or b"")
