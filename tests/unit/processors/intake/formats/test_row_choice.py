"""Rows chosen by a column whose cells are blank below an order's first row: the order is chosen as a whole."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processors.intake.input_files import open_input
from processors.intake.mapping import parse_mapping
from processors.intake.merge import gather
from schemas.facts import PurchaseRecorded

COLUMNS = ["order", "state", "time", "sku", "paid"]
ROWS = [
    ["o1", "paid", "2025-11-02T09:00:00Z", "a", "1.00"],
    ["o1", "", "", "b", "2.00"],
    ["o2", "refunded", "2025-11-02T09:01:00Z", "a", "4.00"],
    ["o2", "", "", "b", "8.00"],
    ["", "", "", "c", "16.00"],
    ["o3", "", "2025-11-02T09:02:00Z", "a", "32.00"],
]
SETTINGS = {
    "type": "PurchaseRecorded",
    "source": "shop",
    "fields": {"event_id": "order", "order_id": "order", "occurred_at": "time"},
    "constants": {"currency": "EUR"},
    "lines": {"sku": "sku", "amount_minor": "paid"},
    "scale": {"amount_minor": 100},
    "group_by": "order",
    "fill": True,
}


def as_csv(file: Path) -> Path:
    file.write_text("\n".join(",".join(cells) for cells in [COLUMNS, *ROWS]) + "\n", encoding="utf-8")
    return file


def as_parquet(file: Path) -> Path:
    pq.write_table(pa.table({name: [row[at] or None for row in ROWS] for at, name in enumerate(COLUMNS)}), file)
    return file


@pytest.mark.parametrize("name", ["orders.csv", "orders.parquet"])
@pytest.mark.parametrize(
    ("choice", "taken"),
    [
        ({"leave_out": {"state": ["refunded"]}}, {"o1": 300, "o3": 3200}),
        ({"only": {"state": ["refunded"]}}, {"o2": 2800}),
        ({"only": {"state": ["paid", ""]}}, {"o1": 300, "o3": 3200}),
    ],
)
def test_an_order_is_chosen_by_its_first_row(
    choice: dict[str, object], taken: dict[str, int], name: str, tmp_path: Path
) -> None:
    write = as_csv if name.endswith(".csv") else as_parquet
    with gather([open_input(write(tmp_path / name), mapping=parse_mapping(SETTINGS | choice))]) as gathered:
        facts = [item.fact for item in gathered.arrivals]
    assert {
        fact.order_id: sum(line.amount_minor for line in fact.lines)
        for fact in facts
        if isinstance(fact, PurchaseRecorded)
    } == taken
    assert len(facts) == len(taken)
