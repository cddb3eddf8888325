"""Publishers' Avro files: whatever a general library writes is read, and whatever is broken is a typed error."""

import io
import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.avro.codecs import read_container
from schemas.avro.containers import MAX_BLOCK_BYTES, MAX_HEADER_BYTES, ContainerDamaged
from schemas.avro.contracts import load_schema
from schemas.avro.varints import long_bytes
from schemas.facts import CheckedIn, ContentShared, PurchaseLine, PurchaseRecorded, ReferralMade, ReviewSubmitted
from schemas.instants import NoInstant, parse_instant
from tests.reference import avro as avro_reference

AT: Final = 1_794_395_471_123
FACTS: Final = (
    PurchaseRecorded("pos", "e-1", AT, "o-1", "EUR", (PurchaseLine("sku", 199), PurchaseLine("é", 0)), "ann"),
    CheckedIn("app", "e-2", AT + 1, "ann", attributes={"weather": "snow"}),
    ContentShared("app", "e-3", AT + 2, "ann", "mastodon"),
    ReviewSubmitted("web", "e-4", AT + 3, "ann", "sku", 5, 80),
    ReferralMade("app", "e-5", AT + 4, "ann", "bob"),
)
MIXED: Final = avro_reference.container(
    avro_reference.union_of_published(load_schema),
    [(f"tallybook.{type(fact).__name__}", avro_reference.plain(fact)) for fact in FACTS],
    sync_interval=1,
)
CHECK_IN: Final = load_schema("CheckedIn")
MARKER: Final = b"\x07" * 16


def read(file: bytes) -> list[tuple[str, dict[str, Any]]]:
    return list(read_container(io.BytesIO(file)))


def check_ins(count: int) -> list[Any]:
    return [avro_reference.plain(CheckedIn("app", f"e-{i}", AT + i, "ann")) for i in range(count)]


def by_hand(schema: Any, *blocks: bytes, codec: bytes = b"null") -> bytes:
    """A container of our own making, to say in it what no library would write."""
    text = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    parts = [b"avro.schema", text, b"avro.codec", codec]
    header = b"".join(long_bytes(len(part)) + part for part in parts)
    return b"Obj\x01" + long_bytes(2) + header + b"\0" + MARKER + b"".join(blocks)


def block(records: int, body: bytes, size: int | None = None) -> bytes:
    return long_bytes(records) + long_bytes(len(body) if size is None else size) + body + MARKER


def damage(file: bytes) -> ContainerDamaged:
    with pytest.raises(ContainerDamaged) as found:
        read(file)
    return found.value


def test_a_file_that_mixes_all_five_facts() -> None:
    found = read(MIXED)
    assert [name for name, _ in found] == [type(fact).__name__ for fact in FACTS]
    assert [fields["occurred_at"] for _, fields in found] == [AT, AT + 1, AT + 2, AT + 3, AT + 4]
    assert [line["sku"] for line in found[0][1]["lines"]] == ["sku", "é"]
    assert found[1][1]["attributes"] == {"weather": "snow"}


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_a_file_of_one_kind_in_each_compression(codec: str) -> None:
    records = check_ins(500)
    found = read(avro_reference.container(CHECK_IN, records, codec, sync_interval=1_000))
    assert [(name, fields["event_id"]) for name, fields in found] == [
        ("CheckedIn", record["event_id"]) for record in records
    ]


def test_a_file_from_a_pipe_that_gives_little_at_a_time() -> None:
    class Pipe(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 1, 3))

    assert len(list(read_container(Pipe(MIXED)))) == 5


def test_an_empty_file_holds_no_records() -> None:
    assert read(avro_reference.container(CHECK_IN, [])) == []


def test_names_lose_the_publishers_namespace() -> None:
    schema = json.loads(json.dumps(CHECK_IN).replace('"tallybook"', '"com.example.pos"'))
    (found,) = read(avro_reference.container(schema, check_ins(1)))
    assert found[0] == "CheckedIn"


@pytest.mark.parametrize(
    ("logical_type", "stored"),
    [("timestamp-millis", AT), ("timestamp-micros", AT * 1000 + 999), ("timestamp-nanos", AT * 1_000_000 + 1)],
)
def test_instants_of_every_unit_are_milliseconds(logical_type: str, stored: int) -> None:
    schema = json.loads(json.dumps(CHECK_IN).replace("timestamp-millis", logical_type))
    body = avro_reference.write(CHECK_IN, check_ins(1)[0] | {"occurred_at": stored})
    (found,) = read(by_hand(schema, block(1, body)))
    assert found[1]["occurred_at"] == AT


@pytest.mark.parametrize("unit", ["millis", "micros", "nanos"])
def test_a_local_timestamp_is_refused_for_having_no_zone(unit: str) -> None:
    schema = json.loads(json.dumps(CHECK_IN).replace("timestamp-millis", f"local-timestamp-{unit}"))
    stored = AT * {"millis": 1, "micros": 1_000, "nanos": 1_000_000}[unit]
    body = avro_reference.write(CHECK_IN, check_ins(1)[0] | {"occurred_at": stored})
    (found,) = read(by_hand(schema, block(1, body)))
    with pytest.raises(NoInstant, match="has no zone"):
        parse_instant(found[1]["occurred_at"])


def test_other_logical_types_stay_as_they_are_stored() -> None:
    schema = json.loads(json.dumps(CHECK_IN))
    schema["fields"] += [
        {"name": "receipt", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}},
    ]
    body = avro_reference.write(schema, check_ins(1)[0] | {"receipt": "no uuid", "day": 20_768, "price": b"\x7b"})
    (found,) = read(by_hand(schema, block(1, body)))
    assert (found[1]["receipt"], found[1]["day"], found[1]["price"]) == ("no uuid", 20_768, b"\x7b")


