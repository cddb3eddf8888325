"""Containers: what is written is what any Avro reader reads, and what is not whole is named by its first byte."""

import io
from collections.abc import Callable

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from books.files.container import (
    CHUNK_BYTES,
    FIRST_WINDOW_BYTES,
    MAX_BLOCK_BYTES,
    SYNC_BYTES,
    ContainerDamaged,
    decode_long,
    encode_block,
    encode_header,
    encode_long,
    read_blocks,
    read_header,
    read_last_block,
    sync_marker,
)

SYNC = sync_marker("book", "journal/00.avro")
SCHEMA = b'"bytes"'


class Bytes:
    """A ReadFile over bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read_at(self, offset: int, size: int) -> bytes:
        return self.data[offset : offset + size]

    def close(self) -> None:
        pass


def record(data: bytes) -> bytes:
    return encode_long(len(data)) + data


def container(*blocks: list[bytes]) -> bytes:
    head = encode_header({"avro.schema": SCHEMA}, SYNC)
    return head + b"".join(encode_block(len(block), b"".join(map(record, block)), SYNC) for block in blocks)


HEAD = len(container())


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_a_long_comes_back(value: int) -> None:
    data = encode_long(value)
    assert decode_long(b"x" + data + b"y", 1) == (value, 1 + len(data))
    assert fastavro.schemaless_reader(io.BytesIO(data), "long", None) == value
    for short in range(len(data)):
        with pytest.raises(EOFError):
            decode_long(data[:short], 0)


def test_a_long_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="0"):
        decode_long(b"\xff" * 20, 0)


def test_a_marker_is_made_of_the_names_and_is_no_text() -> None:
    assert sync_marker("book", "journal/00.avro") == SYNC
    assert len({SYNC, sync_marker("book", "journal/01.avro"), sync_marker("other", "journal/00.avro")}) == 3
    assert len(SYNC) == SYNC_BYTES
    with pytest.raises(UnicodeDecodeError):
        SYNC[:1].decode()


@given(st.lists(st.lists(st.binary(max_size=50), min_size=1, max_size=5), max_size=5))
def test_any_avro_reader_reads_it(blocks: list[list[bytes]]) -> None:
    records = list(fastavro.reader(io.BytesIO(container(*blocks))))
    assert records == [data for block in blocks for data in block]


@given(st.lists(st.lists(st.binary(max_size=50), min_size=1, max_size=5), max_size=5))
def test_blocks_come_back_with_their_places(blocks: list[list[bytes]]) -> None:
    data = container(*blocks)
    file = Bytes(data)
    header = read_header(file)
    assert (header.metadata["avro.schema"], header.sync, header.length) == (SCHEMA, SYNC, HEAD)
    found = list(read_blocks(file, HEAD, len(data), SYNC))
    assert [(block.records, block.data) for block in found] == [
        (len(block), b"".join(map(record, block))) for block in blocks
    ]
    assert [block.offset for block in found] + [len(data)] == [HEAD] + [block.end for block in found]
    assert read_last_block(file, HEAD, len(data), SYNC) == (found[-1] if found else None)


@pytest.mark.parametrize("size", [FIRST_WINDOW_BYTES, CHUNK_BYTES - 40, CHUNK_BYTES, 3 * CHUNK_BYTES + 1])
def test_blocks_larger_than_one_reading_come_back(size: int) -> None:
    data = container([b"a"], [b"b" * size], [b"c" * size, b"d"], [b"e"])
    blocks = list(read_blocks(Bytes(data), HEAD, len(data), SYNC))
    assert [block.records for block in blocks] == [1, 1, 2, 1]
    assert [block.data for block in blocks[1:3]] == [record(b"b" * size), record(b"c" * size) + record(b"d")]
    for n in (2, 3):
        assert read_last_block(Bytes(data), HEAD, blocks[n].end, SYNC) == blocks[n]


def test_a_reader_stops_where_it_is_told() -> None:
    data = container([b"a"], [b"b"], [b"c"])
    first, second, _ = read_blocks(Bytes(data), HEAD, len(data), SYNC)
    assert list(read_blocks(Bytes(data + b"garbage"), HEAD, second.end, SYNC)) == [first, second]
    assert list(read_blocks(Bytes(data), first.end, second.end, SYNC)) == [second]


def test_a_block_cut_anywhere_is_damaged_at_its_first_byte() -> None:
    data = container([b"first"], [b"x" * 200, b"y" * 30])
    first = next(read_blocks(Bytes(data), HEAD, len(data), SYNC))
    for cut in range(first.end + 1, len(data)):
        for end in (cut, len(data)):  # the book ends there, or it should not but the file does
            blocks = read_blocks(Bytes(data[:cut]), HEAD, end, SYNC)
            assert next(blocks) == first
            with pytest.raises(ContainerDamaged) as caught:
                next(blocks)
            assert caught.value.offset == first.end
        with pytest.raises(ContainerDamaged):
            read_last_block(Bytes(data[:cut]), HEAD, len(data), SYNC)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda block: encode_long(0) + block[1:],
        lambda block: encode_long(-1) + block[1:],
        lambda block: block[:1] + encode_long(-5) + block[3:],
        lambda block: block[:1] + encode_long(MAX_BLOCK_BYTES + 1) + block[3:],
        lambda block: b"\xff" * 11 + block,
        lambda block: block[:-1] + b"?",
        lambda block: block[:20] + block[21:],
    ],
)
def test_a_spoilt_block_is_damaged(spoil: Callable[[bytes], bytes]) -> None:
    block = container([b"x" * 100])[HEAD:]
    data = container() + spoil(block) + block * 3
    with pytest.raises(ContainerDamaged) as caught:
        list(read_blocks(Bytes(data), HEAD, len(data), SYNC))
    assert caught.value.offset == HEAD


def test_a_header_cut_anywhere_is_damaged() -> None:
    head = container()
    for cut in range(len(head)):
        with pytest.raises(ContainerDamaged):
            read_header(Bytes(head[:cut]))


def test_a_header_larger_than_the_first_reading_comes_back() -> None:
    schema = b'"' + b"x" * (2 * FIRST_WINDOW_BYTES) + b'"'
    assert read_header(Bytes(encode_header({"avro.schema": schema}, SYNC))).metadata["avro.schema"] == schema


def test_headers_of_other_writers_are_understood_or_refused() -> None:
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema("bytes"), [b"a"], metadata={"owner": "shop"})
    assert read_header(Bytes(out.getvalue())).metadata["owner"] == b"shop"
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema("bytes"), [b"a"], codec="deflate")
    with pytest.raises(ContainerDamaged, match="compressed"):
        read_header(Bytes(out.getvalue()))
    for stranger in (b"", b"PAR1", b"{}", b"Obj\x02"):
        with pytest.raises(ContainerDamaged, match="not an Avro container"):
            read_header(Bytes(stranger))


def test_a_map_in_avros_other_form_is_understood() -> None:
    pair = record(b"avro.codec") + record(b"null")
    head = b"Obj\x01" + encode_long(-1) + encode_long(len(pair)) + pair + encode_long(0) + SYNC
    assert read_header(Bytes(head)).length == len(head)


def test_a_block_that_no_reader_would_take_is_not_written() -> None:
    with pytest.raises(ValueError, match="bounds"):
        encode_block(0, b"", SYNC)
    with pytest.raises(ValueError, match="bounds"):
        encode_block(1, bytes(MAX_BLOCK_BYTES + 1), SYNC)
