"""What the door does with frames, and with schemas that publishers made themselves."""

import json
from typing import Any, Final

import pytest

from processors.intake.refusal import Refusal
from processors.intake.unknown_fields import UnknownFields
from processors.stream.message_door import MAX_WRITERS, NO_REGISTRY, MessageDoor, RegistryUnreachable
from schemas.avro.codecs import encode_record
from schemas.avro.contracts import PREVIOUS, load_schema, schema_json
from schemas.avro.single_object import MARKER, frame
from schemas.bounds import MAX_EVENT_BYTES
from tests.fakes.registry import FakeSchemas
from tests.support.encodings import (
    AVRO,
    ENCODINGS,
    FULL_PURCHASE,
    SAMPLES,
    as_given,
    confluent,
    door,
    fields_of_event,
    micros,
    nullable,
    self_described,
)
from tests.support.fact_samples import AT_MS, CHECK_IN, PURCHASE, REVIEW, admitted, json_of, refused


@pytest.mark.parametrize(("value", "says"), [(None, "tombstone"), (b"", "empty value")])
def test_a_message_without_a_value_is_refused(value: bytes | None, says: str) -> None:
    refusal = refused(door().admit(value, {}, "CheckedIn"))
    assert refusal.reason == "malformed"
    assert says in refusal.message


@pytest.mark.parametrize("start", [b"{", b"\0\0\0\0\1", MARKER])
def test_size_is_looked_at_first(start: bytes) -> None:
    schemas = FakeSchemas()
    refusal = refused(door(schemas).admit(start.ljust(MAX_EVENT_BYTES + 1, b" "), {}, "CheckedIn"))
    assert refusal.reason == "too_large"
    assert "1,000,001" in refusal.message
    assert schemas.asked == []


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: f"{event['type']}-{len(event)}")
def test_a_message_cut_off_anywhere_is_refused(event: dict[str, Any], encode: Any) -> None:
    schemas = FakeSchemas()
    value, headers = encode(as_given(event), schemas)
    one = door(schemas)
    for length in range(1, len(value)):
        # The first byte of a single-object message alone is no frame, and no JSON either.
        is_framed = value[:length].startswith((b"\0", MARKER))
        expected = "bad_frame" if is_framed else "malformed"
        assert refused(one.admit(value[:length], headers, event["type"])).reason == expected, length


@pytest.mark.parametrize("more", [b"\0", b"\x02", b" ", b"{}", bytes(100)])
@pytest.mark.parametrize("encode", AVRO.values(), ids=AVRO)
def test_bytes_after_the_record_are_refused(encode: Any, more: bytes) -> None:
    schemas = FakeSchemas()
    value, headers = encode(as_given(FULL_PURCHASE), schemas)
    refusal = refused(door(schemas).admit(value + more, headers, ""))
    assert refusal.reason == "bad_frame"
    assert "written by another schema" in refusal.message


def test_an_unknown_id_is_refused_and_asked_for_again() -> None:
    schemas = FakeSchemas()
    one = door(schemas)
    value = b"\0\0\0\0\1" + encode_record(admitted(door().admit(json_of(CHECK_IN), {}, "")))
    refusal = refused(one.admit(value, {}, "CheckedIn"))
    assert refusal.reason == "bad_frame"
    assert "schema id 1" in refusal.message
    assert "register" in refusal.message
    schemas.register(schema_json("CheckedIn"))
    admitted(one.admit(value, {}, "CheckedIn"))
    admitted(one.admit(value, {}, "CheckedIn"))
    assert schemas.asked == [1, 1]


def test_an_id_beyond_what_registries_give_is_not_asked_for() -> None:
    schemas = FakeSchemas()
    assert "4294967295" in refused(door(schemas).admit(b"\0\xff\xff\xff\xffbody", {}, "CheckedIn")).message
    assert schemas.asked == []


def test_a_registry_that_gives_no_answer_says_nothing_about_the_message() -> None:
    schemas = FakeSchemas()
    value, _ = confluent(load_schema("CheckedIn"), fields_of_event(CHECK_IN), schemas)
    schemas.is_reachable = False
    one = door(schemas)
    with pytest.raises(RegistryUnreachable):
        one.admit(value, {}, "CheckedIn")
    schemas.is_reachable = True
    admitted(one.admit(value, {}, "CheckedIn"))
    schemas.is_reachable = False
    admitted(one.admit(value, {}, "CheckedIn"))


