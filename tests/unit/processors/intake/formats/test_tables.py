"""Cells, mappings and CSV: exact numbers, friendly errors, and one broken row that costs one row."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.intake.formats.cells import text
from processors.intake.formats.clock import Clock
from processors.intake.formats.csv_rows import MAX_LINES_PER_ROW, MAX_ROWS_TO_HEADER, csv_rows
from processors.intake.formats.numbers import Numbers
from processors.intake.input_files import open_input
from processors.intake.input_records import InputRefused
from processors.intake.mapping import MappingRefused, parse_mapping
from processors.intake.refusal import Problem
from processors.intake.unknown_fields import UnknownFields
from schemas.facts import CheckedIn, PurchaseRecorded
from schemas.instants import format_instant, parse_instant
from tests.support.fact_samples import HEADER, ORDERS, facts, mapping, plain, read_file

NULLS: frozenset[Any] = frozenset(["", None])
ROW = "o-1,m-1,2026-11-11 12:11:11,espresso,3.50\n"


def whole_number(
    value: Any, scale: int, rounding: str | None = None, field: str = "f", column: str = "c"
) -> int | None:
    return Numbers(None, NULLS).whole(value, scale, rounding, None, field, column)


@given(st.integers(-(10**14), 10**14), st.sampled_from([10, 100, 1000]))
def test_a_double_is_the_decimal_it_is_written_as(units: int, scale: int) -> None:
    written = float(Decimal(units) / scale)
    assert whole_number(written, scale, None, "f", "c") == units
    assert whole_number(str(Decimal(units) / scale), scale, None, "f", "c") == units
    assert whole_number(Decimal(units) / scale, scale, None, "f", "c") == units


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_a_double_is_scaled_exactly_or_not_at_all(value: float) -> None:
    exact = Decimal(repr(value)) * 100
    try:
        assert whole_number(value, 100, None, "f", "c") == exact
    except Problem:
        assert exact != exact.to_integral_value()


@pytest.mark.parametrize(
    ("value", "rounding", "expected"),
    [
        (1.776357e-15, "half_even", 0),
        (0.125, "half_even", 12),
        (0.125, "half_up", 13),
        (0.129, "floor", 12),
        (0.121, "ceil", 13),
        (-0.125, "floor", -13),
        ("0.135", "half_even", 14),
    ],
)
def test_rounding_is_named(value: Any, rounding: str, expected: int) -> None:
    assert whole_number(value, 100, rounding, "f", "c") == expected


@pytest.mark.parametrize("value", ["1,5", "1.234,50", "1e3", "0x10", "٣", "1_0", "12 pieces", True, float("inf")])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(Problem) as found:
        whole_number(value, 100, "half_up", "lines[0].amount_minor", "paid")
    assert found.value.reason == "wrong_type"
    assert "'paid'" in found.value.message


def test_a_number_without_scale_says_how_to_give_one() -> None:
    with pytest.raises(Problem, match=r"scale: \{amount_minor: currency\}"):
        whole_number("3.50", 1, None, "amount_minor", "paid")
    with pytest.raises(Problem, match=r"scale: \{quantity_milli: 1000\}"):
        whole_number("1.5", 1, None, "lines[0].quantity_milli", "pieces")


def test_ids_that_came_as_numbers_are_written_whole() -> None:
    assert [text(value, "f", "c") for value in (42, 42.0, 0.5, Decimal("1.50"), b"x", True)] == [
        "42",
        "42.0"[:2],
        "0.5",
        "1.50",
        "x",
        "true",
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-07-01 12:00", "2026-07-01T10:00:00Z"),
        ("2026-12-01T12:00:00.25", "2026-12-01T11:00:00.250Z"),
        ("2026-12-01", "2026-11-30T23:00:00Z"),
        ("2026-03-29 02:30:00", "2026-03-29T01:00:00Z"),  # skipped: the next instant that exists
        ("2026-10-25 02:30:00", "2026-10-25T00:30:00Z"),  # comes twice: the first
        ("2026-12-01T12:00:00-05:00", "2026-12-01T17:00:00Z"),
        (1_794_395_471_000, "2026-11-11T11:11:11Z"),
    ],
)
def test_a_time_without_offset_is_local(written: object, expected: str) -> None:
    at = Clock("Europe/Berlin").instant(written, "time")
    assert at is not None
    assert format_instant(at) == expected


@pytest.mark.parametrize(
    "written", ["12:00", "2026-13-01", "2026-12-01 24:00", "01.12.2026", "0001-01-01", 1.5, True, b"x"]
)
def test_what_is_no_time_is_refused(written: object) -> None:
    with pytest.raises(Problem) as found:
        Clock("Europe/Berlin").instant(written, "time")
    assert (found.value.reason, found.value.field) == ("invalid_time", "occurred_at")


def test_a_time_without_offset_needs_a_zone() -> None:
    with pytest.raises(Problem, match="timezone: Europe/Berlin"):
        Clock(None).instant("2026-12-01 12:00", "time")
    assert Clock(None).instant("2026-12-01T12:00:00Z", "time") == parse_instant("2026-12-01T12:00:00Z")
    assert Clock("UTC").local(5) == 5


@pytest.mark.parametrize(
    ("settings", "path", "message"),
    [
        ({"type": "Purchase"}, "type", "PurchaseRecorded"),
        ({"type": None}, "type", "is missing"),
        ({"feilds": {}}, "feilds", "is fields meant?"),
        ({"fields": {"event_id": "order"}}, "fields.order_id", "needs it"),
        ({"fields": {**ORDERS["fields"], "memberid": "m"}}, "fields.memberid", "is member_id meant?"),
        ({"lines": {"sku": "sku"}}, "lines.amount_minor", "needs it"),
        ({"lines": {**ORDERS["lines"], "price": "p"}}, "lines.price", "no such field"),
        ({"constants": {"currency": "EUR", "member_id": "x"}}, "constants.member_id", "leave one of them out"),
        ({"scale": {"amount_minor": "50"}}, "scale.amount_minor", "one of 1, 10, 100"),
        ({"scale": {"sku": "100"}}, "scale.sku", "only a whole number"),
        ({"scale": {"amount_minor": "many"}}, "scale.amount_minor", "not 'many'"),
        ({"scale": {"amount_minor": True}}, "scale.amount_minor", "not true"),
        ({"scale": {"quantity_milli": "currency"}}, "scale.quantity_milli", "no amount of money"),
        ({"constants": {"currency": "JPY"}}, "scale.amount_minor", "does not fit JPY, of 0 decimals: write currency"),
        ({"rounding": {"amount_minor": "up"}}, "rounding.amount_minor", "half_even"),
        ({"timezone": "Berlin"}, "timezone", "no IANA time zone"),
        ({"timezone": "../../etc/passwd"}, "timezone", "no IANA time zone"),
        ({"source": None}, "fields.source", "source: NAME for all rows"),
        ({"group_by": None}, "group_by", "add group_by: order"),
        ({"delimiter": "::"}, "delimiter", "'::'"),
        ({"delimiter": ["tab"]}, "delimiter", "not ['tab']"),
        ({"group_by": ["till", "order"]}, "fields.event_id", "write event_id: [till, order]"),
        ({"fields": {**ORDERS["fields"], "event_id": ["order", "@row"]}}, "fields.event_id", "leave out @row"),
        ({"group_by": []}, "group_by", "at most 8 columns"),
        ({"group_by": None, "fields": {**ORDERS["fields"], "event_id": ["till", "no"]}}, "group_by", "[till, no]"),
        ({"fields": {**ORDERS["fields"], "event_id": ["a", ""]}}, "fields.event_id", "name of a column"),
        ({"fields": {**ORDERS["fields"], "occurred_at": ["d", "t", "z"]}}, "fields.occurred_at", "[Date, Time]"),
        ({"fields": {**ORDERS["fields"], "occurred_at": {"of": "d"}}}, "fields.occurred_at", "cannot be computed"),
        ({"fields": {**ORDERS["fields"], "member_id": {"of": "m"}}}, "fields.member_id", "cannot be computed"),
        ({"lines": {"sku": "sku", "amount_minor": ["a", "b"]}}, "lines.amount_minor", "compute it"),
        ({"lines": {"sku": "sku", "amount_minor": {"product": ["a"]}}}, "lines.amount_minor", "no 'product'"),
        ({"lines": {"sku": "sku", "amount_minor": {"minus": ["a"]}}}, "lines.amount_minor", "either of"),
        ({"lines": {"sku": {"first": ["a"], "of": "b"}, "amount_minor": "p"}}, "lines.sku", "stands alone"),
        ({"spread": {"less": ["Discount"]}}, "spread.less", "no such setting"),
        ({"only": {"Event Type": "Payment"}}, "only.Event Type", "not 'Payment'"),
        ({"only": {"Kind": ["a"]}, "leave_out": {"Kind": ["b"]}}, "leave_out.Kind", "stands in only as well"),
        ({"date_order": "american"}, "date_order", "'mdy'"),
        ({"decimal": ";"}, "decimal", "'.' or ','"),
        ({"encoding": "koi8-r"}, "encoding", "'gb18030'"),
        (
            {"type": "CheckedIn", "fields": {"event_id": "e", "occurred_at": "t", "member_id": "m"}},
            "lines",
            "has lines",
        ),
    ],
)
def test_a_wrong_mapping_says_where_and_what(settings: dict[str, Any], path: str, message: str) -> None:
    with pytest.raises(MappingRefused) as refused:
        mapping(**settings)
    told = dict(refused.value.problems)
    assert path in told, told
    assert message in told[path]


def test_mappings_that_read_differently_are_dumped_differently_and_as_they_are_written() -> None:
    every = [
        mapping(lines={"sku": sku, "amount_minor": amount})
        for sku in ("a", ["a", "b"], {"first": ["a", "b"]})
        for amount in ("p", {"of": "p"}, {"times": ["p", "q"]}, {"of": "p", "plus": ["q"]}, {"of": "p", "minus": ["q"]})
    ]
    dumped = [one.model_dump() for one in every]
    assert all(dumped[at] != dumped[other] for at in range(len(every)) for other in range(at))
    assert [parse_mapping(one) for one in dumped] == every


def test_a_mapping_must_be_a_mapping() -> None:
    documents: list[object] = [None, [], "type: CheckedIn", 3]
    for document in documents:
        with pytest.raises(MappingRefused, match=r"shop\.yaml"):
            parse_mapping(document, "shop.yaml")


def test_rows_with_one_key_are_one_order(tmp_path: Path) -> None:
    content = HEADER + ROW + "o-1,m-1,2026-11-11 12:11:11,tea,2.5\n" + "o-2,,2026-11-12 00:00,milk,1\n"
    reads = read_file(tmp_path / "a.csv", content, mapping())
    first, second = facts(reads)
    assert plain(first) == {
        "type": "PurchaseRecorded",
        "source": "pos",
        "event_id": "o-1",
        "order_id": "o-1",
        "occurred_at": parse_instant("2026-11-11T11:11:11Z"),
        "member_id": "m-1",
        "currency": "EUR",
        "lines": [{"sku": "espresso", "amount_minor": 350}, {"sku": "tea", "amount_minor": 250}],
    }
    assert isinstance(second, PurchaseRecorded)
    assert second.member_id is None
    assert [(read.record, read.at_line) for read in reads] == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    "content",
    [
        HEADER + ROW.strip(),
        "\ufeff" + HEADER + ROW,
        (HEADER + "\n\n" + ROW + "\n").replace("\n", "\r\n"),
        HEADER.replace("order,", '"order",') + ROW.replace("espresso", '"espresso"'),
        HEADER.replace("member", " member ") + ROW,
    ],
)
def test_csv_is_read_as_it_is_written_in_the_wild(tmp_path: Path, content: str) -> None:
    (fact,) = facts(read_file(tmp_path / "a.csv", content, mapping()))
    assert isinstance(fact, PurchaseRecorded)
    assert (fact.order_id, fact.member_id, fact.lines[0].sku, fact.lines[0].amount_minor) == (
        "o-1",
        "m-1",
        "espresso",
        350,
    )


def test_quotes_hold_delimiters_quotes_and_line_breaks(tmp_path: Path) -> None:
    content = 'when;who;note\n2026-11-11T11:11:11Z;"m;1";"a ""b"" c"\n2026-11-11T11:11:11Z;m-2;"two\nlines"\n'
    how = parse_mapping(
        {
            "type": "CheckedIn",
            "source": "app",
            "fields": {"event_id": "who", "occurred_at": "when", "member_id": "who"},
            "attributes": {"note": "note"},
            "delimiter": ";",
        }
    )
    first, second = read_file(tmp_path / "a.csv", content, how)
    assert isinstance(first.fact, CheckedIn)
    assert (first.fact.member_id, first.fact.attributes) == ("m;1", {"note": 'a "b" c'})
    assert isinstance(second.fact, CheckedIn)
    assert (second.at_line, second.fact.attributes) == (3, {"note": "two lines"})


def test_a_line_break_in_an_id_is_refused_and_kept_with_the_event_that_was_read(tmp_path: Path) -> None:
    content = 'when;who\n2026-11-11T11:11:11Z;"two\nlines"\n'
    how = parse_mapping(
        {
            "type": "CheckedIn",
            "source": "app",
            "fields": {"event_id": "when", "occurred_at": "when", "member_id": "who"},
            "delimiter": ";",
        }
    )
    (read,) = read_file(tmp_path / "a.csv", content, how)
    assert read.refusal is not None
    assert (read.refusal.reason, read.refusal.field, read.at_line) == ("out_of_range", "member_id", 2)
    assert read.raw == b'2026-11-11T11:11:11Z;"two\nlines"'
    assert '"member_id":"two\\nlines"' in read.headers["event"]


def test_an_order_is_refused_whole_with_all_its_rows(tmp_path: Path) -> None:
    content = HEADER + ROW + ROW.replace("3.50", "?") + ROW + ROW.replace("o-1", "o-2")
    spoilt, good = read_file(tmp_path / "a.csv", content, mapping())
    assert spoilt.refusal is not None
    assert spoilt.refusal.field == "lines[1].amount_minor"
    assert (spoilt.refusal.event_id, spoilt.refusal.source) == ("o-1", "pos")
    assert spoilt.raw.count(b"\n") == 2
    assert (good.record, good.at_line) == (4, 5)
    assert good.fact is not None


def test_a_broken_row_spoils_the_order_it_belongs_to_and_no_other(tmp_path: Path) -> None:
    broken = "o-2,m-1,2026-11-11 12:11:11,a,b,3.50\n"
    two, three = ROW.replace("o-1", "o-2"), ROW.replace("o-1", "o-3")
    unknown = "???\n"

    def outcomes(*rows: str) -> list[str]:
        reads = read_file(tmp_path / "a.csv", HEADER + "".join(rows), mapping())
        assert [read.record for read in reads] == [read.at_line - 1 for read in reads]
        return [f"malformed@{read.at_line}" if read.fact is None else read.fact.event_id for read in reads]

    assert outcomes(ROW, broken, two, three) == ["o-1", "malformed@4", "o-3"]
    assert outcomes(ROW, two, broken, three) == ["o-1", "malformed@3", "o-3"]
    assert outcomes(ROW, broken, three) == ["o-1", "malformed@3", "o-3"]
    # Of a row that says nothing of its order, both neighbours may be that order.
    assert outcomes(ROW, unknown, two, three) == ["malformed@2", "malformed@4", "o-3"]
    assert outcomes(ROW, two, unknown, two, three) == ["o-1", "malformed@3", "o-3"]
    assert outcomes(unknown, ROW, two) == ["malformed@3", "o-2"]
    assert outcomes(two, ROW, unknown) == ["o-2", "malformed@3"]
    assert outcomes(unknown) == ["malformed@2"]


def test_a_header_alone_and_an_empty_file_hold_no_records(tmp_path: Path) -> None:
    assert read_file(tmp_path / "a.csv", HEADER, mapping()) == []
    assert read_file(tmp_path / "b.csv", "", mapping()) == []


TITLES = "Caf\u00e9 Rosa\nPeriod: 2026-11-01 to 2026-11-30,,,,\n\n,,,,\n"


def test_a_header_may_stand_below_titles(tmp_path: Path) -> None:
    reads = read_file(tmp_path / "a.csv", TITLES + HEADER + ROW, mapping())
    assert [fact.source for fact in facts(reads)] == ["pos"]
    assert (reads[0].record, reads[0].at_line) == (1, 6), (
        "rows are counted from the header on, lines from the first one"
    )


def test_rows_above_the_header_are_counted(tmp_path: Path) -> None:
    unknown = UnknownFields()
    (tmp_path / "a.csv").write_text(TITLES + HEADER + ROW, encoding="utf-8")
    facts(list(open_input(tmp_path / "a.csv", mapping=mapping()).records(unknown)))
    assert [(one.value, one.count) for one in unknown.left_out()] == [("5", 2)]


def test_a_column_that_is_missing_below_titles_is_named_where_the_header_stands(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="Is 'members' meant") as refused:
        read_file(tmp_path / "a.csv", TITLES + HEADER.replace("member", "members") + ROW, mapping())
    assert refused.value.line == 5


def test_another_delimiter_is_told_below_titles_too(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="delimiter: ';'") as refused:
        read_file(tmp_path / "a.csv", TITLES + (HEADER + ROW).replace(",", ";"), mapping())
    assert refused.value.line == 5


def test_a_header_that_is_too_far_down_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="there is no column 'order'"):
        read_file(tmp_path / "a.csv", "title\n" * MAX_ROWS_TO_HEADER + HEADER + ROW, mapping())


def test_titles_in_another_encoding_are_told(tmp_path: Path) -> None:
    content = "report\n南京东路店\n".encode("gb18030") + (HEADER + ROW).replace("order", "订单号").encode("gb18030")
    with pytest.raises(InputRefused, match="encoding: gb18030") as refused:
        read_file(tmp_path / "a.csv", content, mapping())
    assert refused.value.line == 2


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="Is 'order' meant") as refused:
        read_file(tmp_path / "a.csv", HEADER + ROW, mapping(group_by="oder"))
    assert (refused.value.file, refused.value.line) == ("a.csv", 1)


def test_null_values_and_constants(tmp_path: Path) -> None:
    how = mapping(
        null_values=["NULL"],
        constants={"currency": "EUR", "channel": "till"},
        line_constants={"category": "all", "quantity_milli": "2000"},
    )
    content = HEADER + "o-1,NULL,2026-11-11 12:11:11,espresso,3.50\n"
    (first,) = facts(read_file(tmp_path / "a.csv", content, how))
    assert isinstance(first, PurchaseRecorded)
    assert (first.member_id, first.channel) == (None, "till")
    assert (first.lines[0].category, first.lines[0].quantity_milli) == ("all", 2000)


def test_a_tab_may_be_spelt_out(tmp_path: Path) -> None:
    for spelt in ("tab", "\\t", "\t"):
        (fact,) = facts(read_file(tmp_path / "a.tsv", (HEADER + ROW).replace(",", "\t"), mapping(delimiter=spelt)))
        assert fact.event_id == "o-1"


def test_an_open_quote_is_given_up_within_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'a,"b\n' + b"c,d\n" * (3 * MAX_LINES_PER_ROW))
    with path.open("rb") as stream:
        rows = list(csv_rows(stream, ","))
    assert rows[0].problem is not None
    assert [row.cells for row in rows[1:]] == [["c", "d"]] * (3 * MAX_LINES_PER_ROW)
    assert [row.at_line for row in rows] == list(range(1, 3 * MAX_LINES_PER_ROW + 2))
