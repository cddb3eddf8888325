"""Reads the books of a folder, which are Avro files; it never changes a byte."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from books.encoded_blocks import EncodedBlock, encoded
from books.errors import BooksDamaged, BooksForeign, NoSuchPosition, UnknownEdition
from books.files.book_file import BookFile, blocks_of, check_end, head_of, last_block_of, open_book_file
from books.files.commits import LastRound, read_last_round, read_rounds
from books.files.disk import REAL_FILES, FilePort
from books.files.layout import (
    BOOKS,
    REJECTS,
    ROUNDS,
    Identity,
    edition_file,
    edition_of,
    identity_in,
    identity_of,
    is_book_folder,
    is_copy,
    journal_file,
    ledger_file,
    scored_mark,
)
from books.log import RecordedDigests
from books.opening import readable
from schemas.avro.codecs import BodyDamaged, Written, decode_postings, decode_record
from schemas.avro.containers import Block
from schemas.facts import JournalOpened
from schemas.pages import JournalPage, Reject, RoundCommitted
from schemas.posting import EditionOpened, Posting

_NO_BOOKS: Final = "Name the folder that `tallybook init` made, or make a new one with it."
_T = TypeVar("_T")


class FileLogReader:
    """The committed books of one folder; see LogReader. It holds no file open and no lock."""

    def __init__(self, folder: Path, *, files: FilePort = REAL_FILES) -> None:
        """Check every committed file's head and end.

        Raises:
            BooksForeign: not books of Tallybook, or of another deployment, generation, run or layout.
            BooksDamaged: a file is missing, shorter than committed, or ends otherwise.
        """
        self._files = files
        self.folder = folder
        self._books = folder / BOOKS
        identity = identity_in_folder(files, folder)
        self._identity = identity
        self._rounds = open_book_file(files, self._books, ROUNDS, identity)
        self.is_copy = is_copy(self._rounds.header)
        self._known: dict[str, BookFile] = {}
        self._lengths: dict[str, int] = {}
        self._enter(self._last_round())
        self._opened = self._opening()

    def opened(self) -> JournalOpened:
        return self._opened

    @property
    def partitions(self) -> int:
        return self._opened.partitions

    def refresh(self) -> None:
        if self._files.size(self._rounds.path) == self._last.end:
            return
        last = self._last_round()
        if last.committed.number > self._last.committed.number:
            self._enter(last)

    def committed(self) -> RoundCommitted:
        return self._last.committed

    def last_commit_at(self) -> int:
        return self._last.start

    def commits(self, start: int = 0) -> Iterator[RoundCommitted]:
        return read_rounds(self._files, self._rounds, start, self._last.end)

    def editions(self) -> tuple[str, ...]:
        return tuple(sorted(edition for file in self._lengths if (edition := edition_of(file)) is not None))

    def current_edition(self) -> str:
        """The edition that everybody reads: the first, as nothing puts another in its place yet."""
        return self.editions()[0]

    def edition(self, name: str) -> EditionOpened:
        self._must_have(name)
        book = self._known[edition_file(name)]
        for block in self._blocks(book):
            return _decoded(book, block, EditionOpened)
        raise BooksDamaged(book.name, book.first, "the record of the edition's opening is missing")

    def read_journal(self, partition: int, start: int = 0) -> Iterator[tuple[int, JournalPage]]:
        return self._pages(self._journal(partition), start, due=0 if start == 0 else None)

    def read_ledger(self, edition: str, partition: int, start: int = 0) -> Iterator[tuple[int, list[Posting]]]:
        book = self._ledger(edition, partition)
        return _numbered_postings(book, self._blocks(book, start), 1 if start == 0 else None)

    def read_rejects(self, start: int = 0) -> Iterator[tuple[int, list[Reject]]]:
        """The rejects from a position on, each with the position after it."""
        numbered = self._kept_rejects(start, due=1 if start == 0 and not self.is_copy else None)
        return ((end, [reject]) for end, reject in numbered)

    def journal_blocks(self, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        """The pages from a position on as bytes, one a block, under the present schema."""
        book = self._journal(partition)
        if book.writer_schema is not None:
            return encoded((end, [page]) for end, page in self._pages(book, start))
        return _single(book, self._blocks(book, start))

    def ledger_blocks(self, edition: str, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        """The postings from a position on as bytes, in blocks as they were written, under the present schema."""
        book = self._ledger(edition, partition)
        blocks = self._blocks(book, start)
        if book.writer_schema is not None:
            return encoded(_numbered_postings(book, blocks, None))
        return (EncodedBlock(block.end, block.records, block.data) for block in blocks)

    def reject_blocks(self, start: int = 0) -> Iterator[EncodedBlock]:
        """The rejects from a position on as bytes, one a block, under the present schema."""
        book = self._known[REJECTS]
        if book.writer_schema is not None:
            return encoded((end, [reject]) for end, reject in self._kept_rejects(start))
        return _single(book, self._blocks(book, start))

    def scored_page(self, edition: str, partition: int) -> int | None:
        """See LogReader: None in books that commit whole rounds, what the commit says in a copy of a stream."""
        if not self.is_copy:
            return None
        self._must_have(edition)
        mark = scored_mark(partition)
        return next((one.record - 1 for one in self._last.committed.inputs if one.name == mark), -1)

    def recorded_digests(self, edition: str, partition: int, commit_at: int | None = None) -> RecordedDigests | None:
        """The digests that the commit at a position recorded for a partition (None: the last); None where none did."""
        self._must_have(edition)
        self._must_be_partition(partition)
        try:
            commit = self.committed() if commit_at is None else next(self.commits(commit_at), None)
        except NoSuchPosition:
            return None
        if commit is None or not commit.ledger_digests:
            return None
        return RecordedDigests(commit.journal_digests[partition], commit.ledger_digests[partition])

    def input_names(self) -> dict[str, str]:
        """The name of each file that was taken in, by its SHA-256."""
        return {one.sha256: one.name for commit in self.commits() for one in commit.inputs}

    def last_page(self, partition: int) -> JournalPage | None:
        book = self._journal(partition)
        block = last_block_of(self._files, book, self._lengths[book.name])
        return None if block is None else _decoded(book, block, JournalPage)

    def last_posting(self, edition: str, partition: int) -> Posting | None:
        book = self._ledger(edition, partition)
        block = last_block_of(self._files, book, self._lengths[book.name])
        return None if block is None else _postings(book, block)[-1]

    def close(self) -> None:
        """Do nothing: no file is held open."""

    def _last_round(self) -> LastRound:
        """The last whole commit, made durable before anybody hears of it.

        Its writer may still wait for the disk, or may have died. Without this, a power cut could undo a commit that was
        already shown, projected, or answered with "taken in before".
        """
        last = read_last_round(self._files, self._rounds)
        self._files.sync_file(self._rounds.path)
        if last.committed.number == 0:  # who created the books may have died before their name was on the disk
            self._files.sync_file(self.folder)
        return last

    def _enter(self, last: LastRound) -> None:
        """Check what a commit covers, and take it as the present one."""
        for length in last.committed.lengths:
            if length.file not in self._known:
                self._known[length.file] = open_book_file(self._files, self._books, length.file, self._identity)
            check_end(self._files, self._known[length.file], length)
        self._last = last
        self._lengths = {length.file: length.bytes for length in last.committed.lengths}

    def _opening(self) -> JournalOpened:
        book = self._known.get(journal_file(0))
        if book is None:
            raise BooksDamaged(ROUNDS, None, f"the last commit does not cover {journal_file(0)}")
        for _, page in self._pages(book, 0, due=0):
            opened = page.lines[0].fact if page.lines else None
            if isinstance(opened, JournalOpened) and identity_of(opened) == self._identity:
                return readable(msgspec.structs.replace(opened, partition=0), self.folder)
            break
        raise BooksDamaged(book.name, book.first, "its first line is not the opening of this book")

    def _journal(self, partition: int) -> BookFile:
        self._must_be_partition(partition)
        return self._known[journal_file(partition)]

    def _ledger(self, edition: str, partition: int) -> BookFile:
        self._must_have(edition)
        self._must_be_partition(partition)
        return self._known[ledger_file(edition, partition)]

    def _blocks(self, book: BookFile, start: int = 0) -> Iterator[Block]:
        return blocks_of(self._files, book, start, self._lengths[book.name])

    def _pages(self, book: BookFile, start: int, due: int | None = None) -> Iterator[tuple[int, JournalPage]]:
        pages = ((block, _decoded(book, block, JournalPage)) for block in self._blocks(book, start))
        numbered = ((block, page.page, page) for block, page in pages)
        return _in_order(book, "page", numbered, due, gaps=self.is_copy)

    def _kept_rejects(self, start: int, due: int | None = None) -> Iterator[tuple[int, Reject]]:
        book = self._known[REJECTS]
        rejects = ((block, _decoded(book, block, Reject)) for block in self._blocks(book, start))
        numbered = ((block, reject.number, reject) for block, reject in rejects)
        return _in_order(book, "reject", numbered, due, gaps=self.is_copy)

    def _must_be_partition(self, partition: int) -> None:
        if not 0 <= partition < self._opened.partitions:
            raise ValueError(f"partition {partition} of {self._opened.partitions}")

    def _must_have(self, edition: str) -> None:
        if edition_file(edition) not in self._lengths:
            raise UnknownEdition(edition, self.editions())


def identity_in_folder(files: FilePort, folder: Path) -> Identity:
    """Which book lies in a folder, by the head of its file of commits; raises BooksForeign or BooksDamaged."""
    books = folder / BOOKS
    if files.size(books / ROUNDS) is None:
        if any(is_book_folder(name) for name in files.names(books)):
            raise BooksDamaged(ROUNDS, None, f"the file of commits is missing from {books}")
        raise BooksForeign(folder, "there are no books of Tallybook in it", _NO_BOOKS)
    identity = identity_in(head_of(files, books, ROUNDS))
    if identity is None:
        raise BooksForeign(books / ROUNDS, "is an Avro file, but not one of Tallybook's", _NO_BOOKS)
    return identity


def _decoded(book: BookFile, block: Block, kind: type[Written]) -> Written:
    if block.records != 1:
        raise BooksDamaged(book.name, block.offset, f"a block of {block.records} records, where one is due")
    try:
        return decode_record(kind, block.data, book.writer_schema)
    except BodyDamaged as error:
        raise BooksDamaged(book.name, block.offset, f"a record cannot be read ({error})") from error


def _single(book: BookFile, blocks: Iterator[Block]) -> Iterator[EncodedBlock]:
    for block in blocks:
        if block.records != 1:
            raise BooksDamaged(book.name, block.offset, f"a block of {block.records} records, where one is due")
        yield EncodedBlock(block.end, 1, block.data)


def _postings(book: BookFile, block: Block) -> list[Posting]:
    try:
        return decode_postings(block.data, block.records, book.writer_schema)
    except BodyDamaged as error:
        raise BooksDamaged(book.name, block.offset, f"a record cannot be read ({error})") from error


def _in_order(
    book: BookFile, kind: str, numbered: Iterator[tuple[Block, int, _T]], due: int | None, *, gaps: bool
) -> Iterator[tuple[int, _T]]:
    """Records, each with the position after it, as long as their numbers go up; `due` is the first one (None: any)."""
    for block, number, record in numbered:
        if due is not None and (number < due if gaps else number != due):
            raise BooksDamaged(book.name, block.offset, f"{kind} {number} stands where {kind} {due} is due")
        due = number + 1
        yield block.end, record


def _numbered_postings(book: BookFile, blocks: Iterator[Block], due: int | None) -> Iterator[tuple[int, list[Posting]]]:
    for block in blocks:
        postings = _postings(book, block)
        for posting in postings:
            if due is not None and posting.number != due:
                what = f"posting {posting.number} stands where posting {due} is due"
                raise BooksDamaged(book.name, block.offset, what)
            due = posting.number + 1
        yield block.end, postings
