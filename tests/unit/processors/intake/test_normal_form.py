"""What machines write in ways of their own is taken where its meaning is exact, and is then the same everywhere."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processors.intake.door import admit, admit_json
from processors.intake.input_files import open_input
from processors.intake.normal_form import trimmed
from schemas.canonical import content_hash
from schemas.facts import FREE_TEXTS, PUBLISHED_TYPES, PurchaseLine, PurchaseRecorded
from scripts.event_files import FORMATS, avro_events, json_lines
from scripts.taken_docs import SAMPLES, outcome
from tests.support.fact_samples import AT, AT_MS, CHECK_IN, PURCHASE, admitted, json_of, plain, refused

LINE: dict[str, Any] = {"sku": "a", "amount_minor": 5000}


def purchase(**fields: Any) -> Any:
    """What the door makes of a purchase, given as JSON or decoded."""
    found = admitted(admit_json(json_of(PURCHASE, **fields)))
    assert found == admit(PURCHASE | fields)
    assert isinstance(found, PurchaseRecorded)
    return found


def test_null_for_an_optional_field_is_the_same_as_leaving_it_out() -> None:
    nulls = {"store_id": None, "tender": None, "referrer_id": None, "channel": None, "attributes": {"coupon": None}}
    line = LINE | {"brand": None, "quantity_milli": None, "unit_price_minor": None, "discount_minor": None}
    assert content_hash(purchase(lines=[line], **nulls)) == content_hash(purchase(lines=[LINE]))
    assert purchase(attributes=None) == purchase()


def test_null_where_a_value_is_needed_is_refused() -> None:
    assert (
        refused(admit_json(json_of(PURCHASE, lines=[LINE | {"amount_minor": None}]))).field == "lines[0].amount_minor"
    )
    assert refused(admit_json(json_of(PURCHASE, order_id=None))).reason == "wrong_type"
    assert refused(admit_json(json_of(PURCHASE, lines=None))).field == "lines"


@pytest.mark.parametrize("written", [5000.0, "5000", " 5000 ", "5000.0", "+5000"])
def test_a_whole_number_is_taken_however_it_is_written(written: object) -> None:
    assert purchase(lines=[LINE | {"amount_minor": written}]) == purchase(lines=[LINE])


@pytest.mark.parametrize(
    "written",
    [
        12.5,
        "12.5",
        "25.00",
        "-5.00",
        "25.000",
        " 25.00 ",
        "12,50",
        "1,250",
        "1.25E3",
        "0x10",
        "5000 EUR",
        True,
        "",
        [5000],
        1e300,
    ],
)
def test_what_is_no_whole_number_is_refused(written: object) -> None:
    refusal = refused(admit_json(json_of(PURCHASE, lines=[LINE | {"amount_minor": written}])))
    assert refusal.field == "lines[0].amount_minor"


@pytest.mark.parametrize(
    ("written", "text"),
    [(True, "true"), (False, "false"), (3, "3"), (-3, "-3"), (2.5, "2.5"), (5000.0, "5000"), (" a\r\nb\tc ", "a b c")],
)
def test_a_scalar_is_taken_as_the_value_of_an_attribute(written: object, text: str) -> None:
    assert purchase(attributes={"vip": written}) == purchase(attributes={"vip": text})


@pytest.mark.parametrize("written", [["a"], {"a": 1}, 1e300, 2.0**53])
def test_what_has_no_exact_text_is_refused_as_an_attribute(written: object) -> None:
    assert refused(admit_json(json_of(PURCHASE, attributes={"vip": written}))).field == "attributes.vip"


@pytest.mark.parametrize("written", ["4711  ", "\t4711", "\u30004711\u00a0", "4711\r\n", "\ufeff4711", 4711, 4711.0])
def test_a_padded_card_number_is_one_member(written: object) -> None:
    assert purchase(member_id=written) == purchase(member_id="4711")
    assert plain(admitted(admit_json(json_of(CHECK_IN, member_id=written))))["member_id"] == "4711"


@pytest.mark.parametrize("blank", ["", " ", "      ", "\t", "\u3000"])
def test_a_blank_member_is_a_guest_and_no_member_of_that_name(blank: str) -> None:
    guest = purchase(member_id=blank, referrer_id=blank, store_id=blank)
    assert (guest.member_id, guest.referrer_id, guest.store_id) == (None, None, "")
    for field in ("event_id", "order_id", "source"):
        assert refused(admit_json(json_of(PURCHASE, **{field: blank}))).field == field
    assert refused(admit_json(json_of(CHECK_IN, member_id=blank))).field == "member_id"


@pytest.mark.parametrize("field", ["event_id", "order_id", "member_id", "store_id", "referrer_id", "source"])
@pytest.mark.parametrize("written", ["47\n11", "47\r\n11", "47\t11", "47\x0011", "47\x7f11"])
def test_a_control_character_within_an_id_is_refused(field: str, written: str) -> None:
    refusal = refused(admit_json(json_of(PURCHASE, **{field: written})))
    assert (refusal.reason, refusal.field) == ("out_of_range", field)


@pytest.mark.parametrize(
    "written", ["4.98765E+15", "4,98765e+15", "4.98765E15", "4,98765E15", "1E+12", "-1.5e+20", 2.0**53, 1e20]
)
def test_a_rounded_number_is_refused_as_an_id_with_what_to_do(written: object) -> None:
    refusal = refused(admit_json(json_of(PURCHASE, member_id=written)))
    assert (refusal.reason, refusal.field) == ("wrong_type", "member_id")
    assert "digits" in refusal.message
    assert "Text" in refusal.message or "in quotes" in refusal.message


def test_all_blanks_around_a_text_are_taken_off_whatever_their_order() -> None:
    blanks = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
    around = "\u200b".join(blanks)
    assert trimmed(f"\u200b{around}a b{around}\ufeff") == "a b"
    assert trimmed(f"{around}\u2060") == ""
    assert trimmed("\u200b\u3000" * 500_000) == ""


@pytest.mark.parametrize("written", ["1E5", "7E10-B", "E+5", "v1.5", "1.5E", "A1.2E+3"])
def test_a_code_with_an_e_in_it_is_an_id(written: str) -> None:
    assert purchase(lines=[LINE | {"sku": written}]).lines[0].sku == written


def test_an_id_has_at_most_200_bytes_and_200_characters() -> None:
    for written in ("员" * 66, "é" * 100, "x" * 200, "😀" * 50):
        assert purchase(member_id=written).member_id == written
        assert purchase(lines=[LINE | {"sku": written}]).lines[0].sku == written
    for written in ("员" * 67, "é" * 101, "x" * 201, "😀" * 51):
        for fields in ({"member_id": written}, {"attributes": {written: "a"}}, {"store_id": written}):
            assert refused(admit_json(json_of(PURCHASE, **fields))).reason == "out_of_range"
    assert purchase(tender="员" * 200).tender == "员" * 200, "free text is bounded in characters"


def test_free_text_has_no_line_breaks() -> None:
    note = purchase(tender="no sugar\nextra hot", attributes={"note": "\x1b[2J"}, lines=[LINE | {"brand": "a\x7fb"}])
    assert (note.tender, note.attributes, note.lines[0].brand) == ("no sugar extra hot", {"note": "[2J"}, "a b")


def test_names_of_attributes_are_ids() -> None:
    assert purchase(attributes={" vip ": "a"}).attributes == {"vip": "a"}
    assert refused(admit_json(json_of(PURCHASE, attributes={"a\nb": "c"}))).reason == "out_of_range"
    assert refused(admit_json(json_of(PURCHASE, attributes={"a": "1", " a": "2"}))).reason == "malformed"


@pytest.mark.parametrize("written", [f" {AT}\n", str(AT_MS), float(AT_MS), AT_MS])
def test_an_instant_is_taken_however_a_machine_writes_it(written: object) -> None:
    assert purchase(occurred_at=written) == purchase()


@pytest.mark.parametrize("seconds", [1, 852_076_800, 1_794_395_471, 4_102_444_799])
def test_seconds_are_not_taken_for_milliseconds_of_1970(seconds: int) -> None:
    assert "looks like seconds" in refused(admit_json(json_of(PURCHASE, occurred_at=seconds))).message
    assert purchase(occurred_at=0).occurred_at == 0
    assert purchase(occurred_at="1970-01-02T00:00:00Z").occurred_at == 86_400_000


def test_days_since_1970_are_not_taken_for_seconds(tmp_path: Path) -> None:
    (read,) = avro_events([PURCHASE | {"occurred_at": 20_758}], tmp_path)
    assert read.refusal is not None
    assert read.refusal == refused(admit_json(json_of(PURCHASE, occurred_at=20_758)))
    assert "looks like days since 1970, 2026-11-01, as Avro's type date has them: write a time" in read.refusal.message
    assert "looks like seconds" in refused(admit_json(json_of(PURCHASE, occurred_at=100_000))).message


def test_values_of_tables_become_text() -> None:
    attributes = {
        "price": Decimal("12.50"),
        "day": date(2026, 11, 11),
        "id": UUID(int=1),
        "raw": b"abc",
        "no": float("nan"),
    }
    fact = admitted(admit(PURCHASE | {"attributes": attributes, "lines": [LINE | {"amount_minor": Decimal("5000.0")}]}))
    assert plain(fact)["attributes"] == {"price": "12.50", "day": "2026-11-11", "id": str(UUID(int=1)), "raw": "abc"}
    assert plain(fact)["lines"][0]["amount_minor"] == 5000


@pytest.mark.parametrize("written", ["25.00", '"25.00"', "-5.00", '"-5.00"', " 25.000"])
@pytest.mark.parametrize("name", ["amount_minor", "unit_price_minor", "discount_minor"])
def test_an_amount_with_decimals_is_not_taken_for_cents_in_json(written: str, name: str) -> None:
    text = json.dumps(PURCHASE | {"lines": [LINE | {name: "AMOUNT"}]}).replace('"AMOUNT"', written)
    refusal = refused(admit_json(text.encode()))
    assert (refusal.reason, refusal.field) == ("wrong_type", f"lines[0].{name}")
    assert written.strip(' "') in refusal.message
    assert "minor units" in refusal.message


@pytest.mark.parametrize("written", ["1250.00", '"1250.00"', "1250", '"1250.0"', "1250.0"])
def test_an_amount_in_a_currency_without_decimals_may_have_zeros_after_a_point(written: str) -> None:
    text = json.dumps(PURCHASE | {"currency": "jpy", "lines": [LINE | {"amount_minor": "AMOUNT"}]})
    fact = admitted(admit_json(text.replace('"AMOUNT"', written).encode()))
    assert plain(fact)["lines"][0]["amount_minor"] == 1250


def test_other_numbers_may_have_decimals_beside_an_amount_that_has_them() -> None:
    text = json.dumps(PURCHASE | {"currency": "JPY", "attributes": {"rate": "RATE"}, "lines": [LINE]})
    written = admit_json(text.replace("5000", "5000.00").replace('"RATE"', "2.50").encode())
    assert plain(admitted(written))["attributes"] == {"rate": "2.5"}


@pytest.mark.parametrize("written", [Decimal("25.00"), Decimal("-5.00"), Decimal("1250.00")])
def test_a_decimal_with_two_places_is_not_taken_for_cents_in_any_format(written: Decimal, tmp_path: Path) -> None:
    lines = [LINE | {"amount_minor": Decimal(100)}, LINE | {"amount_minor": written}]
    refusal = refused(admit(PURCHASE | {"lines": lines}))
    assert refusal.field == "lines[1].amount_minor"
    schema = pa.schema([
        *[(name, pa.string()) for name in PURCHASE if name != "lines"],
        ("lines", pa.list_(pa.struct([("sku", pa.string()), ("amount_minor", pa.decimal128(12, 2))]))),
    ])  # fmt: skip
    pq.write_table(pa.Table.from_pylist([PURCHASE | {"lines": lines}], schema), tmp_path / "events.parquet")
    (read,) = open_input(tmp_path / "events.parquet").records()
    assert read.refusal is not None
    assert read.refusal.field == "lines[0].amount_minor"


def test_every_text_of_a_fact_is_an_id_or_free() -> None:
    names = {name for kind in (*PUBLISHED_TYPES, PurchaseLine) for name in kind.__struct_fields__}
    assert names >= FREE_TEXTS
    assert not {name for name in FREE_TEXTS if name.endswith("_id")}


def test_the_three_orders_of_a_web_shop_are_taken_alike_as_json_and_avro(tmp_path: Path) -> None:
    orders = [
        PURCHASE
        | {"event_id": "n1", "store_id": None, "attributes": {"coupon": None}, "lines": [LINE | {"brand": None}]},
        PURCHASE | {"event_id": "n2", "attributes": {"vip": True, "visits": 3}, "lines": [LINE]},
        PURCHASE | {"event_id": "n3", "lines": [LINE | {"amount_minor": 5000.0}]},
    ]
    for read in (json_lines, avro_events):
        facts: list[Any] = [one.fact for one in read(orders, tmp_path)]
        assert [fact.lines[0].amount_minor for fact in facts] == [5000, 5000, 5000]
        assert [fact.attributes for fact in facts] == [{}, {"vip": "true", "visits": "3"}, {}]


def test_the_quick_way_and_the_slow_way_say_the_same() -> None:
    compact = json.dumps(PURCHASE, separators=(",", ":"))
    for raw in (compact, compact.replace("pos", "\\u0070os"), compact.replace('"pos"', '" pos "')):
        assert admit_json(raw.encode()) == admit(PURCHASE)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.words)
def test_formats_agree_on_what_is_taken(sample: Any, tmp_path: Path) -> None:
    if sample.path == "occurred_at":  # a mapping says whose local time is meant, and cells hold no numbers
        return
    found = {outcome(sample, name, tmp_path).split(":")[0] for name in sample.formats if name in FORMATS}
    assert len(found) == 1, found
