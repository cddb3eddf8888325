"""One process per ClickHouse folder: a lock that says who holds it, before the engine says something vague."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from projections.store import StoreHeld

LOCK_FILE: Final = "tallybook.lock"
_HOLDER_BYTES: Final = 64


class StoreLock:
    """Holds a folder from its making until `release`, or until the process ends however it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock in `folder`, which is made if need be.

        Raises:
            StoreHeld: somebody else has it, be it this process a second time.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, _HOLDER_BYTES, 0).decode("ascii", errors="replace").strip()
            os.close(self._fd)
            raise StoreHeld(folder, holder) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let go of the folder."""
        os.ftruncate(self._fd, 0)
        os.close(self._fd)
