"""The store in memory keeps what the real one keeps: the same rows, whatever came twice, late or out of order."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from projections.clickhouse.client import open_chdb
from projections.clickhouse.migrate import migrate
from projections.projector import project
from projections.store import TABLES, Row, Store
from schemas.posting import FIRST_EDITION
from tests.fakes.list_books import ListBooks
from tests.fakes.store import FakeStore, InsertsTwice, identities
from tests.sql.bookkeeper import small_programme
from tests.sql.projected_books import cut_short

EPOCH = date(1970, 1, 1)


def quietly(store: Store, books: ListBooks) -> None:
    project(books, store, FIRST_EDITION)


def in_steps_and_twice(store: Store, books: ListBooks) -> None:
    for records in (1, 2, 3):
        project(cut_short(books, records), InsertsTwice(store), FIRST_EDITION, batch_bytes=500)
    project(books, InsertsTwice(store), FIRST_EDITION)


def an_old_state_after_a_new_one(store: Store, books: ListBooks) -> None:
    project(books, store, FIRST_EDITION)
    marks: dict[str, list[object]] = {
        "edition": ["0001"],
        "partition": [0],
        "book": ["ledger"],
        "position": [1],
        "records": [1],
    }
    store.insert("progress", marks)
    state: dict[str, list[object]] = {
        "edition": ["0001"],
        "member_id": ["ann"],
        "seq": [1],
        "balance": [30],
        "occurred_at": [0],
    }
    store.insert("account_states", state | {"fact_type": ["PurchaseRecorded"]})
    store.insert("ticks", {"partition": [0], "at": [0]})


def plain(value: object) -> object:
    """A value as both stores can say it: instants in UTC ms, dates in days since 1970, sequences as lists."""
    if isinstance(value, datetime):
        return round(value.replace(tzinfo=UTC).timestamp() * 1000)
    if isinstance(value, date):
        return (value - EPOCH).days
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def in_order(rows: list[Row], columns: Sequence[str]) -> list[str]:
    return sorted(repr([plain(row[column]) for column in columns]) for row in rows)


@pytest.mark.parametrize("story", [quietly, in_steps_and_twice, an_old_state_after_a_new_one])
def test_both_stores_keep_the_same_rows(tmp_path: Path, story: Callable[[Store, ListBooks], None]) -> None:
    books, fake = small_programme().books(), FakeStore()
    story(fake, books)
    with open_chdb(tmp_path / "clickhouse") as real:
        migrate(real)
        story(real, books)
        for table in ("progress", *(table for tables in TABLES.values() for table in tables)):
            kept = list(fake.tables[table].values())
            assert kept, table
            columns = [name for name in kept[0] if name != "raw"]
            rows = real.rows(f"SELECT {', '.join(columns)} FROM tallybook_rows.{table} FINAL")
            assert in_order(rows, columns) == in_order(kept, columns), table


def test_the_fake_knows_every_table_that_is_filled() -> None:
    assert {table for tables in TABLES.values() for table in tables} <= identities().keys()
