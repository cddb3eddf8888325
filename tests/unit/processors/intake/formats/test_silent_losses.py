"""What tills and programs write that could cost points, or pay them to the wrong people, without anybody noticing."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processors.intake.door import admit_json
from processors.intake.input_files import open_input
from processors.intake.input_records import Read
from schemas.facts import PurchaseRecorded
from tests.support.fact_samples import CHECK_IN, HEADER, ORDERS, PURCHASE, facts, json_of, mapping, read_file, refused

TIME: Final = "2026-11-02 10:00:00"


def told(read: Read) -> str:
    assert read.refusal is not None
    return read.refusal.message


def purchases(reads: list[Read]) -> list[PurchaseRecorded]:
    return [read.fact for read in reads if isinstance(read.fact, PurchaseRecorded)]


def amounts_by_member(reads: list[Read]) -> dict[str | None, list[int]]:
    """What each member paid, line by line, of the orders that were taken."""
    return {purchase.member_id: [line.amount_minor for line in purchase.lines] for purchase in purchases(reads)}


NOTED: Final = HEADER.replace("\n", ",note\n")


@pytest.mark.parametrize(
    ("header", "rows", "settings"),
    [
        pytest.param(
            NOTED,
            [f'1,anna,{TIME},a,5.00,"extra hot', f"2,bert,{TIME},b,600.00,", f'3,carl,{TIME},c,7.00,19" rack, 2"'],
            {},
            id="a quote at the beginning of a note, and an inch sign two rows on",
        ),
        pytest.param(
            NOTED.replace(",", "\t"),
            [
                f'1\tanna\t{TIME}\ta\t5.00\t"extra hot',
                f"2\tbert\t{TIME}\tb\t600.00\t",
                f'3\tcarl\t{TIME}\tc\t7.00\track of 19"',
            ],
            {"delimiter": "tab"},
            id="a database's text, which knows no quotes",
        ),
        pytest.param(
            "order,category,member,time,sku,paid\n",
            [f'1,"x,anna,{TIME},a,5.00', f"2,y,bert,{TIME},b,600.00", f'3,z",carl,{TIME},c,7.00'],
            {"lines": {"sku": "sku", "category": "category", "amount_minor": "paid"}},
            id="a quote before the time",
        ),
        pytest.param(
            NOTED,
            [f'1,anna,{TIME},a,5.00,"extra hot', "2,,,b,600.00,", f'3,carl,{TIME},c,7.00,19"'],
            {"fill": True},
            id="a row that has no time of its own",
        ),
    ],
)
def test_a_quote_that_is_part_of_a_text_swallows_no_orders(
    tmp_path: Path, header: str, rows: list[str], settings: dict[str, Any]
) -> None:
    reads = read_file(tmp_path / "till.csv", header + "\n".join(rows) + "\n", mapping(**settings))
    first, *others = reads
    assert "a quote opens in line 2 and is still open in line 3, which is a row of its own" in told(first)
    assert b"600.00" not in first.raw
    assert [read.record for read in others] == [2, 3]


def test_a_note_of_several_lines_is_still_one_cell(tmp_path: Path) -> None:
    content = NOTED + f'1,anna,{TIME},a,5.00,"no sugar, please\nextra hot, 2, 3\n2026-11-02"\n2,bert,{TIME},b,6.00,\n'
    reads = read_file(tmp_path / "till.csv", content, mapping(attributes={"note": "note"}))
    first, second = facts(reads)
    assert first.attributes == {"note": "no sugar, please extra hot, 2, 3 2026-11-02"}
    assert second.event_id == "2"


@pytest.mark.parametrize("paid", ["25.00", "$25.00", "1250.00 USD", "25.0000"])
def test_money_is_not_taken_for_cents_where_the_mapping_has_no_scale(tmp_path: Path, paid: str) -> None:
    settings: dict[str, Any] = {"scale": None, "constants": {"currency": "USD"}}
    content = HEADER + f"1,anna,{TIME},a,{paid}\n"
    (read,) = read_file(tmp_path / "till.csv", content, mapping(**settings))
    assert told(read) == (
        f"amount_minor is '{paid}' in column 'paid': it has decimals, and the mapping does not say how it is scaled: "
        "write scale: {amount_minor: currency}, or {amount_minor: 1} if it is in minor units (cents) all the same"
    )


@pytest.mark.parametrize("scale", [None, 1, "currency"])
def test_yen_with_decimals_are_not_told_to_be_scaled(tmp_path: Path, scale: object) -> None:
    settings: dict[str, Any] = {"scale": scale and {"amount_minor": scale}, "constants": {"currency": "JPY"}}
    (read,) = read_file(tmp_path / "till.csv", HEADER + f"1,anna,{TIME},a,5000.50\n", mapping(**settings))
    assert told(read) == (
        "amount_minor is '5000.50' in column 'paid': JPY has no decimals: mend the amount or the currency, or name a "
        "rounding in the mapping, such as rounding: {amount_minor: half_up}"
    )


@pytest.mark.parametrize(
    ("paid", "currency", "scale", "minor"),
    [
        ("2500", "USD", None, 2500),
        ("2500.0", "USD", None, 2500),
        ("2500.00", "USD", 1, 2500),
        ("25.00", "JPY", None, 25),
    ],
)
def test_whole_cents_and_yen_are_taken_without_a_scale(
    tmp_path: Path, paid: str, currency: str, scale: int | None, minor: int
) -> None:
    settings: dict[str, Any] = {
        "scale": {"amount_minor": scale} if scale else None,
        "constants": {"currency": currency},
    }
    reads = read_file(tmp_path / "till.csv", HEADER + f"1,anna,{TIME},a,{paid}\n", mapping(**settings))
    assert amounts_by_member(reads) == {"anna": [minor]}


WEIGHED: Final = "order,member,time,sku,kilos,price\n"
PRICED: Final[dict[str, Any]] = {"lines": {"sku": "sku", "amount_minor": {"times": ["kilos", "price"]}}}


def test_a_weight_is_not_taken_for_a_thousand_times_as_much(tmp_path: Path) -> None:
    content = WEIGHED + f'1,anna,{TIME},a,"1,250",4.00\n'
    (read,) = read_file(tmp_path / "scales.csv", content, mapping(**PRICED))
    assert told(read) == (
        "amount_minor is '1,250' in column 'kilos': it may have decimals or thousands: say which, "
        'decimal: "." or decimal: ","'
    )


def test_a_number_that_is_rounded_may_have_three_decimals(tmp_path: Path) -> None:
    content = HEADER + f'1,anna,{TIME},a,"1,234"\n'
    (read,) = read_file(tmp_path / "fuel.csv", content, mapping(rounding={"amount_minor": "half_up"}))
    assert "it may have decimals or thousands" in told(read)
    reads = read_file(tmp_path / "till.csv", content, mapping())
    assert amounts_by_member(reads) == {"anna": [123_400]}


DISCOUNTED: Final[dict[str, Any]] = {
    "lines": {"sku": "sku", "amount_minor": {"of": "gross", "minus": ["discount"]}},
}


def test_a_discount_written_with_a_minus_is_not_added(tmp_path: Path) -> None:
    content = f"order,member,time,sku,gross,discount\n1,anna,{TIME},a,20.00,-5.00\n"
    (read,) = read_file(tmp_path / "till.csv", content, mapping(**DISCOUNTED))
    assert told(read) == (
        "amount_minor: column 'discount' is '-5.00', which is below 0 already: name the column in plus:, not in minus:"
    )


def test_a_line_given_back_within_an_order_may_have_all_its_amounts_below_0(tmp_path: Path) -> None:
    content = f"order,member,time,sku,gross,discount\n1,anna,{TIME},a,80.00,0\n1,anna,{TIME},b,-20.00,-5.00\n"
    reads = read_file(tmp_path / "till.csv", content, mapping(**DISCOUNTED))
    assert amounts_by_member(reads) == {"anna": [8_000, -1_500]}


@pytest.mark.parametrize(
    ("column", "said"),
    [("member", "4711"), ("order", "7001"), ("sku", "42")],
)
def test_an_id_is_the_same_with_the_point_that_a_program_gave_it(tmp_path: Path, column: str, said: str) -> None:
    """A program that keeps whole numbers beside blank cells writes 4711 as 4711.0, and does so in some files only."""
    cells = {"order": "1", "member": "anna", "time": TIME, "sku": "a", "paid": "5.00"}
    with_a_point, without = (HEADER + ",".join((cells | {column: one}).values()) + "\n" for one in (f"{said}.0", said))
    first = facts(read_file(tmp_path / "a.csv", with_a_point, mapping()))
    assert first == facts(read_file(tmp_path / "b.csv", without, mapping()))


def test_rows_of_one_order_come_together_whether_its_number_has_a_point_or_not(tmp_path: Path) -> None:
    content = HEADER + f"7001.0,anna,{TIME},a,5.00\n7002,bert,{TIME},b,6.00\n7001,anna,{TIME},c,7.00\n"
    reads = read_file(tmp_path / "till.csv", content, mapping())
    assert amounts_by_member(reads) == {"anna": [500, 700], "bert": [600]}


def test_an_id_with_a_point_that_may_stand_for_two_is_refused(tmp_path: Path) -> None:
    (read,) = read_file(tmp_path / "till.csv", HEADER + f"1,9007199254740993.0,{TIME},a,5.00\n", mapping())
    assert "cannot tell neighbouring numbers of this size apart" in told(read)


@pytest.mark.parametrize("column", ["member", "order"])
@pytest.mark.parametrize("number", ["4987650000000000", "4012340000000", "5000000000000000"])
def test_a_shortened_number_that_was_formatted_as_a_number_again_is_refused(
    tmp_path: Path, column: str, number: str
) -> None:
    cells = {"order": "1", "member": "anna", "time": TIME, "sku": "a", "paid": "5.00"} | {column: number}
    (read,) = read_file(tmp_path / "till.csv", HEADER + ",".join(cells.values()) + "\n", mapping())
    assert "a spreadsheet shortened it, and other ids may look the same" in told(read)


@pytest.mark.parametrize("number", ["4987654300000000", "500000000000", "20261101000000", "4012345678900"])
def test_a_long_number_may_end_in_zeros(tmp_path: Path, number: str) -> None:
    reads = read_file(tmp_path / "till.csv", HEADER + f"1,{number},{TIME},5000000000000000,5.00\n", mapping())
    assert amounts_by_member(reads) == {number: [500]}


@pytest.mark.parametrize("end", ["\x1a", "\n\x1a", "\r\n\x1a\x1a", "\r\n\x1a\r\n"])
def test_the_mark_at_the_end_of_a_text_of_dos_is_no_row(tmp_path: Path, end: str) -> None:
    reads = read_file(tmp_path / "till.csv", HEADER + f"1,anna,{TIME},a,5.00\n2,bert,{TIME},b,6.00{end}", mapping())
    assert amounts_by_member(reads) == {"anna": [500], "bert": [600]}


NOBODY: Final = [
    "0",
    "-1",
    "NULL",
    "none",
    "NA",
    "undefined",
    "Guest",
    "Walk-in Customer",
    "Unknown",
    "Consumidor Final",
]


@pytest.mark.parametrize("word", NOBODY)
def test_buyers_who_are_not_known_are_not_pooled_into_one_member(tmp_path: Path, word: str) -> None:
    content = HEADER + f"1,{word},{TIME},a,5.00\n2,{word.upper()},{TIME},b,0\n"
    for read in read_file(tmp_path / "till.csv", content, mapping()):
        assert "say so in the mapping: null_values: [" in told(read)
    reads = read_file(tmp_path / "till.csv", content, mapping(null_values=[word, word.upper()]))
    assert [fact.member_id for fact in purchases(reads)] == [None, None]
    assert [fact.lines[0].amount_minor for fact in purchases(reads)] == [500, 0]


MASKED: Final = (
    "138****1234",
    "138\uff0a\uff0a\uff0a\uff0a1234",
    "a***@mail.com",
    "138xxxx1234",
    "t**8",
    "1390000XXXX",
)


@pytest.mark.parametrize("masked", MASKED)
def test_a_member_of_whom_characters_are_hidden_is_refused(tmp_path: Path, masked: str) -> None:
    content = HEADER + f"1,{masked},{TIME},a,5.00\n2,anna,{TIME},a,5.00\n{masked},anna,{TIME},a,5.00\n"
    reads = read_file(tmp_path / "till.csv", content, mapping())
    assert "many people would share one account" in told(reads[0])
    assert f"null_values: ['{masked}']" in told(reads[0])
    assert [read.fact is not None for read in reads] == [False, True, True]
    (guest, *_) = read_file(tmp_path / "till.csv", content, mapping(null_values=[masked]))
    assert isinstance(guest.fact, PurchaseRecorded)
    assert guest.fact.member_id is None


@pytest.mark.parametrize(
    "word",
    [
        "guest",
        "Unknown",
        "0",
        "NA",
        "Guest Checkout",
        "CASH",
        "TEST",
        "noemail",
        "\u672a\u767b\u8bb0",
        "00000",
        "88888888",
    ],
)
def test_a_word_for_nobody_may_name_a_product_or_a_store(tmp_path: Path, word: str) -> None:
    content = HEADER + f"1,anna,{TIME},{word},5.00\n"
    fields = mapping().fields | {"store_id": "sku"}
    (fact,) = facts(read_file(tmp_path / "till.csv", content, mapping(fields=fields)))
    assert isinstance(fact, PurchaseRecorded)
    assert (fact.store_id, fact.lines[0].sku) == (word, word)


@pytest.mark.parametrize(
    ("member", "hint"),
    [
        ("#####", "widen the column"),
        ("#BEZUG!", "mend the formula"),
        ("#¿NOMBRE?", "mend the formula"),
        ("Err:502", "mend the formula"),
        ("#\u0417\u041d\u0410\u0427!", "mend the formula"),
        ("#\u041d/\u0414", "mend the formula"),
        ("#DEĞER!", "mend the formula"),
        ("#VALEUR !", "mend the formula"),
        ("#VALEUR\u202f!", "mend the formula"),
        ("Loading\u2026", "mend the formula"),
        ("#GETTING_DATA", "mend the formula"),
        ("#REF", "mend the formula"),
        ("Error 2042", "mend the formula"),
        ("Loading...", "mend the formula"),
        ("1.#QNAN", "mend the formula"),
        ("M\ufffdller", "export it again as UTF-8"),
        ("???", "export it again as UTF-8"),
    ],
)
def test_ids_that_a_spreadsheet_or_a_conversion_has_spoilt_are_refused(tmp_path: Path, member: str, hint: str) -> None:
    (read,) = read_file(tmp_path / "till.csv", HEADER + f"1,{member},{TIME},a,5.00\n", mapping())
    assert hint in told(read)


@pytest.mark.parametrize("member", ["undefined", "null", "None", "NaN", "[object Object]", "Guest"])
@pytest.mark.parametrize("field", ["member_id", "referrer_id"])
def test_a_program_that_writes_its_word_for_nothing_as_json_pools_nobody(field: str, member: str) -> None:
    refusal = refused(admit_json(json_of(PURCHASE, **{field: member})))
    assert (refusal.reason, refusal.field) == ("wrong_type", field)
    assert "give null, or leave the field out" in refusal.message


@pytest.mark.parametrize("number", [0, 0.0, Decimal("0.00")])
def test_numbers_in_parquet_may_stand_for_nobody_too(tmp_path: Path, number: object) -> None:
    path = tmp_path / "shop.parquet"
    columns = {"order": ["1"], "member": [number], "time": [TIME], "sku": ["a"], "paid": [0]}
    pq.write_table(pa.table(columns), path)
    (read,) = open_input(path, mapping=mapping()).records()
    assert "null_values: ['0']" in told(read)
    assert amounts_by_member(list(open_input(path, mapping=mapping(null_values=["0"])).records())) == {None: [0]}


def test_a_column_that_says_yes_or_no_names_no_member(tmp_path: Path) -> None:
    path = tmp_path / "shop.parquet"
    pq.write_table(pa.table({"order": ["1"], "member": [True], "time": [TIME], "sku": ["a"], "paid": [5]}), path)
    (read,) = open_input(path, mapping=mapping()).records()
    assert told(read) == "member_id is true in column 'member': that says yes or no, not which: name another column"


PAID_IN: Final[dict[str, Any]] = {
    "fields": {**ORDERS["fields"], "currency": "cur"},
    "constants": {},
    "scale": {"amount_minor": "currency"},
}


def test_a_currency_in_small_letters_has_the_decimals_of_its_own(tmp_path: Path) -> None:
    """As payment services write them."""
    content = HEADER.replace("paid", "paid,cur") + f"1,anna,{TIME},a,25.00,usd\n2,bert,{TIME},a,2500,jpy\n"
    reads = read_file(tmp_path / "payments.csv", content, mapping(**PAID_IN))
    assert [fact.currency for fact in purchases(reads)] == ["USD", "JPY"]
    assert amounts_by_member(reads) == {"anna": [2_500], "bert": [2_500]}


def test_a_constant_currency_in_small_letters_has_them_too(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"constants": {"currency": "usd"}, "scale": {"amount_minor": "currency"}}
    reads = read_file(tmp_path / "till.csv", HEADER + f"1,anna,{TIME},a,$25.00\n", mapping(**settings))
    assert amounts_by_member(reads) == {"anna": [2_500]}
    assert [fact.currency for fact in purchases(reads)] == ["USD"]


def test_json_with_a_currency_in_small_letters_and_an_empty_list_of_attributes_is_the_same_event() -> None:
    assert admit_json(json_of(PURCHASE, currency="eur", attributes=[])) == admit_json(json_of(PURCHASE))


@pytest.mark.parametrize("year", [2026, 1997])
def test_timestamps_of_spark_are_instants_in_utc_whatever_the_zone_of_the_mapping(tmp_path: Path, year: int) -> None:
    """Spark writes them as INT96 by default, in UTC; Arrow gives these without a zone."""
    at = datetime(year, 11, 11, 3, 30)  # noqa: DTZ001 - as Spark's type holds it
    rows = {"order": ["1"], "member": ["anna"], "time": [at], "sku": ["a"], "paid": ["5.00"]}
    pq.write_table(pa.table(rows), tmp_path / "spark.parquet", use_deprecated_int96_timestamps=True)
    for changes in ({}, {"timezone": "America/New_York"}):
        (read,) = open_input(tmp_path / "spark.parquet", mapping=mapping(**changes)).records()
        assert read.fact is not None
        assert read.fact.occurred_at == int(at.replace(tzinfo=UTC).timestamp() * 1000)
    event = {name: [value] for name, value in CHECK_IN.items()} | {"occurred_at": [at]}
    pq.write_table(pa.table(event), tmp_path / "events.parquet", use_deprecated_int96_timestamps=True)
    (read,) = open_input(tmp_path / "events.parquet").records()
    assert read.fact is not None
    assert read.fact.occurred_at == int(at.replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize("order", ["#10023", "#A-17", "#1001!", "#order"])
def test_a_hash_before_an_order_s_number_is_no_error(tmp_path: Path, order: str) -> None:
    content = HEADER + f"{order},anna,{TIME},a,5.00\n"
    (fact,) = facts(read_file(tmp_path / "till.csv", content, mapping()))
    assert fact.event_id == order


def test_a_shop_may_have_a_member_of_five_equal_digits(tmp_path: Path) -> None:
    content = HEADER + f"1,11111,{TIME},a,5.00\n2,99999,{TIME},a,5.00\n3,ohne,{TIME},a,5.00\n"
    taken, nines, without = read_file(tmp_path / "till.csv", content, mapping())
    assert taken.fact is not None
    assert nines.fact is without.fact is None


@pytest.mark.parametrize(("currency", "amount"), [("VND", "150.000 \u20ab"), ("JPY", "1.000"), ("IDR", "Rp150.000")])
def test_an_amount_with_one_point_and_three_digits_may_be_thousands(tmp_path: Path, currency: str, amount: str) -> None:
    content = HEADER + f"1,anna,{TIME},a,{amount}\n"
    of_currency = {"constants": {"currency": currency}, "scale": {"amount_minor": "currency"}}
    (read,) = read_file(tmp_path / "till.csv", content, mapping(**of_currency))
    assert 'it may have decimals or thousands: say which, decimal: "." or decimal: ","' in told(read)
    reads = read_file(tmp_path / "till.csv", content, mapping(**of_currency, decimal=","))
    assert amounts_by_member(reads)["anna"][0] in {150_000, 1_000, 15_000_000}


@pytest.mark.parametrize(
    ("currency", "amount", "minor"), [("KWD", "1.250", 1_250), ("EUR", "0.250", 25), ("EUR", "1250.000", 125_000)]
)
def test_an_amount_with_three_decimals_that_are_no_thousands(
    tmp_path: Path, currency: str, amount: str, minor: int
) -> None:
    content = HEADER + f"1,anna,{TIME},a,{amount}\n"
    of_currency = {"constants": {"currency": currency}, "scale": {"amount_minor": "currency"}}
    assert amounts_by_member(read_file(tmp_path / "till.csv", content, mapping(**of_currency))) == {"anna": [minor]}


@pytest.mark.parametrize("run", ["x", "*", "?", "#", "1x", "xxx1", "\u2022a"])
def test_long_texts_are_looked_at_in_one_pass(tmp_path: Path, run: str) -> None:
    """A pattern that tries all ways to cut a run would take years for this, and the test would not end."""
    long = (run * 300)[:255] + "z"
    (read,) = read_file(tmp_path / "till.csv", HEADER + f"{long},{long},{TIME},{long},5.00\n", mapping())
    assert read.at_line == 2
