"""Cells as people, spreadsheets and programs write them: what each of them means, and what is refused."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.intake.formats.cells import Blurred, cleaned, id_text, joined
from processors.intake.formats.clock import Clock
from processors.intake.formats.numbers import Numbers
from processors.intake.formats.spreading import shares
from processors.intake.mapping import Computed
from processors.intake.refusal import Problem, quoted
from schemas.instants import format_instant

NULLS: frozenset[Any] = frozenset(["", None])


def amount(cell: object, currency: str | None = "EUR", decimal: str | None = None, scale: int = 100) -> int | None:
    return Numbers(decimal, NULLS).whole(cell, scale, None, currency, "amount_minor", "paid")


def instant(cell: object, date_order: str | None = None, timezone: str | None = "Asia/Shanghai") -> str:
    at = Clock(timezone, date_order).instant(cell, "time")
    return "blank" if at is None else format_instant(at)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("4711  ", "4711"),
        ('="0007"', "0007"),
        ("'0007", "0007"),
        ("`0007", "0007"),
        ("\t0007\t", "0007"),
        ('\'="0007"', "0007"),
        ('="say ""hello"""', 'say "hello"'),
        ("'quoted'", "quoted"),
        ("\u00a00007\u3000", "0007"),  # blanks of web pages and of Chinese input
        ("\ufeff0007\u200b", "0007"),
        ("=1+2", "=1+2"),  # no guard: a formula is no id, and stands as it is
        ("a b", "a b"),
        ("   ", ""),
        ("'", ""),
    ],
)
def test_a_cell_is_trimmed_and_its_guards_are_taken_off(cell: str, expected: str) -> None:
    assert cleaned(cell) == expected


@pytest.mark.parametrize("cell", ["4.98765E+15", "4,98765E+15", "5E+15", "4.98765e15", "1.2E-7", "-4.9E+5"])
def test_an_id_that_a_spreadsheet_shortened_is_refused(cell: str) -> None:
    with pytest.raises(Problem, match="format the column as text") as refused:
        id_text(cell, "member_id", "card")
    assert refused.value.field == "member_id"


@pytest.mark.parametrize("cell", ["7E15", "12E5", "v1.2", "1.2", "E+5", "m-1E+15"])
def test_ids_that_only_look_like_it_are_taken(cell: str) -> None:
    assert id_text(cell, "member_id", "card") == cell


@pytest.mark.parametrize("value", [2.0**53, 1.2345678901234568e17, -(2.0**53), float("inf"), Blurred(2.0**24)])
def test_a_binary_number_that_may_be_two_ids_is_refused(value: float) -> None:
    with pytest.raises(Problem, match=r"as text or as whole numbers \(int64\)"):
        id_text(value, "member_id", "card")


def test_ids_may_be_kept_as_numbers_of_other_types() -> None:
    kept = (7.0, 2.0**53 - 1, 2**63, Decimal("4711.00"), UUID(int=5), b"x")
    assert [id_text(value, "member_id", "card") for value in kept] == [
        "7",
        "9007199254740991",
        "9223372036854775808",
        "4711",
        "00000000-0000-0000-0000-000000000005",
        "x",
    ]


def test_wide_digits_of_an_id_stay_as_they_are() -> None:
    assert id_text("\uff11\uff12", "member_id", "card") == "\uff11\uff12"


def test_digits_that_are_no_wide_ones_are_no_digits() -> None:
    with pytest.raises(Problem, match="write it as 1234"):
        amount("5\u00b2")  # 5 squared is not 52


def test_one_text_of_several_parts() -> None:
    assert joined("event_id", ["7", "1", "2026-11-02", "0001"]) == "7/1/2026-11-02/0001"
    assert joined("event_id", ["7", "", "0001"]) == "7//0001"
    assert joined("event_id", ["Shop/7", "1"]) == "Shop~/7/1"
    assert joined("source", ["berlin", "till_1"]) == "berlin:till_1"


@given(st.sampled_from(["event_id", "source"]), st.data())
def test_different_parts_never_make_one_text(field: str, data: st.DataObject) -> None:
    parts = st.lists(st.text("/~:_a", max_size=4), min_size=3, max_size=3)
    one, other = data.draw(parts), data.draw(parts)
    assert (joined(field, one) == joined(field, other)) == (one == other)


