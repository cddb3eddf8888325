"""One file of a book: its head is checked once, then it is read block by block up to a committed length.

It is an Avro object container without compression (schemas.avro.containers).
"""

import io
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import msgspec

from books.errors import BooksDamaged, BooksForeign, NoSuchPosition
from books.files.disk import FilePort, ReadFile
from books.files.layout import Identity, metadata_of, mismatch, schema_of, sync_marker
from schemas.avro.containers import (
    MAX_BLOCK_BYTES,
    SYNC_BYTES,
    Block,
    ContainerDamaged,
    Header,
    encode_header,
    read_blocks,
    read_header,
)
from schemas.avro.contracts import schema_json, without_keys
from schemas.pages import BookLength

TAIL_BYTES: Final = 4_096
CHUNK_BYTES: Final = 1 << 20
FIRST_WINDOW_BYTES: Final = 1 << 16
MAX_WINDOW_BYTES: Final = 4 * MAX_BLOCK_BYTES
MAX_KNOWN_SCHEMAS: Final = 64
MAX_BYTES_FLIPPED: Final = 2  # a schema that differs from ours in so few bytes, and not in length, is ours damaged
# What changes no byte of a record.
_NO_BYTES: Final = frozenset({"doc", "default", "aliases", "logicalType"})
_NOT_OURS: Final = "Restore the whole folder from one backup, or remove the file that does not belong here."


class BookFile(msgspec.Struct, frozen=True):
    """A file whose head has been found to be right. `writer_schema` is None where it is the present one."""

    name: str
    path: Path
    header: Header
    writer_schema: str | None

    @property
    def sync(self) -> bytes:
        """The marker that ends each of its blocks."""
        return self.header.sync

    @property
    def first(self) -> int:
        """Where its first block begins."""
        return self.header.length


def new_head(identity: Identity, name: str, *, is_copy: bool = False) -> bytes:
    """The first bytes of a new file of a book; `is_copy`: of one that is copied from a stream."""
    schema = schema_json(schema_of(name))
    return encode_header(metadata_of(identity, name, schema, is_copy=is_copy), sync_marker(identity.book, name))


def open_book_file(files: FilePort, books: Path, name: str, identity: Identity) -> BookFile:
    """Check a file's head; raises BooksDamaged if it is missing or unreadable, BooksForeign if it is another's."""
    header = head_of(files, books, name)
    wrong = mismatch(header, identity, name)
    if wrong is not None:
        raise BooksForeign(books / name, wrong, _NOT_OURS)
    schema = header.metadata.get("avro.schema", b"").decode(errors="replace")
    current = schema_json(schema_of(name))
    same = schema == current or _shape(schema) == _shape(current)
    if not same and (_shape(schema) is None or _is_flipped(schema.encode(), current.encode())):
        raise BooksDamaged(name, None, "its head is damaged: the schema in it is not as it was written")
    return BookFile(name, books / name, header, None if same else schema)


def head_of(files: FilePort, books: Path, name: str) -> Header:
    """The head of a file, whoever it belongs to; raises BooksDamaged where there is none."""
    path = books / name
    size = files.size(path)
    if size is None:
        raise BooksDamaged(name, None, "the file is missing")
    try:
        with closing(files.open_read(path)) as file:
            header = read_header(_stream(file, 0, size, FIRST_WINDOW_BYTES))
    except ContainerDamaged as error:
        raise BooksDamaged(name, error.offset, error.message) from error
    if header.codec != "null":
        raise BooksDamaged(name, 0, "it is compressed, which no book is")
    return header


def check_end(files: FilePort, book: BookFile, committed: BookLength) -> None:
    """Check that a file still ends, at its committed length, as it was committed; raises BooksDamaged."""
    size = files.size(book.path) or 0
    if size < committed.bytes:
        what = f"the file has {size:,} bytes, and {committed.bytes:,} are committed"
        raise BooksDamaged(book.name, size, what)
    tail = read_tail(files, book.path, committed.bytes)
    if committed.bytes < book.first or tail[-SYNC_BYTES:] != book.sync:
        raise BooksDamaged(book.name, committed.bytes, "no record ends at the committed length")
    if crc32(tail) != committed.tail_crc32:
        what = f"its last {len(tail):,} bytes are not those that were committed"
        raise BooksDamaged(book.name, committed.bytes - len(tail), what)


