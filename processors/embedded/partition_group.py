"""A group of the partitions: journalled and decided in one place, so that several processes can divide a round.

Whatever the groups are, each partition gets the same lines in the same order, and cuts its pages by itself: so the
books are the same, byte for byte, whatever the number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from books.log import Appender
from books.walk import Place
from processors.partition_scorer import Owed, PartitionScorer, owed_by
from schemas.facts import JournalFact, RefereePurchased, RulesetPublished
from schemas.pages import MAX_PAGE_LINES, BookLength, Folio, JournalLine, JournalPage
from schemas.posting import Posting, Reason

MAX_POSTINGS_HELD: Final = 1_000
FULL_PAGE_BYTES: Final = 1_000_000  # a page is closed at this size, so that large events make pages of few lines


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
    place: Place


class Sealed(msgspec.Struct, frozen=True):
    """What a group made durable for one commit: counts since the last one, ends of its partitions, lengths of files.

    `lengths` are those that the commit must be given; none where the group writes through the committing log itself.
    """

    postings: int
    entries: int
    duplicates: int
    conflicts: int
    ends: tuple[End, ...]
    lengths: tuple[BookLength, ...] = ()


class PartitionGroup(Protocol):
    """Some partitions. `ask_…` only sets the work going, so that all groups work before the first answer is awaited."""

    @property
    def partitions(self) -> Sequence[int]:
        """The partitions of this group."""

    def score(self, lines: Sequence[LineToScore], received_at: int) -> None:
        """Journal and decide lines, in this order, that reached us at `received_at` (UTC ms)."""

    def ask_owed(self) -> None:
        """Ask for the derived facts."""

    def owed(self) -> list[Owed]:
        """The derived facts that lines owe which were scored since this was last asked."""

    def ask_seal(self) -> None:
        """Ask that everything scored be made durable."""

    def sealed(self) -> Sealed:
        """What was made durable; nothing of it is visible before the commit."""


class _Writing(msgspec.Struct):
    """The page that a partition is filling, and its postings not yet handed to the log."""

    page: int
    place: Place
    lines: list[JournalLine] = []
    inputs: dict[str, int] = msgspec.field(default_factory=lambda: {"": 0})  # index 0: what Tallybook itself wrote
    postings: list[Posting] = []
    bytes: int = 0


class LocalPartitionGroup:
    """A group that is decided right here, by scorers recovered to the end of the books, their places in `places`."""

    def __init__(
        self, log: Appender, scorers: Sequence[PartitionScorer], edition: str, places: Sequence[Place]
    ) -> None:
        self.scorers = scorers
        self._log = log
        self._edition = edition
        self._scorers = {scorer.partition: scorer for scorer in scorers}
        self._writing = {
            scorer.partition: _Writing(scorer.page + 1, place) for scorer, place in zip(scorers, places, strict=True)
        }
        self._owed: list[Owed] = []
        self._postings = self._entries = self._duplicates = self._conflicts = 0

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
            inputs = writing.inputs
            index = inputs[source] if source in inputs else inputs.setdefault(source, len(inputs))
            self._write(self._scorers[partition], writing, JournalLine(fact, received_at, member_id, index, record))

    def ask_owed(self) -> None:
        """Nothing: `owed` has it."""

    def owed(self) -> list[Owed]:
        """The derived facts owed since last asked."""
        owed, self._owed = self._owed, []
        return owed

    def ask_seal(self) -> None:
        """Nothing: `sealed` does it."""

    def sealed(self) -> Sealed:
        """Turn all pages and hand over all postings; the log's own commit makes them durable."""
        for partition, scorer in self._scorers.items():
            self._turn_page(scorer, self._writing[partition])
            self._hand_over_postings(scorer, self._writing[partition])
        ends = tuple(
            End(scorer.partition, scorer.journal_digest.hex(), scorer.ledger_digest.hex(), place)
            for scorer, place in zip(self.scorers, self.places(), strict=True)
        )
        sealed = Sealed(self._postings, self._entries, self._duplicates, self._conflicts, ends)
        self._postings = self._entries = self._duplicates = self._conflicts = 0
        return sealed

    def places(self) -> list[Place]:
        """Where each partition's books end; right after `sealed` only."""
        return [self._writing[scorer.partition].place for scorer in self.scorers]

    def _write(self, scorer: PartitionScorer, writing: _Writing, line: JournalLine) -> None:
        lines = writing.lines
        folio = Folio(writing.page, len(lines))
        lines.append(line)
        postings = scorer.score(line, folio)
        if postings:
            writing.postings.extend(postings)
            self._count(scorer.partition, line, postings)
            if len(writing.postings) >= MAX_POSTINGS_HELD:
                self._hand_over_postings(scorer, writing)
        writing.bytes += scorer.line_bytes
        if len(lines) >= MAX_PAGE_LINES or writing.bytes >= FULL_PAGE_BYTES:
            self._turn_page(scorer, writing)

    def _count(self, partition: int, line: JournalLine, postings: Sequence[Posting]) -> None:
        self._postings += len(postings)
        for posting in postings:
            self._entries += len(posting.entries)
            self._duplicates += posting.reason == Reason.DUPLICATE
            self._conflicts += posting.reason == Reason.CONFLICT
            if posting.owed:
                if isinstance(line.fact, RefereePurchased):
                    raise AssertionError(f"derived fact {line.fact.event_id} owes facts itself")
                self._owed.extend(owed_by(partition, posting))

    def _turn_page(self, scorer: PartitionScorer, writing: _Writing) -> None:
        if not writing.lines:
            return
        page = JournalPage(writing.page, tuple(writing.lines), tuple(writing.inputs))
        position = self._log.append_page(scorer.partition, page)
        folio = Folio(page.page, len(page.lines) - 1)
        writing.place = Place(position, writing.place.ledger, folio, writing.place.number)
        scorer.page = writing.page
        writing.page += 1
        writing.lines, writing.inputs, writing.bytes = [], {"": 0}, 0

    def _hand_over_postings(self, scorer: PartitionScorer, writing: _Writing) -> None:
        if writing.postings:
            position = self._log.append_postings(self._edition, scorer.partition, writing.postings)
            place = writing.place
            writing.place = Place(place.journal, position, place.folio, writing.postings[-1].number)
            writing.postings = []
