"""Tables as tills, shops and spreadsheets export them, read through a mapping: what each row comes to."""

from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processors.intake.formats.likely_encoding import PYTHON_NAMES
from processors.intake.input_files import open_input
from processors.intake.input_records import InputRefused, Read
from processors.intake.mapping import parse_mapping
from processors.intake.unknown_fields import UnknownFields
from schemas.facts import PurchaseRecorded
from schemas.instants import format_instant
from tests.support.fact_samples import ORDERS, facts, mapping, read_file

TILL: Final[dict[str, Any]] = {
    **ORDERS,
    "delimiter": ";",
    "fields": {
        "event_id": ["till", "receipt", "time"],
        "order_id": ["till", "receipt", "time"],
        "occurred_at": "time",
        "member_id": "card",
    },
    "lines": {"sku": "article", "amount_minor": "paid"},
    "group_by": ["till", "receipt", "time"],
}
PAID_IN: Final[dict[str, Any]] = {
    **ORDERS,
    "fields": {**ORDERS["fields"], "currency": "currency"},
    "constants": {},
    "scale": {"amount_minor": "currency"},
}
AT = "2026-11-02T10:00:00Z"


def purchases(reads: list[Read]) -> list[PurchaseRecorded]:
    """The purchases of records none of which may be refused."""
    return [fact for fact in facts(reads) if isinstance(fact, PurchaseRecorded)]


def amounts(fact: PurchaseRecorded) -> list[int]:
    return [line.amount_minor for line in fact.lines]


def problem(read: Read) -> str:
    assert read.refusal is not None
    return read.refusal.message


def test_numbers_of_receipts_that_begin_anew_every_day_and_at_every_till(tmp_path: Path) -> None:
    content = (
        "till;receipt;time;card;article;paid\n"
        "1;0001;2026-11-01 09:15:00;anna;espresso;25.00\n"
        "1;0001;2026-11-01 09:15:00;anna;bun;5.00\n"
        "2;0001;2026-11-01 09:15:00;bert;bun;10.00\n"
        "1;0001;2026-11-02 08:15:00;carl;espresso;40.00\n"
    )
    read = purchases(read_file(tmp_path / "month.csv", content, parse_mapping(TILL)))
    assert [(one.event_id, one.member_id, amounts(one)) for one in read] == [
        ("1/0001/2026-11-01 09:15:00", "anna", [2500, 500]),
        ("2/0001/2026-11-01 09:15:00", "bert", [1000]),
        ("1/0001/2026-11-02 08:15:00", "carl", [4000]),
    ]


def test_a_file_without_a_key_is_known_by_its_name_and_its_rows(tmp_path: Path) -> None:
    how = mapping(
        fields={
            "event_id": ["@file", "@row"],
            "order_id": ["@file", "@row"],
            "occurred_at": "time",
            "member_id": "member",
        },
        group_by=None,
        leave_out={"sku": ["bag"]},
    )
    content = f"member,time,sku,paid\nanna,{AT},tea,2.50\nanna,{AT},bag,0.10\n\nbert,{AT},tea,2.50\ncarl,{AT}\n"
    *read, broken = read_file(tmp_path / "monday.csv", content, how)
    assert [(one.event_id, one.member_id) for one in purchases(read)] == [
        ("monday.csv/1", "anna"),
        ("monday.csv/3", "bert"),
    ]
    assert "line 6 has 2 cells where the header has 4" in problem(broken)


def test_each_amount_has_the_decimals_of_its_currency(tmp_path: Path) -> None:
    content = (
        "order,member,time,currency,sku,paid\n"
        f"1,anna,{AT},JPY,a,5000\n2,bert,{AT},USD,a,$50.00\n3,carl,{AT},KWD,a,12.345\n4,dora,{AT},JPY,a,￥50.5\n"
        f"5,emil,{AT},EUR,a,$5.00\n6,fred,{AT},EURO,a,5.00\n7,gina,{AT},,a,5.00\n"
    )
    reads = read_file(tmp_path / "mixed.csv", content, parse_mapping(PAID_IN))
    assert [amounts(one) for one in purchases(reads[:3])] == [[5000], [5000], [12345]]
    assert "JPY has no decimals" in problem(reads[3])
    assert "'$' is no sign of EUR" in problem(reads[4])
    assert "'EURO' is no ISO 4217 code" in problem(reads[5])
    assert reads[6].refusal is not None
    assert (reads[6].refusal.reason, reads[6].refusal.field) == ("missing_field", "currency")


