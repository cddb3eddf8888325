"""What is written is what is read, in the very bytes that a general Avro library writes."""

import io
import json
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.avro import varints
from schemas.avro.codec_source import MAX_RECORDS_KEPT, compile_record
from schemas.avro.codecs import BodyDamaged, decode_record, encode_record
from schemas.avro.contracts import SCHEMAS, load_schema, schema_json
from schemas.avro.page_parts import line_part, page_of_parts
from schemas.entry_ids import tick_event_id
from schemas.facts import CheckedIn, ClockTicked, JournalFact, PurchaseLine, PurchaseRecorded
from schemas.pages import JournalLine, JournalPage
from schemas.posting import Entry, EntryType, Posting, Reason, Working
from tests.reference import avro as avro_reference
from tests.support.bodies import decode_fact, decode_posting
from tests.support.struct_values import STRUCTS, TOP_STRUCTS, values


def decode(name: str, body: bytes, writer_schema: str | None = None) -> Any:
    return decode_record(STRUCTS[name], body, writer_schema)


def some_of(name: str) -> Any:
    """A value of a type with every field set to something that is not its default."""
    line = PurchaseLine("sku", 1999, 1500, "coffee", "acme", 50, 2049)
    fact = PurchaseRecorded("pos", "e-1", 1_794_395_471_000, "o-1", "EUR", (line, line), "ann", "web", "s-1")
    if name == "PurchaseRecorded":
        return fact
    if name == "JournalPage":
        ticked = JournalLine(ClockTicked(1_794_396_000_000), 1_794_396_000_001)
        return JournalPage(7, (JournalLine(fact, 1_794_395_471_500, "ann", 1, 42), ticked), ("", "ab" * 32))
    at = 1_794_395_471_000
    entry = Entry("pos/e-1/ann/1", EntryType.POINTS_AWARDED, 59, at, 3, "base", "points", at, at + 1)
    return Posting("ann", 3, "PurchaseRecorded", "pos", "e-1", at, 59, reason=Reason.ZERO_POINTS, entries=(entry,))


@pytest.mark.parametrize("kind", TOP_STRUCTS, ids=SCHEMAS)
@given(data=st.data())
def test_round_trip_in_the_bytes_of_a_general_library(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    value = data.draw(values(kind))
    body = encode_record(value)
    assert body == avro_reference.write(load_schema(kind.__name__), avro_reference.plain(value))
    assert decode(kind.__name__, body) == value


@pytest.mark.parametrize("kind", TOP_STRUCTS, ids=SCHEMAS)
@given(data=st.data())
def test_a_body_is_read_by_a_schema_that_is_spelled_differently(
    kind: type[msgspec.Struct], data: st.DataObject
) -> None:
    """Another text of the same schema takes the way that older schemas take."""
    value = data.draw(values(kind))
    respelled = json.dumps(json.loads(schema_json(kind.__name__)), indent=1)
    assert decode(kind.__name__, encode_record(value), respelled) == value


@given(values(STRUCTS["Posting"]), st.data())
def test_bytes_that_are_no_posting_are_damaged_or_another_posting(value: Posting, data: st.DataObject) -> None:
    """Whatever is cut off or changed: a typed error or a whole posting, never anything else."""
    body = bytearray(encode_record(value))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    del body[data.draw(st.integers(0, len(body))) :]
    try:
        found = decode_posting(bytes(body))
    except BodyDamaged:
        return
    assert decode_posting(encode_record(found)) == found


@pytest.mark.parametrize("name", ["PurchaseRecorded", "JournalPage", "Posting"])
def test_a_body_cut_off_anywhere_is_damaged(name: str) -> None:
    body = encode_record(some_of(name))
    for end in range(len(body)):
        with pytest.raises(BodyDamaged, match=name):
            decode(name, body[:end])
    with pytest.raises(BodyDamaged, match=name):
        decode(name, body + b"\0")
    with pytest.raises(BodyDamaged, match=name):
        decode(name, body[:-1], json.dumps(json.loads(schema_json(name)), indent=1))


def test_blocks_with_their_size_in_bytes_are_read_too() -> None:
    """An encoder may write an array in several blocks, and give a block's size so that it can be skipped."""
    fact = CheckedIn("app", "e-1", 1_794_395_471_000, "ann", attributes={"a": "1", "b": "2"})
    whole = encode_record(fact)
    attributes = b"\x04" + b"\x02a\x021" + b"\x02b\x022" + b"\0"
    assert whole.endswith(attributes)
    in_blocks = b"\x01\x08" + b"\x02a\x021" + b"\x02" + b"\x02b\x022" + b"\0"
    assert decode_fact("CheckedIn", whole.removesuffix(attributes) + in_blocks) == fact


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 2**80])
def test_a_number_beyond_int64_is_not_written(value: int) -> None:
    with pytest.raises(OverflowError, match="int64"):
        encode_record(Posting("ann", 1, "ClockTicked", "tallybook", tick_event_id(1), 1, value))


