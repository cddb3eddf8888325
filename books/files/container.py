"""Avro's object container, framed by hand, because the books must know at which byte each block ends.

Format: https://avro.apache.org/docs/1.12.0/specification/#object-container-files, codec null. Records stand in blocks;
each block is its count, its size, its bytes and the file's sync marker. A marker is not random here but derived from
the names of book and file: the same facts give the same bytes, and a block of another run is known as such at once.
Its first byte never occurs in UTF-8, so no text that a publisher sends can imitate it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final, NamedTuple

from books.files.disk import ReadFile

MAGIC: Final = b"Obj\x01"
SYNC_BYTES: Final = 16
MAX_HEADER_BYTES: Final = 1 << 20
MAX_BLOCK_BYTES: Final = 64 << 20
CHUNK_BYTES: Final = 1 << 20
FIRST_WINDOW_BYTES: Final = 1 << 16
_MAX_VARINT_BYTES: Final = 10
_NOT_UTF8: Final = b"\xff"


class ContainerDamaged(Exception):
    """The bytes from `offset` on are not what a container has there."""

    def __init__(self, offset: int, what: str) -> None:
        self.offset = offset
        self.what = what
        super().__init__(f"at byte {offset}: {what}")


class Header(NamedTuple):
    """A container's header: its metadata, its sync marker and its own length in bytes."""

    metadata: dict[str, bytes]
    sync: bytes
    length: int


class Block(NamedTuple):
    """One block: where it starts and ends (after its marker), how many records it holds, and their bytes."""

    offset: int
    end: int
    records: int
    data: bytes


def sync_marker(book: str, file: str) -> bytes:
    """The 16 bytes that end each block of a file: made from the book's id and the file's name alone."""
    return _NOT_UTF8 + sha256(f"{book}\n{file}".encode()).digest()[: SYNC_BYTES - 1]


