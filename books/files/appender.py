"""Appends to the files of the books: buffered, numbered without gaps, and no part of the books until a commit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from zlib import crc32

from books.errors import BooksForeign
from books.files.book_file import read_tail
from books.files.disk import REAL_FILES, AppendFile, FilePort
from books.files.layout import journal_file, ledger_file, sync_marker
from books.files.reader import FileLogReader
from schemas.avro.codecs import encode_record
from schemas.avro.containers import encode_block
from schemas.pages import MAX_PAGE_LINES, BookLength, JournalPage
from schemas.posting import Posting

BATCH_BYTES: Final = 1 << 20


class FileAppender(FileLogReader):
    """Appends to books that are open for writing, and commits nothing; see Appender. Not for several threads.

    The folder's one writer extends it. Each other process that decides some partitions for that writer has one of its
    own: the writer has cut the files back to the last commit before, and commits nothing while it is being opened.
    Such a process also holds a copy of the writer's lock (see FileLogWriter.lock_handle), so that nobody can open the
    books for writing before the last of these processes has ended, however it ends.
    """

    def __init__(self, folder: Path, *, files: FilePort = REAL_FILES) -> None:
        """Check the books as a reader does. Raises BooksForeign and BooksDamaged."""
        super().__init__(folder, files=files)
        self._must_be_of_this_version()
        self._ends = dict(self._lengths)
        self._appending: dict[str, AppendFile] = {}
        self._grown: set[str] = set()
        self._next_pages: dict[int, int] = {}
        self._next_numbers: dict[tuple[str, int], int] = {}
        self._sound = True
        self._closed = False

    def next_page(self, partition: int) -> int:
        if partition not in self._next_pages:
            last = self.last_page(partition)
            self._next_pages[partition] = 0 if last is None else last.page + 1
        return self._next_pages[partition]

    def next_number(self, edition: str, partition: int) -> int:
        if (edition, partition) not in self._next_numbers:
            last = self.last_posting(edition, partition)
            self._next_numbers[edition, partition] = 1 if last is None else last.number + 1
        return self._next_numbers[edition, partition]

    def append_page(self, partition: int, page: JournalPage) -> int:
        due = self.next_page(partition)
        if page.page != due or not 1 <= len(page.lines) <= MAX_PAGE_LINES:
            raise ValueError(f"page {page.page} of {len(page.lines)} lines, where page {due} is due")
        position = self._append(journal_file(partition), 1, encode_record(page))
        self._next_pages[partition] = due + 1
        return position

    def append_postings(self, edition: str, partition: int, postings: Sequence[Posting]) -> int:
        name = ledger_file(edition, partition)
        due = self.next_number(edition, partition)
        for number, posting in enumerate(postings, due):
            if posting.number != number:
                raise ValueError(f"posting {posting.number} of {name}, where {number} is due")
        bodies: list[bytes] = []
        size = 0
        for posting in postings:
            body = encode_record(posting)
            if bodies and size + len(body) > BATCH_BYTES:
                self._append(name, len(bodies), b"".join(bodies))
                bodies, size = [], 0
            bodies.append(body)
            size += len(body)
        if bodies:
            self._append(name, len(bodies), b"".join(bodies))
        self._next_numbers[edition, partition] = due + len(postings)
        return self._ends[name]

    def seal(self) -> tuple[BookLength, ...]:
        """Make durable what was appended; the lengths that the writer's next commit has to cover."""
        with self._breaking():
            return self._sync_grown()

    def close(self) -> None:
        """Drop what was not flushed."""
        if not self._closed:
            self._closed = True
            self._sound = False
            for file in self._appending.values():
                file.close()

    def _sync_grown(self) -> tuple[BookLength, ...]:
        """Wait until the disk has all that was appended; the lengths of the files that grew."""
        self._files.do_together([self._appending[name].fsync for name in sorted(self._grown)])
        lengths = tuple(
            BookLength(name, self._ends[name], crc32(read_tail(self._files, self._books / name, self._ends[name])))
            for name in sorted(self._grown)
        )
        self._grown.clear()
        return lengths

    def _append(self, name: str, records: int, data: bytes) -> int:
        block = encode_block(records, data, sync_marker(self._identity.book, name))
        with self._breaking():
            return self._write(name, block)

    def _write(self, name: str, data: bytes) -> int:
        self._open(name).append(data)
        self._grown.add(name)
        self._ends[name] += len(data)
        return self._ends[name]

    def _open(self, name: str) -> AppendFile:
        file = self._appending.get(name)
        if file is None:
            file = self._appending[name] = self._files.open_append(self._books / name)
        return file

    @contextmanager
    def _breaking(self) -> Iterator[None]:
        """Refuse all further writing if the body fails: what the files then hold shows only when they are opened."""
        if not self._sound:
            raise RuntimeError("this writer of the books is closed, or an effect on them failed; open them again")
        self._sound = False
        yield
        self._sound = True

    def _must_be_of_this_version(self) -> None:
        if self.is_copy:
            what = "is a copy of a stream, which is read and never written"
            raise BooksForeign(self._rounds.path, what, "Import into a folder of its own, or publish to the stream.")
        for book in (*self._known.values(), self._rounds):
            if book.writer_schema is not None:
                what = "was written by another version of Tallybook, whose records have other fields"
                to_do = (
                    "Use that version, or export the facts with this one (`tallybook books export FILE`), make a new "
                )
                to_do += "folder (`tallybook init NEW`), and import FILE there."
                raise BooksForeign(book.path, what, to_do)
