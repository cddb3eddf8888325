"""Tells of records whether the journal holds them already: unchanged, or with other content under the same key.

A key is (source, event id) in one member's account. Of each record only numbers are held, and the journal is read once
for every so many keys.
"""

from array import array
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from books.log import LogReader
from schemas.bounds import DAY_MS
from schemas.canonical import content_hash
from schemas.facts import MemberFact, PublishedFact, members_of

KEYS_A_PASS: Final = 250_000  # looked up by one reading of the journal, at some 200 bytes each
MAX_BOOKED: Final = 16  # facts of one key in the journal that are compared with
IN_THE_BOOKS: Final = -1
# What people are told to do to see the conflicts that books hold.
CONFLICTS: Final = (
    "SELECT DISTINCT source, event_id, member_id FROM ledger WHERE reason = 'conflict' "
    "UNION ALL SELECT source, event_id, '' FROM rejects WHERE reason = 'conflict'"
)
CONFLICTS_SHOWN_BY: Final = f'tallybook sql "{CONFLICTS}", and tallybook explain EVENT_ID for one'

_HASH_BITS: Final = (1 << 64) - 1
_SAME_RECORD, _GUEST = 1, 2
_NO_LINE: Final = (0, 0)


class Known(IntEnum):
    """What is known of a record: nothing, the same content, or other content under its key."""

    NEW = 0
    SAME = 1
    OTHER = 2


class Booked(NamedTuple):
    """A fact that stands under a key: when it happened, its content, and its place among the keys (or IN_THE_BOOKS)."""

    at: int
    content: int
    place: int


class JournalKeys:
    """Collects records by `add`; after `look_up`, `known` says of each what the journal and earlier records hold.

    Before `horizon_at` (UTC ms) records are compared with the journal alone. After it they are compared with each other
    too, in order of time, as the decider does: with the first one of a key that is not older than `horizon_ms`.
    """

    def __init__(self, horizon_at: int, horizon_ms: int = 0) -> None:
        self._horizon_at = horizon_at
        self._horizon_ms = horizon_ms
        self._keys = array("Q")
        self._contents = array("Q")
        self._instants = array("q")
        self._flags = bytearray()
        self._found = bytearray()
        self.against: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, fact: PublishedFact) -> int:
        """Add a record; its place, from 0, by which `known` is asked."""
        place, flags = len(self._keys), 0
        content = _content(fact)
        for member_id in members_of(fact):
            self._keys.append(_key(fact.source, fact.event_id, member_id))
            self._contents.append(content)
            self._instants.append(fact.occurred_at)
            self._flags.append(flags | (_GUEST if member_id is None else 0))
            flags = _SAME_RECORD
        return place

    def look_up(self, log: LogReader | None, on_line: Callable[[int], object] = lambda _: None) -> None:
        """Compare all that was added with each other and with the journal; `on_line` is told how many lines were read.

        Without books (None) only with each other.
        """
        self._found = bytearray(len(self._keys))
        parts = len(self._keys) // KEYS_A_PASS + 1
        for part in range(parts):
            groups: dict[int, list[int]] = {}
            for place, key in enumerate(self._keys):
                if key % parts == part:
                    groups.setdefault(key, []).append(place)
            booked: dict[int, list[Booked]] = {}
            if log is not None and groups:
                for key, line in _lines(log, groups, on_line):
                    lines = booked.setdefault(key, [])
                    if len(lines) < MAX_BOOKED:
                        lines.append(line)
            for key, places in groups.items():
                self._compare(places, booked.get(key, []))

    def known(self, place: int) -> Known:
        """What is known of the record at a place."""
        found = self._found[place]
        more = place + 1
        if more < len(self._flags) and self._flags[more] & _SAME_RECORD:
            found = max(found, self._found[more])
        return Known(found)

    def entries(self, known: Known) -> int:
        """In how many accounts records are so; a referral is in two."""
        return self._found.count(known)

    def _compare(self, places: list[int], booked: list[Booked]) -> None:
        first = booked[0] if booked else None
        contents = {line.content for line in booked}
        for place in sorted(places, key=lambda one: (self._instants[one], one)):
            at, content = self._instants[place], self._contents[place]
            if at < self._horizon_at:
                if booked:
                    self._note(place, Known.SAME if content in contents else Known.OTHER, IN_THE_BOOKS)
                continue
            if first is None or first.at < at // DAY_MS * DAY_MS - self._horizon_ms:
                first = Booked(at, content, place)
            elif content == first.content:
                self._note(place, Known.SAME, first.place)
            elif not self._flags[place] & _GUEST:  # the decider keeps no account of guests
                self._note(place, Known.OTHER, first.place)

    def _note(self, place: int, known: Known, against: int) -> None:
        self._found[place] = known
        if known == Known.OTHER:
            self.against[place] = against


def _lines(
    log: LogReader, wanted: dict[int, list[int]], on_line: Callable[[int], object]
) -> Iterator[tuple[int, Booked]]:
    """The lines of the journal under the keys that are wanted."""
    for partition in range(log.partitions):
        for _, page in log.read_journal(partition):
            on_line(len(page.lines))
            for line in page.lines:
                fact = line.fact
                if isinstance(fact, MemberFact):
                    key = _key(fact.source, fact.event_id, line.member_id)
                    if key in wanted:
                        yield key, Booked(fact.occurred_at, _content(fact), IN_THE_BOOKS)


def _key(source: str, event_id: str, member_id: str | None) -> int:
    return hash((source, event_id, member_id)) & _HASH_BITS


def _content(fact: MemberFact) -> int:
    return int.from_bytes(content_hash(fact))