@pytest.mark.parametrize(
    ("cell", "currency", "expected"),
    [
        ("$1,004.50", "USD", 100_450),
        ("-$4.50", "USD", -450),
        ("$-4.50", "USD", -450),
        ("($4.50)", "USD", -450),
        ("4.50-", "EUR", -450),
        ("\u22124.50", "EUR", -450),  # a typographic minus
        ("￥1,299.00", "CNY", 129_900),
        ("12.50元", "CNY", 1_250),
        ("USD 5.00", "USD", 500),
        ("5.00 USD", "USD", 500),
        ("Rs. 500.25", "INR", 50_025),
        ("1,23,456.00", "INR", 12_345_600),
        ("CHF 1'234.50", "CHF", 123_450),
        ("1\u202f234.50", "EUR", 123_450),
        (".50", "EUR", 50),
        ('="12.50"', "EUR", 1_250),
        ("\uff11\uff12\uff13\uff0e\uff15\uff10", "CNY", 12_350),  # 123.50 in the wide form of Chinese input
        ("\uffe5\uff11\uff0c\uff12\uff19\uff19\uff0e\uff10\uff10", "CNY", 129_900),
        ("\uff0d12.50\u5143", "CNY", -1_250),
        ("\uff0812.50\uff09", "CNY", -1_250),
        ("  ", "EUR", None),
        (12.34, "EUR", 1_234),
        (Decimal("12.340"), "EUR", 1_234),
    ],
)
def test_an_amount_as_people_write_it(cell: object, currency: str, expected: int | None) -> None:
    assert amount(cell, currency) == expected


@pytest.mark.parametrize(
    ("cell", "currency", "expected"),
    [
        ("1.299,00 €", "EUR", 129_900),
        ("1 234,50 zł", "PLN", 123_450),
        ("R$ 1.234,56", "BRL", 123_456),
        ("12,5", "EUR", 1_250),
        ("1.299", "EUR", 129_900),
    ],
)
def test_an_amount_with_a_decimal_comma(cell: str, currency: str, expected: int) -> None:
    assert amount(cell, currency, ",") == expected


@pytest.mark.parametrize(
    ("cell", "currency", "decimal", "says"),
    [
        ("3,50", "EUR", None, 'say so in the mapping: decimal: ","'),
        ("1.299,00 €", "EUR", None, 'say so in the mapping: decimal: ","'),
        ("0,250", "EUR", None, 'decimal: ","'),
        ("1.5", "EUR", ",", 'change decimal: "."'),
        ("$5.00", "EUR", None, "'$' is no sign of EUR, the currency of this row"),
        ("5.00 USD", "EUR", None, "'USD' is no sign of EUR"),
        ("5 pcs", "EUR", None, "'pcs' is no sign of a currency"),
        ("--5", "EUR", None, "its sign is not clear"),
        ("5,00,00", "EUR", None, "write it as 1234.50"),
        ("1e3", "EUR", None, "write it as 1234.50"),
        ("9" * 200, "EUR", None, "too long"),
    ],
)
def test_an_amount_that_may_mean_two_things_is_refused(
    cell: str, currency: str, decimal: str | None, says: str
) -> None:
    with pytest.raises(Problem) as refused:
        amount(cell, currency, decimal)
    assert says in refused.value.message


def test_a_comma_before_three_digits_is_not_guessed_where_it_may_be_either() -> None:
    with pytest.raises(Problem, match="decimals or thousands"):
        amount("1,250", "KWD", None, 1000)
    assert amount("1,250", "KWD", ",", 1000) == 1_250
    assert amount("1,250", "KWD", ".", 1000) == 1_250_000
    assert amount("1,250", "JPY", None, 1) == 1_250


def test_a_quantity_has_no_signs_of_money() -> None:
    with pytest.raises(Problem, match="without letters or signs"):
        Numbers(None, NULLS).whole("$2", 1000, None, "EUR", "quantity_milli", "pieces")


