"""Reads and writes Avro object containers, block by block and within bounds: publishers' files, and those of the books.

Format: Apache Avro 1.12 specification, "Object Container Files". No library does it here, for three reasons. A file
from outside may say that a block of a few bytes is many gigabytes. A damaged file must say which record, and which
byte, could not be read. And the books must know at which byte each block begins and ends.
"""

import bz2
import json
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Protocol

from schemas.avro.varints import MAX_VARINT_BITS, long_bytes, read_long

MAGIC: Final = b"Obj\x01"
SYNC_BYTES: Final = 16
MAX_HEADER_ENTRIES: Final = 1_000
MAX_HEADER_BYTES: Final = 1 << 20
MAX_BLOCK_BYTES: Final = 1 << 26
MAX_VARINT_BYTES: Final = MAX_VARINT_BITS // 7


class ContainerDamaged(ValueError):
    """A container cannot be read any further.

    `record_number` (from 1) is the first record affected, 0 the header; `offset` is the byte at which its block begins.
    """

    def __init__(self, record_number: int, message: str, offset: int = 0) -> None:
        super().__init__(f"record {record_number}: {message}" if record_number else f"header: {message}")
        self.record_number = record_number
        self.message = message
        self.offset = offset


class ByteStream(Protocol):
    """What a container is read from; it may give fewer bytes than asked for, and gives none at its end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most `size`."""


class Header(NamedTuple):
    """A container's header: its metadata, its sync marker and its own length in bytes."""

    metadata: dict[str, bytes]
    sync: bytes
    length: int

    @property
    def codec(self) -> str:
        """How the blocks are compressed; "null" for not at all."""
        return self.metadata.get("avro.codec", b"null").decode("utf-8", "replace")


class Block(NamedTuple):
    """One block: the bytes at which it begins and ends (after its marker), its records, and their bytes.

    `first_record` is the number of its first record, counted from 1 where the reading began.
    """

    offset: int
    end: int
    first_record: int
    records: int
    data: bytes


