"""Opens the books of one folder, to be created, read, appended to or written."""

from __future__ import annotations

from pathlib import Path

from books.errors import LockHolder
from books.files.appender import FileAppender
from books.files.create import create_books
from books.files.disk import REAL_FILES, FilePort
from books.files.lock import this_process
from books.files.reader import FileLogReader
from books.files.writer import FileLogWriter

__all__ = [
    "FileAppender",
    "FileLogReader",
    "FileLogWriter",
    "create_books",
    "open_for_appending",
    "open_for_reading",
    "open_for_writing",
    "this_process",
]


def open_for_reading(folder: Path, *, deployment: str | None = None, files: FilePort = REAL_FILES) -> FileLogReader:
    """Open the committed books of `folder`; takes no lock and changes nothing, also while another process writes.

    `deployment` is the one that is expected (None: any). Raises BooksForeign and BooksDamaged.
    """
    return FileLogReader(files, folder, deployment=deployment)


def open_for_writing(
    folder: Path, holder: LockHolder, *, deployment: str | None = None, files: FilePort = REAL_FILES
) -> FileLogWriter:
    """Open the books of `folder` as their one writer, put back to their last commit; a context manager.

    `holder` is what others are told while it is open: see `this_process`. Raises FolderHeld, BooksForeign and
    BooksDamaged, after which nothing has been changed.
    """
    return FileLogWriter(files, folder, holder, deployment=deployment)


def open_for_appending(folder: Path, *, files: FilePort = REAL_FILES) -> FileAppender:
    """Open the books of `folder` to append to some of their partitions, on behalf of the process that has the lock.

    Raises BooksForeign and BooksDamaged.
    """
    return FileAppender(files, folder)