def test_one_scale_for_currencies_of_other_decimals_is_refused(tmp_path: Path) -> None:
    how = parse_mapping({**PAID_IN, "scale": {"amount_minor": 100}})
    content = f"order,member,time,currency,sku,paid\n1,anna,{AT},JPY,a,5000\n2,bert,{AT},USD,a,50.00\n"
    yen, dollars = read_file(tmp_path / "mixed.csv", content, how)
    assert "write scale: {amount_minor: currency}" in problem(yen)
    assert amounts(purchases([dollars])[0]) == [5000]


def test_cells_of_the_order_stand_in_its_first_row_and_its_discount_is_shared(tmp_path: Path) -> None:
    how = parse_mapping(
        {
            "type": "PurchaseRecorded",
            "source": "shop",
            "fields": {
                "event_id": ["Name", "Id"],
                "order_id": "Name",
                "occurred_at": "Created at",
                "member_id": "Email",
                "currency": "Currency",
            },
            "lines": {
                "sku": {"first": ["Lineitem sku", "Lineitem name"]},
                "quantity_milli": "Lineitem quantity",
                "amount_minor": {"times": ["Lineitem quantity", "Lineitem price"]},
            },
            "scale": {"amount_minor": "currency", "quantity_milli": 1000},
            "spread": {"minus": "Discount Amount"},
            "group_by": "Name",
            "fill": True,
        }
    )
    content = (
        "Name,Id,Email,Currency,Discount Amount,Created at,"
        "Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku\n"
        "#1001,51,c-17,USD,10.00,2026-11-02 10:00:00 -0500,2,Mug,20.00,MUG-1\n"
        "#1001,,c-17,,,,1,Tee,20.00,\n"
        "#1002,52,c-18,USD,0.00,2026-11-02 11:00:00 -0500,1,Mug,20.00,MUG-1\n"
    )
    first, second = purchases(read_file(tmp_path / "orders_export.csv", content, how))
    assert [(line.sku, line.quantity_milli) for line in first.lines] == [("MUG-1", 2000), ("Tee", 1000)]
    assert amounts(first) == [4000 - 667, 2000 - 333]
    assert (first.event_id, format_instant(first.occurred_at)) == ("#1001/51", "2026-11-02T15:00:00Z")
    assert (first.member_id, amounts(second)) == ("c-17", [2000])

    (unfilled, _) = read_file(tmp_path / "orders_export.csv", content, how.model_copy(update={"fill": False}))
    assert "write fill: true in the mapping" in problem(unfilled)


def test_date_and_time_in_two_columns_and_refunds_left_out(tmp_path: Path) -> None:
    how = parse_mapping(
        {
            "type": "PurchaseRecorded",
            "source": "square",
            "timezone": "America/New_York",
            "fields": {
                "event_id": "Transaction ID",
                "order_id": "Transaction ID",
                "occurred_at": ["Date", "Time"],
                "member_id": "Customer ID",
            },
            "constants": {"currency": "USD"},
            "lines": {"sku": "SKU", "quantity_milli": "Qty", "amount_minor": "Net Sales"},
            "scale": {"amount_minor": "currency", "quantity_milli": 1000},
            "group_by": "Transaction ID",
            "date_order": "mdy",
            "only": {"Event Type": ["Payment"]},
        }
    )
    content = (
        "Date,Time,Qty,SKU,Net Sales,Transaction ID,Event Type,Customer ID\n"
        "11/02/26,09:15:03,1.0,L1,$4.50,TX1,Payment,CUST1\n"
        '2026-11-02,09:16:03,1.0,L1,"$1,000.00",TX2,Payment,CUST1\n'
        "2026-11-02,09:17:03,-1.0,L1,-$4.50,TX3,Refund,CUST1\n"
    )
    (tmp_path / "items.csv").write_text(content)
    unknown = UnknownFields()
    first, second = purchases(list(open_input(tmp_path / "items.csv", mapping=how).records(unknown)))
    assert [format_instant(one.occurred_at) for one in (first, second)] == [
        "2026-11-02T14:15:03Z",
        "2026-11-02T14:16:03Z",
    ]
    assert (amounts(first), amounts(second)) == ([450], [100_000])
    assert [(one.column, one.value, one.count) for one in unknown.left_out()] == [("Event Type", "Refund", 1)]


