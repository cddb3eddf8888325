"""Orders whose rows differ in what an order has once, as where a till writes when each item was scanned."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processors.intake.input_files import open_input
from processors.intake.mapping import MappingRefused
from schemas.facts import PurchaseRecorded
from schemas.instants import format_instant
from tests.support.fact_samples import HEADER, ORDERS, facts, mapping, read_file

SCANNED = (
    HEADER
    + "1,anna,2026-11-02 10:00:00,a,5.00\n"
    + "2,bert,2026-11-02 10:00:30,b,6.00\n"
    + "1,anna,2026-11-02 10:00:07,c,7.00\n"
    + "1,anna,2026-11-02 10:00:09,d,8.00\n"
)


def test_the_time_of_the_first_row_is_that_of_the_order_where_the_mapping_says_so(tmp_path: Path) -> None:
    first, second = facts(read_file(tmp_path / "till.csv", SCANNED, mapping(of_first_row=["occurred_at"])))
    assert isinstance(first, PurchaseRecorded)
    assert [line.amount_minor for line in first.lines] == [500, 700, 800]
    assert format_instant(first.occurred_at) == "2026-11-02T09:00:00Z"
    assert format_instant(second.occurred_at) == "2026-11-02T09:00:30Z"


def test_a_parquet_file_is_read_likewise(tmp_path: Path) -> None:
    path = tmp_path / "till.parquet"
    rows = [line.split(",") for line in SCANNED.splitlines()]
    pq.write_table(pa.table(dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))), path)
    how = mapping(of_first_row="occurred_at")
    csv = facts(read_file(tmp_path / "till.csv", SCANNED, how))
    assert facts(list(open_input(path, mapping=how).records())) == csv


def test_without_it_the_order_is_refused_and_the_message_names_it(tmp_path: Path) -> None:
    first, _ = read_file(tmp_path / "till.csv", SCANNED, mapping())
    assert first.refusal is not None
    assert first.refusal.message.endswith("or where each row has a time of its own, write of_first_row: [occurred_at]")


def test_another_buyer_is_another_order_all_the_same(tmp_path: Path) -> None:
    content = HEADER + "1,anna,2026-11-02 10:00:00,a,5.00\n1,bert,2026-11-02 10:00:07,c,7.00\n"
    (read,) = read_file(tmp_path / "till.csv", content, mapping(of_first_row=["occurred_at"]))
    assert read.refusal is not None
    assert "'member' is 'anna' in one and 'bert' in the other" in read.refusal.message


@pytest.mark.parametrize("field", ["event_id", "member_id", "store_id", "sku"])
def test_only_fields_of_an_order_that_its_rows_may_differ_in_can_be_of_the_first_row(field: str) -> None:
    with pytest.raises(MappingRefused, match=rf"of_first_row\.{field}: .*: occurred_at"):
        mapping(of_first_row=[field])


def test_a_check_in_has_one_row_only() -> None:
    fields = {name: column for name, column in ORDERS["fields"].items() if name != "order_id"}
    settings: dict[str, Any] = {"type": "CheckedIn", "fields": fields, "constants": {}, "lines": {}, "scale": {}}
    with pytest.raises(MappingRefused, match="of_first_row: only a PurchaseRecorded has lines"):
        mapping(**settings, group_by=None, of_first_row=["occurred_at"])