def attempt(file: bytes) -> tuple[list[tuple[str, dict[str, Any]]], ContainerDamaged | None]:
    """What can be read of a file, and the damage that ended it, if any."""
    seen: list[tuple[str, dict[str, Any]]] = []
    records = read_container(io.BytesIO(file))
    try:
        while (found := next(records, None)) is not None:
            seen.append(found)
    except ContainerDamaged as error:
        return seen, error
    return seen, None


def test_a_file_cut_off_anywhere_gives_what_is_whole_and_names_the_next() -> None:
    files = [avro_reference.container(CHECK_IN, check_ins(count), sync_interval=1) for count in range(4)]
    ends = [len(file) for file in files]
    for end in range(ends[-1]):
        seen, error = attempt(files[-1][:end])
        if end in ends:
            assert (len(seen), error) == (ends.index(end), None)
        else:
            assert error is not None
            assert error.record_number == (len(seen) + 1 if end > ends[0] else 0)
            assert len(seen) == sum(end > whole for whole in ends[1:])


@given(st.data())
def test_a_file_changed_anywhere_is_read_or_is_damaged(data: st.DataObject) -> None:
    file = bytearray(MIXED)
    for _ in range(data.draw(st.integers(1, 4))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    seen, error = attempt(bytes(file))
    assert all(isinstance(fields, dict) for _, fields in seen)
    assert error is None or error.record_number in (0, len(seen) + 1, len(seen))


def test_a_block_whose_records_do_not_fit_names_the_record() -> None:
    good = avro_reference.write(CHECK_IN, check_ins(1)[0])
    assert damage(by_hand(CHECK_IN, block(1, good), block(3, good + good + b"\x7f" * 9))).record_number == 4
    too_long = damage(by_hand(CHECK_IN, block(2, good + good + b"\0\0")))
    assert (too_long.record_number, "2 bytes follow" in too_long.message) == (2, True)
    cut = damage(by_hand(CHECK_IN, block(1, good), block(1, good)[:-1]))
    assert (cut.record_number, cut.message) == (2, "the file ends inside a block")


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        (b"", "the file ends inside its header"),
        (b"PAR1" + bytes(100), "not an Avro object container file"),
        (b"Obj\x01", "ends inside a number"),
        (b"Obj\x01" + long_bytes(10**6) + bytes(100), "entries"),
        (b"Obj\x01" + long_bytes(1) + long_bytes(MAX_HEADER_BYTES + 1), "larger than"),
        (b"Obj\x01" + long_bytes(1) + long_bytes(-1), "larger than"),
        (b"Obj\x01" + b"\xff" * 11, "64 bits"),
        (b"Obj\x01\0" + MARKER, "no schema"),
        (by_hand(b"{", block(1, b"x")), "not JSON"),
        (by_hand(b"[" * 200_000, block(1, b"x")), "not JSON"),
        (by_hand(CHECK_IN, codec=b"snappy"), "compressed with snappy"),
        (by_hand({"type": "record", "name": "X"}), "no list of fields"),
        (by_hand({"type": "wish"}), "cannot be used"),
        (by_hand(["null", {"no": "type"}]), "no Avro type"),
    ],
)
def test_a_broken_header_is_damage_of_the_header(file: bytes, complaint: str) -> None:
    found = damage(file)
    assert found.record_number == 0
    assert complaint in found.message


def record(*types: Any) -> dict[str, Any]:
    return {"type": "record", "name": "X", "fields": [{"name": f"f{i}", "type": kind} for i, kind in enumerate(types)]}


DEEP: Any = "long"
for _ in range(200):
    DEEP = {"type": "array", "items": DEEP}


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        (record(), "takes no bytes"),
        (record("null"), "takes no bytes"),
        (record({"type": "array", "items": "null"}), "take no bytes"),
        (record({"type": "fixed", "name": "F", "size": 0}), "takes no bytes"),
        (record({"type": "array", "items": {"type": "record", "name": "Y", "fields": []}}), "takes no bytes"),
        (record(["null", "X"]), "holds itself"),
        (record({"type": "map", "values": "X"}), "holds itself"),
        (record(DEEP), "deeper"),
    ],
)
def test_a_schema_that_could_be_read_for_ever_is_refused(schema: Any, complaint: str) -> None:
    found = damage(by_hand(schema, block(2**40, b"\xfe" * 1_000)))
    assert (found.record_number, complaint in found.message) == (0, True)


@pytest.mark.parametrize(
    ("blocks", "complaint"),
    [
        (long_bytes(1) + long_bytes(MAX_BLOCK_BYTES + 1), "at most"),
        (long_bytes(1) + long_bytes(-5), "at most"),
        (long_bytes(1) + long_bytes(2**62), "at most"),
        (block(2**40, b"abc"), "says it holds"),
        (block(-1, b"abc"), "says it holds"),
        (block(1, b"abc")[:-16] + bytes(16), "sync marker"),
    ],
)
def test_a_block_that_lies_about_itself_is_refused(blocks: bytes, complaint: str) -> None:
    found = damage(by_hand(CHECK_IN, blocks))
    assert (found.record_number, complaint in found.message) == (1, True)


@pytest.mark.parametrize("codec", [b"deflate", b"bzip2", b"xz"])
def test_a_block_that_is_not_compressed_as_it_says_is_refused(codec: bytes) -> None:
    assert damage(by_hand(CHECK_IN, block(1, b"\xff" * 50), codec=codec)).record_number == 1


def test_a_file_of_numbers_holds_no_facts() -> None:
    assert "expected, not int" in damage(by_hand(["long", CHECK_IN], block(1, b"\0\x02"))).message
