"""What merges have replaced does not stay on the disk, and what is asked is answered as before."""

import shutil
from pathlib import Path

from projections.clickhouse import client as clickhouse
from projections.clickhouse.client import ClickHouse, open_chdb
from projections.clickhouse.migrate import migrate
from projections.store import REJECTS

BATCHES = 30
_ROWS = "SELECT count() AS rows, sum(position) AS sum FROM tallybook_rows.progress FINAL"
_INACTIVE = "SELECT count() AS parts FROM system.parts WHERE database = 'tallybook_rows' AND NOT active"
_ACTIVE = "SELECT count() AS parts FROM system.parts WHERE database = 'tallybook_rows' AND active"


def fill(store: ClickHouse, first: int = 0) -> None:
    """Rows in many batches, which are then merged into one part."""
    for number in range(first, first + BATCHES):
        place: dict[str, list[object]] = {"edition": ["0001"], "partition": [number], "book": ["ledger"]}
        store.insert("progress", place | {"position": [number], "records": [number]})
    store.command("OPTIMIZE TABLE tallybook_rows.progress FINAL")


def count(store: ClickHouse, query: str) -> int:
    (row,) = store.rows(query)
    return int(str(row["parts"]))


def parts_in(folder: Path) -> int:
    return sum(path.parent.name != "detached" for path in folder.glob("store/*/*/*/columns.txt"))


def test_a_store_that_is_closed_leaves_only_what_counts(tmp_path: Path) -> None:
    with open_chdb(tmp_path) as store:
        migrate(store)
        fill(store)
        assert count(store, _INACTIVE) >= BATCHES
        kept, rows = count(store, _ACTIVE), store.rows(_ROWS)
    assert parts_in(tmp_path) == kept
    with open_chdb(tmp_path) as store:
        assert store.rows(_ROWS) == rows


def test_what_lies_in_a_folder_from_before_goes_when_it_is_read(tmp_path: Path) -> None:
    here, before = tmp_path / "here", tmp_path / "before"
    with open_chdb(here) as store:
        migrate(store)
        fill(store)
        rows = store.rows(_ROWS)
        shutil.copytree(here, before, symlinks=True)  # as a process leaves it that ends without clearing
    found = parts_in(before)
    assert found > BATCHES
    with open_chdb(before) as store:
        assert store.rows(_ROWS) == rows
    assert parts_in(before) <= found - BATCHES


def test_a_process_that_goes_on_clears_as_it_goes(tmp_path: Path) -> None:
    with open_chdb(tmp_path) as store:
        migrate(store)
        fill(store)
        rows = store.rows(_ROWS)
        for _ in range(clickhouse.STAGED_BEFORE_CLEARING):
            assert count(store, _INACTIVE) >= BATCHES
            store.unstage(store.stage(REJECTS, []))
        assert count(store, _INACTIVE) < BATCHES
        assert store.rows(_ROWS) == rows
        fill(store, BATCHES)  # and it still takes in and merges
        assert count(store, _INACTIVE) >= BATCHES
