"""The Log port: what all other packages may ask of the books, whether they lie in files or on Kafka.

A *position* is an opaque place between two records of one book and partition: 0, or one that the log gave out; a later
place has a greater one (the projection keeps the greatest). Nothing appended is seen by a reader before it is
committed, and a reader sees whole commits only.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from books.encoded_blocks import EncodedBlock
from schemas.facts import JournalOpened
from schemas.pages import BookLength, JournalPage, Reject, RoundCommitted
from schemas.posting import EditionOpened, Posting


class RecordedDigests(NamedTuple):
    """The digests of one partition after a commit, as hex."""

    journal: str
    ledger: str


class BookBlocks(Protocol):
    """The part of the committed books that a projection reads: their records as bytes."""

    def opened(self) -> JournalOpened:
        """The constants of the deployment; `partition` is 0 in it."""

    @property
    def partitions(self) -> int:
        """How many partitions journal and ledger have."""

    def journal_blocks(self, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        """The pages from a position on as bytes, one a block; not checked further than that their blocks are whole."""

    def ledger_blocks(self, edition: str, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        """The postings from a position on as bytes, checked no further than that their blocks are whole."""

    def reject_blocks(self, start: int = 0) -> Iterator[EncodedBlock]:
        """The rejects from a position on as bytes, checked no further than that their blocks are whole."""


class LogReader(BookBlocks, Protocol):
    """The committed books, as of the last `refresh` (or of the opening).

    Reading raises BooksDamaged where a book is not what was committed, NoSuchPosition for a position that it never
    gave out, UnknownEdition, and ValueError for a partition outside the book.
    """

    def refresh(self) -> None:
        """Look for what was committed since."""

    def editions(self) -> tuple[str, ...]:
        """The editions of the ledger, in order."""

    def current_edition(self) -> str:
        """The edition that everybody reads who does not ask for another."""

    def edition(self, name: str) -> EditionOpened:
        """What an edition opened with."""

    def read_journal(self, partition: int, start: int = 0) -> Iterator[tuple[int, JournalPage]]:
        """The pages from a position on, each with the position after it."""

    def read_ledger(self, edition: str, partition: int, start: int = 0) -> Iterator[tuple[int, list[Posting]]]:
        """The postings from a position on, in batches as they were written, each with the position after it."""

    def read_rejects(self, start: int = 0) -> Iterator[tuple[int, list[Reject]]]:
        """The rejects from a position on, in batches as they were kept, each with the position after it."""

    def scored_page(self, edition: str, partition: int) -> int | None:
        """The number of the last page of a partition that the ledger covers in full; -1 for none yet.

        None: the ledger covers all pages, and these are numbered without gaps, as in books that commit whole rounds.
        Else pages are numbered by their offsets in a stream, with gaps, and those behind this one are still to be
        decided.
        """

    def recorded_digests(self, edition: str, partition: int, commit_at: int | None = None) -> RecordedDigests | None:
        """The digests that the commit at a place recorded for a partition (None: the last commit).

        None where no commit stands at that place, or it recorded none.
        """

    def input_names(self) -> dict[str, str]:
        """What people call each input that pages name otherwise, by the name in the pages."""

    def last_page(self, partition: int) -> JournalPage | None:
        """The last page of a partition, found without reading the others."""

    def last_posting(self, edition: str, partition: int) -> Posting | None:
        """The last posting of a partition, found without reading the others."""

    def close(self) -> None:
        """Give everything back."""


def postings_in(log: LogReader, edition: str) -> int:
    """How many postings an edition of the ledger has, by the numbers of the last ones."""
    ends = [log.last_posting(edition, partition) for partition in range(log.partitions)]
    return sum(end.number for end in ends if end is not None)


class CommittedRounds(LogReader, Protocol):
    """Committed books that are written in rounds, as one machine does: each commit is a record of its own."""

    def committed(self) -> RoundCommitted:
        """The last commit."""

    def last_commit_at(self) -> int:
        """The position right before the last commit, for `commits`."""

    def commits(self, start: int = 0) -> Iterator[RoundCommitted]:
        """All commits from a position on, in order, the creation of the books first (number 0)."""


class Appender(CommittedRounds, Protocol):
    """Appends to partitions that nobody else appends to, and reads what is committed.

    It is the one writer, or works for it, perhaps in another process. Pages are numbered from 0 and postings from 1,
    without gaps, in each partition (and edition): a wrong number is a fault of the program (ValueError). After any
    OSError nothing more is taken (RuntimeError): close it and open the books again, which puts them back to the last
    commit.
    """

    def next_page(self, partition: int) -> int:
        """The number that the next page of a partition must have."""

    def next_number(self, edition: str, partition: int) -> int:
        """The number that the next posting of a partition must have."""

    def append_page(self, partition: int, page: JournalPage) -> int:
        """Append a page; the position after it."""

    def append_postings(self, edition: str, partition: int, postings: Sequence[Posting]) -> int:
        """Append postings as one batch (or several, if it is large); the position after them."""

    def seal(self) -> tuple[BookLength, ...]:
        """Make durable what was appended since; what the writer's next commit has to be given as `parts`."""


class LogWriter(Appender, Protocol):
    """The one writer of the books; it reads what is committed, like anybody else."""

    def append_rejects(self, rejects: Sequence[Reject]) -> tuple[Reject, ...]:
        """Keep rejects; they are given back with their numbers, which count from 1 (0: to be filled in)."""

    def open_edition(self, opened: EditionOpened) -> None:
        """Open a new edition of the ledger; ValueError if there is one of that name."""

    def commit(self, committed: RoundCommitted, parts: Sequence[BookLength] = ()) -> RoundCommitted:
        """Make all that was appended durable and visible, at once, and what was sealed by those that append for it.

        The log fills in `number`, `lengths`, `rejects` (how many are kept in all) and `checksum`, and gives the record
        back. Commits are numbered from 0 (the creation of the books); a `number` other than 0 must be the one due.
        """