def test_sums_below_a_table_are_no_orders(tmp_path: Path) -> None:
    table = f"order,member,time,sku,paid\no-1,anna,{AT},tea,2.50\n"
    footers: dict[str, dict[str, Any]] = {
        "合计,,,,2.50\n": {"leave_out": {"*first": ["合计"]}},
        "Total: 2.50\n": {"leave_out": {"*first": ["Total: 2.50"]}},
        "总交易单数,总额\n`1,`2.50\n": {"ends_at": ["总交易单数"]},
        ",,,,\n , ,,,\n": {},
    }
    for footer, settings in footers.items():
        unknown = UnknownFields()
        (tmp_path / "a.csv").write_text(table + footer, encoding="utf-8")
        reads = list(open_input(tmp_path / "a.csv", mapping=mapping(**settings)).records(unknown))
        assert [one.event_id for one in purchases(reads)] == ["o-1"]
        assert sum(one.count for one in unknown.left_out()) == (footer.count("\n") if settings else 0)


def test_padded_and_guarded_ids_are_one_member_and_blank_ones_guests(tmp_path: Path) -> None:
    rows = "".join(
        f'o-{number},"{card}",{AT},"="" sku""",2.50\n'
        for number, card in enumerate(['=""4711""', "4711  ", "'4711", "\t4711", "`4711", "   ", "'", "-"])
    )
    how = mapping(null_values=["-"])
    read = purchases(read_file(tmp_path / "a.csv", "order,member,time,sku,paid\n" + rows, how))
    assert [one.member_id for one in read] == ["4711"] * 5 + [None] * 3
    assert {line.sku for one in read for line in one.lines} == {"sku"}


def test_shortened_ids_are_refused_with_what_to_do_in_the_spreadsheet(tmp_path: Path) -> None:
    content = f"order,member,time,sku,paid\no-1,4.98765E+15,{AT},tea,2.50\no-2,anna,{AT},4.00638E+12,2.50\n"
    reads = read_file(tmp_path / "a.csv", content, mapping())
    assert [read.refusal.field for read in reads if read.refusal] == ["member_id", "lines[0].sku"]
    assert "'4.98765E+15' in column 'member'" in problem(reads[0])
    assert "format the column as text" in problem(reads[0])


CHINESE: Final = "订单,会员,时间,商品,实付\nA1,张三,2026年11月2日 9:05,茶,12.50元\n"
CHINESE_COLUMNS: Final[dict[str, Any]] = {
    **ORDERS,
    "timezone": "Asia/Shanghai",
    "fields": {"event_id": "订单", "order_id": "订单", "member_id": "会员", "occurred_at": "时间"},
    "constants": {"currency": "CNY"},
    "lines": {"sku": "商品", "amount_minor": "实付"},
    "group_by": "订单",
}


