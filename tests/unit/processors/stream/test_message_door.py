"""However a message is encoded, it gets what its JSON would get."""

import json
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from books.kafka.records import header_text
from processors.intake.door import MAX_QUICK_BYTES, admit
from processors.intake.refusal import Refusal
from schemas.avro.codecs import encode_record
from schemas.avro.contracts import BOOK_SCHEMAS, FACT_SCHEMAS, load_schema, schema_json
from schemas.avro.single_object import frame
from schemas.bounds import MAX_AMOUNT_MINOR, MAX_EVENT_BYTES, MAX_LINES, MAX_QUANTITY_MILLI
from schemas.facts import (
    PUBLISHED_TYPES,
    ClockTicked,
    JournalFact,
    JournalOpened,
    PublishedFact,
    PurchaseLine,
    PurchaseRecorded,
    RefereePurchased,
    RulesetPublished,
)
from tests.fakes.registry import FakeSchemas
from tests.support.encodings import (
    AVRO,
    ENCODINGS,
    SAMPLES,
    CannotCarry,
    as_given,
    confluent,
    door,
    fields_of_event,
    self_described,
    told,
)
from tests.support.fact_samples import AT_MS, CHECK_IN, EVENTS, PURCHASE, REFERRAL, admitted, json_of, refused
from tests.support.struct_values import STRUCTS, values

