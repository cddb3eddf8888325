"""The write side of the Log port over a folder of Avro files: buffered appends, made true by one record at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from zlib import crc32

import msgspec

from books.book_file import open_book_file, read_tail
from books.container import encode_block, sync_marker
from books.create import edition_heads
from books.errors import BooksForeign, LockHolder
from books.file_port import AppendFile, FilePort
from books.file_reader import FileLogReader, identity_in_folder
from books.layout import (
    BOOKS,
    JOURNAL,
    LOCK,
    REJECTS,
    ROUNDS,
    edition_file,
    is_book_file,
    is_book_folder,
    is_edition,
    journal_file,
    ledger_file,
)
from books.lock import hold, note_of
from books.rounds_file import LastRound, encode_commit, seal
from schemas.codecs import encode_page, encode_posting, encode_reject
from schemas.pages import MAX_PAGE_LINES, BookLength, JournalPage, Reject, RoundCommitted
from schemas.posting import EditionOpened, Posting

BATCH_BYTES: Final = 1 << 20


class FileLogWriter(FileLogReader):
    """The one writer of a folder's books; see LogWriter. Not for several threads.

    `cut_bytes` tells how much of an unfinished round was found and dropped when the books were opened.
    """

    def __init__(self, files: FilePort, folder: Path, holder: LockHolder, *, deployment: str | None = None) -> None:
        """Take the lock, check everything as a reader does, and only then cut all files back to the last commit.

        Raises FolderHeld, BooksForeign and BooksDamaged; then nothing has been changed.
        """
        identity_in_folder(files, folder)  # before the lock, so that no lock file is put into a foreign folder
        self._lock = hold(files, folder, folder / BOOKS / LOCK)
        try:
            super().__init__(files, folder, deployment=deployment)
            self._must_be_of_this_version()
            self._lock.write_note(note_of(holder))
            self.cut_bytes = self._cut()
        except BaseException:
            self._lock.release()
            raise
        self._ends = dict(self._lengths)
        self._appending: dict[str, AppendFile] = {}
        self._grown: set[str] = set()
        self._new_folders: set[str] = set()
        self._next_pages: dict[int, int] = {}
        self._next_numbers: dict[tuple[str, int], int] = {}
        self._rejects = self._last.committed.rejects
        self._sound = True
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def next_page(self, partition: int) -> int:
        """The number that the next page of a partition must have."""
        if partition not in self._next_pages:
            last = self.last_page(partition)
            self._next_pages[partition] = 0 if last is None else last.page + 1
        return self._next_pages[partition]

    def next_number(self, edition: str, partition: int) -> int:
        """The number that the next posting of a partition must have."""
        if (edition, partition) not in self._next_numbers:
            last = self.last_posting(edition, partition)
            self._next_numbers[edition, partition] = 1 if last is None else last.number + 1
        return self._next_numbers[edition, partition]

    def append_page(self, partition: int, page: JournalPage) -> int:
        """Append a page; the position after it."""
        due = self.next_page(partition)
        if page.page != due or not 1 <= len(page.lines) <= MAX_PAGE_LINES:
            raise ValueError(f"page {page.page} of {len(page.lines)} lines, where page {due} is due")
        position = self._append(journal_file(partition), 1, encode_page(page))
        self._next_pages[partition] = due + 1
        return position

    def append_postings(self, edition: str, partition: int, postings: Sequence[Posting]) -> int:
        """Append postings as one batch (or several, if it is large); the position after them."""
        name = ledger_file(edition, partition)
        due = self.next_number(edition, partition)
        for number, posting in enumerate(postings, due):
            if posting.number != number:
                raise ValueError(f"posting {posting.number} of {name}, where {number} is due")
        bodies: list[bytes] = []
        size = 0
        for posting in postings:
            body = encode_posting(posting)
            if bodies and size + len(body) > BATCH_BYTES:
                self._append(name, len(bodies), b"".join(bodies))
                bodies, size = [], 0
            bodies.append(body)
            size += len(body)
        if bodies:
            self._append(name, len(bodies), b"".join(bodies))
        self._next_numbers[edition, partition] = due + len(postings)
        return self._ends[name]

    def append_rejects(self, rejects: Sequence[Reject]) -> tuple[Reject, ...]:
        """Keep rejects; they are given back with their numbers, which count from 1 (0: to be filled in)."""
        kept = []
        for number, reject in enumerate(rejects, self._rejects + 1):
            if reject.number not in {0, number}:
                raise ValueError(f"reject {reject.number}, where {number} is due")
            kept.append(msgspec.structs.replace(reject, number=number))
        for reject in kept:
            self._append(REJECTS, 1, encode_reject(reject))
        self._rejects += len(kept)
        return tuple(kept)

    def open_edition(self, opened: EditionOpened) -> None:
        """Open a new edition of the ledger; ValueError if there is one of that name, or it is of another book."""
        constants = (opened.deployment, opened.generation, opened.partitions)
        mine = (self._opened.deployment, self._opened.generation, self._opened.partitions)
        name = edition_file(opened.edition)
        if constants != mine or not is_edition(opened.edition) or name in self._ends:
            raise ValueError(f"edition {opened.edition!r} of {constants} cannot be opened in {mine}")
        folder = self._books / name
        with self._breaking():
            self._files.make_folder(folder.parent)
            for file, head in edition_heads(self._identity, opened).items():
                self._ends[file] = 0
                self._write(file, head)
        self._new_folders |= {folder.parent.name, "."}
        self._next_numbers |= {(opened.edition, partition): 1 for partition in range(opened.partitions)}

    def commit(self, committed: RoundCommitted) -> RoundCommitted:
        """Make all that was appended durable and visible, at once; see LogWriter."""
        number = self._last.committed.number + 1
        if committed.number not in {0, number}:
            raise ValueError(f"commit {committed.number}, where {number} is due")
        with self._breaking():
            for name in sorted(self._grown):
                self._appending[name].fsync()
            for folder in sorted(self._new_folders):
                self._files.sync_folder(self._books / folder)
            before = {length.file: length for length in self._last.committed.lengths}
            lengths = [
                self._measured(name, end) if name in self._grown else before[name]
                for name, end in sorted(self._ends.items())
            ]
            sealed = seal(
                msgspec.structs.replace(committed, number=number, lengths=tuple(lengths), rejects=self._rejects)
            )
            record = encode_commit(sealed, self._rounds.sync)
            rounds = self._open(ROUNDS)
            rounds.append(record)
            rounds.fsync()
            for name in self._ends.keys() - self._known.keys():
                self._known[name] = open_book_file(self._files, self._books, name, self._identity)
        self._last = LastRound(sealed, self._last.end + len(record))
        self._lengths = dict(self._ends)
        self._grown.clear()
        self._new_folders.clear()
        return sealed

    def close(self) -> None:
        """Drop what is not committed, and let go of the folder."""
        if self._closed:
            return
        self._closed = True
        self._sound = False
        try:
            for file in self._appending.values():
                file.close()
        finally:
            self._lock.release()

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

    def _measured(self, name: str, end: int) -> BookLength:
        return BookLength(name, end, crc32(read_tail(self._files, self._books / name, end)))

    @contextmanager
    def _breaking(self) -> Iterator[None]:
        """Whatever goes wrong inside leaves files in a state that only opening them again can tell."""
        if not self._sound:
            raise RuntimeError("this writer of the books is closed, or an effect on them failed; open them again")
        self._sound = False
        yield
        self._sound = True

    def _must_be_of_this_version(self) -> None:
        for book in (*self._known.values(), self._rounds):
            if book.writer_schema is not None:
                what = "was written by another version of Tallybook, whose records have other fields"
                raise BooksForeign(book.path, what, "Use that version, or import again into a fresh folder.")

    def _cut(self) -> int:
        """Bring every file back to the last commit, and remove files that it does not know; the bytes dropped."""
        dropped = 0
        for name, end in {**self._lengths, ROUNDS: self._last.end}.items():
            size = self._files.size(self._books / name) or 0
            if size > end:
                self._files.truncate(self._books / name, end)
                dropped += size - end
        for folder in filter(is_book_folder, self._files.names(self._books)):
            inside = self._files.names(self._books / folder)
            unknown = [name for name in inside if is_book_file(name) and f"{folder}/{name}" not in self._lengths]
            for name in unknown:
                dropped += self._files.size(self._books / folder / name) or 0
                self._files.remove(self._books / folder / name)
            if folder != JOURNAL and len(unknown) == len(inside):
                self._files.remove_folder(self._books / folder)
        return dropped