def encode_long(value: int) -> bytes:
    """An Avro long: zigzag, then seven bits a byte, the lowest first."""
    rest = (value << 1) ^ (value >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def decode_long(data: bytes, at: int) -> tuple[int, int]:
    """The Avro long at `at`, and where it ends. Raises EOFError if `data` ends inside, ValueError if it has no end."""
    value = 0
    for n in range(_MAX_VARINT_BYTES):
        if at + n >= len(data):
            raise EOFError
        byte = data[at + n]
        value |= (byte & 0x7F) << (7 * n)
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at + n + 1
    raise ValueError(at)


def encode_header(metadata: Mapping[str, bytes], sync: bytes) -> bytes:
    """A container's first bytes; the schema belongs in `metadata` as avro.schema."""
    pairs = [
        encode_long(len(part)) + part
        for key, value in {"avro.codec": b"null", **metadata}.items()
        for part in (key.encode(), value)
    ]
    count = encode_long(len(pairs) // 2)
    return b"".join([MAGIC, count, *pairs, encode_long(0), sync])


def read_header(file: ReadFile) -> Header:
    """The header of a container; raises ContainerDamaged where there is none."""
    data = file.read_at(0, FIRST_WINDOW_BYTES)
    if data[: len(MAGIC)] != MAGIC:
        raise ContainerDamaged(0, "not an Avro container: it does not begin with Obj\\x01")
    if len(data) == FIRST_WINDOW_BYTES:
        data = file.read_at(0, MAX_HEADER_BYTES)
    try:
        metadata, at = _decode_map(data, len(MAGIC))
    except (EOFError, ValueError) as error:
        raise ContainerDamaged(len(MAGIC), "the container's header is cut short or unreadable") from error
    if metadata.get("avro.codec", b"null") != b"null":
        raise ContainerDamaged(len(MAGIC), "the container is compressed, which no book is")
    if at + SYNC_BYTES > len(data):
        raise ContainerDamaged(at, "the container's header is cut short")
    return Header(metadata, data[at : at + SYNC_BYTES], at + SYNC_BYTES)


def _decode_map(data: bytes, at: int) -> tuple[dict[str, bytes], int]:
    """An Avro map of bytes at `at`, and where it ends. Each turn takes a byte at least, so the loops end."""
    found: dict[str, bytes] = {}
    while True:
        count, at = decode_long(data, at)
        if count == 0:
            return found, at
        if count < 0:  # the form that gives the block's size too, so that it can be skipped
            count = -count
            _, at = decode_long(data, at)
        for _ in range(min(count, len(data))):
            key, at = _decode_bytes(data, at)
            found[key.decode()], at = _decode_bytes(data, at)


def _decode_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = decode_long(data, at)
    if size < 0 or at + size > len(data):
        raise EOFError
    return data[at : at + size], at + size


def encode_block(count: int, data: bytes, sync: bytes) -> bytes:
    """One block of `count` records. Raises ValueError for a block that no reader would take."""
    if count < 1 or len(data) > MAX_BLOCK_BYTES:
        raise ValueError(
            f"a block of {count} records and {len(data):,} bytes; 1 and {MAX_BLOCK_BYTES:,} are the bounds"
        )
    return b"".join((encode_long(count), encode_long(len(data)), data, sync))


def read_blocks(file: ReadFile, start: int, end: int, sync: bytes) -> Iterator[Block]:
    """The blocks from byte `start` (a block's first) to byte `end` (after a block's last), in order.

    Raises ContainerDamaged at the first byte of the first block that is not whole.
    """
    offset = start
    chunk, chunk_at = b"", start
    while offset < end:
        found = parse_block(chunk, offset - chunk_at, offset, end, sync)
        for least in (CHUNK_BYTES, 0):  # first enough for most blocks, then what this block says it needs
            if isinstance(found, int):
                chunk, chunk_at = file.read_at(offset, min(max(least, found), end - offset)), offset
                found = parse_block(chunk, 0, offset, end, sync)
        if isinstance(found, int):
            raise ContainerDamaged(offset, "the file ends inside a block")
        yield found
        offset = found.end


def parse_block(chunk: bytes, at: int, offset: int, end: int, sync: bytes) -> Block | int:
    """The block at `at` in `chunk` (byte `offset` of its file), or how many bytes from there on are needed for it.

    Raises ContainerDamaged if it is none, or reaches past byte `end` of the file.
    """
    try:
        count, data_at = decode_long(chunk, at)
        size, data_at = decode_long(chunk, data_at)
    except EOFError:
        return 2 * _MAX_VARINT_BYTES
    except ValueError:
        raise ContainerDamaged(offset, "no block begins here") from None
    if count < 1 or not 0 <= size <= MAX_BLOCK_BYTES:
        raise ContainerDamaged(offset, f"no block begins here (it would have {count} records in {size} bytes)")
    data_end = data_at + size
    block_end = offset + (data_end - at) + SYNC_BYTES
    if block_end > end:
        raise ContainerDamaged(offset, f"a block reaches {block_end - end:,} bytes past the end of the book")
    if data_end + SYNC_BYTES > len(chunk):
        return block_end - offset
    if chunk[data_end : data_end + SYNC_BYTES] != sync:
        raise ContainerDamaged(offset, "the block does not end with the file's marker")
    return Block(offset, block_end, count, chunk[data_at:data_end])


def read_last_block(file: ReadFile, start: int, end: int, sync: bytes) -> Block | None:
    """The block that ends at byte `end`, found from behind; None where `end` is `start`, the end of the header.

    Raises ContainerDamaged where no whole block ends there.
    """
    if end == start:
        return None
    window = FIRST_WINDOW_BYTES
    first_sync = start - SYNC_BYTES
    while True:
        low = max(first_sync, end - window)
        data = file.read_at(low, end - low)
        if data[-SYNC_BYTES:] != sync or len(data) != end - low:
            raise ContainerDamaged(end, "the book does not end with the end of a block")
        found = data.rfind(sync, 0, len(data) - SYNC_BYTES)
        if found >= 0:
            at = found + SYNC_BYTES
            block = parse_block(data, at, low + at, end, sync)
            if isinstance(block, int) or block.end != end:
                raise ContainerDamaged(low + at, "the last block is not whole")
            return block
        if low == first_sync or window > 2 * MAX_BLOCK_BYTES:
            raise ContainerDamaged(end, "no block ends here")
        window *= 4