# Of one kind each, at and around what the contract bounds and the patterns forbid.
TEXTS: Final = (
    "", "a", "pos.1:b_c-d", "a/b", "tallybook", "x" * 64, "x" * 65, "x" * 200, "x" * 201, "y" * 501, "çelik", "日本",
    "🎈", "\\", '"', "a\nb", "\x00", "\x1f", "\x7f", "\x80", "\x9f", "\xa0", "\xad", "\u200b", "\u2028", "\ufeff", " ",
    "EUR", "XXX",
)  # fmt: skip
NUMBERS: Final = (
    -1, 0, 1, 10, 11, 999, 1_000, 1_001, MAX_AMOUNT_MINOR, MAX_AMOUNT_MINOR + 1, MAX_QUANTITY_MILLI,
    MAX_QUANTITY_MILLI + 1, 10**7 + 1, -(2**63), 2**63 - 1,
)  # fmt: skip
INSTANTS: Final = (AT_MS, 0, -1, 946_684_799_999, 946_684_800_000, 1_794_395_471, AT_MS * 1_000, 253_402_300_800_000)


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: f"{event['type']}-{len(event)}")
def test_every_kind_is_the_same_fact_in_every_encoding(event: dict[str, Any], encode: Any) -> None:
    schemas = FakeSchemas()
    value, headers = encode(as_given(event), schemas)
    expected = admitted(door().admit(json_of(event), {}, ""))
    assert told(door(schemas).admit(value, headers, "")) == told(expected)
    assert told(door(schemas).admit(value, headers, event["type"])) == told(expected)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Events of the right types, most fields good and a few at or beyond their bounds."""
    kind = draw(st.sampled_from(SAMPLES))
    event: dict[str, Any] = json.loads(json.dumps(as_given(kind)))
    for _ in range(draw(st.integers(0, 2))):
        holder = draw(st.sampled_from([event, *event.get("lines", [])]))
        name = draw(st.sampled_from(sorted(set(fields_of(holder, event)) - {"type", "lines"})))
        if name == "occurred_at":
            holder[name] = draw(st.sampled_from(INSTANTS))
        elif name == "attributes":
            texts = st.sampled_from(TEXTS)
            holder[name] = draw(st.dictionaries(texts, texts, max_size=3) | st.just({f"a{n}": "" for n in range(33)}))
        elif name.endswith(("_minor", "_milli", "_count", "_length", "rating")):
            holder[name] = draw(st.sampled_from(NUMBERS))
        else:
            holder[name] = draw(st.sampled_from(TEXTS))
    return event


def fields_of(holder: dict[str, Any], event: dict[str, Any]) -> tuple[str, ...]:
    kind = STRUCTS[event["type"]] if holder is event else STRUCTS["PurchaseLine"]
    return kind.__struct_fields__


@given(documents())
def test_a_document_gets_the_same_in_every_encoding(event: dict[str, Any]) -> None:
    expected = told(door().admit(json.dumps(event).encode(), {}, ""))
    assert told(door().admit(json.dumps(event, ensure_ascii=False).encode(), {}, event["type"])) == expected
    for name, encode in ENCODINGS.items():
        schemas = FakeSchemas()
        try:
            value, headers = encode(event, schemas)
        except CannotCarry:
            continue
        assert told(door(schemas).admit(value, headers, event["type"])) == expected, name


@pytest.mark.parametrize("kind", PUBLISHED_TYPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_whatever_a_contract_can_hold_gets_what_its_json_gets(kind: type[PublishedFact], data: st.DataObject) -> None:
    fact = data.draw(values(kind))
    expected = door().admit(msgspec.json.encode(fact), {}, "")
    found = door().admit(frame(kind.__name__, encode_record(fact)), {}, "")
    if isinstance(expected, Refusal) and isinstance(found, Refusal):
        assert (found.reason, found.field, found.message) == (expected.reason, expected.field, expected.message)
    else:
        assert found == expected == admit(msgspec.to_builtins(fact))


def lines_of(count: int, sku: str = "x") -> list[dict[str, Any]]:
    return [{"sku": sku, "amount_minor": 1}] * count


@pytest.mark.parametrize(
    "change",
    [
        {"lines": lines_of(MAX_LINES)},
        {"lines": lines_of(MAX_LINES + 1)},
        {"lines": lines_of(MAX_LINES, "s" * 200)},
        {"lines": [{"sku": "a", "amount_minor": MAX_AMOUNT_MINOR}, {"sku": "b", "amount_minor": 1}]},
        {"lines": [{"sku": "a", "amount_minor": 0, "quantity_milli": MAX_QUANTITY_MILLI}] * 2},
        {"lines": []},
        {"attributes": {f"name-{n}": "v" * 500 for n in range(32)}},
    ],
    ids=["1000-lines", "1001-lines", "beyond-the-quick-way", "sum", "quantities", "no-lines", "attributes"],
)
def test_what_no_field_alone_can_show_is_the_same_in_every_encoding(change: dict[str, Any]) -> None:
    event = as_given(PURCHASE) | change
    expected = told(door().admit(json.dumps(event).encode(), {}, ""))
    for name, encode in ENCODINGS.items():
        schemas = FakeSchemas()
        value, headers = encode(event, schemas)
        assert told(door(schemas).admit(value, headers, "")) == expected, name


def test_the_quick_ways_bound_keeps_every_fact_within_the_size_of_an_event() -> None:
    """The shortest lines in Avro are those that grow most in JSON."""
    line = PurchaseLine("x", 0, 0)
    count = 200
    fact = PurchaseRecorded("p", "e", AT_MS, "o", "EUR", (line,) * count)
    written = msgspec.json.encode(msgspec.structs.asdict(line)) * count
    assert len(written) / len(encode_record(fact)) * MAX_QUICK_BYTES < MAX_EVENT_BYTES


def test_a_referral_of_oneself_and_a_wrong_currency_are_refused_in_avro() -> None:
    for event, reason in (
        (REFERRAL | {"referee_id": "m-1"}, "self_referral"),
        (PURCHASE | {"currency": "XXQ"}, "unknown_currency"),
    ):
        for name, encode in AVRO.items():
            schemas = FakeSchemas()
            value, headers = encode(as_given(event), schemas)
            refusal = refused(door(schemas).admit(value, headers, ""))
            assert refusal.reason == reason, name
            assert (refusal.source, refusal.event_id, refusal.fact_type) == (
                event["source"],
                event["event_id"],
                event["type"],
            )


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["type"])
def test_an_event_that_says_no_kind_has_that_of_its_topic(event: dict[str, Any]) -> None:
    typeless = {name: value for name, value in event.items() if name != "type"}
    expected = admitted(door().admit(json_of(event), {}, ""))
    assert door().admit(json_of(typeless), {}, event["type"]) == expected
    assert door().admit(json_of(typeless, note="unknown"), {}, event["type"]) == expected
    assert refused(door().admit(json_of(typeless), {}, "")).field == "type"
    assert refused(door().admit(json_of(typeless, type=None), {}, event["type"])).reason == "missing_field"


def test_what_an_event_says_of_its_kind_goes_before_its_topic() -> None:
    assert type(door().admit(json_of(CHECK_IN), {}, "PurchaseRecorded")).__name__ == "CheckedIn"
    assert refused(door().admit(json_of(CHECK_IN, type="CheckedOut"), {}, "CheckedIn")).reason == "unknown_type"


def test_a_record_of_a_name_that_is_no_kind_is_refused_unless_it_has_a_type() -> None:
    """A return has the fields of a purchase; taken for one by its topic, it would be paid."""
    event = fields_of_event(PURCHASE)
    returned = load_schema("PurchaseRecorded") | {"name": "PurchaseReturned", "namespace": "shop"}
    schemas = FakeSchemas()
    value, _ = confluent(returned, event, schemas)
    refusal = refused(door(schemas).admit(value, {}, "PurchaseRecorded"))
    assert (refusal.reason, refusal.field) == ("unknown_type", "type")
    typed = returned | {"fields": [*returned["fields"], {"name": "type", "type": "string"}]}
    value, _ = confluent(typed, as_given(PURCHASE), schemas)
    assert type(admitted(door(schemas).admit(value, {}, ""))).__name__ == "PurchaseRecorded"


BOOK_FACTS: Final[tuple[JournalFact, ...]] = (
    RefereePurchased("tallybook", "e", AT_MS, "m", "m", "n", 1, 1, 5, "EUR", AT_MS, "pos", "e"),
    JournalOpened("shop", 1, 8, 0, 1, 1),
    ClockTicked(AT_MS),
    RulesetPublished("v1", "", AT_MS, 1, "", "UTC", b""),
)


@pytest.mark.parametrize("fact", BOOK_FACTS, ids=lambda fact: type(fact).__name__)
def test_what_only_tallybook_writes_is_refused_in_avro(fact: JournalFact) -> None:
    name = type(fact).__name__
    schemas = FakeSchemas()
    framed = b"\0" + schemas.register(schema_json(name)).to_bytes(4, "big") + encode_record(fact)
    for value in (frame(name, encode_record(fact)), framed):
        assert refused(door(schemas).admit(value, {}, "CheckedIn")).reason == "unknown_type"
    assert {type(one).__name__ for one in BOOK_FACTS} == set(FACT_SCHEMAS) - {kind.__name__ for kind in PUBLISHED_TYPES}


@pytest.mark.parametrize("name", BOOK_SCHEMAS)
def test_a_record_of_the_books_is_refused(name: str) -> None:
    assert refused(door().admit(frame(name, b""), {}, "CheckedIn")).reason == "unknown_type"


def test_attributes_in_headers_stand_for_what_the_event_leaves_out() -> None:
    bare = {
        name: value for name, value in CHECK_IN.items() if name not in {"type", "source", "event_id", "occurred_at"}
    }
    headers = {
        "ce_specversion": "1.0",
        "ce_id": "e-2",
        "ce_source": "app",
        "ce_type": "shop.CheckedIn",
        "ce_time": CHECK_IN["occurred_at"],
    }
    expected = admitted(door().admit(json_of(CHECK_IN), {}, ""))
    assert door().admit(json.dumps(bare).encode(), headers, "PurchaseRecorded") == expected
    assert door().admit(json_of(CHECK_IN), headers | {"ce_id": "other", "ce_type": "x.ReviewSubmitted"}, "") == expected
    typeless = {name: value for name, value in headers.items() if name != "ce_type"}
    assert door().admit(json.dumps(bare).encode(), typeless, "CheckedIn") == expected
    assert refused(door().admit(json.dumps(bare).encode(), {}, "CheckedIn")).reason == "missing_field"
    schemas = FakeSchemas()
    value, _ = self_described(bare | {"type": "CheckedIn"}, schemas)
    assert door(schemas).admit(value, headers, "") == expected


def test_an_attribute_in_a_header_is_text() -> None:
    bare = {name: value for name, value in CHECK_IN.items() if name != "event_id"}
    headers = {"ce_specversion": "1.0", "ce_id": header_text(b"e-2\xff"), "other": header_text(b"\xff")}
    refusal = refused(door().admit(json.dumps(bare).encode(), headers, "CheckedIn"))
    assert (refusal.reason, "header ce_id is no UTF-8" in refusal.message) == ("malformed", True)
    named = headers | {"ce_id": header_text(b"base64:e-2")}
    assert admitted(door().admit(json.dumps(bare).encode(), named, "CheckedIn")).event_id == "base64:e-2"
