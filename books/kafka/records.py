"""What is read from Kafka, in types of our own: places, records, and the offsets that groups have committed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

# Stands for headers that cannot be read, because the name of one is no text. It is compared by identity: nothing
# that a publisher sends can be taken for it.
UNREADABLE: Final[Mapping[str, str]] = MappingProxyType({})


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class Record(NamedTuple):
    """One message; `timestamp` in UTC ms as its topic says (0: none), `headers` with text values, or UNREADABLE."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str]

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.topic, self.partition)


class Polled(NamedTuple):
    """What one poll brought: records in order of each partition, and places that have no more for now.

    `at_end` says up to which offset. A leader that is new may say so of an offset that it will soon be past: whoever
    must know that there is no more compares it with an end that was asked for.
    """

    records: list[Record]
    at_end: dict[Place, int]


class GroupOffset(NamedTuple):
    """What a consumer group has committed for a partition: the next offset, and the short text beside it."""

    offset: int
    metadata: str
