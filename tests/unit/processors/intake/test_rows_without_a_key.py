"""Rows that name no order in a table where each row must: an order that may go on there is not taken in part."""

from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processors.intake.external_sort import Arrived
from processors.intake.input_files import open_input
from processors.intake.mapping import parse_mapping
from processors.intake.merge import gather
from schemas.facts import PurchaseRecorded

HEADER: Final = "no,order,time,card,article,pieces,paid"
ORDERS: Final[dict[str, Any]] = {
    "type": "PurchaseRecorded",
    "source": "till",
    "timezone": "Europe/Berlin",
    "fields": {"event_id": "order", "order_id": "order", "occurred_at": "time", "member_id": "card"},
    "constants": {"currency": "EUR"},
    "lines": {"sku": "article", "quantity_milli": "pieces", "amount_minor": "paid"},
    "scale": {"amount_minor": 100, "quantity_milli": 1000},
    "group_by": "order",
}
T: Final = "2026-11-01 09:15:00"
ANNA: Final = f"1,A,{T},anna,espresso,1,2.50"
BERT: Final = f"2,B,{T},bert,bun,1,1.00"
CARL: Final = f"3,C,{T},carl,bun,2,2.00"


def read(files: list[Path], **settings: Any) -> tuple[dict[str, int], list[Arrived]]:
    """What is taken in of each order, and the records that are refused, where these files are one command's."""
    inputs = [open_input(path, mapping=parse_mapping(ORDERS | settings)) for path in files]
    with gather(inputs) as gathered:
        arrived = list(gathered.arrivals)
    taken = {
        one.fact.event_id: sum(line.amount_minor for line in one.fact.lines)
        for one in arrived
        if isinstance(one.fact, PurchaseRecorded)
    }
    return taken, [one for one in arrived if one.refusal is not None]


def table(folder: Path, rows: list[str], name: str = "a.csv", header: str = HEADER) -> Path:
    path = folder / name
    if path.suffix == ".csv":
        path.write_text("".join(f"{row}\n" for row in (header, *rows)))
        return path
    cells = [[cell or None for cell in row.split(",")] for row in rows]
    pq.write_table(pa.table(dict(zip(header.split(","), map(list, zip(*cells, strict=True)), strict=True))), path)
    return path


def message(one: Arrived) -> str:
    assert one.refusal is not None
    return one.refusal.message


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_an_order_of_which_only_the_first_row_has_a_head_is_refused_whole(tmp_path: Path, name: str) -> None:
    rows = [ANNA, ",,,,bun,1,1.00", ",,,,tea,1,4.00", BERT, CARL, ",,,,tea,1,4.00"]
    taken, refused = read([table(tmp_path, rows, name)])
    assert taken == {"B": 100}
    assert [one.refusal.event_id for one in refused if one.refusal] == ["A", "C"]
    assert b"bun" in refused[0].raw
    assert b"tea" in refused[0].raw
    assert message(refused[0]).endswith(
        " names no order: if it goes on with the order above it, 'A', write fill: true in the mapping; if it is none "
        "of its rows (a total, a note), leave it out by name, leave_out"
    )
    taken, refused = read([tmp_path / name], fill=True)
    assert taken == {"A": 750, "B": 100, "C": 600}
    assert refused == []


def test_an_order_that_goes_on_in_the_next_file_without_its_key_is_refused(tmp_path: Path) -> None:
    files = [table(tmp_path, [BERT, ANNA], "p1.csv"), table(tmp_path, [",,,,bun,1,1.00", CARL], "p2.csv")]
    taken, refused = read(files)
    assert taken == {"B": 100, "C": 200}
    assert len(refused) == 1
    assert "p2.csv: line 2 names no order" in message(refused[0])


def test_orders_whose_rows_take_turns_are_told_from_the_one_above_a_row_without_a_key(tmp_path: Path) -> None:
    taken, refused = read([table(tmp_path, [ANNA, BERT, ANNA, ",,,,bun,1,1.00", BERT, CARL])])
    assert taken == {"B": 200, "C": 200}
    assert len(refused) == 1


