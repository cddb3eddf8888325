"""Where books live in the contract tests: in memory, in files, and on a disk that loses what was not synced."""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Protocol

from books.errors import LockHolder
from books.files.appender import FileAppender
from books.files.create import create_books
from books.files.disk import FilePort, RealFiles
from books.files.reader import FileLogReader
from books.files.writer import FileLogWriter
from books.log import Appender, CommittedRounds, LogReader, LogWriter
from schemas.pages import JournalPage, Reject, RoundCommitted
from schemas.posting import Posting
from tests.fakes.books import MemoryBooks
from tests.fakes.disk import FakeDisk
from tests.support.book_samples import OPENED

HOMES = ("memory", "files", "killed", "power cut")
KAFKA = "kafka"
HOLDER = LockHolder(pid=7, host="till", started_at=0, command="tallybook import")


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
    """Books in files; death may leave any part of the uncommitted work behind."""

    def __init__(self, files: FilePort, folder: Path, on_death: Callable[[FileLogWriter], None]) -> None:
        self.files = files
        self.folder = folder
        self.on_death = on_death
        self.writer: FileLogWriter | None = None
        create_books(folder, OPENED, files=files)

    def read(self) -> CommittedRounds:
        return FileLogReader(self.folder, files=self.files)

    def write(self) -> LogWriter:
        self.writer = FileLogWriter(self.folder, HOLDER, files=self.files)
        return self.writer

    def part(self) -> Appender:
        return FileAppender(self.folder, files=self.files)

    def die(self) -> None:
        assert self.writer is not None
        self.on_death(self.writer)


def flush_and_close(writer: FileLogWriter) -> None:
    """As near to a kill as one process comes to another's: all it wrote has reached the files, nothing is committed."""
    for file in writer._appending.values():
        file.flush()
    writer.close()


def home_of(kind: str, folder: Path) -> Home:
    """A home of one of HOMES, with new books; `folder` is for those that are real."""
    if kind == "memory":
        return MemoryBooks(OPENED)
    if kind == "files":
        return FileHome(RealFiles(), folder, flush_and_close)
    disk = FakeDisk()
    disk.make_folder(Path("/shop"))
    disk.sync_folder(Path("/"))
    if kind == "killed":
        return FileHome(disk, Path("/shop"), lambda _: disk.kill())
    return FileHome(disk, Path("/shop"), lambda _: disk.cut_power(Random(1)))


def pages_of(log: LogReader, partition: int, start: int = 0) -> list[JournalPage]:
    """The pages of a partition from a position on."""
    return [page for _, page in log.read_journal(partition, start)]
