"""Reads and writes the file of commits: what stands in the other files counts only once a commit covers it.

A record is appended after everything that it covers is on the disk, and the next one only after that record is there
too. So at most one record can be torn, and only the last: whatever is broken *before* a whole record is damage.
"""

import io
from collections.abc import Iterator
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from books.errors import BooksDamaged
from books.files.book_file import BookFile, block_at, blocks_of, read_from_behind
from books.files.disk import FilePort
from schemas.avro.codecs import BodyDamaged, decode_record, encode_record
from schemas.avro.containers import SYNC_BYTES, Block, encode_block
from schemas.pages import RoundCommitted

# Fields equal to their default are left out, so a field that is added later does not change the sum of older records.
_canonical: Final = msgspec.json.Encoder(order="deterministic")


class LastRound(NamedTuple):
    """The last whole commit, and the bytes at which its record begins and ends."""

    committed: RoundCommitted
    start: int
    end: int


def seal(committed: RoundCommitted) -> RoundCommitted:
    """The record with its checksum: CRC-32 over its canonical JSON without it."""
    return msgspec.structs.replace(committed, checksum=_checksum(committed))


def encode_commit(committed: RoundCommitted, sync: bytes) -> bytes:
    """A sealed commit as the block that is appended to the file."""
    return encode_block(1, encode_record(committed), sync)


def read_last_round(files: FilePort, book: BookFile) -> LastRound:
    """The last whole commit, searched backwards; a torn record after it is passed over.

    Raises BooksDamaged where there is none, or where a broken record stands before a whole one.
    """
    size = files.size(book.path) or 0
    for low, data in read_from_behind(files, book.path, book.first - SYNC_BYTES, size):
        found = _last_in(data, low, book)
        if found is not None:
            return found
    raise BooksDamaged(book.name, book.first, "there is no whole commit in it")


def read_rounds(files: FilePort, book: BookFile, start: int, end: int) -> Iterator[RoundCommitted]:
    """All commits from a position (0: all) to byte `end`, in order.

    Raises NoSuchPosition at once where no record begins at `start`, BooksDamaged as it reads.
    """
    return _numbered_rounds(book, blocks_of(files, book, start, end), None if start else 0)


def _numbered_rounds(book: BookFile, blocks: Iterator[Block], due: int | None) -> Iterator[RoundCommitted]:
    for block in blocks:
        committed = _round_in(block, book)
        if committed is None or committed.number != (committed.number if due is None else due):
            what = "the record of a commit" if due is None else f"the record of commit {due}"
            raise BooksDamaged(book.name, block.offset, f"{what} is damaged")
        due = committed.number + 1
        yield committed


def _last_in(data: bytes, low: int, book: BookFile) -> LastRound | None:
    """The last whole commit in `data`, which begins at byte `low` of the file; each begins right after a marker."""
    last: LastRound | None = None
    broken: int | None = None
    window = io.BytesIO(data)
    marker = data.find(book.sync)
    while marker >= 0:
        at = marker + SYNC_BYTES
        block = block_at(window, at, low, book)
        committed = block and _round_in(block, book)
        if block and committed:
            if broken is not None or (last is not None and committed.number != last.committed.number + 1):
                damaged = broken if broken is not None else low + at
                raise BooksDamaged(book.name, damaged, f"a record before that of commit {committed.number} is damaged")
            last = LastRound(committed, block.offset, block.end)
        elif broken is None and at < len(data):
            broken = low + at
        marker = data.find(book.sync, at)
    return last


def _round_in(block: Block, book: BookFile) -> RoundCommitted | None:
    if block.records != 1:
        return None
    try:
        committed = decode_record(RoundCommitted, block.data, book.writer_schema)
    except BodyDamaged:
        return None
    return committed if _checksum(committed) == committed.checksum else None


def _checksum(committed: RoundCommitted) -> int:
    return crc32(_canonical.encode(msgspec.structs.replace(committed, checksum=0)))
