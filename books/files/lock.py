"""Locks a folder for its one writer; the lock ends with its process, and a note in its file says who holds it."""

import os
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from books.errors import FolderHeld, LockHolder
from books.files.disk import FilePort, HeldLock

MAX_NOTE_BYTES: Final = 4_096
MAX_COMMAND_LENGTH: Final = 500


def this_process(started_at: int, command: str | None = None) -> LockHolder:
    """The note of the running process, which began its work at `started_at` (UTC ms)."""
    command = " ".join(sys.argv) if command is None else command
    return LockHolder(os.getpid(), socket.gethostname(), started_at, command[:MAX_COMMAND_LENGTH])


def hold(files: FilePort, folder: Path, lock_file: Path) -> HeldLock:
    """Take the lock of `folder`; raises FolderHeld, naming the holder, where another has it."""
    lock = files.lock(lock_file)
    if lock is None:
        raise FolderHeld(folder, read_holder(files, lock_file))
    return lock


def note_of(holder: LockHolder) -> bytes:
    """The lock file's content."""
    return msgspec.json.encode(holder) + b"\n"


def read_holder(files: FilePort, lock_file: Path) -> LockHolder | None:
    """Who holds a lock, by its note; None where it says nothing (yet). Whether it is held, only `hold` can tell."""
    if files.size(lock_file) is None:
        return None
    with closing(files.open_read(lock_file)) as file:
        note = file.read_at(0, MAX_NOTE_BYTES)
    try:
        return msgspec.json.decode(note, type=LockHolder)
    except msgspec.MsgspecError:
        return None
