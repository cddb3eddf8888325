"""Writes the books of a folder: what was appended counts from the moment that one record of a commit is on the disk."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from books.errors import LockHolder
from books.files.appender import FileAppender
from books.files.book_file import open_book_file
from books.files.commits import LastRound, encode_commit, seal
from books.files.create import edition_heads
from books.files.disk import REAL_FILES, FilePort
from books.files.layout import (
    BOOKS,
    JOURNAL,
    LOCK,
    REJECTS,
    ROUNDS,
    edition_file,
    is_book_file,
    is_book_folder,
    is_edition,
)
from books.files.lock import hold, note_of
from books.files.reader import identity_in_folder
from schemas.avro.codecs import encode_record
from schemas.pages import BookLength, Reject, RoundCommitted
from schemas.posting import EditionOpened


class FileLogWriter(FileAppender):
    """The one writer of a folder's books; see LogWriter. Not for several threads.

    `cut_bytes` tells how much of an unfinished round was found and dropped when the books were opened.
    """

    def __init__(self, folder: Path, holder: LockHolder, *, files: FilePort = REAL_FILES) -> None:
        """Take the lock, check everything as a reader does, and only then cut all files back to the last commit.

        Raises FolderHeld, BooksForeign and BooksDamaged; then nothing has been changed.
        """
        identity_in_folder(files, folder)  # before the lock, so that no lock file is put into a foreign folder
        self._lock = hold(files, folder, folder / BOOKS / LOCK)
        try:
            super().__init__(folder, files=files)
            self._lock.write_note(note_of(holder))
            self.cut_bytes = self._cut()
            # Who made this folder may have died before the disk knew its name.
            self._files.sync_folder(folder)
        except BaseException:
            self._lock.release()
            raise
        self._new_folders: set[str] = set()
        self._rejects = self._last.committed.rejects

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def append_rejects(self, rejects: Sequence[Reject]) -> tuple[Reject, ...]:
        kept = []
        for number, reject in enumerate(rejects, self._rejects + 1):
            if reject.number not in {0, number}:
                raise ValueError(f"reject {reject.number}, where {number} is due")
            kept.append(msgspec.structs.replace(reject, number=number))
        for reject in kept:
            self._append(REJECTS, 1, encode_record(reject))
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

    def commit(self, committed: RoundCommitted, parts: Sequence[BookLength] = ()) -> RoundCommitted:
        """Make all that was appended durable and visible, at once; see LogWriter."""
        number = self._last.committed.number + 1
        if committed.number not in {0, number}:
            raise ValueError(f"commit {committed.number}, where {number} is due")
        with self._breaking():
            grown = self._sync_grown()
            for folder in sorted(self._new_folders):
                self._files.sync_folder(self._books / folder)
            lengths = {length.file: length for length in (*self._last.committed.lengths, *grown, *parts)}
            if len({length.file for length in (*grown, *parts)}) != len(grown) + len(parts):
                raise ValueError("a file of the books grew in two hands")
            covered = tuple(lengths[name] for name in sorted(lengths))
            sealed = seal(msgspec.structs.replace(committed, number=number, lengths=covered, rejects=self._rejects))
            record = encode_commit(sealed, self._rounds.sync)
            rounds = self._open(ROUNDS)
            rounds.append(record)
            rounds.fsync()
            for name in lengths.keys() - self._known.keys():
                self._known[name] = open_book_file(self._files, self._books, name, self._identity)
        self._last = LastRound(sealed, self._last.end, self._last.end + len(record))
        self._lengths = {length.file: length.bytes for length in covered}
        self._ends = dict(self._lengths)
        self._new_folders.clear()
        if parts:
            self._next_pages.clear()
            self._next_numbers.clear()
        return sealed

    def lock_handle(self) -> int | None:
        """The descriptor that holds the folder's lock; processes that append for this writer keep a copy of it."""
        return self._lock.handle()

    def close(self) -> None:
        """Drop what is not committed, and let go of the folder."""
        if self._closed:
            return
        try:
            super().close()
        finally:
            self._lock.release()

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