def read_tail(files: FilePort, path: Path, end: int) -> bytes:
    """The last bytes of a file before byte `end`, at most TAIL_BYTES."""
    with closing(files.open_read(path)) as file:
        start = max(0, end - TAIL_BYTES)
        return file.read_at(start, end - start)


def read_from_behind(files: FilePort, path: Path, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The bytes before `end` and where they begin: ever more of them, back to `begin` or for MAX_WINDOW_BYTES."""
    low, window = end, FIRST_WINDOW_BYTES
    while low > begin and window <= MAX_WINDOW_BYTES:
        low = max(begin, end - window)
        with closing(files.open_read(path)) as file:
            data = file.read_at(low, end - low)
        yield low, data
        window *= 4


def blocks_of(files: FilePort, book: BookFile, start: int, end: int) -> Iterator[Block]:
    """The blocks from a position (0: all) to `end`; raises NoSuchPosition at once, BooksDamaged as it reads."""
    if start and not book.first <= start <= end:
        raise NoSuchPosition(book.name, start)
    if start > book.first:
        with closing(files.open_read(book.path)) as file:
            if file.read_at(start - SYNC_BYTES, SYNC_BYTES) != book.sync:
                raise NoSuchPosition(book.name, start)
    return _blocks(files, book, start or book.first, end)


def _blocks(files: FilePort, book: BookFile, start: int, end: int) -> Iterator[Block]:
    try:
        with closing(files.open_read(book.path)) as file:
            for block in read_blocks(_stream(file, start, end), book.sync, start):
                yield _with_records(book, block)
    except ContainerDamaged as error:
        raise BooksDamaged(book.name, error.offset, error.message) from error


def last_block_of(files: FilePort, book: BookFile, end: int) -> Block | None:
    """The last block before `end`, searched backwards; None where there is none. Raises BooksDamaged."""
    if end == book.first:
        return None
    for low, data in read_from_behind(files, book.path, book.first - SYNC_BYTES, end):
        if data[-SYNC_BYTES:] != book.sync or len(data) != end - low:
            raise BooksDamaged(book.name, end, "the book does not end with the end of a block")
        found = data.rfind(book.sync, 0, len(data) - SYNC_BYTES)
        if found >= 0:
            block = block_at(io.BytesIO(data), found + SYNC_BYTES, low, book)
            if block is None or block.end != end:
                raise BooksDamaged(book.name, low + found + SYNC_BYTES, "the last block is not whole")
            return _with_records(book, block)
    raise BooksDamaged(book.name, end, "no block ends here")


def block_at(window: io.BytesIO, at: int, low: int, book: BookFile) -> Block | None:
    """The block at byte `at` of a part of the file that begins at byte `low`; None where no whole one begins there."""
    window.seek(at)
    try:
        return next(read_blocks(window, book.sync, low + at), None)
    except ContainerDamaged:
        return None


def _with_records(book: BookFile, block: Block) -> Block:
    if block.records < 1:
        raise BooksDamaged(book.name, block.offset, f"a block of {block.records} records")
    return block


def _stream(file: ReadFile, start: int, end: int, chunk: int = CHUNK_BYTES) -> io.BufferedReader:
    """The bytes from `start` to `end` as a stream, which is read `chunk` bytes at a time."""
    return io.BufferedReader(_Part(file, start, end), max(1, min(chunk, end - start)))


class _Part(io.RawIOBase):
    """A part of a file, read from its beginning to its end."""

    def __init__(self, file: ReadFile, start: int, end: int) -> None:
        self._file = file
        self._at = start
        self._end = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read_at(self._at, min(len(buffer), self._end - self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


@lru_cache(maxsize=MAX_KNOWN_SCHEMAS)
def _shape(schema: str) -> object:
    """The part of a schema that decides about bytes, without docs, defaults and the like; None if it is no JSON."""
    try:
        return without_keys(msgspec.json.decode(schema), _NO_BYTES)
    except msgspec.MsgspecError:
        return None


def _is_flipped(found: bytes, due: bytes) -> bool:
    return len(found) == len(due) and sum(a != b for a, b in zip(found, due, strict=True)) <= MAX_BYTES_FLIPPED
