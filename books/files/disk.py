"""Reads and writes files: every effect on the disk is one call here, which a test can count, undo or make fail.

A small file, such as a cache, is written and read as a whole.
"""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, Protocol

BUFFER_BYTES: Final = 1 << 20
MAX_TOGETHER: Final = 8
# macOS answers fsync before the disk has the data; this call waits for the disk. Linux has no such constant.
_FULL_SYNC: Final[int | None] = getattr(fcntl, "F_FULLFSYNC", None)
_TEMPORARY: Final = ".new"


class ReadFile(Protocol):
    """A file open for reading at any offset."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer only where the file ends."""

    def close(self) -> None:
        """Give the file back."""


class AppendFile(Protocol):
    """A file that only grows. What is appended may be lost until `fsync` has returned."""

    def append(self, data: bytes) -> None:
        """Put `data` at the end; it may stay in a buffer of this process."""

    def flush(self) -> None:
        """Hand the buffer to the operating system: from here on it survives this process."""

    def fsync(self) -> None:
        """Flush, and wait until the disk has everything: from here on it survives a power cut."""

    def close(self) -> None:
        """Give the file back; what was not flushed is dropped."""


class HeldLock(Protocol):
    """A lock on a folder, held until it is released or the process ends, in whatever way."""

    def write_note(self, note: bytes) -> None:
        """Replace the lock file's content."""

    def release(self) -> None:
        """Empty the lock file, if a note was written, and let go."""

    def handle(self) -> int | None:
        """The descriptor that holds the lock, as every copy of it does until the last is closed; None in a fake."""


class FilePort(Protocol):
    """What the books need of a file system. All errors of the operating system come through as OSError."""

    def size(self, path: Path) -> int | None:
        """The size in bytes; None where there is no such file."""

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted; none where there is no such folder."""

    def is_folder(self, path: Path) -> bool:
        """Whether a folder is there."""

    def open_read(self, path: Path) -> ReadFile:
        """Open a file for reading."""

    def open_append(self, path: Path) -> AppendFile:
        """Open a file for appending; it is created where it is missing."""

    def truncate(self, path: Path, length: int) -> None:
        """Cut a file to `length` bytes."""

    def rename(self, old: Path, new: Path) -> None:
        """Rename a file or folder at once; a file of the new name is replaced, a folder with content is not."""

    def remove(self, path: Path) -> None:
        """Remove a file."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, where they are missing."""

    def remove_folder(self, folder: Path) -> None:
        """Remove an empty folder."""

    def sync_folder(self, folder: Path) -> None:
        """Wait until the disk knows which names the folder holds."""

    def do_together(self, effects: Sequence[Callable[[], None]]) -> None:
        """Have several effects in any order, or at once; raises the first error, after all have ended."""

    def sync_file(self, path: Path) -> None:
        """Wait until the disk has a file (or the names in a folder) as it is now, whoever wrote it."""

    def lock(self, path: Path) -> HeldLock | None:
        """Lock by this file, created where it is missing; None where somebody else holds it."""


class RealFiles:
    """The FilePort of this machine's file system."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None

    def size(self, path: Path) -> int | None:
        return path.stat().st_size if path.is_file() else None

    def names(self, folder: Path) -> list[str]:
        return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []

    def is_folder(self, path: Path) -> bool:
        return path.is_dir()

    def open_read(self, path: Path) -> ReadFile:
        return _RealRead(os.open(path, os.O_RDONLY | os.O_CLOEXEC))

    def open_append(self, path: Path) -> AppendFile:
        return _RealAppend(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644), path)

    def truncate(self, path: Path, length: int) -> None:
        os.truncate(path, length)

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def remove(self, path: Path) -> None:
        path.unlink()

    def make_folder(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)

    def remove_folder(self, folder: Path) -> None:
        folder.rmdir()

    def sync_folder(self, folder: Path) -> None:
        fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with _named(folder):
                _to_disk(fd)
        finally:
            os.close(fd)

    def sync_file(self, path: Path) -> None:
        try:
            self.sync_folder(path)  # which is asked for in the same way
        except OSError as error:
            if error.errno not in {errno.EROFS, errno.EINVAL}:  # where nothing can be written, nothing can be lost
                raise

    def do_together(self, effects: Sequence[Callable[[], None]]) -> None:
        """Have several effects at once; raises the first error, after all have ended."""
        # A file system brings many files to the disk in hardly more time than one: each fsync alone waits for a whole
        # turn of its journal, and those that wait together share it (seen: 18 files in 5 ms instead of 110).
        if self._threads is None:
            self._threads = ThreadPoolExecutor(MAX_TOGETHER, "disk")
        asked = [self._threads.submit(effect) for effect in effects]
        wait(asked)
        for each in asked:
            each.result()

    def lock(self, path: Path) -> HeldLock | None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        except BaseException:
            os.close(fd)
            raise
        return _RealLock(fd, path)


REAL_FILES: Final = RealFiles()


class _RealRead:
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read_at(self, offset: int, size: int) -> bytes:
        data = os.pread(self._fd, size, offset)
        if len(data) == size or not data:
            return data
        pieces = [data]
        got = len(data)
        while got < size and (data := os.pread(self._fd, size - got, offset + got)):
            pieces.append(data)
            got += len(data)
        return b"".join(pieces)

    def close(self) -> None:
        os.close(self._fd)


class _RealAppend:
    """Keeps its own buffer, so that a full disk is met in `flush`, once, and never again while closing."""

    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self._path = path
        self._pieces: list[bytes] = []
        self._buffered = 0

    def append(self, data: bytes) -> None:
        self._pieces.append(data)
        self._buffered += len(data)
        if self._buffered >= BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        rest = memoryview(b"".join(self._pieces))
        self._pieces.clear()
        self._buffered = 0
        with _named(self._path):
            while rest:
                rest = rest[os.write(self._fd, rest) :]

    def fsync(self) -> None:
        self.flush()
        with _named(self._path):
            _to_disk(self._fd)

    def close(self) -> None:
        self._pieces.clear()
        os.close(self._fd)


class _RealLock:
    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self._path = path
        self._noted = False

    def write_note(self, note: bytes) -> None:
        self._noted = True
        with _named(self._path):
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, note, 0)

    def handle(self) -> int | None:
        return self._fd

    def release(self) -> None:
        try:
            if self._noted:
                os.ftruncate(self._fd, 0)
        finally:
            os.close(self._fd)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Add the file's name to an error: the operating system gives none for a descriptor."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def _to_disk(fd: int) -> None:
    if _FULL_SYNC is not None:
        fcntl.fcntl(fd, _FULL_SYNC)
    else:
        os.fsync(fd)


def replace_file(files: FilePort, path: Path, pieces: Sequence[bytes]) -> None:
    """Replace a file in one step: the new bytes are on the disk before the file gets its name."""
    temporary = path.with_name(path.name + _TEMPORARY)
    files.make_folder(path.parent)
    if files.size(temporary) is not None:
        files.remove(temporary)
    write_new_file(files, temporary, pieces)
    files.rename(temporary, path)
    files.sync_folder(path.parent)


def write_new_file(files: FilePort, path: Path, pieces: Sequence[bytes]) -> None:
    """Write a file that is not there yet, and wait until the disk has its bytes."""
    with closing(files.open_append(path)) as file:
        for piece in pieces:
            file.append(piece)
        file.fsync()


def read_file(files: FilePort, path: Path) -> bytes | None:
    """The content of a file; None where there is none."""
    size = files.size(path)
    if size is None:
        return None
    with closing(files.open_read(path)) as file:
        return file.read_at(0, size)