def test_without_a_registry_a_confluent_frame_says_what_to_set() -> None:
    refusal = refused(MessageDoor(NO_REGISTRY).admit(b"\0\0\0\0\7body", {}, "CheckedIn"))
    assert refusal.reason == "bad_frame"
    assert "TALLYBOOK_REGISTRY" in refusal.message
    assert "stream.toml" in refusal.message
    assert "schema id 7" in refusal.message


def test_an_unknown_fingerprint_is_refused_by_name() -> None:
    refusal = refused(door().admit(MARKER + bytes(range(8)) + b"body", {}, "CheckedIn"))
    assert refusal.reason == "bad_frame"
    assert "0001020304050607" in refusal.message


def test_an_id_in_a_header_is_explained_where_the_body_cannot_be_read() -> None:
    headers = {"__value_schema_id": "\x01guid"}
    body = encode_record(admitted(door().admit(json_of(CHECK_IN), {}, "")))
    refusal = refused(door().admit(body, headers, "CheckedIn"))
    assert refusal.reason == "bad_frame"
    assert "header" in refusal.message
    admitted(door().admit(json_of(CHECK_IN), headers, "CheckedIn"))


def test_a_byte_order_mark_before_json_is_no_part_of_it() -> None:
    assert door().admit(b"\xef\xbb\xbf" + json_of(CHECK_IN), {}, "") == door().admit(json_of(CHECK_IN), {}, "")


def test_a_door_remembers_a_bounded_number_of_schemas() -> None:
    schemas = FakeSchemas()
    one = door(schemas)
    for number in range(MAX_WRITERS + 2):
        value, _ = confluent(load_schema("CheckedIn") | {"doc": str(number)}, fields_of_event(CHECK_IN), schemas)
        admitted(one.admit(value, {}, ""))
    assert 0 < len(one._writers) <= MAX_WRITERS


def test_what_a_fact_is_judged_by_judges_messages_in_every_encoding() -> None:
    for encode in ENCODINGS.values():
        schemas = FakeSchemas()
        value, headers = encode(as_given(CHECK_IN), schemas)
        one = MessageDoor(schemas, judge=lambda _fact: Refusal("too_old", "long ago"))
        assert refused(one.admit(value, headers, "")).reason == "too_old"


def test_fields_that_no_fact_has_are_counted() -> None:
    unknown = UnknownFields()
    schemas = FakeSchemas()
    value, _ = self_described(as_given(CHECK_IN) | {"chanel": "app"}, schemas)
    admitted(door(schemas, unknown).admit(value, {}, ""))
    assert [(one.field, one.nearest) for one in unknown.report()] == [("chanel", "channel")]


def test_micros_are_read_as_micros_though_the_canonical_form_is_ours() -> None:
    """Logical types are no part of a schema's canonical form."""
    schemas = FakeSchemas()
    value, headers = micros(as_given(CHECK_IN), schemas)
    assert admitted(door(schemas).admit(value, headers, "")).occurred_at == AT_MS


def test_nulls_are_not_given() -> None:
    schemas = FakeSchemas()
    value, headers = nullable(as_given(PURCHASE) | {"source": None}, schemas)
    refusal = refused(door(schemas).admit(value, headers, ""))
    assert (refusal.reason, refusal.field) == ("missing_field", "source")


def test_a_previous_contract_is_read() -> None:
    schemas = FakeSchemas()
    previous = load_schema("ReviewSubmitted", version=PREVIOUS)
    older = previous | {"fields": [field for field in previous["fields"] if field["name"] != "media_count"]}
    value, _ = confluent(older, fields_of_event(REVIEW), schemas)
    assert door(schemas).admit(value, {}, "") == admitted(door().admit(json_of(REVIEW), {}, ""))


ATTRIBUTES_TWICE: Final = b"\x06\x02a\x021\x02b\x022\x02a\x023\0"
ATTRIBUTES_IN_BLOCKS: Final = b"\x01\x08\x02a\x021\x02\x02a\x023\0"


