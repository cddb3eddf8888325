"""Takes a publisher's Avro object container file apart, block by block, from any stream and within bounds.

Format: Apache Avro 1.12 specification, "Object Container Files". It is taken apart here, and not by a library, because
a file from outside may say that a block of a few bytes is many gigabytes, and because a damaged one must say which
record could not be read.
"""

from __future__ import annotations

import bz2
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, Final, NamedTuple

from schemas.avro.varints import MAX_VARINT_BITS, read_long

MAGIC: Final = b"Obj\x01"
SYNC_BYTES: Final = 16
MAX_HEADER_ENTRIES: Final = 1_000
MAX_HEADER_BYTES: Final = 1 << 20
MAX_BLOCK_BYTES: Final = 1 << 26


class ContainerDamaged(ValueError):
    """A container cannot be read on: `record_number` (from 1) is the first record affected, 0 is the header."""

    def __init__(self, record_number: int, message: str) -> None:
        super().__init__(f"record {record_number}: {message}" if record_number else f"header: {message}")
        self.record_number = record_number
        self.message = message


class Block(NamedTuple):
    """Some records: the number of the first (from 1), how many, and their bytes, no longer compressed."""

    first_record: int
    records: int
    body: bytes


class Container:
    """An open container: the schema from its header, and its blocks, once."""

    def __init__(self, file: IO[bytes], schema: Any, codec: str, sync: bytes) -> None:
        self.schema = schema
        self._file = file
        self._decompress = _CODECS[codec]
        self._sync = sync

    def blocks(self) -> Iterator[Block]:
        """The blocks in order; raises ContainerDamaged where the file is cut off or damaged."""
        first = 1
        while (records := _read_long(self._file, first, may_end=True)) is not None:
            size = _read_long(self._file, first)
            if size is None or not 0 <= size <= MAX_BLOCK_BYTES:
                raise ContainerDamaged(first, f"a block of {size} bytes; at most {MAX_BLOCK_BYTES} are read")
            stored = _read_exactly(self._file, size, first)
            if _read_exactly(self._file, SYNC_BYTES, first) != self._sync:
                raise ContainerDamaged(first, "the block does not end with the file's sync marker")
            try:
                body = self._decompress(stored)
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
                raise ContainerDamaged(first, f"the block cannot be decompressed: {error}") from error
            if not 0 <= records <= len(body):
                raise ContainerDamaged(first, f"a block of {len(body)} bytes says it holds {records} records")
            yield Block(first, records, body)
            first += records


def open_container(file: IO[bytes]) -> Container:
    """Reads the header of a container; raises ContainerDamaged with record number 0."""
    if _read_exactly(file, len(MAGIC), 0) != MAGIC:
        raise ContainerDamaged(0, 'not an Avro object container file: it does not begin with "Obj" and 1')
    header = _read_header_entries(file)
    sync = _read_exactly(file, SYNC_BYTES, 0)
    codec = header.get("avro.codec", b"null").decode("utf-8", "replace")
    if codec not in _CODECS:
        known = ", ".join(_CODECS)
        raise ContainerDamaged(0, f"compressed with {codec}; write it again with one of: {known}")
    try:
        schema = json.loads(header["avro.schema"])
    except KeyError as error:
        raise ContainerDamaged(0, "there is no schema (avro.schema) in it") from error
    except (ValueError, RecursionError) as error:
        raise ContainerDamaged(0, f"its schema is not JSON: {error}") from error
    return Container(file, schema, codec, sync)


def _read_header_entries(file: IO[bytes]) -> dict[str, bytes]:
    """The header's map, read within MAX_HEADER_ENTRIES and MAX_HEADER_BYTES."""
    header: dict[str, bytes] = {}
    room = MAX_HEADER_BYTES
    entries = 0
    while count := _read_long(file, 0):
        if count < 0:
            _read_long(file, 0)  # the size of the block in bytes
        entries += abs(count)
        if entries > MAX_HEADER_ENTRIES:
            raise ContainerDamaged(0, f"more than {MAX_HEADER_ENTRIES} entries")
        for _ in range(abs(count)):
            key, room = _read_bytes(file, room)
            value, room = _read_bytes(file, room)
            header[key.decode("utf-8", "replace")] = value
    return header


def _read_bytes(file: IO[bytes], room: int) -> tuple[bytes, int]:
    size = _read_long(file, 0)
    if size is None or not 0 <= size <= room:
        raise ContainerDamaged(0, f"it is larger than {MAX_HEADER_BYTES} bytes")
    return _read_exactly(file, size, 0), room - size


def _read_exactly(file: IO[bytes], size: int, record: int) -> bytes:
    """`size` bytes, also from a pipe that gives fewer at a time."""
    found = bytearray()
    while len(found) < size:
        more = file.read(size - len(found))
        if not more:
            raise ContainerDamaged(record, f"the file ends {size - len(found)} bytes too early")
        found += more
    return bytes(found)


def _read_long(file: IO[bytes], record: int, *, may_end: bool = False) -> int | None:
    """One integer; None at the end of the file if it `may_end` there."""
    found = bytearray()
    for _ in range(MAX_VARINT_BITS // 7):
        byte = file.read(1)
        if not byte:
            if may_end and not found:
                return None
            raise ContainerDamaged(record, "the file ends inside a number")
        found += byte
        if byte[0] < 128:
            break
    try:
        return read_long(bytes(found), 0)[0]
    except (ValueError, IndexError) as error:
        raise ContainerDamaged(record, "a number is longer than 64 bits") from error


def _bounded(body: bytes) -> bytes:
    if len(body) > MAX_BLOCK_BYTES:
        raise ValueError(f"more than {MAX_BLOCK_BYTES} bytes")
    return body


def _deflate(stored: bytes) -> bytes:
    return _bounded(zlib.decompressobj(-15).decompress(stored, MAX_BLOCK_BYTES + 1))


def _bzip2(stored: bytes) -> bytes:
    return _bounded(bz2.BZ2Decompressor().decompress(stored, MAX_BLOCK_BYTES + 1))


def _xz(stored: bytes) -> bytes:
    return _bounded(lzma.LZMADecompressor().decompress(stored, MAX_BLOCK_BYTES + 1))


_CODECS: Final[dict[str, Callable[[bytes], bytes]]] = {"null": bytes, "deflate": _deflate, "bzip2": _bzip2, "xz": _xz}