def test_a_body_with_a_number_beyond_int64_is_damaged() -> None:
    """Ten bytes can hold 70 bits; an int64 is 64 of them."""
    fact = encode_record(ClockTicked(2**63 - 1))
    assert len(fact) == 10
    with pytest.raises(BodyDamaged, match="64 bits"):
        decode_fact("ClockTicked", fact[:-1] + b"\x7f")
    with pytest.raises(BodyDamaged, match="64 bits"):
        decode_fact("ClockTicked", b"\xff" * 10 + b"\x01")


def test_an_instant_met_before_is_not_taken_for_another() -> None:
    """Instants are looked up by their six bytes, which must not be the first of a longer number."""
    for value in (2**41 - 1, 2**41, 2**34, -(2**41), 1_794_395_471_000, 1_794_395_471_000, 2**62):
        assert decode_fact("ClockTicked", encode_record(ClockTicked(value))) == ClockTicked(value)


@pytest.mark.parametrize("schema", ["", "{}", "[]", '"int"', '{"type": "record", "name": "X", "fields": []}'])
def test_a_writer_schema_that_cannot_be_used_is_an_error_of_the_body(schema: str) -> None:
    with pytest.raises(BodyDamaged, match="not a ClockTicked"):
        decode_fact("ClockTicked", encode_record(ClockTicked(1)), schema)


def test_a_type_that_is_not_in_the_contracts_is_an_error() -> None:
    with pytest.raises(BodyDamaged, match="PurchaseLine"):
        decode_record(PurchaseLine, b"")


def test_a_struct_that_has_other_fields_than_its_schema_is_not_compiled() -> None:
    with pytest.raises(TypeError, match="ClockTicked"):
        compile_record(load_schema("ClockTicked"), STRUCTS | {"ClockTicked": CheckedIn})


def test_a_schema_with_an_array_of_arrays_is_not_compiled() -> None:
    nested = {"type": "array", "items": {"type": "array", "items": "long"}}
    schema = {"type": "record", "name": "ClockTicked", "fields": [{"name": "at", "type": nested}]}
    with pytest.raises(TypeError, match="array of arrays"):
        compile_record(schema, STRUCTS)


def test_what_codecs_keep_is_bounded_and_changes_no_byte() -> None:
    first = CheckedIn("app", "e-0", 0, "ann", "store-0")
    body = encode_record(first)
    for number in range(varints.MAX_CACHED_TEXTS + 10):
        fact = CheckedIn("app", "e", number * 1_000_003, "ann", f"store-{number}")
        written = encode_record(fact)
        assert decode_fact("CheckedIn", written) == fact
    for kept in (varints.TEXT_BYTES_OF, varints.TEXTS_OF):
        assert len(kept) <= varints.MAX_CACHED_TEXTS
    for instants in (varints.INSTANT_BYTES_OF, varints.KNOWN_INSTANTS):
        assert len(instants) <= varints.MAX_CACHED_INSTANTS
    assert encode_record(first) == body


def test_a_working_is_encoded_once_and_never_taken_for_another() -> None:
    def posting_with(working: Working) -> Posting:
        return Posting("ann", 1, "CheckedIn", "app", "e-1", 1, 0, workings=(working,))

    for number in range(MAX_RECORDS_KEPT + 10):
        # Nobody holds the one before any more, so this one may stand at its place in memory.
        posting = posting_with(Working("base", number, "minor", "1", str(number), number, number))
        assert decode_posting(encode_record(posting)) == posting


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_a_long_comes_back(value: int) -> None:
    data = varints.long_bytes(value)
    assert varints.read_long(b"x" + data + b"y", 1) == (value, 1 + len(data))
    assert fastavro.schemaless_reader(io.BytesIO(data), "long", None) == value
    for short in range(len(data)):
        with pytest.raises(IndexError):
            varints.read_long(data[:short], 0)


def part(line: JournalLine) -> bytes:
    fact: JournalFact = line.fact
    body = encode_record(fact)
    name = type(fact).__name__
    return line_part(name, body, line.received_at, line.member_id, input_number=line.input, record=line.record)


@given(st.lists(values(JournalLine), max_size=4), st.lists(st.text(max_size=9), max_size=3))
def test_a_page_of_parts_is_the_page(lines: list[JournalLine], inputs: list[str]) -> None:
    page = JournalPage(0, tuple(lines), tuple(inputs))
    assert page_of_parts([part(line) for line in lines], inputs) == encode_record(page)
