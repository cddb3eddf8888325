"""Blocks of the books: any Avro reader reads what is written, and what is not whole is named by its first byte."""

import io
from collections.abc import Callable
from pathlib import Path

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from books.errors import BooksDamaged
from books.files.book_file import CHUNK_BYTES, FIRST_WINDOW_BYTES, BookFile, blocks_of, head_of, last_block_of
from books.files.layout import sync_marker
from schemas.avro.containers import MAX_BLOCK_BYTES, SYNC_BYTES, Block, Header, encode_block, encode_header
from schemas.avro.varints import long_bytes
from tests.fakes.disk import FakeDisk

BOOKS = Path("/books")
NAME = "00.avro"
SYNC = sync_marker("book", "journal/00.avro")
SCHEMA = b'"bytes"'


def record(data: bytes) -> bytes:
    return long_bytes(len(data)) + data


def container(*blocks: list[bytes]) -> bytes:
    head = encode_header({"avro.schema": SCHEMA}, SYNC)
    return head + b"".join(encode_block(len(block), b"".join(map(record, block)), SYNC) for block in blocks)


HEAD = len(container())
BOOK = BookFile(NAME, BOOKS / NAME, Header({}, SYNC, HEAD), None)


def disk_with(data: bytes) -> FakeDisk:
    disk = FakeDisk()
    disk.make_folder(BOOKS)
    disk.put(BOOKS / NAME, data)
    return disk


def blocks(data: bytes, start: int = HEAD, end: int | None = None) -> list[Block]:
    return list(blocks_of(disk_with(data), BOOK, start, len(data) if end is None else end))


def last_block(data: bytes, end: int) -> Block | None:
    return last_block_of(disk_with(data), BOOK, end)


def header(data: bytes) -> Header:
    return head_of(disk_with(data), BOOKS, NAME)


def test_a_marker_is_made_of_the_names_and_is_no_text() -> None:
    assert sync_marker("book", "journal/00.avro") == SYNC
    assert len({SYNC, sync_marker("book", "journal/01.avro"), sync_marker("other", "journal/00.avro")}) == 3
    assert len(SYNC) == SYNC_BYTES
    with pytest.raises(UnicodeDecodeError):
        SYNC[:1].decode()


@given(st.lists(st.lists(st.binary(max_size=50), min_size=1, max_size=5), max_size=5))
def test_blocks_come_back_with_their_places(given_blocks: list[list[bytes]]) -> None:
    data = container(*given_blocks)
    assert list(fastavro.reader(io.BytesIO(data))) == [each for block in given_blocks for each in block]
    head = header(data)
    assert (head.metadata["avro.schema"], head.sync, head.length) == (SCHEMA, SYNC, HEAD)
    found = blocks(data)
    assert [(block.records, block.data) for block in found] == [
        (len(block), b"".join(map(record, block))) for block in given_blocks
    ]
    assert [block.offset for block in found] + [len(data)] == [HEAD] + [block.end for block in found]
    last = last_block(data, len(data))
    assert (last and last[:2], last and last.data) == ((found[-1][:2], found[-1].data) if found else (None, None))


@pytest.mark.parametrize("size", [FIRST_WINDOW_BYTES, CHUNK_BYTES - 40, CHUNK_BYTES, 3 * CHUNK_BYTES + 1])
def test_blocks_larger_than_one_reading_come_back(size: int) -> None:
    data = container([b"a"], [b"b" * size], [b"c" * size, b"d"], [b"e"])
    found = blocks(data)
    assert [block.records for block in found] == [1, 1, 2, 1]
    assert [block.data for block in found[1:3]] == [record(b"b" * size), record(b"c" * size) + record(b"d")]
    for n in (2, 3):
        last = last_block(data, found[n].end)
        assert last is not None
        assert (last.offset, last.end, last.data) == (found[n].offset, found[n].end, found[n].data)


def test_a_reader_stops_where_it_is_told() -> None:
    data = container([b"a"], [b"b"], [b"c"])
    first, second, _ = blocks(data)
    assert blocks(data + b"garbage", HEAD, second.end) == [first, second]
    assert [block.offset for block in blocks(data, first.end, second.end)] == [second.offset]


def test_a_block_cut_anywhere_is_damaged_at_its_first_byte() -> None:
    data = container([b"first"], [b"x" * 200, b"y" * 30])
    first = blocks(data)[0]
    for cut in range(first.end + 1, len(data)):
        for end in (cut, len(data)):  # the book ends there, or it should not but the file does
            found = blocks_of(disk_with(data[:cut]), BOOK, HEAD, end)
            assert next(found) == first
            with pytest.raises(BooksDamaged) as caught:
                next(found)
            assert caught.value.offset == first.end
        with pytest.raises(BooksDamaged):
            last_block(data[:cut], len(data))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda block: long_bytes(0) + block[1:],
        lambda block: long_bytes(-1) + block[1:],
        lambda block: block[:1] + long_bytes(-5) + block[3:],
        lambda block: block[:1] + long_bytes(MAX_BLOCK_BYTES + 1) + block[3:],
        lambda block: b"\xff" * 11 + block,
        lambda block: block[:-1] + b"?",
        lambda block: block[:20] + block[21:],
    ],
)
def test_a_spoilt_block_is_damaged(spoil: Callable[[bytes], bytes]) -> None:
    block = container([b"x" * 100])[HEAD:]
    with pytest.raises(BooksDamaged) as caught:
        blocks(container() + spoil(block) + block * 3)
    assert caught.value.offset == HEAD


def test_a_header_cut_anywhere_is_damaged() -> None:
    head = container()
    for cut in range(len(head)):
        with pytest.raises(BooksDamaged):
            header(head[:cut])


def test_a_header_larger_than_one_reading_comes_back() -> None:
    schema = b'"' + b"x" * (CHUNK_BYTES - 200) + b'"'
    assert header(encode_header({"avro.schema": schema}, SYNC)).metadata["avro.schema"] == schema


def test_headers_of_other_writers_are_understood_or_refused() -> None:
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema("bytes"), [b"a"], metadata={"owner": "shop"})
    assert header(out.getvalue()).metadata["owner"] == b"shop"
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema("bytes"), [b"a"], codec="deflate")
    with pytest.raises(BooksDamaged, match="compressed"):
        header(out.getvalue())
    for stranger in (b"PAR1", b"{}{}", b"Obj\x02"):
        with pytest.raises(BooksDamaged, match="not an Avro object container"):
            header(stranger)


def test_a_map_in_avros_other_form_is_understood() -> None:
    pair = record(b"avro.codec") + record(b"null")
    head = b"Obj\x01" + long_bytes(-1) + long_bytes(len(pair)) + pair + long_bytes(0) + SYNC
    assert header(head).length == len(head)


def test_a_block_that_no_reader_would_take_is_not_written() -> None:
    with pytest.raises(ValueError, match="bounds"):
        encode_block(0, b"", SYNC)
    with pytest.raises(ValueError, match="bounds"):
        encode_block(1, bytes(MAX_BLOCK_BYTES + 1), SYNC)
