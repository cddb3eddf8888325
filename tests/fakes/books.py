"""Books in memory: the file adapter over a disk in memory, for tests of all that stands above the books."""

from pathlib import Path
from typing import Final

from books.errors import LockHolder
from books.files.appender import FileAppender
from books.files.create import create_books
from books.files.reader import FileLogReader
from books.files.writer import FileLogWriter
from schemas.facts import JournalOpened
from tests.fakes.disk import FakeDisk

FOLDER: Final = Path("/shop")
HOLDER: Final = LockHolder(pid=7, host="till", started_at=0, command="tallybook import sales.jsonl")


def new_disk() -> FakeDisk:
    """A disk with an empty FOLDER, which a power cut does not take away."""
    disk = FakeDisk()
    disk.make_folder(FOLDER)
    disk.sync_folder(FOLDER.parent)
    disk.effects.clear()
    return disk


class MemoryBooks:
    """What takes the place of a folder: opened for reading and writing any number of times, by one writer at a time."""

    def __init__(self, opened: JournalOpened) -> None:
        self.opened = opened
        self.disk = new_disk()
        create_books(FOLDER, opened, files=self.disk)

    def read(self) -> FileLogReader:
        return FileLogReader(FOLDER, files=self.disk)

    def write(self) -> FileLogWriter:
        return FileLogWriter(FOLDER, HOLDER, files=self.disk)

    def part(self) -> FileAppender:
        """A part of the present writer."""
        return FileAppender(FOLDER, files=self.disk)

    def die(self) -> None:
        """The writing process is gone, with all that it had not committed."""
        self.disk.kill()