@pytest.mark.parametrize(
    ("written_in", "encoding"),
    [
        ("gb18030", "gb18030"),
        ("gbk", "GBK"),
        ("utf-8", "utf-8"),
        ("utf-8-sig", "gb18030"),  # a byte order mark goes before what the mapping says
        ("utf-16", "utf-8"),
        ("utf-16-le", "utf-16"),
        ("cp936", "CP936"),
    ],
)
def test_a_table_in_other_encodings(tmp_path: Path, written_in: str, encoding: str) -> None:
    how = parse_mapping({**CHINESE_COLUMNS, "encoding": encoding})
    (fact,) = purchases(read_file(tmp_path / "a.csv", CHINESE.encode(written_in), how))
    assert (fact.member_id, fact.lines[0].sku, amounts(fact)) == ("张三", "茶", [1250])
    assert format_instant(fact.occurred_at) == "2026-11-02T01:05:00Z"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (CHINESE.encode("gb18030"), "encoding: gb18030"),
        (CHINESE.encode("utf-16")[2:], "encoding: utf-16"),
        ("order,größe\n".encode("cp1252"), "encoding: windows-1252"),
    ],
)
def test_an_encoding_that_fits_is_suggested(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(InputRefused, match=says):
        read_file(tmp_path / "a.csv", content, parse_mapping(CHINESE_COLUMNS))


@pytest.mark.parametrize(
    "encoding", ["windows-1252", "windows-1251", "cp850", "gb18030", "big5", "shift-jis", "euc-kr"]
)
def test_a_file_that_is_utf_8_is_not_read_as_what_the_mapping_says(tmp_path: Path, encoding: str) -> None:
    how = parse_mapping({**CHINESE_COLUMNS, "encoding": encoding})
    says = f"line 1: the file is UTF-8, and the mapping says encoding: {encoding}. Write encoding: utf-8"
    with pytest.raises(InputRefused, match=says):
        read_file(tmp_path / "a.csv", CHINESE.encode(), how)


@pytest.mark.parametrize(
    ("encoding", "member"),
    [
        ("windows-1252", "Müller"),
        ("windows-1251", "Её"),
        ("gb18030", "联通"),
        ("windows-1252", "Muller"),
        ("cp850", "é"),
    ],
)
def test_a_file_in_the_encoding_that_is_said_is_read_in_it(tmp_path: Path, encoding: str, member: str) -> None:
    row = f"order,member,time,sku,paid\nA1,{member},{AT},tea,2.50\n"
    how = mapping(encoding=encoding)
    (fact,) = purchases(read_file(tmp_path / "a.csv", row.encode(PYTHON_NAMES.get(encoding, encoding)), how))
    assert fact.member_id == member


def test_a_row_that_is_no_text_in_the_encoding_is_refused_alone(tmp_path: Path) -> None:
    content = CHINESE.encode("gb18030") + b"A2,\xff\xff,20261102,x,1\n" + "A3,李四,20261102,茶,1\n".encode("gb18030")
    how = parse_mapping({**CHINESE_COLUMNS, "encoding": "gb18030"})
    first, broken, last = read_file(tmp_path / "a.csv", content, how)
    assert [one.event_id for one in purchases([first, last])] == ["A1", "A3"]
    assert "line 3 holds bytes that are no text in gb18030" in problem(broken)


def test_messages_show_chinese_as_it_is(tmp_path: Path) -> None:
    (read,) = read_file(tmp_path / "a.csv", CHINESE.replace("12.50元", "十二元"), parse_mapping(CHINESE_COLUMNS))
    assert "'十二元' in column '实付'" in problem(read)


def parquet(path: Path, how: dict[str, Any], **columns: Any) -> list[Read]:
    """The records of a Parquet file with columns of one order each, beside those given."""
    rows = len(next(iter(columns.values())))
    usual = {
        "order": [f"o-{number}" for number in range(rows)],
        "member": ["anna"] * rows,
        "time": [AT] * rows,
        "sku": ["tea"] * rows,
        "paid": ["2.50"] * rows,
    }
    pq.write_table(pa.table(usual | columns), path)
    return list(open_input(path, mapping=parse_mapping(how)).records())


def test_ids_of_parquet_are_read_whatever_holds_them(tmp_path: Path) -> None:
    one = UUID("d2aef1a7-68fb-461a-aa77-f0fd419f4438")
    columns = [
        (pa.array([one.bytes, None], pa.uuid()), str(one)),
        (pa.array([7_012_345_678_901.0, None]), "7012345678901"),
        (pa.array(["4711", None]).cast(pa.decimal128(38, 0)), "4711"),
        (pa.array(["4711", None]).cast(pa.decimal128(9, 2)), "4711"),
        (pa.array(["a", None], pa.string_view()), "a"),
        (pa.array(["a ", "  "]).dictionary_encode(), "a"),
        (pa.array(['"x"', None], pa.json_()), '"x"'),
        (pa.array([b"a", None], pa.binary()), "a"),
    ]
    for column, expected in columns:
        read = purchases(parquet(tmp_path / "a.parquet", ORDERS, member=column))
        assert [fact.member_id for fact in read] == [expected, None], column.type


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1.2345678901234568e17, 2.0**53]),
        pa.array([2.0**24, 16_777_300.0], pa.float32()),
        pa.array(["4.98765E+15", "5E+15"]),
    ],
)
def test_ids_of_parquet_that_may_be_two_are_refused(tmp_path: Path, column: Any) -> None:
    reads = parquet(tmp_path / "a.parquet", ORDERS, member=column)
    assert [read.refusal and read.refusal.field for read in reads] == ["member_id", "member_id"]


