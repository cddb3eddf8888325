"""An order is taken whole or not at all, wherever its rows stand in the files of one command."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processors.intake.external_sort import Arrived
from processors.intake.input_files import open_input
from processors.intake.mapping import ColumnMapping, parse_mapping
from processors.intake.merge import gather, records_as_they_come
from processors.intake.refusal import Refusal
from processors.intake.unknown_fields import UnknownFields
from schemas.facts import PurchaseRecorded

COLUMNS: Final = ("receipt", "time", "branch", "card", "article", "pieces", "paid")
HEADER: Final = ";".join(COLUMNS)
ORDERS: Final[dict[str, Any]] = {
    "type": "PurchaseRecorded",
    "source": "till",
    "timezone": "Europe/Berlin",
    "delimiter": ";",
    "fields": {
        "event_id": "receipt", "order_id": "receipt", "occurred_at": "time", "store_id": "branch", "member_id": "card",
    },
    "constants": {"currency": "EUR"},
    "lines": {"sku": "article", "quantity_milli": "pieces", "amount_minor": "paid"},
    "scale": {"amount_minor": 100, "quantity_milli": 1000},
    "group_by": "receipt",
}  # fmt: skip
SEEDS: Final = range(20)

# Rows of three orders, which most tests below are about.
ANNA: Final = "7001;2026-11-01 09:15:00;b1;anna;espresso;1;2.50"
ANNA_BUN: Final = "7001;2026-11-01 09:15:00;b1;anna;bun;1;1.00"
BERT: Final = "7002;2026-11-01 09:15:10;b1;bert;bun;1;1.00"
BERT_TOO: Final = "7002;2026-11-01 09:15:10;b1;bert;grinder;1;300.00"
CARL: Final = "7003;2026-11-01 09:16:10;b1;carl;bun;1;1.00"


class Taken(NamedTuple):
    """What a command makes of its files: the lines of each order, what was refused, and what people are told."""

    orders: dict[str, list[tuple[str, int]]]
    refused: dict[str, Refusal]
    arrived: list[Arrived]
    notes: list[str]


def mapping(**settings: Any) -> ColumnMapping:
    return parse_mapping(ORDERS | settings)


def write(path: Path, rows: Sequence[str], header: str = HEADER) -> Path:
    path.write_text("".join(f"{row}\n" for row in (header, *rows)))
    return path


def read(paths: Sequence[Path], how: ColumnMapping | None = None, **options: Any) -> Taken:
    """Give files to one command."""
    inputs = [open_input(path, mapping=how or mapping()) for path in paths]
    with gather(inputs, **options) as gathered:
        arrived = list(gathered.arrivals)
        notes = gathered.survey.notes
    orders: dict[str, list[tuple[str, int]]] = {}
    for one in arrived:
        if one.fact is not None:
            assert isinstance(one.fact, PurchaseRecorded)
            assert one.fact.event_id not in orders, "an order comes once"
            orders[one.fact.event_id] = [(line.sku, line.amount_minor) for line in one.fact.lines]
    refused = {one.refusal.event_id or one.raw.decode(): one.refusal for one in arrived if one.refusal is not None}
    return Taken(orders, refused, arrived, notes)


def read_rows(scratch: Path, *files: Sequence[str], **options: Any) -> Taken:
    """Give files of these rows to one command, in this order."""
    return read([write(scratch / f"page{at}.csv", rows) for at, rows in enumerate(files, 1)], **options)


FILLED = {
    "delimiter": ",",
    "fields": {"event_id": "o", "order_id": "o", "occurred_at": "t", "member_id": "m"},
    "lines": {"sku": "k", "amount_minor": "a"},
    "group_by": "o",
    "fill": True,
}
T = "2026-11-01 10:00:00"


def filled(scratch: Path, *files: Sequence[str], header: str = "o,t,m,k,a", **settings: Any) -> Taken:
    """Give files of these rows to one command, where a blank cell says what the row above says."""
    paths = [write(scratch / f"page{at}.csv", rows, header) for at, rows in enumerate(files, 1)]
    return read(paths, mapping(**FILLED, **settings))


# ------------------------------------------------------------------------------------------- rows that name no order


def test_a_row_that_names_no_order_goes_on_with_the_row_above(tmp_path: Path) -> None:
    rows = [f"A,{T},anna,k1,1.00", ",,,k2,2.00", f"B,{T},bob,b1,4.00"]
    for files in ([rows], [rows[:1], rows[1:]]):
        assert filled(tmp_path, *files).orders == {"A": [("k1", 100), ("k2", 200)], "B": [("b1", 400)]}


BELOW_A_BROKEN_ROW = [
    [f"B,{T},bob,b1,b,2.00"],
    [f"B,{T},bob"],
    [f'B,{T},"bob,b1,2.00'],
    ["B", f",{T},anna,b1,2.00", "B,,,b3,1.00"],
]


@pytest.mark.parametrize("broken", BELOW_A_BROKEN_ROW)
@pytest.mark.parametrize("cut", [False, True])
def test_a_row_below_a_broken_one_is_not_of_the_order_before_it(tmp_path: Path, broken: list[str], cut: bool) -> None:  # noqa: FBT001 - a case of a table
    first, last = [f"A,{T},anna,a1,1.00", *broken], [",,,b2,4.00", f"C,{T},cy,c1,8.00"]
    taken = filled(tmp_path, *([first, last] if cut else [[*first, *last]]))
    assert taken.orders == {"A": [("a1", 100)], "C": [("c1", 800)]}
    assert taken.refused


def test_a_row_below_one_that_is_left_out_is_not_of_the_order_before_it(tmp_path: Path) -> None:
    rows = [f"A,{T},anna,a1,1.00,item", f"B,{T},bob,SHIP,5.00,ship", ",,,b2,4.00,item"]
    taken = filled(tmp_path, rows, header="o,t,m,k,a,s", leave_out={"s": ["ship"]})
    assert taken.orders == {"A": [("a1", 100)]}
    assert len(taken.refused) == 1


def test_an_order_is_chosen_by_its_first_row_wherever_the_others_stand(tmp_path: Path) -> None:
    header = "o,t,m,k,a,s"
    paid = [f"A,{T},anna,a1,1.00,paid", f"B,{T},anna,b1,16.00,paid", "A,,,a2,2.00,"]
    taken = filled(tmp_path, paid, header=header, only={"s": ["paid"]})
    assert taken.orders == {"A": [("a1", 100), ("a2", 200)], "B": [("b1", 1600)]}
    pending = [f"A,{T},anna,a1,1.00,pending", f"B,{T},anna,b1,16.00,paid", f"A,{T},anna,a2,2.00,"]
    taken = filled(tmp_path, pending, header=header, leave_out={"s": ["pending"]})
    assert taken.orders == {"B": [("b1", 1600)]}
    assert not taken.refused


def test_a_cell_too_many_before_the_key_makes_another_cell_of_it(tmp_path: Path) -> None:
    rows = [f"A,{T},anna,k1,1.00", f"x,A,{T},anna,k2,2.00", f"A,{T},anna,k3,4.00"]
    taken = filled(tmp_path, rows)
    assert taken.orders == {}
    assert taken.refused.keys() == {"A"}


# ------------------------------------------------------------------------------------- rows among those of one order

SUBTOTALS = [
    ["本页小计,,,,1.00"],
    ["Subtotal,,,,"],
    ["Page 2,,,,"],
    ["Subtotal,2026-11-01,,,1.00"],
    ["本页小计,,,1件,1.00", "第2页,,,,", "o,t,m,k,a"],
    ["第 2 页"],
]


@pytest.mark.parametrize("rows", SUBTOTALS)
@pytest.mark.parametrize("cut", [0, 1, 2])
def test_an_order_around_a_subtotal_is_not_taken_without_the_rows_below(
    tmp_path: Path, rows: list[str], cut: int
) -> None:
    all_rows = [f"Z,{T},zoe,z1,8.00", f"A,{T},anna,a1,1.00", *rows, ",,,a2,2.00", ",,,a3,4.00", f"C,{T},cy,c1,8.00"]
    at = {0: 0, 1: 2, 2: 2 + len(rows)}[cut]
    files = [all_rows[:at], all_rows[at:]] if at else [all_rows]
    taken = filled(tmp_path, *files)
    assert "A" not in taken.orders
    assert taken.orders["Z"] == [("z1", 800)]
    kept = [one.raw.decode() for one in taken.arrived if one.refusal is not None]
    assert all(any(row in raw for raw in kept) for row in [*rows, *all_rows[-3:-1]] if row != "o,t,m,k,a")
    left_out = [row.partition(",")[0] for row in rows]
    for column in ("o", "*first"):
        taken = filled(tmp_path, *files, leave_out={column: left_out})
        assert taken.orders == {
            "Z": [("z1", 800)],
            "A": [("a1", 100), ("a2", 200), ("a3", 400)],
            "C": [("c1", 800)],
        }
        assert not taken.refused


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_subtotal_among_orders_with_keys_of_two_columns_is_none_of_them(tmp_path: Path, form: str) -> None:
    header = "store,number,day,clock,m,k,a"
    key, when = ["store", "number"], ["day", "clock"]
    fields = {"event_id": key, "order_id": key, "occurred_at": when, "member_id": "m"}
    how = FILLED | {"fields": fields, "group_by": key}
    rows = [
        "s1,1,2026-11-01,10:00,anna,a1,1.00",
        ",Subtotal,,,,,1.00",
        ",,,,,a2,2.00",
        "s1,2,2026-11-01,11:00,cy,c1,8.00",
    ]
    path = table(tmp_path, form, 0, header, rows)
    taken = read([path], mapping(**how))
    assert taken.orders == {"s1/2": [("c1", 800)]}
    assert "leave it out in the mapping, leave_out; else" in taken.refused["s1/1"].message
    taken = read([path], mapping(**how, leave_out={"number": ["Subtotal"]}))
    assert taken.orders == {"s1/1": [("a1", 100), ("a2", 200)], "s1/2": [("c1", 800)]}
    assert not taken.refused


def test_a_refusal_names_the_row_that_may_be_a_subtotal_and_the_setting_that_leaves_it_out(tmp_path: Path) -> None:
    taken = filled(tmp_path, [f"A,{T},anna,a1,1.00", "本页小计,,,,1.00", ",,,a2,2.00"])
    assert taken.refused["A"].message == (
        "line 4 names no order, and the row above it that does, '本页小计', has no time or no product: if that one is "
        "no order (a subtotal, a page's header), leave it out in the mapping, leave_out: {o: [本页小计]}; else mend it"
    )


def test_an_order_whose_first_row_is_wrong_does_not_spoil_the_one_before(tmp_path: Path) -> None:
    for wrong in (f"B,{T},bob,,2.00", f"B,{T},bob,b1,?", "B,yesterday,bob,b1,2.00"):
        taken = filled(tmp_path, [f"A,{T},anna,a1,1.00", wrong, ",,,b2,2.00", f"C,{T},cy,c1,8.00"])
        assert taken.orders == {"A": [("a1", 100)], "C": [("c1", 800)]}
        assert taken.refused.keys() == {"B"}


@pytest.mark.parametrize("choice", [{"only": {"s": ["paid"]}}, {"leave_out": {"s": ["pending"]}}])
@pytest.mark.parametrize("cut", [0, 2, 3, 4])
def test_rows_around_a_subtotal_are_chosen_as_the_first_row_of_their_order(
    tmp_path: Path, choice: dict[str, Any], cut: int
) -> None:
    rows = [f"Z,{T},zoe,z1,8.00,paid", f"A,{T},anna,a1,1.00,pending", ",,,a2,2.00,", "小计,,,,3.00,", ",,,a3,4.00,"]
    leave_out = choice.get("leave_out", {}) | {"o": ["小计"]}
    taken = filled(tmp_path, rows[:cut], rows[cut:], header="o,t,m,k,a,s", **choice | {"leave_out": leave_out})
    assert taken.orders == {"Z": [("z1", 800)]}
    assert not taken.refused
    rows[1] = rows[1].replace("pending", "paid")
    taken = filled(tmp_path, rows[:cut], rows[cut:], header="o,t,m,k,a,s", **choice)
    whole = {"Z": [("z1", 800)], "A": [("a1", 100), ("a2", 200), ("a3", 400)]}
    assert taken.orders == (whole if "only" in choice else {"Z": [("z1", 800)]}), "only leaves the subtotal out"


# -------------------------------------------------------------------------- orders that are left out, and cut by files


@pytest.mark.parametrize("choice", [{"only": {"s": ["paid", ""]}}, {"leave_out": {"s": ["pending"]}}])
@pytest.mark.parametrize("key", ["P", ""])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_pending_order_that_is_cut_is_left_out_in_both_files(
    tmp_path: Path, choice: dict[str, Any], key: str, form: str
) -> None:
    first = [f"Z,{T},zoe,z1,8.00,paid", f"P,{T},pia,p1,1.00,pending", f"{key},,,p2,2.00,"]
    second = [f"{key},,,p3,4.00,", f"{key},,,p4,4.00,", f"C,{T},cy,c1,8.00,paid", ",,,c2,1.00,"]
    paths = [table(tmp_path, form, at, "o,t,m,k,a,s", rows) for at, rows in enumerate((first, second))]
    taken = read(paths, mapping(**FILLED, **choice))
    assert taken.orders == {"Z": [("z1", 800)], "C": [("c1", 800), ("c2", 100)]}
    assert not taken.refused


@pytest.mark.parametrize("cut", [0, 2])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_row_below_one_that_is_left_out_is_nobodys_in_all_formats(tmp_path: Path, form: str, cut: int) -> None:
    rows = [f"A,{T},anna,a1,1.00,item", f"B,{T},bob,SHIP,5.00,ship", ",,,b2,4.00,item", f"C,{T},cy,c1,8.00,item"]
    files = [rows[:cut], rows[cut:]] if cut else [rows]
    paths = [table(tmp_path, form, at, "o,t,m,k,a,s", each) for at, each in enumerate(files)]
    taken = read(paths, mapping(**FILLED, leave_out={"s": ["ship"]}))
    assert taken.orders == {"A": [("a1", 100)], "C": [("c1", 800)]}
    assert len(taken.refused) == 1


def table(scratch: Path, form: str, number: int, header: str, rows: Sequence[str]) -> Path:
    """A file of these rows, in which an empty cell of Parquet is null."""
    if form == "csv":
        return write(scratch / f"page{number}.csv", rows, header)
    cells = zip(*(row.split(",") for row in rows), strict=True)
    columns = {name: [cell or None for cell in column] for name, column in zip(header.split(","), cells, strict=True)}
    schema = pa.schema({name: pa.string() for name in columns})
    pq.write_table(pa.table(columns, schema=schema), scratch / f"page{number}.parquet")
    return scratch / f"page{number}.parquet"


# ------------------------------------------------------------------------------------------------ rows that stand apart


def test_rows_of_one_order_need_not_stand_together(tmp_path: Path) -> None:
    taken = read_rows(tmp_path, [ANNA, BERT, ANNA_BUN])
    assert taken.orders == {"7001": [("espresso", 250), ("bun", 100)], "7002": [("bun", 100)]}
    assert [(one.record, one.at_line) for one in taken.arrived] == [(1, 2), (2, 3)]
    assert taken == read_rows(tmp_path, [ANNA, BERT, ANNA_BUN], held_bytes=0, folder=tmp_path)


def test_an_order_that_is_cut_by_the_end_of_a_file_is_one(tmp_path: Path) -> None:
    taken = read_rows(tmp_path, [ANNA, BERT], [BERT_TOO, CARL])
    assert taken.orders == {
        "7001": [("espresso", 250)],
        "7002": [("bun", 100), ("grinder", 30_000)],
        "7003": [("bun", 100)],
    }
    assert [(one.input_index, one.record, one.parts) for one in taken.arrived] == [
        (0, 1, ()),
        (0, 2, ((0, 2), (1, 1))),
        (1, 2, ()),
    ]
    assert taken.notes == []


def test_files_are_one_input_in_the_order_in_which_they_are_given(tmp_path: Path) -> None:
    taken = read_rows(tmp_path, [BERT_TOO, CARL], [ANNA, BERT])
    assert taken.orders["7002"] == [("grinder", 30_000), ("bun", 100)]


@pytest.mark.parametrize("seed", SEEDS)
def test_shuffled_and_cut_orders_are_those_of_the_sorted_file(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    orders = [
        [
            f"{number};2026-11-01 {9 + number // 60:02}:{number % 60:02}:00;b1;m-{number % 7};s-{line};1;{line + 1}.00"
            for line in range(chance.randint(1, 5))
        ]
        for number in range(100)
    ]
    rows = [row for order in orders for row in order]
    whole = read_rows(tmp_path, rows)
    chance.shuffle(rows)
    cuts = sorted(chance.sample(range(1, len(rows)), chance.randint(0, 4)))
    files = [rows[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    taken = read_rows(tmp_path, *files, held_bytes=chance.choice((0, 5_000, 1_000_000)), folder=tmp_path)
    assert taken.refused == {}
    assert {key: sorted(lines) for key, lines in taken.orders.items()} == whole.orders
    assert [one.occurred_at for one in taken.arrived] == [one.occurred_at for one in whole.arrived]


def test_parts_of_parquet_are_one_input(tmp_path: Path) -> None:
    def part(name: str, rows: Sequence[str]) -> Path:
        cells = zip(*(row.split(";") for row in rows), strict=True)
        pq.write_table(pa.table(dict(zip(COLUMNS, map(list, cells), strict=True))), tmp_path / name)
        return tmp_path / name

    taken = read([part("part-0.parquet", [BERT, ANNA]), part("part-1.parquet", [CARL, BERT_TOO])])
    assert taken.orders["7002"] == [("bun", 100), ("grinder", 30_000)]
    spoilt = read([part("part-0.parquet", [BERT, ANNA]), part("part-1.parquet", [CARL, BERT_TOO.replace("300", "?")])])
    assert set(spoilt.orders) == {"7001", "7003"}
    (kept,) = [one.raw for one in spoilt.arrived if one.refusal is not None]
    assert b'"bun"' in kept
    assert b'"?.00"' in kept


# ------------------------------------------------------------------------------------------------ broken rows


@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        ([ANNA, ANNA_BUN.replace("1.00", "?"), BERT], {"7001"}),
        ([ANNA, BERT, ANNA_BUN.replace("1.00", "?")], {"7001"}),
        ([ANNA, BERT, ANNA_BUN.replace("bun", "bun; large")], {"7001"}),
        ([ANNA, BERT, ANNA_BUN.replace("bun", '"bun')], {"7001"}),
        ([ANNA, BERT, ANNA_BUN.replace("anna", "bert")], {"7001"}),
    ],
    ids=["a bad amount", "apart from the others", "a cell too many", "an open quote", "another member"],
)
def test_an_order_with_one_row_refused_is_refused_with_all_its_rows(
    tmp_path: Path, rows: list[str], refused: set[str]
) -> None:
    taken = read_rows(tmp_path, rows)
    assert taken.orders.keys() == {"7001", "7002"} - refused
    (kept,) = [one for one in taken.arrived if one.refusal is not None]
    assert kept.raw.decode().split("\n") == [row for row in rows if row.startswith("7001")]


SHIFTED_HEADER: Final = "time;branch;card;article;pieces;paid;receipt"


def moved(row: str) -> str:
    """A row whose receipt stands last."""
    receipt, rest = row.split(";", 1)
    return f"{rest};{receipt}"


def test_the_row_of_an_order_that_is_wrong_is_named_by_its_line(tmp_path: Path) -> None:
    wrong = BERT_TOO.replace("300.00", "x")
    rows = [ANNA, BERT, ANNA_BUN, '7002;2026-11-01 09:15:10;b1;bert;"sugar\nand milk";1;1.00', wrong, CARL]
    taken = read_rows(tmp_path, rows)
    (kept,) = [one for one in taken.arrived if one.refusal is not None]
    assert kept.at_line == 3, "the order begins there"
    assert taken.refused["7002"].message.startswith("line 7: amount_minor is 'x' in column 'paid'")


def test_a_row_is_not_named_by_its_line_where_that_is_not_sure(tmp_path: Path) -> None:
    rows = [ANNA, ANNA_BUN.replace("bun", "left out"), ANNA_BUN.replace("1.00", "x")]
    inputs = [write(tmp_path / "a.csv", rows)]
    taken = read(inputs, mapping(leave_out={"article": ["left out"]}))
    assert taken.refused["7001"].message.startswith("amount_minor is 'x' in column 'paid'")


def test_a_shifted_row_belongs_to_the_order_that_one_of_its_cells_names(tmp_path: Path) -> None:
    rows = [moved(row) for row in (CARL, ANNA, ANNA_BUN.replace("bun", "machine; large"), BERT)]
    taken = read([write(tmp_path / "a.csv", rows, SHIFTED_HEADER)])
    assert taken.orders.keys() == {"7002", "7003"}
    (kept,) = [one for one in taken.arrived if one.refusal is not None]
    assert kept.raw.decode() == "\n".join(rows[1:3])
    assert kept.refusal is not None
    assert kept.refusal.message.startswith("line 4 has 8 cells where the header has 7")


def test_a_shifted_row_that_names_no_order_belongs_to_those_beside_it(tmp_path: Path) -> None:
    broken = "2026-11-01 09:15:00;b1;anna"
    rows = [moved(ANNA), broken, moved(BERT), moved(CARL)]
    taken = read([write(tmp_path / "a.csv", rows, SHIFTED_HEADER)])
    assert taken.orders.keys() == {"7003"}
    kept = [one for one in taken.arrived if one.refusal is not None]
    assert [one.raw.decode() for one in kept] == ["\n".join(rows[:2]), "\n".join(rows[1:3])]
    assert all(one.refusal is not None and "line 3 has 3 cells" in one.refusal.message for one in kept)


def test_a_row_without_a_key_between_the_rows_of_one_order_belongs_to_it(tmp_path: Path) -> None:
    taken = read_rows(tmp_path, [ANNA, ANNA_BUN.replace("7001", ""), ANNA_BUN, BERT])
    assert taken.orders.keys() == {"7002"}
    taken = read_rows(tmp_path, [ANNA, ANNA_BUN.replace("7001", ""), BERT])
    assert taken.orders.keys() == {"7002"}
    taken = read_rows(tmp_path, [ANNA, ANNA_BUN.replace("7001", "").replace("anna", "zoe"), BERT])
    assert taken.orders.keys() == {"7001", "7002"}
    assert len(taken.refused) == 1


def test_a_broken_row_in_another_file_is_named_with_its_file(tmp_path: Path) -> None:
    taken = read_rows(tmp_path, [ANNA, BERT], [BERT_TOO + ";", CARL])
    assert taken.orders.keys() == {"7001", "7003"}
    assert taken.refused["7002"].message.startswith("page2.csv: line 2 has 8 cells")


def test_the_mended_file_brings_the_order_in(tmp_path: Path) -> None:
    shifted = [moved(ANNA), moved(ANNA_BUN.replace("bun", "machine; large")), moved(BERT)]
    assert read([write(tmp_path / "a.csv", shifted, SHIFTED_HEADER)]).orders.keys() == {"7002"}
    mended = [row.replace("machine; large", '"machine; large"') for row in shifted]
    taken = read([write(tmp_path / "a.csv", mended, SHIFTED_HEADER)])
    assert taken.orders == {"7001": [("espresso", 250), ("machine; large", 100)], "7002": [("bun", 100)]}


# ------------------------------------------------------------------------------------------------ rows that come again


def test_a_file_exported_again_and_grown_counts_each_row_once(tmp_path: Path) -> None:
    taken = read_rows(tmp_path, [ANNA, BERT], [ANNA, BERT, BERT_TOO])
    assert taken.orders == {"7001": [("espresso", 250)], "7002": [("bun", 100), ("grinder", 30_000)]}
    assert taken.notes == ["page1.csv: all its rows are in page2.csv too: counted once"]
    other_way = read_rows(tmp_path, [ANNA, BERT, BERT_TOO], [ANNA, BERT])
    assert other_way.orders == taken.orders


def test_a_row_that_an_order_has_twice_counts_twice(tmp_path: Path) -> None:
    assert read_rows(tmp_path, [ANNA, BERT, ANNA]).orders["7001"] == [("espresso", 250)] * 2
    again = read_rows(tmp_path, [ANNA, ANNA, BERT], [ANNA, ANNA, BERT, CARL])
    assert again.orders["7001"] == [("espresso", 250)] * 2


def test_equal_rows_on_both_sides_of_a_cut_are_not_guessed_at(tmp_path: Path) -> None:
    taken = read_rows(tmp_path, [ANNA, BERT], [BERT, BERT_TOO, CARL])
    assert taken.orders.keys() == {"7001", "7003"}
    assert "line 3 of page1.csv and line 2 of page2.csv" in taken.refused["7002"].message
    assert "exported again" in taken.refused["7002"].message


@pytest.mark.parametrize("first", [[ANNA, BERT, BERT_TOO], [ANNA, BERT_TOO, BERT_TOO]])
@pytest.mark.parametrize("second", [[BERT_TOO, BERT, CARL], [BERT_TOO, CARL]])
def test_a_row_that_ends_one_file_and_begins_the_next_counts_twice_with_a_note(
    tmp_path: Path, first: list[str], second: list[str]
) -> None:
    taken = read_rows(tmp_path, first, second)
    assert len(taken.orders["7002"]) == len(first) + len(second) - 2
    (note,) = taken.notes
    assert note.startswith(("page2.csv: 1 row is the same as in page1.csv", "page2.csv: 2 rows are the same"))
    assert "counted twice. If the files overlap there, take what comes again out of one of them" in note


def test_an_order_that_another_export_has_changed_is_refused(tmp_path: Path) -> None:
    changed = BERT.replace("1.00", "8.00")
    taken = read_rows(tmp_path, [ANNA, BERT, CARL], [ANNA, changed, CARL])
    assert taken.orders.keys() == {"7001", "7003"}
    assert "line 3 of page1.csv and line 3 of page2.csv" in taken.refused["7002"].message


def test_equal_rows_of_orders_that_were_all_cut_are_further_rows(tmp_path: Path) -> None:
    """Parts that a job wrote in any order share many orders, and hardly a row."""
    orders = [f"{number};2026-11-01 09:15:{number};b1;m;" for number in range(10, 30)]
    first, second = ([f"{order}{sku};1;1.00" for order in orders] for sku in ("bun", "tea"))
    second[7] = first[7]
    taken = read_rows(tmp_path, first, second)
    assert taken.refused == {}
    assert Counter(len(lines) for lines in taken.orders.values()) == {2: 20}


def test_heads_that_contradict_each_other_are_named_with_both_places(tmp_path: Path) -> None:
    taken = read_rows(tmp_path, [ANNA, BERT], [BERT_TOO.replace("bert", "carl"), CARL])
    message = taken.refused["7002"].message
    assert message.startswith("line 3 of page1.csv and line 2 of page2.csv are rows of one order, but 'card' is 'bert'")


def test_numbers_that_begin_anew_each_day_are_refused_with_the_columns_to_add(tmp_path: Path) -> None:
    next_day = BERT.replace("7002", "7001").replace("11-01", "11-02")
    for rows in ([ANNA, CARL, next_day], [ANNA, next_day, CARL]):
        taken = read_rows(tmp_path, rows)
        assert taken.orders.keys() == {"7003"}
        assert "such as [receipt, time]" in taken.refused["7001"].message
    how = mapping(group_by=["receipt", "time"], fields=ORDERS["fields"] | {"event_id": ["receipt", "time"]})
    assert len(read_rows(tmp_path, [ANNA, CARL, next_day, ANNA_BUN], how=how).orders) == 3


def test_a_file_that_may_still_grow_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [ANNA, BERT])
    assert read([path]).notes == []
    path.write_text(path.read_text().removesuffix("\n"))
    (note,) = read([path]).notes
    assert note.startswith("a.csv: the last row has no line end")


# ------------------------------------------------------------------------------------------------ fill


def test_blank_cells_below_an_orders_first_row_say_what_that_row_says(tmp_path: Path) -> None:
    rows = [ANNA, "7001;;;;bun;1;1.00", BERT, "7002;;;;grinder;1;300.00"]
    taken = read_rows(tmp_path, rows, how=mapping(fill=True))
    assert taken.orders == {"7001": [("espresso", 250), ("bun", 100)], "7002": [("bun", 100), ("grinder", 30_000)]}
    assert read_rows(tmp_path, rows[:3], rows[3:], how=mapping(fill=True)).orders == taken.orders
    assert read_rows(tmp_path, rows).orders == {}
    # The order's own key may be blank there too; a file may begin with such rows.
    keyless = [rows[0], rows[1].replace("7001", ""), rows[2], rows[3].replace("7002", "")]
    assert read_rows(tmp_path, keyless, how=mapping(fill=True)).orders == taken.orders
    assert read_rows(tmp_path, keyless[:3], keyless[3:], how=mapping(fill=True)).orders == taken.orders


@pytest.mark.parametrize("key", ["B", ""])
@pytest.mark.parametrize("more", [1, 2, 3])
def test_equal_rows_below_an_orders_first_one_are_further_rows_in_the_next_file_too(
    tmp_path: Path, key: str, more: int
) -> None:
    first = [f"A,{T},anna,a1,1.00", f"B,{T},bob,bun,4.00"]
    below = [f"{key},,,bun,4.00"] * more
    for cut in range(1, more + 1):
        rows = [*first, *below]
        taken = filled(tmp_path, rows[: 1 + cut], rows[1 + cut :])
        assert taken.orders == {"A": [("a1", 100)], "B": [("bun", 400)] * (1 + more)}
    # An order that was exported again begins with its first row again.
    others = [first[0], f"Z,{T},zoe,z1,8.00"]
    taken = filled(tmp_path, [*others, first[1], *below], [first[1], *below, f"C,{T},cy,c1,8.00"], others)
    assert taken.orders["B"] == [("bun", 400)] * (1 + more)


# ------------------------------------------------------------------------------------------------ in its own order


def test_a_single_file_gives_its_orders_in_the_order_of_their_first_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [CARL, ANNA, BERT, CARL.replace("bun", "tea"), BERT_TOO])
    one = open_input(path, mapping=mapping())
    arrived = [item for item in records_as_they_come(one, UnknownFields()) if item is not None]
    assert [(item.record, item.fact is not None) for item in arrived] == [(1, True), (2, True), (3, True)]
    assert [record.fact for record in one.records()] == [item.fact for item in arrived]
    assert [one.record for one in read([path], as_is=True).arrived] == [1, 2, 3]


def test_a_refused_order_has_the_instant_of_the_rows_before_it(tmp_path: Path) -> None:
    timeless = BERT.replace("2026-11-01 09:15:10", "?")
    taken = read_rows(tmp_path, [timeless.replace("7002", "6999"), CARL, timeless, ANNA])
    instants: Mapping[int, int] = {one.record: one.occurred_at for one in taken.arrived}
    assert instants[1] == instants[2] == instants[3] > instants[4]


def test_a_broken_row_that_may_belong_to_many_orders_is_held_within_bounds(tmp_path: Path) -> None:
    """Such a row is kept with each of them; a long one only with its beginning."""
    keys = [str(number) for number in range(7100, 7200)]
    rows = [f"{key};2026-11-01 09:15:00;b1;anna;bun;1;1.00" for key in keys]
    broken = f'?;?;{";".join(keys)};"{"x" * 100_000}'
    taken = read_rows(tmp_path, [*rows, broken, CARL])
    assert taken.orders.keys() == {"7003"}
    assert len(taken.refused) == len(keys)
    assert sum(len(one.raw) for one in taken.arrived) < 2 * len(broken)
    assert all(one.headers["truncated"] == "true" for one in taken.arrived if one.refusal is not None)
