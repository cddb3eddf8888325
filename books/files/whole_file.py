"""Writes and reads a small file, such as a cache, as a whole: a reader meets the old content or the new, no mixture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from books.files.disk import FilePort

_TEMPORARY: Final = ".new"


def replace_file(files: FilePort, path: Path, pieces: Sequence[bytes]) -> None:
    """Put a file in the place of the one before, at once: its bytes are on the disk before the name is theirs."""
    temporary = path.with_name(path.name + _TEMPORARY)
    files.make_folder(path.parent)
    if files.size(temporary) is not None:
        files.remove(temporary)
    write_new_file(files, temporary, pieces)
    files.rename(temporary, path)
    files.sync_folder(path.parent)


def write_new_file(files: FilePort, path: Path, pieces: Sequence[bytes]) -> None:
    """Write a file that is not there yet, and wait until the disk has its bytes."""
    file = files.open_append(path)
    try:
        for piece in pieces:
            file.append(piece)
        file.fsync()
    finally:
        file.close()


def read_file(files: FilePort, path: Path) -> bytes | None:
    """The content of a file; None where there is none."""
    size = files.size(path)
    if size is None:
        return None
    file = files.open_read(path)
    try:
        return file.read_at(0, size)
    finally:
        file.close()
