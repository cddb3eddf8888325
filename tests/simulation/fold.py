"""A fold of the committed journal that never stops: what every restart and every end is compared with."""

from __future__ import annotations

from typing import NamedTuple

from books.log import CommittedRounds, LogReader
from processors.decider.accounts_digest import accounts_digest
from processors.partition_scorer import PartitionScorer
from schemas.facts import JournalOpened, RefereePurchased
from schemas.pages import Folio, JournalLine, RoundCommitted
from schemas.posting import FIRST_EDITION, Posting
from tests.support.deciders import load
from tests.support.whole_books import require


class Written(NamedTuple):
    """A journal line, the SHA-256 of the input that it came from (empty: none), and what was posted for it."""

    line: JournalLine
    input: str
    postings: list[Posting]


class Fold:
    """All partitions, decided once and in the order of the journal; it reads only what is new."""

    def __init__(self, opened: JournalOpened) -> None:
        self.scorers = [PartitionScorer(partition, opened, (), load) for partition in range(opened.partitions)]
        self.written: list[list[Written]] = [[] for _ in self.scorers]
        self._journal = [0 for _ in self.scorers]
        self._ledger = [0 for _ in self.scorers]
        self._pages = [0 for _ in self.scorers]

    def catch_up(self, log: CommittedRounds) -> None:
        """Decide what is new in the journal; the ledger must say the same, posting by posting, and the commit too."""
        for scorer in self.scorers:
            partition = scorer.partition
            decided = self._read_journal(log, scorer)
            recorded: list[Posting] = []
            for position, batch in log.read_ledger(FIRST_EDITION, partition, self._ledger[partition]):
                self._ledger[partition] = position
                recorded += batch
            require(recorded == decided, "the ledger is what the journal and the rules make", partition=partition)
        self.agrees(log.committed())

    def agrees(self, committed: RoundCommitted) -> None:
        """A commit must name the digests of this fold."""
        mine = (
            tuple(scorer.journal_digest.hex() for scorer in self.scorers),
            tuple(scorer.ledger_digest.hex() for scorer in self.scorers),
        )
        theirs = committed.journal_digests, committed.ledger_digests
        require(mine == theirs, "a commit names the digests of its books", commit=committed.number)
        ticks = {scorer.last_tick for scorer in self.scorers}
        require(ticks == {committed.last_tick}, "a commit names the last tick of all partitions", found=ticks)

    def hashes(self) -> list[str]:
        """The canonical hash of the accounts of each partition."""
        return [accounts_digest(scorer.machine).hex() for scorer in self.scorers]

    def lines(self) -> int:
        """How many lines there are."""
        return sum(len(written) for written in self.written)

    def owed(self) -> list[RefereePurchased]:
        """All derived facts that postings owe, in the order of the partitions."""
        return [
            fact for written in self.written for item in written for posting in item.postings for fact in posting.owed
        ]

    def _read_journal(self, log: LogReader, scorer: PartitionScorer) -> list[Posting]:
        partition, decided = scorer.partition, list[Posting]()
        for position, page in log.read_journal(partition, self._journal[partition]):
            require(page.page == self._pages[partition], "pages have no gap", partition=partition, page=page.page)
            self._journal[partition], self._pages[partition] = position, page.page + 1
            for number, line in enumerate(page.lines):
                postings = scorer.score(line, Folio(page.page, number))
                self.written[partition].append(Written(line, page.inputs[line.input], postings))
                decided += postings
        return decided
