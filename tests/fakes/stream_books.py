"""The books of a stream in memory: pages and batches at offsets with gaps, the ledger perhaps behind the journal."""

from collections.abc import Iterator, Sequence

import msgspec

from books.encoded_blocks import EncodedBlock, encoded_pages, encoded_postings, encoded_rejects
from books.errors import UnknownEdition
from books.log import RecordedDigests
from processors.decider.partition_machine import Load
from processors.partition_scorer import PartitionScorer, owed_by
from schemas.facts import JournalOpened
from schemas.pages import Folio, JournalLine, JournalPage, Reject
from schemas.partitions import partition_of
from schemas.posting import FIRST_EDITION, EditionOpened, Posting, PostingBatch


class MemoryStream:
    """A LogReader that is written by `append` and scored by `score`; each record takes `gap` offsets, as markers do."""

    def __init__(self, opened: JournalOpened, load: Load, *, gap: int = 3) -> None:
        self.gap = gap
        self.journal: list[list[tuple[int, JournalPage]]] = [[] for _ in range(opened.partitions)]
        self.ledger: list[list[tuple[int, PostingBatch]]] = [[] for _ in range(opened.partitions)]
        self.rejected: list[tuple[int, Reject]] = []
        self.scorers = [PartitionScorer(number, opened, load) for number in range(opened.partitions)]
        self._opened = opened
        for partition in range(opened.partitions):
            opening = msgspec.structs.replace(opened, partition=partition)
            self.append(partition, [JournalLine(opening, opened.opened_at)])

    def append(self, partition: int, lines: Sequence[JournalLine]) -> int:
        """Put a page behind the others; its number."""
        number = len(self.journal[partition]) * self.gap
        self.journal[partition].append((number, JournalPage(number, tuple(lines))))
        return number

    def reject(self, reject: Reject) -> None:
        number = len(self.rejected) * self.gap + 1
        self.rejected.append((number - 1, msgspec.structs.replace(reject, number=number)))

    def score(self, partition: int, pages: int = 1_000) -> None:
        """Decide up to so many pages, as one batch; what they owe goes into the journal at once."""
        scorer = self.scorers[partition]
        waiting = [page for _, page in self.journal[partition] if page.page > scorer.page][:pages]
        postings: list[Posting] = []
        for page in waiting:
            for at, line in enumerate(page.lines):
                for posting in scorer.score(line, Folio(page.page, at)):
                    postings.append(posting)
                    for owed in owed_by(partition, posting):
                        target = partition_of(owed.fact.member_id, self.partitions)
                        self.append(target, [JournalLine(owed.fact, line.received_at, owed.fact.member_id)])
            scorer.page = page.page
        if waiting:
            batch = PostingBatch(tuple(postings), scorer.page, scorer.journal_digest.hex(), scorer.ledger_digest.hex())
            self.ledger[partition].append((len(self.ledger[partition]) * self.gap + 1, batch))

    @property
    def partitions(self) -> int:
        return self._opened.partitions

    def opened(self) -> JournalOpened:
        return self._opened

    def refresh(self) -> None:
        pass

    def refresh_settled(self) -> None:
        pass

    def editions(self) -> tuple[str, ...]:
        return (FIRST_EDITION,)

    def current_edition(self) -> str:
        return FIRST_EDITION

    def edition(self, name: str) -> EditionOpened:
        self._must_have(name)
        return EditionOpened(name, self._opened.deployment, self._opened.generation, self.partitions)

    def read_journal(self, partition: int, start: int = 0) -> Iterator[tuple[int, JournalPage]]:
        return ((offset + 1, page) for offset, page in list(self.journal[partition]) if offset >= start)

    def read_ledger(self, edition: str, partition: int, start: int = 0) -> Iterator[tuple[int, list[Posting]]]:
        return (
            (after, list(batch.postings))
            for after, batch in self.read_batches(edition, partition, start)
            if batch.postings
        )

    def read_batches(self, edition: str, partition: int, start: int = 0) -> Iterator[tuple[int, PostingBatch]]:
        self._must_have(edition)
        return ((offset + 1, batch) for offset, batch in list(self.ledger[partition]) if offset >= start)

    def read_rejects(self, start: int = 0) -> Iterator[tuple[int, list[Reject]]]:
        return ((offset + 1, [reject]) for offset, reject in list(self.rejected) if offset >= start)

    def journal_blocks(self, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        return encoded_pages(self.read_journal(partition, start))

    def ledger_blocks(self, edition: str, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        return encoded_postings(self.read_ledger(edition, partition, start))

    def reject_blocks(self, start: int = 0) -> Iterator[EncodedBlock]:
        return encoded_rejects(self.read_rejects(start))

    def scored_page(self, edition: str, partition: int) -> int | None:
        self._must_have(edition)
        return self.ledger[partition][-1][1].scored_page if self.ledger[partition] else -1

    def recorded_digests(self, edition: str, partition: int, commit_at: int | None = None) -> RecordedDigests | None:
        self._must_have(edition)
        of_place = [batch for at, batch in self.ledger[partition] if commit_at is None or at == commit_at]
        return RecordedDigests(of_place[-1].journal_digest, of_place[-1].ledger_digest) if of_place else None

    def input_names(self) -> dict[str, str]:
        return {}

    def last_page(self, partition: int) -> JournalPage | None:
        return self.journal[partition][-1][1] if self.journal[partition] else None

    def last_posting(self, edition: str, partition: int) -> Posting | None:
        self._must_have(edition)
        found = [posting for _, batch in self.ledger[partition] for posting in batch.postings]
        return found[-1] if found else None

    def close(self) -> None:
        pass

    def _must_have(self, edition: str) -> None:
        if edition != FIRST_EDITION:
            raise UnknownEdition(edition, self.editions())