def test_amounts_of_parquet_are_read_whatever_holds_them(tmp_path: Path) -> None:
    written = pa.array(["12.34", "-0.50"])
    kinds = [pa.float32(), pa.float64(), pa.decimal128(9, 2), pa.decimal256(50, 4), pa.decimal32(7, 2)]
    for kind in kinds:
        how = {**ORDERS, "lines": {"sku": "sku", "amount_minor": {"of": "paid", "plus": ["fee"]}}}
        fee = pa.array([None, 1], pa.int64())
        read = purchases(parquet(tmp_path / "a.parquet", how, paid=written.cast(kind), fee=fee))
        assert [amounts(fact) for fact in read] == [[1234], [50]], kind


def test_rows_of_parquet_are_chosen_and_numbered_as_those_of_csv(tmp_path: Path) -> None:
    how = {
        **ORDERS,
        "fields": {**ORDERS["fields"], "event_id": ["@file", "order"], "occurred_at": ["day", "clock"]},
        "only": {"kind": ["sale"]},
        "leave_out": {"*first": ["Total"]},
    }
    reads = parquet(
        tmp_path / "sales.parquet",
        how,
        order=["Total", "7", "8", "7"],
        kind=["sale", "sale", "refund", "sale"],
        day=pa.array([20_000] * 4, pa.int32()).cast(pa.date32()),
        clock=pa.array([3_600] * 4, pa.int32()).cast(pa.time32("s")),
    )
    (fact,) = purchases(reads)
    assert (fact.event_id, len(fact.lines), reads[0].at_line) == ("sales.parquet/7", 2, 2)
    assert format_instant(fact.occurred_at) == "2024-10-03T23:00:00Z"


def test_types_of_no_use_are_refused_and_nothing_is_called_damaged(tmp_path: Path) -> None:
    no_text = pa.array([b"caf\xe9", b"\xff"]).view(pa.string())
    for column in (pa.array([1, 2], pa.duration("s")), pa.array([b"\xff" * 16] * 2, pa.binary(16)), no_text):
        reads = parquet(tmp_path / "a.parquet", ORDERS, member=column)
        assert {read.refusal.reason for read in reads if read.refusal} <= {"wrong_type", "malformed"}
        assert len([read for read in reads if read.refusal]) == 2
    with pytest.raises(InputRefused, match="holds lists or objects"):
        parquet(tmp_path / "a.parquet", ORDERS, member=pa.array([[1], [2]]))


