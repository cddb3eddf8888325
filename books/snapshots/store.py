"""Keeps snapshots of accounts: a cache that saves reading a ledger from its beginning.

A file is a magic word, the length of the header, the header as JSON, the payload, and SHA-256 over all of that. One
that is damaged is ignored.
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

import msgspec

from books.files.disk import REAL_FILES, FilePort, read_file, replace_file
from books.walk import BookPlace
from schemas.pages import Folio

LAYOUT: Final = 2
MAX_HEADER_BYTES: Final = 1 << 16
_MAGIC: Final = b"TALLYSNAP\n"
_LENGTH_BYTES: Final = 4
_SUM_BYTES: Final = 32


class SnapshotHeader(msgspec.Struct, frozen=True):
    """Which state a snapshot holds: that after posting `number` and journal line `folio` (the last ones applied).

    `journal_position` and `ledger_position` are places at or before them, from which to read on; the digests are the
    running chains after them, as hex. `commit_at` is the position of the commit that left the books so: a header whose
    digests are not those of the commit there is to be disregarded.
    """

    edition: str
    partition: int
    semantics: int
    number: int
    folio: Folio | None
    journal_position: int
    ledger_position: int
    journal_digest: str
    ledger_digest: str
    last_tick: int
    commit_at: int
    layout: int = LAYOUT

    def place(self) -> BookPlace:
        """Where a walk goes on from here."""
        return BookPlace(self.journal_position, self.ledger_position, self.folio, self.number)


class SnapshotPlace(Protocol):
    """Where snapshots are kept by name; whatever goes wrong with it is an OSError."""

    def put(self, name: str, pieces: Sequence[bytes]) -> None:
        """Keep these bytes, in the place of those before; a reader meets the old ones, the new ones, or a torn file."""

    def get(self, name: str) -> bytes | None:
        """What is kept under a name; None for nothing."""

    def remove(self, name: str) -> None:
        """Forget a name, if it is there."""


class FolderPlace:
    """A folder of this machine, in which a reader only ever meets whole files."""

    def __init__(self, folder: Path, files: FilePort = REAL_FILES) -> None:
        self._folder = folder
        self._files = files

    def put(self, name: str, pieces: Sequence[bytes]) -> None:
        """See SnapshotPlace; the bytes are on the disk before the file gets its name."""
        replace_file(self._files, self._folder / name, pieces)

    def get(self, name: str) -> bytes | None:
        """See SnapshotPlace."""
        return read_file(self._files, self._folder / name)

    def remove(self, name: str) -> None:
        """See SnapshotPlace."""
        path = self._folder / name
        if self._files.size(path) is not None:
            self._files.remove(path)


class SnapshotStore:
    """One snapshot per edition and partition, in a folder, or in any other place."""

    def __init__(self, place: Path | SnapshotPlace, *, files: FilePort = REAL_FILES) -> None:
        self._place = FolderPlace(place, files) if isinstance(place, Path) else place

    def save(self, edition: str, partition: int, payload: bytes, header: SnapshotHeader) -> None:
        """Put a snapshot in the place of the one before, at once. Raises OSError; ValueError for another's header."""
        if (header.edition, header.partition, header.layout) != (edition, partition, LAYOUT):
            raise ValueError(f"the header is of edition {header.edition}, partition {header.partition}")
        head = msgspec.json.encode(header)
        start = _MAGIC + len(head).to_bytes(_LENGTH_BYTES, "big") + head
        total = sha256(start)
        total.update(payload)
        self._place.put(_name(edition, partition), (start, payload, total.digest()))

    def load(self, edition: str, partition: int) -> tuple[SnapshotHeader, bytes] | None:
        """The last snapshot saved; None where there is none, or none that is whole and of this layout."""
        try:
            data = self._place.get(_name(edition, partition))
            found = None if data is None else _parsed(data)
        except (OSError, msgspec.MsgspecError):
            return None
        if found is None or (found[0].edition, found[0].partition, found[0].layout) != (edition, partition, LAYOUT):
            return None
        return found

    def remove(self, edition: str, partition: int) -> None:
        """Forget a snapshot, if there is one."""
        self._place.remove(_name(edition, partition))


def _name(edition: str, partition: int) -> str:
    return f"ledger.{edition}.{partition:02d}.snapshot"


def _parsed(data: bytes) -> tuple[SnapshotHeader, bytes] | None:
    """Header and payload of a whole snapshot; raises MsgspecError for a header that says something else."""
    body, end = memoryview(data)[:-_SUM_BYTES], len(_MAGIC) + _LENGTH_BYTES
    if len(data) < end + _SUM_BYTES or data[: len(_MAGIC)] != _MAGIC or sha256(body).digest() != data[-_SUM_BYTES:]:
        return None
    size = int.from_bytes(data[len(_MAGIC) : end], "big")
    if size > min(MAX_HEADER_BYTES, len(body) - end):
        return None
    header = msgspec.json.decode(data[end : end + size], type=SnapshotHeader)
    return header, bytes(body[end + size :])
