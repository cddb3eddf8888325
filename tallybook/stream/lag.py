"""Counts how much input waits for each stage of a stream, for the metrics and for `status`."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

import msgspec

from books.kafka.cluster import Cluster
from books.kafka.peek import first_records
from books.kafka.records import Place, Record
from processors.stream.ticker import positions_of
from projections.stream.projection import STAGE as PROJECTION
from schemas.topics import Topics

# So few offsets may all be markers of transactions: whether a record is among them has to be looked up.
FEW_OFFSETS: Final = 32
# The first record of the ledger's partitions is the opening of the edition, which nobody projects.
_BEHIND_OPENING: Final = 1


class Waiting(msgspec.Struct, frozen=True):
    """Describes the input of a stage in one partition: it goes on at `position`, and up to `waiting` records wait.

    `waiting` is a number of offsets, from the first record on: markers of transactions among the records count too.
    `oldest_at` is when the first of them came, UTC ms; 0 where none waits or nobody looked.
    """

    place: Place
    position: int
    waiting: int
    oldest_at: int = 0


class _Head(msgspec.Struct, frozen=True):
    """Remembers the first record from `position` on (-1: none) as it was when the partition ended at `end`."""

    position: int
    end: int
    offset: int = -1
    at: int = 0


Ends = Callable[[Iterable[Place]], Mapping[Place, int]]
First = Callable[[Mapping[Place, int]], Mapping[Place, Record]]


class Lag:
    """Finds how much waits, again and again, and asks for records only where offsets do not tell."""

    def __init__(self, ends: Ends, first: First, *, with_age: bool = False) -> None:
        """Make one.

        Args:
            ends: gives the offset after the last record of each place.
            first: gives the first record at or behind each position, for those that have one.
            with_age: whether the first record of each partition is always looked at, to tell when it came.
        """
        self._ends = ends
        self._first = first
        self._with_age = with_age
        self._heads: dict[Place, _Head] = {}
        self._positions: dict[Place, int] = {}

    def look(self, positions: Mapping[Place, int]) -> tuple[Waiting, ...]:
        """Find what waits from these positions on. Raises KafkaUnreachable."""
        ends = self._ends(positions)
        open_ends = {place: end for place, end in ends.items() if end > positions[place]}
        self._heads = {place: head for place, head in self._heads.items() if self._holds(head, positions, place, ends)}
        wanted = {
            place: positions[place]
            for place, end in open_ends.items()
            if place not in self._heads and self._is_open(place, positions[place], end)
        }
        found = self._first(wanted) if wanted else {}
        for place, position in wanted.items():
            first = found.get(place)
            head = _Head(position, ends[place])
            self._heads[place] = head if first is None else _Head(position, ends[place], first.offset, first.timestamp)
        self._positions = dict(positions)
        return tuple(self._waiting(place, positions[place], ends[place]) for place in sorted(positions))

    def _waiting(self, place: Place, position: int, end: int) -> Waiting:
        head = self._heads.get(place)
        if head is None:
            return Waiting(place, position, max(0, end - position))
        if head.offset < 0:
            return Waiting(place, position, 0)
        return Waiting(place, position, max(1, end - head.offset), head.at)

    def _is_open(self, place: Place, position: int, end: int) -> bool:
        """Whether the records have to be looked up: the offsets are few, or have stood since the last look."""
        return self._with_age or end - position <= FEW_OFFSETS or self._positions.get(place) == position

    @staticmethod
    def _holds(head: _Head, positions: Mapping[Place, int], place: Place, ends: Mapping[Place, int]) -> bool:
        """Whether what was found before still holds: a record stays where it is, but a first one may have come."""
        return positions.get(place) == head.position and (head.offset >= 0 or ends[place] == head.end)


def lag_on(cluster: Cluster, *, with_age: bool = False) -> Lag:
    """Make one for the committed records of a cluster."""
    return Lag(cluster.ends, partial(first_records, cluster), with_age=with_age)


def projection_positions(cluster: Cluster, topics: Topics, partitions: int, edition: str) -> dict[Place, int]:
    """Find where the projection reads on in ledger and rejects, as its group notes. Raises KafkaUnreachable."""
    least = {Place(topics.ledger(edition), number): _BEHIND_OPENING for number in range(partitions)}
    least[Place(topics.rejects, 0)] = 0
    return positions_of(cluster, topics.group(PROJECTION), least)
