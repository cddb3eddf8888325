"""What tills and programs write that could cost points, or pay them to the wrong people, without anybody noticing."""

from pathlib import Path
from typing import Any, Final

import pytest

from processors.intake.input_records import Read
from schemas.facts import PurchaseRecorded
from tests.support.fact_samples import HEADER, facts, mapping, read_file

TIME: Final = "2026-11-02 10:00:00"


def told(read: Read) -> str:
    assert read.refusal is not None
    return read.refusal.message


def amounts_by_member(reads: list[Read]) -> dict[str | None, list[int]]:
    """What each member paid, line by line, of the orders that were taken."""
    purchases = [read.fact for read in reads if isinstance(read.fact, PurchaseRecorded)]
    return {purchase.member_id: [line.amount_minor for line in purchase.lines] for purchase in purchases}


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
