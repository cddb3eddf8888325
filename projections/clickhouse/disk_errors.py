"""Turns an embedded ClickHouse's errors about a full disk or a damaged folder into messages that say what to do.

ClickHouse's own messages are long and end with an error code in capitals (its `ErrorCodes.cpp`), or contain the words
of the operating system. All its other errors are left as they are.
"""

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from projections.store import QueryFailed, StoreError, StoreNotOpened

SAFE: Final = "The books are safe: what was committed is kept."
MAX_SAID_LENGTH: Final = 200
_FULL: Final = ("NOT_ENOUGH_SPACE", *(os.strerror(code) for code in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)))
_SHUT: Final = tuple(os.strerror(code) for code in (errno.EROFS, errno.EACCES, errno.EPERM))
_DAMAGED: Final = (
    "ASYNC_LOAD_WAIT_FAILED", "CANNOT_READ_ALL_DATA", "CHECKSUM_DOESNT_MATCH", "CORRUPTED_DATA", "FILE_ALREADY_EXISTS",
    "FILE_DOESNT_EXIST", "NO_FILE_IN_DATA_PART", "UNEXPECTED_FILE_IN_DATA_PART", "UNKNOWN_FORMAT_VERSION",
)  # fmt: skip
_SAID: Final = re.compile(r"(?:Code: \d+\. )?(?:DB::Exception: )?(.*)", re.DOTALL)


class StoreFull(StoreError):
    """There is no room for the tables, or for temporary files of an insert."""


class StoreShut(StoreError):
    """The folder of the tables cannot be written to."""


class StoreDamaged(StoreError):
    """Files of the tables are missing, or not as ClickHouse left them."""


@contextmanager
def told_clearly(folder: Path, *, opening: bool = False) -> Iterator[None]:
    """Turn errors of the ClickHouse in `folder` into clear ones; while `opening` it, every error means damage.

    Raises:
        StoreFull: the disk is full, or a file would be larger than is allowed.
        StoreShut: it may not be written to.
        StoreDamaged: it is not as it was left.
    """
    try:
        yield
    except StoreNotOpened as error:
        clear = _clear(str(error), folder)
        if clear is None or isinstance(clear, StoreDamaged):
            raise  # it says already what to do
        raise clear from error
    except QueryFailed as error:
        clear = _clear(str(error), folder) or (_damaged(str(error), folder) if opening else None)
        if clear is None:
            raise
        raise clear from error


def no_room_on_the_way(error: OSError) -> StoreFull | None:
    """The error to raise if there was no room for the temporary files of an insert; None for any other error."""
    if error.filename is not None or error.errno not in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}:
        return None
    return StoreFull(
        f"{tempfile.gettempdir()}: {error.strerror}. What goes into the tables is put there for a moment: make room, "
        f"or set TMPDIR to a folder that has some, then run the same command again. {SAFE}"
    )


def _clear(said: str, folder: Path) -> StoreError | None:
    if any(word in said for word in _FULL):
        return StoreFull(
            f"{folder}: there is no room for the tables (ClickHouse: {_short(said)}). Make room, then run the same "
            f"command again. {SAFE}"
        )
    if any(word in said for word in _SHUT):
        return StoreShut(
            f"{folder}: the tables cannot be written to (ClickHouse: {_short(said)}). Let this user write there, then "
            f"run the same command again. {SAFE}"
        )
    return _damaged(said, folder) if any(word in said for word in _DAMAGED) else None


def _damaged(said: str, folder: Path) -> StoreDamaged:
    return StoreDamaged(
        f"{folder}: the tables are damaged (ClickHouse: {_short(said)}). They hold nothing but copies: delete that "
        f"folder, and the next reading command makes it again. {SAFE}"
    )


def _short(said: str) -> str:
    found = _SAID.search(said[said.find("Code: ") :] if "Code: " in said else said)
    first = (found[1] if found else said).strip().splitlines()[0] if said.strip() else "nothing"
    return first if len(first) <= MAX_SAID_LENGTH else first[:MAX_SAID_LENGTH] + "…"
