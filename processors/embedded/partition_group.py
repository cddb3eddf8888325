"""Journals and decides a group of partitions in one process, so that several processes can divide a round.

However the partitions are grouped, each partition gets the same lines in the same order and cuts its pages by itself.
So the books are the same, byte for byte, whatever the number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from books.log import Appender
from books.walk import BookPlace
from processors.journal_pages import OpenPage
from processors.partition_scorer import Owed, PartitionScorer, owed_by
from schemas.facts import JournalFact, RulesetPublished
from schemas.pages import BookLength, Folio, JournalLine, JournalPage
from schemas.posting import Posting, Reason

MAX_POSTINGS_HELD: Final = 1_000


class RunCounts(msgspec.Struct):
    """Facts taken in, the journal lines they became, what was posted for them, and records refused.

    `duplicates` and `conflicts` count postings without effect: the same fact, or another of its name, was there before.
    """

    facts: int = 0
    lines: int = 0
    postings: int = 0
    entries: int = 0
    rejects: int = 0
    duplicates: int = 0
    conflicts: int = 0

    def add(self, more: RunCounts) -> None:
        """Add what was counted elsewhere, or since."""
        for name in RunCounts.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(more, name))


class LineToScore(NamedTuple):
    """One line to be journalled and decided: in which partition and account, from which input (SHA-256) and record."""

    partition: int
    fact: JournalFact
    member_id: str | None = None
    source: str = ""
    record: int = 0


class End(msgspec.Struct, frozen=True):
    """Where a partition's books end after a commit, with the running digests there as hex."""

    partition: int
    journal_digest: str
    ledger_digest: str
    place: BookPlace


class Sealed(msgspec.Struct, frozen=True):
    """What a group wrote for one commit: its counts since the last one, the ends of its partitions, lengths of files.

    `lengths` are those that the commit must be given; none where the group writes through the committing log itself.
    """

    counts: RunCounts
    ends: tuple[End, ...]
    lengths: tuple[BookLength, ...] = ()


class PartitionGroup(Protocol):
    """Some of the partitions. `ask_…` only starts the work, so that all groups work before any answer is awaited."""

    @property
    def partitions(self) -> Sequence[int]:
        """The partitions of this group."""

    def score(self, lines: Sequence[LineToScore], received_at: int) -> None:
        """Journal and decide lines, in this order, that reached us at `received_at` (UTC ms)."""

    def ask_owed(self) -> None:
        """Ask for the derived facts."""

    def owed(self) -> list[Owed]:
        """The facts derived from what was scored since the last call."""

    def ask_seal(self) -> None:
        """Ask that everything scored be made durable."""

    def sealed(self) -> Sealed:
        """Wait until all is durable; nothing of it is visible before the commit."""


class _Writing(msgspec.Struct):
    """The page that a partition is filling, and postings not yet written to the log."""

    number: int
    place: BookPlace
    page: OpenPage[JournalLine] = msgspec.field(default_factory=OpenPage)
    postings: list[Posting] = []


class LocalPartitionGroup:
    """A group that this process decides, by scorers recovered to the end of the books at `places`."""

    def __init__(
        self, log: Appender, scorers: Sequence[PartitionScorer], edition: str, places: Sequence[BookPlace]
    ) -> None:
        self.scorers = scorers
        self._log = log
        self._edition = edition
        self._scorers = {scorer.partition: scorer for scorer in scorers}
        self._writing = {
            scorer.partition: _Writing(scorer.page + 1, place) for scorer, place in zip(scorers, places, strict=True)
        }
        self._owed: list[Owed] = []
        self._counts = RunCounts()

    @property
    def partitions(self) -> Sequence[int]:
        """The partitions of this group."""
        return list(self._scorers)

    @property
    def last_tick(self) -> int:
        """The last tick in UTC ms, the same in all partitions between rounds; 0 for none."""
        return self.scorers[0].last_tick

    @property
    def publications(self) -> list[RulesetPublished]:
        """What was published, the same in all partitions."""
        return list(self.scorers[0].machine.partition.publications)

    def score(self, lines: Sequence[LineToScore], received_at: int) -> None:
        """Journal and decide lines; see PartitionGroup."""
        for partition, fact, member_id, source, record in lines:
            writing = self._writing[partition]
            line = JournalLine(fact, received_at, member_id, writing.page.inputs[source], record)
            self._write(self._scorers[partition], writing, line)

    def ask_owed(self) -> None:
        """Do nothing: `owed` returns them at once."""

    def owed(self) -> list[Owed]:
        """The derived facts owed since last asked."""
        owed, self._owed = self._owed, []
        return owed

    def ask_seal(self) -> None:
        """Do nothing: `sealed` does the work."""

    def sealed(self) -> Sealed:
        """Write all open pages and postings to the log, whose own commit makes them durable."""
        for partition, scorer in self._scorers.items():
            self._turn_page(scorer, self._writing[partition])
            self._hand_over_postings(scorer, self._writing[partition])
        ends = tuple(
            End(scorer.partition, scorer.journal_digest.hex(), scorer.ledger_digest.hex(), place)
            for scorer, place in zip(self.scorers, self.places(), strict=True)
        )
        counts, self._counts = self._counts, RunCounts()
        return Sealed(counts, ends)

    def places(self) -> list[BookPlace]:
        """Where each partition's books end; right after `sealed` only."""
        return [self._writing[scorer.partition].place for scorer in self.scorers]

    def _write(self, scorer: PartitionScorer, writing: _Writing, line: JournalLine) -> None:
        page = writing.page
        postings = scorer.score(line, Folio(writing.number, len(page.lines)))
        if postings:
            writing.postings.extend(postings)
            self._count(scorer.partition, postings)
            if len(writing.postings) >= MAX_POSTINGS_HELD:
                self._hand_over_postings(scorer, writing)
        if page.add(line, scorer.line_bytes):
            self._turn_page(scorer, writing)

    def _count(self, partition: int, postings: Sequence[Posting]) -> None:
        counts = self._counts
        for posting in postings:
            counts.postings += 1
            counts.entries += len(posting.entries)
            counts.duplicates += posting.reason == Reason.DUPLICATE
            counts.conflicts += posting.reason == Reason.CONFLICT
            if posting.owed:
                self._owed.extend(owed_by(partition, posting))

    def _turn_page(self, scorer: PartitionScorer, writing: _Writing) -> None:
        lines = tuple(writing.page.lines)
        if not lines:
            return
        page = JournalPage(writing.number, lines, tuple(writing.page.inputs))
        position = self._log.append_page(scorer.partition, page)
        folio = Folio(writing.number, len(lines) - 1)
        writing.place = BookPlace(position, writing.place.ledger, folio, writing.place.number)
        scorer.page = writing.number
        writing.number += 1
        writing.page = OpenPage()

    def _hand_over_postings(self, scorer: PartitionScorer, writing: _Writing) -> None:
        if writing.postings:
            position = self._log.append_postings(self._edition, scorer.partition, writing.postings)
            place = writing.place
            writing.place = BookPlace(place.journal, position, place.folio, writing.postings[-1].number)
            writing.postings = []