def encode_header(metadata: Mapping[str, bytes], sync: bytes) -> bytes:
    """A container's first bytes; `metadata` must hold the schema as avro.schema."""
    pairs = [
        long_bytes(len(part)) + part
        for key, value in {"avro.codec": b"null", **metadata}.items()
        for part in (key.encode(), value)
    ]
    return b"".join([MAGIC, long_bytes(len(pairs) // 2), *pairs, long_bytes(0), sync])


def encode_block(records: int, data: bytes, sync: bytes) -> bytes:
    """One block. Raises ValueError for a block that no reader would take."""
    if records < 1 or len(data) > MAX_BLOCK_BYTES:
        raise ValueError(
            f"a block of {records} records and {len(data):,} bytes; 1 and {MAX_BLOCK_BYTES:,} are the bounds"
        )
    return b"".join((long_bytes(records), long_bytes(len(data)), data, sync))


def read_header(file: ByteStream) -> Header:
    """The header of a container that begins here; raises ContainerDamaged with record number 0."""
    cursor = _Cursor(file)
    if cursor.take(len(MAGIC)) != MAGIC:
        raise cursor.damaged('not an Avro object container file: it does not begin with "Obj" and 1')
    metadata = _read_metadata(cursor)
    return Header(metadata, cursor.take(SYNC_BYTES), cursor.at)


def read_blocks(file: ByteStream, sync: bytes, offset: int = 0) -> Iterator[Block]:
    """The blocks from here, which is byte `offset` of the container, to the end of the stream, as they are stored.

    No byte after the last block given is read. Raises ContainerDamaged at the first block that is not whole.
    """
    cursor = _Cursor(file, offset, record=1)
    while (records := cursor.long_or_end()) is not None:
        size = cursor.long()
        if not 0 <= size <= MAX_BLOCK_BYTES:
            raise cursor.damaged(f"a block of {size} bytes; at most {MAX_BLOCK_BYTES} are read")
        data = cursor.take(size)
        if cursor.take(SYNC_BYTES) != sync:
            raise cursor.damaged("the block does not end with the file's sync marker")
        yield Block(cursor.began, cursor.at, cursor.record, records, data)
        cursor.next_block(records)


class Container:
    """A publisher's container: the schema from its header, and its blocks, once."""

    def __init__(self, file: ByteStream, header: Header, schema: Any) -> None:
        self.schema = schema
        self._file = file
        self._header = header

    def blocks(self) -> Iterator[Block]:
        """The blocks in order, no longer compressed; raises ContainerDamaged where the file is cut off or damaged."""
        decompress = _CODECS[self._header.codec]
        for block in read_blocks(self._file, self._header.sync, self._header.length):
            first, records = block.first_record, block.records
            try:
                data = decompress(block.data)
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
                raise ContainerDamaged(first, f"the block cannot be decompressed: {error}", block.offset) from error
            if not 0 <= records <= len(data):
                what = f"a block of {len(data)} bytes says it holds {records} records"
                raise ContainerDamaged(first, what, block.offset)
            yield block._replace(data=data)


def open_container(file: ByteStream) -> Container:
    """Read the header of a publisher's container; raises ContainerDamaged with record number 0."""
    header = read_header(file)
    if header.codec not in _CODECS:
        known = ", ".join(_CODECS)
        raise ContainerDamaged(0, f"compressed with {header.codec}; write it again with one of: {known}")
    try:
        schema = json.loads(header.metadata["avro.schema"])
    except KeyError as error:
        raise ContainerDamaged(0, "there is no schema (avro.schema) in it") from error
    except (ValueError, RecursionError) as error:
        raise ContainerDamaged(0, f"its schema is not JSON: {error}") from error
    return Container(file, header, schema)


class _Cursor:
    """Takes bytes and integers from a stream; it knows the byte where it stands, and the block and record there."""

    def __init__(self, file: ByteStream, at: int = 0, record: int = 0) -> None:
        self._file = file
        self.at = at
        self.began = at
        self.record = record

    def next_block(self, records: int) -> None:
        """Note that a block of so many records ends here, and the next begins."""
        self.began = self.at
        self.record += records

    def damaged(self, message: str) -> ContainerDamaged:
        """The error that says what is wrong with the present block, or with the header."""
        return ContainerDamaged(self.record, message, self.began)

    def take(self, size: int) -> bytes:
        """The next `size` bytes, also from a pipe that gives fewer at a time."""
        data = self._file.read(size) if size else b""
        while len(data) < size:
            more = self._file.read(size - len(data))
            if not more:
                raise self.damaged("the file ends inside a block" if self.record else "the file ends inside its header")
            data += more
        self.at += size
        return data

    def long(self) -> int:
        """The next integer."""
        value = self.long_or_end()
        if value is None:
            raise self.damaged("the file ends inside a number")
        return value

    def long_or_end(self) -> int | None:
        """The next integer; None at the end of the file."""
        found = b""
        for _ in range(MAX_VARINT_BYTES):
            byte = self._file.read(1)
            if not byte:
                if not found:
                    return None
                raise self.damaged("the file ends inside a number")
            found += byte
            if byte[0] < 128:
                break
        self.at += len(found)
        try:
            return read_long(found, 0)[0]
        except (ValueError, IndexError) as error:
            raise self.damaged("a number is longer than 64 bits") from error


def _read_metadata(cursor: _Cursor) -> dict[str, bytes]:
    """The header's map, read within MAX_HEADER_ENTRIES and MAX_HEADER_BYTES."""
    metadata: dict[str, bytes] = {}
    room = MAX_HEADER_BYTES
    entries = 0
    while count := cursor.long():
        if count < 0:
            cursor.long()  # the size of these entries in bytes
        entries += abs(count)
        if entries > MAX_HEADER_ENTRIES:
            raise cursor.damaged(f"more than {MAX_HEADER_ENTRIES} entries")
        for _ in range(abs(count)):
            pair = []
            for _ in ("key", "value"):
                size = cursor.long()
                if not 0 <= size <= room:
                    raise cursor.damaged(f"it is larger than {MAX_HEADER_BYTES} bytes")
                room -= size
                pair.append(cursor.take(size))
            metadata[pair[0].decode("utf-8", "replace")] = pair[1]
    return metadata


def _bounded(body: bytes) -> bytes:
    if len(body) > MAX_BLOCK_BYTES:
        raise ValueError(f"more than {MAX_BLOCK_BYTES} bytes")
    return body


_CODECS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "null": bytes,
    "deflate": lambda stored: _bounded(zlib.decompressobj(-15).decompress(stored, MAX_BLOCK_BYTES + 1)),
    "bzip2": lambda stored: _bounded(bz2.BZ2Decompressor().decompress(stored, MAX_BLOCK_BYTES + 1)),
    "xz": lambda stored: _bounded(lzma.LZMADecompressor().decompress(stored, MAX_BLOCK_BYTES + 1)),
}
