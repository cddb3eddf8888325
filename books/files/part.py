"""A part of a folder's one writer, in a process of its own: it appends to its partitions and commits nothing."""

from __future__ import annotations

from pathlib import Path

from books.files.appender import FileAppender
from books.files.disk import FilePort
from schemas.pages import BookLength


class FilePart(FileAppender):
    """Some partitions of books that another process has opened for writing; see PartWriter.

    That process has cut the files back to the last commit before, and no commit comes while this one is being opened.
    The lock is one for all: a part's process holds a copy of the writer's descriptor (see FileLogWriter.lock_handle),
    so that nobody can open the books before the last of them has gone, however it goes.
    """

    def __init__(self, files: FilePort, folder: Path) -> None:
        """Check the books as a reader does. Raises BooksForeign and BooksDamaged."""
        super().__init__(files, folder)
        self._must_be_of_this_version()
        self._start()

    def seal(self) -> tuple[BookLength, ...]:
        """Make durable what was appended; the lengths that the writer's next commit has to cover."""
        with self._breaking():
            return self._sync_grown()

    def close(self) -> None:
        """Drop what was not flushed."""
        if not self._closed:
            self._close_files()
