"""Tests that share a store find it as new: nothing of one is seen by the next, whichever of them is first."""

import pytest

from projections.clickhouse.client import ClickHouse
from projections.projector import project
from projections.sql_files import sql_files
from projections.store import LEDGER, QueryFailed
from schemas.posting import FIRST_EDITION
from tests.fakes.list_books import ListBooks
from tests.sql.projected_books import TEMPORARY, answers, rescored

OF_MIGRATIONS = {"migrations": len(sql_files("migrations")), "reader_views": len(sql_files("views"))}


def rows_by_table(store: ClickHouse) -> dict[str, int]:
    """How many rows each table has."""
    counts = {}
    for table in store.rows("SELECT name FROM system.tables WHERE database = 'tallybook_rows'"):
        (row,) = store.rows(f"SELECT count() AS n FROM tallybook_rows.{table['name']}")
        counts[str(table["name"])] = int(str(row["n"]))
    return counts


@pytest.mark.parametrize("which", ["one", "another"])
def test_a_test_finds_nothing_of_another(store: ClickHouse, books: ListBooks, which: str) -> None:
    found = rows_by_table(store)
    assert {table: rows for table, rows in found.items() if rows} == OF_MIGRATIONS, which
    assert not any(answers(store).values())
    assert store.rows(TEMPORARY) == []
    project(books, store, FIRST_EDITION)
    rescored(store)
    assert all(rows_by_table(store).values())
    with pytest.raises(QueryFailed, match="ABORTED"):
        store.command("OPTIMIZE TABLE tallybook_rows.ledger FINAL")
    # All that the other is not to find: the rows, a table that dies with the session, and merges.
    store.stage(LEDGER, [])
    store.command("SYSTEM START MERGES")
    store.command("OPTIMIZE TABLE tallybook_rows.ledger FINAL")
