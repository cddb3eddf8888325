"""Rounds of an embedded run: facts up to a tick are journalled and decided, then what they owe, then due work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from books.log import LogWriter
from books.walk import Place
from processors.desk import Owed, PartitionDesk, owed_by
from schemas.facts import (
    ClockTicked,
    JournalFact,
    PublishedFact,
    PurchaseRecorded,
    RefereePurchased,
    RulesetPublished,
    members_of,
)
from schemas.pages import (
    MAX_PAGE_LINES,
    Folio,
    InputConsumed,
    JournalLine,
    JournalPage,
    Reject,
    RoundCommitted,
)
from schemas.partitions import partition_of
from schemas.posting import Posting, Reason

MAX_POSTINGS_HELD: Final = 1_000
FULL_PAGE_BYTES: Final = 1_000_000  # a page is closed at this size, so that large events make pages of few lines


class Taken(NamedTuple):
    """A fact that passed the door: the SHA-256 of its input, and its record number there from 1."""

    fact: PublishedFact
    input: str
    record: int


class RoundCounts(msgspec.Struct):
    """What has been taken in since the last commit."""

    facts: int = 0
    lines: int = 0
    postings: int = 0
    entries: int = 0
    rejects: int = 0
    duplicates: int = 0
    conflicts: int = 0


def _no_inputs() -> dict[str, int]:
    return {"": 0}  # index 0: what Tallybook itself wrote


class _Writing(msgspec.Struct):
    """The page that a partition is filling, and its postings not yet handed to the log."""

    page: int
    place: Place
    lines: list[JournalLine] = []
    inputs: dict[str, int] = msgspec.field(default_factory=_no_inputs)
    postings: list[Posting] = []
    bytes: int = 0


class Rounds:
    """Takes rounds of facts into the books of one folder, in one process.

    Nothing is visible to readers before `commit`. The caller owns `log` and gives one desk per partition, each
    recovered to the end of the books, which is its place in `places`.
    """

    def __init__(self, log: LogWriter, desks: Sequence[PartitionDesk], edition: str, places: Sequence[Place]) -> None:
        self.log = log
        self.desks = desks
        self.edition = edition
        self.counts = RoundCounts()
        self._writing = [_Writing(desk.page + 1, place) for desk, place in zip(desks, places, strict=True)]

    @property
    def last_tick(self) -> int:
        """The last tick in UTC ms, the same in all partitions between rounds; 0 for none."""
        return self.desks[0].last_tick

    def publish(self, published: RulesetPublished, received_at: int) -> None:
        """Write a publication to all partitions at once."""
        for desk in self.desks:
            self._write(desk, JournalLine(published, received_at))

    def take(self, facts: Sequence[Taken], tick_at: int, received_at: int) -> None:
        """One round: these facts in this order, the facts they owe, then a tick at `tick_at` if it is a new one."""
        owed: list[Owed] = []
        for fact, source, record in facts:
            self.counts.facts += 1
            for member_id in members_of(fact):
                key = member_id if member_id is not None else guest_key(fact)
                desk = self.desks[partition_of(key, len(self.desks))]
                index = self._input_index(desk, source)
                for posting in self._write(desk, JournalLine(fact, received_at, member_id, index, record)):
                    owed.extend(owed_by(desk.partition, posting))
        owed.sort(key=lambda item: item[:4])
        for item in owed:
            self._write_derived(item.fact, received_at)
        if tick_at > self.last_tick:
            for desk in self.desks:
                self._write(desk, JournalLine(ClockTicked(tick_at), received_at))

    def reject(self, rejects: Sequence[Reject]) -> tuple[Reject, ...]:
        """Keep refused records; gives them back with their numbers."""
        self.counts.rejects += len(rejects)
        return self.log.append_rejects(rejects)

    def commit(self, inputs: Sequence[InputConsumed]) -> RoundCounts:
        """Make everything since the last commit durable and visible, as one.

        Returns:
            The counts of what was committed.
        """
        for desk in self.desks:
            self._turn_page(desk)
            self._hand_over_postings(desk)
        counts, self.counts = self.counts, RoundCounts()
        self.log.commit(
            RoundCommitted(
                number=0,
                lengths=(),
                inputs=tuple(inputs),
                last_tick=self.last_tick,
                facts=counts.facts,
                postings=counts.postings,
                journal_digests=tuple(desk.journal_digest.hex() for desk in self.desks),
                ledger_digests=tuple(desk.ledger_digest.hex() for desk in self.desks),
            )
        )
        return counts

    def places(self) -> list[Place]:
        """Where each partition's books end; right after a commit only."""
        return [writing.place for writing in self._writing]

    def _write_derived(self, fact: RefereePurchased, received_at: int) -> None:
        desk = self.desks[partition_of(fact.member_id, len(self.desks))]
        for posting in self._write(desk, JournalLine(fact, received_at, fact.member_id)):
            if posting.owed:
                raise AssertionError(f"derived fact {fact.event_id} owes facts itself")

    def _input_index(self, desk: PartitionDesk, source: str) -> int:
        inputs = self._writing[desk.partition].inputs
        return inputs.setdefault(source, len(inputs))

    def _write(self, desk: PartitionDesk, line: JournalLine) -> list[Posting]:
        writing = self._writing[desk.partition]
        folio = Folio(writing.page, len(writing.lines))
        writing.lines.append(line)
        postings = desk.score(line, folio)
        writing.postings.extend(postings)
        self.counts.lines += 1
        self.counts.postings += len(postings)
        for posting in postings:
            self.counts.entries += len(posting.entries)
            self.counts.duplicates += posting.reason == Reason.DUPLICATE
            self.counts.conflicts += posting.reason == Reason.CONFLICT
        writing.bytes += desk.line_bytes
        if len(writing.lines) >= MAX_PAGE_LINES or writing.bytes >= FULL_PAGE_BYTES:
            self._turn_page(desk)
        if len(writing.postings) >= MAX_POSTINGS_HELD:
            self._hand_over_postings(desk)
        return postings

    def _turn_page(self, desk: PartitionDesk) -> None:
        writing = self._writing[desk.partition]
        if not writing.lines:
            return
        page = JournalPage(writing.page, tuple(writing.lines), tuple(writing.inputs))
        position = self.log.append_page(desk.partition, page)
        folio = Folio(page.page, len(page.lines) - 1)
        writing.place = Place(position, writing.place.ledger, folio, writing.place.number)
        desk.page = writing.page
        writing.page += 1
        writing.lines, writing.inputs, writing.bytes = [], _no_inputs(), 0

    def _hand_over_postings(self, desk: PartitionDesk) -> None:
        writing = self._writing[desk.partition]
        if writing.postings:
            position = self.log.append_postings(self.edition, desk.partition, writing.postings)
            place = writing.place
            writing.place = Place(place.journal, position, place.folio, writing.postings[-1].number)
            writing.postings = []


def guest_key(fact: JournalFact) -> str:
    """What decides the partition of a fact without a member: the order id of a guest's purchase."""
    if isinstance(fact, PurchaseRecorded):
        return fact.order_id
    raise AssertionError(f"a {type(fact).__name__} has a member")