def test_an_amount_is_computed_exactly() -> None:
    numbers = Numbers(None, NULLS)

    def computed(how: Computed, *cells: object) -> int | None:
        return numbers.computed(cells, how, 100, None, "USD", "amount_minor")

    line = Computed(times=("Quantity", "Price"), plus=("Tax",), minus=("Discount",))
    assert computed(line, "2", "$20.00", "", "$5.00") == 3_500
    assert computed(line, "0.333", "3.00", "0.001", "") == 100  # whole only when all of it is summed
    assert computed(line, "", "", "", "") is None
    with pytest.raises(Problem, match="'Price', which is blank"):
        computed(line, "2", "", "", "")
    with pytest.raises(Problem, match="Quantity, Price, Tax, Discount, computed"):
        computed(line, "0.333", "1.00", "", "")
    assert computed(Computed(times=("Price",)), "12.50") == 1_250


@given(st.integers(-(10**13), 10**13), st.lists(st.integers(-(10**10), 10**13), min_size=1, max_size=50))
def test_what_is_shared_out_adds_up_and_is_in_proportion(total: int, amounts: list[int]) -> None:
    parts = shares(total, amounts)
    base = sum(amount for amount in amounts if amount > 0)
    if parts is None:
        assert base == 0
        return
    assert sum(parts) == total
    for part, one in zip(parts, amounts, strict=True):
        assert abs(part * base - total * max(one, 0)) < base


def test_the_first_line_gets_what_is_left_over() -> None:
    assert shares(-100, [100, 100, 100]) == [-34, -33, -33]
    assert shares(5, [2000, -500, 0]) == [5, 0, 0]
    assert shares(5, [0, -5]) is None


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026/1/5 9:05", "2026-01-05T01:05:00Z"),
        ("2026-01-05 09:05:06.5", "2026-01-05T01:05:06.500Z"),
        ("2026.01.05 09:05", "2026-01-05T01:05:00Z"),
        ("20260105", "2026-01-04T16:00:00Z"),
        ("20260105090506", "2026-01-05T01:05:06Z"),
        ("20260105T090506Z", "2026-01-05T09:05:06Z"),
        ("2026年1月5日", "2026-01-04T16:00:00Z"),
        ("2026年1月5日 9:05", "2026-01-05T01:05:00Z"),
        ("2026年01月05日 09时05分06秒", "2026-01-05T01:05:06Z"),
        ("2026/1/5 下午3:05", "2026-01-05T07:05:00Z"),
        ("2026-01-05 12:05 AM", "2026-01-04T16:05:00Z"),
        ("2026-11-02 10:00:00 -0500", "2026-11-02T15:00:00Z"),
        ("2026-11-01 09:15:00.123456+00", "2026-11-01T09:15:00.123Z"),
        ("2026-11-01 10:15:00+01", "2026-11-01T09:15:00Z"),
        ("2026-11-01 14:45:00+05:30", "2026-11-01T09:15:00Z"),
        ("2026-11-01T10:15+01:00[Europe/Berlin]", "2026-11-01T09:15:00Z"),
        ("2026-11-01T09:15Z", "2026-11-01T09:15:00Z"),
        ("2026-11-01 09:15:00 UTC", "2026-11-01T09:15:00Z"),
        ("`2026-11-01 09:15:00", "2026-11-01T01:15:00Z"),
        ("1793524500000", "2026-11-01T09:15:00Z"),
        (1_793_524_500_000, "2026-11-01T09:15:00Z"),
        (20_261_101, "2026-10-31T16:00:00Z"),
        ("2026-01-05 \uff10\uff19\uff1a\uff10\uff15", "2026-01-05T01:05:00Z"),  # a wide 09:05
        ("\uff12\uff10\uff12\uff16\uff0f\uff11\uff0f\uff15\u30009\uff1a05", "2026-01-05T01:05:00Z"),
        ("\uff12\uff10\uff12\uff16\u5e741\u67085\u65e5", "2026-01-04T16:00:00Z"),
        ("  ", "blank"),
    ],
)
def test_a_time_as_people_and_programs_write_it(cell: object, expected: str) -> None:
    assert instant(cell) == expected


