"""Locks a ClickHouse folder for one process; the lock's file says who holds it, and where it serves readers."""

import fcntl
import os
import time
from pathlib import Path
from typing import Final

import msgspec

from projections.store import Address, StoreHeld

LOCK_FILE: Final = "tallybook.lock"
# Whoever reads the address holds the lock for a moment; nobody should be refused because of that.
ATTEMPTS: Final = 5
ATTEMPT_SECONDS: Final = 0.01
_NOTE_BYTES: Final = 4096
_OWNER_ONLY: Final = 0o600  # the note holds the token


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the holder writes into its lock: its process id, and while it serves readers, port and token."""

    pid: int
    port: int = 0
    token: str = ""

    @property
    def address(self) -> Address | None:
        """Where the holder serves, or None while it does not."""
        return Address(port=self.port, token=self.token, pid=self.pid) if self.port else None


class StoreLock:
    """Holds a folder from its construction until `release`, or until the process ends in whatever way."""

    def __init__(self, folder: Path) -> None:
        """Take the lock in `folder`, made if need be; raises StoreHeld where anybody has it, this process too."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
        if not _locked(self._fd):
            note = _read_note(self._fd)
            os.close(self._fd)
            holder, address = ("", None) if note is None else (str(note.pid), note.address)
            raise StoreHeld(folder, holder, address)
        os.fchmod(self._fd, _OWNER_ONLY)  # an older version made it readable for all
        self.announce(None)

    def announce(self, address: Address | None) -> None:
        """Say in the lock file where this process serves readers; None: not, or no longer."""
        note = Note(os.getpid()) if address is None else Note(os.getpid(), address.port, address.token)
        content = msgspec.json.encode(note)
        os.pwrite(self._fd, content, 0)
        os.ftruncate(self._fd, len(content))

    def release(self) -> None:
        """Release the folder."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)


def holder_of(folder: Path) -> Note | None:
    """Who holds a folder now; None if nobody does, or if the holder is just changing.

    A note left by a process that died is never returned: its lock ended with it.
    """
    try:
        fd = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read_note(fd)
        return None
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    for attempt in range(ATTEMPTS):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt + 1 < ATTEMPTS:
                time.sleep(ATTEMPT_SECONDS)
        else:
            return True
    return False


def _read_note(fd: int) -> Note | None:
    try:
        return msgspec.json.decode(os.pread(fd, _NOTE_BYTES, 0), type=Note)
    except msgspec.DecodeError:
        return None  # empty or half written: the holder is just coming or going