@pytest.mark.parametrize("attributes", [ATTRIBUTES_TWICE, ATTRIBUTES_IN_BLOCKS])
def test_an_attribute_given_twice_is_refused_as_in_json(attributes: bytes) -> None:
    fact = admitted(door().admit(json_of(CHECK_IN), {}, ""))
    body = encode_record(fact)[:-1] + attributes
    schemas = FakeSchemas()
    respelled = load_schema("CheckedIn") | {"namespace": "shop"}
    foreign = b"\0" + schemas.register(respelled).to_bytes(4, "big") + body
    text = json_of(CHECK_IN)[:-1] + b', "attributes": {"a": "1", "a": "3"}}'
    for value in (frame("CheckedIn", body), foreign, text):
        assert refused(door(schemas).admit(value, {}, "")).reason == "malformed"


def test_a_map_in_blocks_is_read() -> None:
    fact = admitted(door().admit(json_of(CHECK_IN), {}, ""))
    body = encode_record(fact)[:-1] + ATTRIBUTES_IN_BLOCKS.replace(b"\x02\x02a\x023", b"\x02\x02b\x023")
    assert admitted(door().admit(frame("CheckedIn", body), {}, "")).attributes == {"a": "1", "b": "3"}


def test_a_list_in_place_of_attributes_is_no_map() -> None:
    schemas = FakeSchemas()
    listed = [{"attribute_key": "a", "attribute_value": "b"}]
    value, _ = self_described(as_given(CHECK_IN) | {"attributes": listed}, schemas)
    assert refused(door(schemas).admit(value, {}, "")).field == "attributes"


def test_an_empty_list_stands_for_no_attributes() -> None:
    schemas = FakeSchemas()
    value, _ = self_described(as_given(CHECK_IN) | {"attributes": []}, schemas)
    assert admitted(door(schemas).admit(value, {}, "")).attributes == {}


SELF_CONTAINING: Final = {
    "type": "record",
    "name": "CheckedIn",
    "fields": [{"name": "next", "type": ["null", "CheckedIn"]}],
}
UNUSABLE: Final[dict[str, Any]] = {
    "no JSON": "message CheckedIn { string source = 1; }",
    "nothing": "",
    "a JSON schema": {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {}},
    "a record that holds itself": SELF_CONTAINING,
    "a record without fields": {"type": "record", "name": "CheckedIn", "fields": []},
    "a reference": {"type": "record", "name": "CheckedIn", "fields": [{"name": "at", "type": "shop.At"}]},
    "nested too deep": json.loads('{"type": "array", "items": ' * 80 + '"long"' + "}" * 80),
    "nested far too deep": '{"type": "array", "items": ' * 9_000 + '"long"' + "}" * 9_000,
    "an array of nulls": {"type": "array", "items": "null"},
    "null": "null",
    "a number": "7",
}  # fmt: skip
NO_RECORDS: Final[dict[str, Any]] = {"text": '"string"', "a list": {"type": "array", "items": "long"}}


@pytest.mark.parametrize("schema", UNUSABLE.values(), ids=UNUSABLE)
def test_a_schema_that_cannot_be_read_by_is_refused_and_remembered(schema: Any) -> None:
    schemas = FakeSchemas()
    value = b"\0" + schemas.register(schema).to_bytes(4, "big") + b"\x02a"
    one = door(schemas)
    refusal = refused(one.admit(value, {}, "CheckedIn"))
    assert refusal.reason == "bad_frame"
    assert "no Avro schema that messages can be read by" in refusal.message
    assert refused(one.admit(value, {}, "CheckedIn")) == refusal
    assert len(schemas.asked) == 1


@pytest.mark.parametrize("schema", NO_RECORDS.values(), ids=NO_RECORDS)
def test_a_message_that_is_no_record_is_refused(schema: Any) -> None:
    schemas = FakeSchemas()
    value = b"\0" + schemas.register(schema).to_bytes(4, "big") + (b"\x02\x02\0" if schema != '"string"' else b"\x02a")
    refusal = refused(door(schemas).admit(value, {}, "CheckedIn"))
    assert refusal.reason == "bad_frame"
    assert "a record is expected" in refusal.message
