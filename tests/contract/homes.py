"""Where books live in the contract tests: in files, and on a disk in memory that loses what was not synced."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Protocol

from books.files.appender import FileAppender
from books.files.create import create_books
from books.files.reader import FileLogReader
from books.files.writer import FileLogWriter
from books.log import Appender, CommittedRounds, LogReader, LogWriter
from schemas.pages import JournalPage, Reject, RoundCommitted
from schemas.posting import Posting
from tests.fakes.books import HOLDER, MemoryBooks
from tests.support.book_samples import OPENED

HOMES = ("files", "killed", "power cut")
KAFKA = "kafka"


class BookWriter(Protocol):
    """What whoever writes books can do, be it in rounds or in transactions; see LogWriter.

    Each home numbers pages, postings and rejects in its own way: a page must have the number that `next_page` says.
    """

    def next_page(self, partition: int) -> int: ...

    def next_number(self, edition: str, partition: int) -> int: ...

    def append_page(self, partition: int, page: JournalPage) -> int: ...

    def append_postings(self, edition: str, partition: int, postings: Sequence[Posting]) -> int: ...

    def append_rejects(self, rejects: Sequence[Reject]) -> tuple[Reject, ...]: ...

    def commit(self, committed: RoundCommitted) -> object: ...

    def close(self) -> None: ...


class LogHome(Protocol):
    """Where books live that are read by the port, however they are written."""

    def read(self) -> LogReader: ...

    def write(self) -> BookWriter: ...

    def die(self) -> None:
        """The writing process ends without closing anything."""


class Home(Protocol):
    """Where books live that commit in rounds: what a folder is to the file adapter."""

    def read(self) -> CommittedRounds: ...

    def write(self) -> LogWriter: ...

    def part(self) -> Appender:
        """A part of the present writer."""

    def die(self) -> None:
        """The writing process ends without closing anything."""


class FileHome:
    """Books in files; the writing process dies as near to a kill as one process comes to another's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer: FileLogWriter | None = None
        create_books(folder, OPENED)

    def read(self) -> CommittedRounds:
        return FileLogReader(self.folder)

    def write(self) -> LogWriter:
        self.writer = FileLogWriter(self.folder, HOLDER)
        return self.writer

    def part(self) -> Appender:
        return FileAppender(self.folder)

    def die(self) -> None:
        """All that it wrote has reached the files, nothing is committed."""
        assert self.writer is not None
        for file in self.writer._appending.values():
            file.flush()
        self.writer.close()


class PoweredBooks(MemoryBooks):
    """Books in memory whose writing process ends because the power is cut."""

    def die(self) -> None:
        self.disk.cut_power(Random(1))


def home_of(kind: str, folder: Path) -> Home:
    """A home of one of HOMES, with new books; `folder` is for those that are real."""
    if kind == "files":
        return FileHome(folder)
    return MemoryBooks(OPENED) if kind == "killed" else PoweredBooks(OPENED)