def test_a_wide_date_and_a_wide_time_in_two_cells() -> None:
    at = Clock("Asia/Shanghai").of_two("\uff12\uff10\uff12\uff16-01-05", "\uff19\uff1a\uff10\uff15", "day", "time")
    assert at is not None
    assert format_instant(at) == "2026-01-05T01:05:00Z"


@pytest.mark.parametrize(
    ("cell", "order", "expected"),
    [
        ("02.11.2026", "dmy", "2026-11-01T16:00:00Z"),
        ("2/11/2026 9:05", "dmy", "2026-11-02T01:05:00Z"),
        ("11/02/26", "mdy", "2026-11-01T16:00:00Z"),
        ("11/2/2026 9:05 PM", "mdy", "2026-11-02T13:05:00Z"),
        ("11/2/99", "mdy", "1999-11-01T16:00:00Z"),
        ("26-11-02", "ymd", "2026-11-01T16:00:00Z"),
        ("2026-11-02", "mdy", "2026-11-01T16:00:00Z"),  # four digits of the year leave no doubt
    ],
)
def test_the_mapping_says_how_a_date_is_meant(cell: str, order: str, expected: str) -> None:
    assert instant(cell, order) == expected


@pytest.mark.parametrize(
    ("cell", "order", "says"),
    [
        ("02/11/2026", None, "date_order: dmy, or date_order: mdy"),
        ("13/02/2026", "mdy", "no such day or time; the mapping says date_order: mdy"),
        ("2026-11-31 10:00", None, "no such day or time"),
        ("2026-11-02 10:00:00 CET", None, "as an offset, such as +01:00"),
        ("2026-11-02 10:00:00 +99:00", None, "an offset that does not exist"),
        (1_793_524_500, None, "scale: {occurred_at: 1000}"),
        ("1793524500", None, "scale: {occurred_at: 1000}"),
        (46_327.385, None, "a spreadsheet's day"),
    ],
)
def test_a_time_that_cannot_be_read_says_what_to_change(cell: object, order: str | None, says: str) -> None:
    with pytest.raises(Problem) as refused:
        instant(cell, order)
    assert says in refused.value.message
    assert "drop" not in refused.value.message
    assert "without" not in refused.value.message


def test_a_date_and_a_time_in_two_cells() -> None:
    clock = Clock("America/New_York", "mdy")

    def both(day: object, time: object) -> str:
        at = clock.of_two(day, time, "Date", "Time")
        return "blank" if at is None else format_instant(at)

    assert both("11/02/26", "09:15:03") == both("2026-11-02", "9:15:03 AM") == "2026-11-02T14:15:03Z"
    assert both("2026-11-02 00:00:00", "1899-12-30 09:15:03") == "2026-11-02T14:15:03Z"  # as spreadsheets keep them
    assert both("20261102", "091503") == "2026-11-02T14:15:03Z"
    assert both("", " ") == "blank"
    with pytest.raises(Problem, match="'Time' is blank: give both"):
        both("2026-11-02", "")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("交易时间", "'交易时间'"),
        ("naïve Ω ж", "'naïve Ω ж'"),
        ("a\nb\x1b[0m", "'a\\nb\\x1b[0m'"),
        ("a\u200bb\u202ec", "'a\\u200bb\\u202ec'"),
        ("\ufeffa\u3164", "'\\ufeffa\\u3164'"),
        ("\ud800", "'\\ud800'"),
        (b"caf\xe9 \xe4\xba\xa4", "'caf\\xe9 交'"),
    ],
)
def test_messages_show_letters_as_they_are_and_hide_nothing(value: object, shown: str) -> None:
    assert quoted(value) == shown


@given(
    st.text("0123456789.,-+()$€ '\u00a0eE元kr%/:年月日TZ", max_size=24)
    | st.text(max_size=12)
    | st.floats()
    | st.integers()
)
def test_any_cell_is_read_or_refused_in_words(cell: object) -> None:
    def outcome(read: Callable[[object], object]) -> object:
        try:
            return read(cell)
        except Problem as problem:
            return problem.message

    clock = Clock("Asia/Shanghai", "dmy")
    assert isinstance(outcome(amount), int | str | None)
    assert isinstance(outcome(lambda one: clock.instant(one, "time")), int | str | None)
    assert isinstance(outcome(lambda one: id_text(one, "member_id", "card")), str)
