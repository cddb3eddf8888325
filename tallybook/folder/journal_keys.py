"""Tells of records whether the journal holds them already: unchanged, or with other content under the same key.

A key is (source, event id) in one member's account. Of each record only numbers are held, and the journal is read once
for every so many keys.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

import msgspec

from books.log import LogReader
from schemas.bounds import DAY_MS
from schemas.canonical import canonical_fact
from schemas.facts import MemberFact, PublishedFact, PurchaseRecorded, RefereePurchased, ReferralMade, members_of

KEYS_A_PASS: Final = 250_000  # looked up by one reading of the journal, at some 200 bytes each
MAX_BOOKED: Final = 64  # facts of one key that a record is compared with
MAX_AGAINST: Final = 10_000  # of so many contradictions it is remembered what they contradict
IN_THE_BOOKS: Final = -1
# What people are told to do to see the conflicts that books hold.
CONFLICTS: Final = (
    "SELECT DISTINCT source, event_id, member_id FROM ledger WHERE reason = 'conflict' "
    "UNION ALL SELECT source, event_id, '' FROM rejects WHERE reason = 'conflict'"
)
CONFLICTS_SHOWN_BY: Final = f'tallybook sql "{CONFLICTS}", and tallybook explain EVENT_ID for one'

_HASH_BITS: Final = (1 << 64) - 1
_TWO_LINES: Final = 2
_NOBODY: Final = 0  # stands for the member of a guest's purchase
# An entry belongs to the record before it; a referral is in two accounts; the lines may stand in any order.
_SAME_RECORD, _OF_TWO, _IN_ANY_ORDER = 1, 2, 4


class Known(IntEnum):
    """What is known under a record's key: nothing, the same content, another member's fact, or other content.

    OTHER_GUEST says that a guest's purchase has other content: nothing is paid for either, and both are kept.
    CONFLICT_AGAIN says that the journal holds a line with the record's content too, which conflicted already.
    """

    NEW = 0
    SAME = 1
    OTHER_GUEST = 2
    OTHER_MEMBER = 3
    CONFLICT = 4
    CONFLICT_AGAIN = 5


class Booked(NamedTuple):
    """A fact that stands under a key: when it happened, its content and member, and its place (or IN_THE_BOOKS).

    `unordered` is the content whatever the order of its lines.
    """

    at: int
    content: int
    unordered: int
    member: int
    place: int
    is_of_two: bool


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
        self._unordered = array("Q")
        self._members = array("Q")
        self._instants = array("q")
        self._flags = bytearray()
        self._found = bytearray()
        self._against: dict[int, int] = {}

    def add(self, fact: PublishedFact, *, in_any_order: bool = False) -> int:
        """Add a record; its place, from 0, by which `known` is asked.

        `in_any_order` says that the same lines in another order are the same content, as before the horizon.
        """
        place, members = len(self._keys), members_of(fact)
        key, content = _key(fact), _content(fact)
        unordered = _unordered(fact) if in_any_order or fact.occurred_at < self._horizon_at else content
        flags = (_OF_TWO if len(members) > 1 else 0) | (_IN_ANY_ORDER if in_any_order else 0)
        for member_id in members:
            self._keys.append(key)
            self._contents.append(content)
            self._unordered.append(unordered)
            self._members.append(_member(member_id))
            self._instants.append(fact.occurred_at)
            self._flags.append(flags)
            flags |= _SAME_RECORD
        return place

    def look_up(self, log: LogReader | None, on_line: Callable[[int], object] = lambda _: None) -> None:
        """Compare all that was added with each other and with the journal; `on_line` is told how many lines were read.

        Without books (None) only with each other.
        """
        self._found = bytearray(len(self._keys))
        parts = len(self._keys) // KEYS_A_PASS + 1
        for part in range(parts):
            keys = self._keys if parts == 1 else [key for key in self._keys if key % parts == part]
            wanted = set(keys)
            booked: dict[int, list[Booked]] = {}
            if log is not None and wanted:
                for key, line in _lines(log, wanted, on_line):
                    lines = booked.setdefault(key, [])
                    if len(lines) < MAX_BOOKED:
                        lines.append(line)
            if not booked and len(wanted) == len(keys):
                continue  # as in most files: each key comes once, and the journal holds none of them
            groups: dict[int, list[int]] = {}
            for place, key in enumerate(self._keys):
                if key in wanted:
                    groups.setdefault(key, []).append(place)
            for key, places in groups.items():
                lines = booked.get(key, [])
                if lines or len(places) > 1:
                    self._compare(places, lines)

    def known(self, place: int) -> Known:
        """What is known of the record at a place."""
        return Known(self._found[self._worst(place)])

    def counted(self, places: Sequence[int]) -> Counter[Known]:
        """How many of the records at some places are known, and as what."""
        if self._found.count(Known.NEW) == len(self._found):
            return Counter({Known.NEW: len(places)})
        return Counter(map(self.known, places))

    def against(self, place: int) -> int | None:
        """The place of the record that one contradicts, IN_THE_BOOKS, or None beyond the first MAX_AGAINST."""
        return self._against.get(self._worst(place))

    def contradicted(self) -> set[int]:
        """The places of the records that others contradict."""
        return set(self._against.values()) - {IN_THE_BOOKS}

    def _worst(self, place: int) -> int:
        more = place + 1
        if more < len(self._flags) and self._flags[more] & _SAME_RECORD and self._found[more] > self._found[place]:
            return more
        return place

    def _compare(self, places: list[int], booked: list[Booked]) -> None:
        contents = {(line.member, line.unordered) for line in booked}
        seen = list(booked)
        for place in sorted(places, key=lambda one: (self._instants[one], one)):
            at, content, member = self._instants[place], self._contents[place], self._members[place]
            is_of_two, in_any_order = self._flags[place] & _OF_TWO > 0, self._flags[place] & _IN_ANY_ORDER > 0
            unordered = self._unordered[place]
            own = [line for line in seen if line.member == member]
            if at < self._horizon_at:
                if own:
                    known = Known.SAME if (member, unordered) in contents else Known.CONFLICT
                    self._note(place, known, IN_THE_BOOKS)
                continue
            bound = at // DAY_MS * DAY_MS - self._horizon_ms
            first = next((line for line in own if line.at >= bound), None)
            if first is not None and (content == first.content or (in_any_order and unordered == first.unordered)):
                self._note(place, Known.SAME, first.place)
                continue
            if first is not None and member == _NOBODY:  # the decider keeps no account of guests
                is_told = any(content == line.content for line in own if line.at >= bound)
                self._note(place, Known.SAME if is_told else Known.OTHER_GUEST, first.place)
            elif first is not None:
                is_told = in_any_order and (member, unordered) in contents
                self._note(place, Known.CONFLICT_AGAIN if is_told else Known.CONFLICT, first.place)
                continue
            other = next((line for line in seen if _are_two(line, member, is_of_two)), None)
            if other is not None:
                self._note(place, Known.OTHER_MEMBER, other.place)
            if len(seen) < MAX_BOOKED:
                seen.append(Booked(at, content, unordered, member, place, is_of_two))

    def _note(self, place: int, known: Known, against: int) -> None:
        self._found[place] = known
        if known > Known.SAME and len(self._against) < MAX_AGAINST:
            self._against[place] = against


def _are_two(line: Booked, member: int, is_of_two: bool) -> bool:
    """Whether a key names facts of two members; a referral does by itself, and a guest may become a member."""
    return line.member not in (member, _NOBODY) and member != _NOBODY and not line.is_of_two and not is_of_two


def _lines(log: LogReader, wanted: Container[int], on_line: Callable[[int], object]) -> Iterator[tuple[int, Booked]]:
    """The lines of the journal under the keys that are wanted."""
    for partition in range(log.partitions):
        for _, page in log.read_journal(partition):
            on_line(len(page.lines))
            for line in page.lines:
                fact = line.fact
                if isinstance(fact, MemberFact) and (key := _key(fact)) in wanted:
                    is_of_two = isinstance(fact, ReferralMade | RefereePurchased)
                    member = _member(line.member_id)
                    contents = _content(fact), _unordered(fact)
                    yield key, Booked(fact.occurred_at, *contents, member, IN_THE_BOOKS, is_of_two)


def _key(fact: MemberFact) -> int:
    return hash((fact.source, fact.event_id)) & _HASH_BITS


def _member(member_id: str | None) -> int:
    return _NOBODY if member_id is None else hash(member_id) & _HASH_BITS


def _content(fact: MemberFact) -> int:
    return hash(canonical_fact(fact)) & _HASH_BITS


def _unordered(fact: MemberFact) -> int:
    """The content of a fact whatever the order of its lines."""
    if not isinstance(fact, PurchaseRecorded) or len(fact.lines) < _TWO_LINES:
        return _content(fact)
    return _content(msgspec.structs.replace(fact, lines=tuple(sorted(fact.lines, key=msgspec.json.encode))))