def test_a_store_in_every_row_does_not_make_a_key_of_a_blank_number(tmp_path: Path) -> None:
    header = "store," + HEADER
    key = ["store", "order"]
    fields = ORDERS["fields"] | {"event_id": key, "order_id": key}
    rows = [f"s1,{ANNA}", "s1,,,,,bun,1,1.00", f"s1,{BERT}", f",{CARL}"]
    path = table(tmp_path, rows, header=header)
    taken, refused = read([path], fields=fields, group_by=key)
    assert taken == {"s1/B": 100, "/C": 200}
    assert len(refused) == 1


@pytest.mark.parametrize("above", ["void,A", "paid,A"])
def test_a_row_without_a_key_below_an_order_that_is_left_out_is_not_the_one_s_before(
    tmp_path: Path, above: str
) -> None:
    header = "state,order,time,card,article,pieces,paid"
    rows = [f"paid,B,{T},bert,bun,1,1.00", f"{above},{T},anna,bun,1,1.00", ",,,,tea,1,4.00"]
    taken, refused = read([table(tmp_path, rows, header=header)], leave_out={"state": ["void"]})
    assert taken == {"B": 100}
    assert len(refused) == 1


def test_a_row_below_a_subtotal_that_stands_in_the_key_s_column_may_go_on_with_the_order_above(tmp_path: Path) -> None:
    taken, refused = read([table(tmp_path, [ANNA, ",Subtotal,,,,,2.50", ",,,,tea,1,4.00", BERT])])
    assert taken == {"B": 100}
    assert len(refused) == 2


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
@pytest.mark.parametrize(
    "row", ["合计,,,,,3,5.50", "Total:,,,,,3,5.50", ",,,,,3,5.50", ",,,,总计,3,5.50", "Printed by Zoe,,,,,,"]
)
def test_a_total_below_the_table_does_not_spoil_the_last_order(tmp_path: Path, name: str, row: str) -> None:
    taken, refused = read([table(tmp_path, [ANNA, BERT, row], name)])
    assert taken == {"A": 250, "B": 100}
    assert len(refused) == 1
    assert "event_id is missing: line " in message(refused[0])


@pytest.mark.parametrize("row", ["小计,,,,,3,5.50", "Subtotal page 1,,,,,,5.50", "Store Berlin,,,,,,"])
def test_a_total_that_says_so_spoils_no_order_wherever_it_stands(tmp_path: Path, row: str) -> None:
    taken, refused = read([table(tmp_path, [ANNA, row, BERT, row])])
    assert taken == {"A": 250, "B": 100}
    assert len(refused) == 2


def test_totals_below_a_table_whose_last_line_says_when_it_was_printed(tmp_path: Path) -> None:
    rows = [ANNA, BERT, ",,,,,3,5.50", "制表 店长,打印时间 2026-12-01 09:12,,,,,"]
    taken, refused = read([table(tmp_path, rows)])
    assert taken == {"A": 250, "B": 100}
    assert len(refused) == 2


def test_a_row_without_a_product_below_rows_that_go_on_is_not_told_as_a_total(tmp_path: Path) -> None:
    taken, _ = read([table(tmp_path, [ANNA, ",,,,tea,1,4.00", BERT, ",,,,,1,1.00"])])
    assert taken == {}


@pytest.mark.parametrize("name", ["tea", "Total Yoghurt"])
def test_the_last_order_of_a_file_is_refused_where_its_last_row_has_a_product(tmp_path: Path, name: str) -> None:
    taken, refused = read([table(tmp_path, [ANNA, BERT, f",,,,{name},1,4.00"])])
    assert taken == {"A": 250}
    assert len(refused) == 1


def test_a_total_is_told_with_the_setting_that_leaves_it_out(tmp_path: Path) -> None:
    path = table(tmp_path, [ANNA, "合计,,,,,1,2.50"])
    taken, refused = read([path])
    assert taken == {"A": 250}
    assert message(refused[0]) == (
        "event_id is missing: line 3 names no order. If it is no row of one (a total, a note), leave it out in the "
        'mapping, leave_out: {"*first": [合计]}, or end the table there, ends_at: ["合计"]; else give it its key'
    )
    for setting in ({"leave_out": {"*first": ["合计"]}}, {"ends_at": ["合计"]}):
        assert read([path], **setting) == (taken, [])
