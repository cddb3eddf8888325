"""What is read from Kafka, in types of our own: places, records and their headers as text, groups and their offsets."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

# Stands for headers that cannot be read, because the name of one is no text. It is compared by identity: nothing
# that a publisher sends can be taken for it.
UNREADABLE: Final[Mapping[str, str]] = MappingProxyType({})
# What is not UTF-8 is written as base64 after this prefix; so is a text that begins with it, to tell the two apart.
ENCODED: Final = "base64:"


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

    `at_end` gives the offset of that end. A new leader may give one that it will soon be past: to be sure that there is
    no more, compare it with an end that was asked for.
    """

    records: list[Record]
    at_end: dict[Place, int]


class GroupOffset(NamedTuple):
    """What a consumer group has committed for a partition: the next offset, and the short text beside it."""

    offset: int
    metadata: str


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


def header_text(value: bytes | None) -> str:
    """A header's value as text; a missing value is an empty text."""
    if not value:
        return ""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ENCODED
    return ENCODED + b64encode(value).decode() if text.startswith(ENCODED) else text


def header_bytes(text: str) -> bytes:
    """The bytes of which `header_text` made this text."""
    return b64decode(text[len(ENCODED) :]) if text.startswith(ENCODED) else text.encode()


def plain_text(text: str) -> str | None:
    """The text that was sent where `header_text` made this of it; None where it was no UTF-8."""
    if not text.startswith(ENCODED):
        return text
    try:
        return header_bytes(text).decode()
    except UnicodeDecodeError:
        return None