def test_a_file_without_mapping_may_have_these_types_too(tmp_path: Path) -> None:
    member = UUID(int=5)
    table = pa.table(
        {
            "type": ["CheckedIn"],
            "source": ["app"],
            "event_id": pa.array([member.bytes], pa.uuid()),
            "occurred_at": pa.array([AT]),
            "member_id": pa.array(["4711"]).cast(pa.decimal128(20, 0)).cast(pa.string()),
            "attributes": pa.array(['{"colour": "red"}'], pa.json_()),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    (fact,) = facts(list(open_input(tmp_path / "a.parquet").records()))
    assert fact.event_id == str(member)
    assert fact.attributes == {"colour": "red"}


@pytest.mark.parametrize("word", ["NULL", "\\N", "None", "nan", "undefined", "#N/A"])
def test_a_word_for_nothing_is_nobody(tmp_path: Path, word: str) -> None:
    content = f"order,member,time,sku,paid\no-1,{word},{AT},tea,2.50\no-2,{word},{AT},tea,2.50\n"
    reads = read_file(tmp_path / "a.csv", content, mapping())
    assert all("say so in the mapping: null_values:" in problem(read) for read in reads)
    guests = purchases(read_file(tmp_path / "a.csv", content, mapping(null_values=[word])))
    assert [one.member_id for one in guests] == [None, None]


def test_what_spreadsheets_write_around_a_table(tmp_path: Path) -> None:
    table = f"order,member,time,sku,paid\no-1,anna,{AT},tea,2.50\n"
    (fact,) = purchases(read_file(tmp_path / "a.csv", "sep=,\r\n" + table, mapping()))
    assert fact.event_id == "o-1"
    with pytest.raises(InputRefused, match="CR alone"):
        read_file(tmp_path / "a.csv", table.replace("\n", "\r"), mapping())
    with pytest.raises(InputRefused, match="CR CR LF"):
        read_file(tmp_path / "a.csv", table.replace("\n", "\r\r\n"), mapping())


def test_what_the_door_refuses_names_the_column(tmp_path: Path) -> None:
    how = mapping(attributes={"note": "Bemerkung"})
    content = (
        "order,member,time,sku,paid,Bemerkung\n"
        f"o-1,anna,{AT},tea,,ok\no-2,anna,{AT},tea,2.50,{'x' * 501}\n,bert,{AT},tea,2.50,ok\n"
    )
    reads = read_file(tmp_path / "a.csv", content, how)
    assert [problem(read).partition(" (")[2] for read in reads] == [
        "column 'paid' is blank)",
        "column 'Bemerkung')",
        "column 'order' is blank)",
    ]


FILLED: Final[dict[str, Any]] = {
    **ORDERS,
    "delimiter": ";",
    "fields": {"event_id": "number", "order_id": "number", "occurred_at": "time", "member_id": "card"},
    "lines": {"sku": "article", "amount_minor": "paid"},
    "group_by": "number",
    "fill": True,
    "spread": {"minus": ["coupon"]},
}


def test_a_bad_cell_of_the_first_row_is_told_as_such_where_the_cells_below_are_blank(tmp_path: Path) -> None:
    content = "number;time;card;article;paid;coupon\n1;2026/2/30 10:52;anna;tea;5.00;\n;;;cup;2.00;\n"
    (read,) = read_file(tmp_path / "orders.csv", content, mapping(**FILLED))
    assert read.refusal is not None
    assert (read.refusal.reason, read.refusal.field) == ("invalid_time", "occurred_at")
    assert "2026/2/30 10:52" in problem(read)


def test_a_coupon_below_0_is_not_taken_off_twice(tmp_path: Path) -> None:
    content = "number;time;card;article;paid;coupon\n1;2026-11-02 10:52:00;anna;tea;10.00;-2.00\n"
    (read,) = read_file(tmp_path / "orders.csv", content, mapping(**FILLED))
    assert "'coupon' is '-2.00', which is below 0 already: name it in plus: of spread" in problem(read)
    plus = {**FILLED, "spread": {"plus": ["coupon"]}}
    (order,) = purchases(read_file(tmp_path / "orders.csv", content, mapping(**plus)))
    assert amounts(order) == [800]


@pytest.mark.parametrize("nobody", ["-", "--", "/", "无", "散客"])
def test_a_mark_for_nobody_is_no_member(tmp_path: Path, nobody: str) -> None:
    content = f"number;time;card;article;paid;coupon\n1;2026-11-02 10:52:00;{nobody};tea;10.00;\n"
    (read,) = read_file(tmp_path / "orders.csv", content, mapping(**FILLED))
    assert f"null_values: ['{nobody}']" in problem(read)
    (order,) = purchases(read_file(tmp_path / "orders.csv", content, mapping(**FILLED, null_values=[nobody])))
    assert order.member_id is None
