"""Tables are made once and in order; a published migration never changes; a view is made anew when its text is."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from projections.clickhouse.client import ClickHouse, open_chdb
from projections.clickhouse.migrate import MigrationChanged, StoreTooNew, migrate
from projections.projector import project
from projections.sql_files import SqlFile, sql_files
from projections.store import QueryFailed
from schemas.posting import FIRST_EDITION
from scripts.table_docs import table_docs
from tests.fakes.store import Stopped, StopsAfter
from tests.sql.bookkeeper import small_programme
from tests.sql.projected_books import answers

MIGRATIONS = sql_files("migrations")
EXTRA = SqlFile(
    f"{len(MIGRATIONS) + 1:04}_extra",
    "",
    "CREATE TABLE IF NOT EXISTS tallybook_rows.extra (x UInt8) ENGINE = ReplacingMergeTree ORDER BY x",
)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[ClickHouse]:
    with open_chdb(tmp_path / "clickhouse") as store:
        yield store


def noted(store: ClickHouse) -> list[object]:
    return [row["name"] for row in store.rows("SELECT name FROM tallybook_rows.migrations FINAL ORDER BY number")]


def test_migrating_twice_is_migrating_once(empty: ClickHouse) -> None:
    migrate(empty)
    migrate(empty)
    assert noted(empty) == [each.name for each in MIGRATIONS]
    assert empty.rows("SELECT count() AS n FROM tallybook_rows.migrations") == [{"n": len(MIGRATIONS)}]


def test_a_later_version_adds_its_migrations_to_filled_tables(empty: ClickHouse) -> None:
    migrate(empty)
    project(small_programme().books(), empty, FIRST_EDITION)
    before = answers(empty)
    migrate(empty, [*MIGRATIONS, EXTRA])
    assert noted(empty)[-1] == EXTRA.name
    assert answers(empty) == before


def test_a_changed_migration_is_refused_by_name_before_anything_is_done(empty: ClickHouse) -> None:
    migrate(empty)
    changed = [*MIGRATIONS]
    changed[11] = msgspec.structs.replace(changed[11], statement=changed[11].statement + " ")
    with pytest.raises(MigrationChanged, match=r"0012_ledger\.sql differs .* put it back .* next number"):
        migrate(empty, [*changed, EXTRA])
    assert empty.rows("EXISTS TABLE tallybook_rows.extra") == [{"result": 0}]


def test_only_the_comment_of_a_migration_may_be_mended(empty: ClickHouse) -> None:
    migrate(empty)
    migrate(empty, [msgspec.structs.replace(each, comment="better words") for each in MIGRATIONS])


def test_tables_of_a_later_version_are_refused(empty: ClickHouse) -> None:
    migrate(empty, [*MIGRATIONS, EXTRA])
    with pytest.raises(StoreTooNew, match=f"{EXTRA.name}.*use that version"):
        migrate(empty)


@pytest.mark.parametrize("missing", [0, 5])
def test_a_gap_in_the_numbers_is_a_fault_of_the_program(empty: ClickHouse, missing: int) -> None:
    with pytest.raises(AssertionError, match=f"should be number {missing + 1:04}"):
        migrate(empty, MIGRATIONS[:missing] + MIGRATIONS[missing + 1 :])


@pytest.mark.parametrize("inserts", [0, 1])
def test_a_migration_cut_short_is_finished_by_the_next(empty: ClickHouse, inserts: int) -> None:
    with pytest.raises(Stopped):
        migrate(StopsAfter(empty, inserts))
    migrate(empty)
    assert noted(empty) == [each.name for each in MIGRATIONS]
    assert len(empty.rows("SELECT name FROM tallybook_rows.reader_views FINAL")) == len(sql_files("views"))


def test_a_view_follows_its_text(empty: ClickHouse) -> None:
    old = SqlFile("x", "", "CREATE OR REPLACE VIEW tallybook.x AS SELECT 1 AS old")
    new = SqlFile("x", "", "CREATE OR REPLACE VIEW tallybook.x AS SELECT 2 AS new")
    migrate(empty, views=[old])
    assert empty.rows("SELECT * FROM tallybook.x") == [{"old": 1}]
    migrate(empty, views=[new])
    assert empty.rows("SELECT * FROM tallybook.x") == [{"new": 2}]
    migrate(empty, views=[old])
    assert empty.rows("SELECT * FROM tallybook.x") == [{"old": 1}]


def test_a_view_that_is_gone_is_dropped(empty: ClickHouse) -> None:
    views = sql_files("views")
    migrate(empty, views=views)
    migrate(empty, views=views[1:])
    with pytest.raises(QueryFailed, match=views[0].name):
        empty.rows(f"SELECT * FROM tallybook.{views[0].name}")
    migrate(empty, views=views)
    assert empty.rows(f"SELECT * FROM tallybook.{views[0].name}") == []


def test_every_table_replaces_rows_of_the_same_identity(store: ClickHouse) -> None:
    tables = store.rows("SELECT name, engine, sorting_key FROM system.tables WHERE database = 'tallybook_rows'")
    assert len(tables) == 22
    assert {row["engine"] for row in tables} == {"ReplacingMergeTree"}
    assert [row["name"] for row in tables if not row["sorting_key"]] == []


def test_old_editions_can_be_dropped_as_partitions(store: ClickHouse) -> None:
    tables = store.rows(
        "SELECT name, partition_key FROM system.tables "
        "WHERE database = 'tallybook_rows' AND sorting_key LIKE 'edition, %'"
    )
    keys = {str(row["name"]): str(row["partition_key"]) for row in tables}
    by_year = {name for name, key in keys.items() if key == "(edition, toYear(occurred_at))"}
    assert by_year == {"ledger", "workings"}
    assert {key for name, key in keys.items() if name not in by_year | {"progress"}} == {"edition"}


def test_every_view_reads_final_filters_the_edition_and_shows_how_far_it_is(store: ClickHouse) -> None:
    by_edition = {
        str(row["table"])
        for row in store.rows("SELECT table FROM system.columns WHERE database = 'tallybook_rows' AND name = 'edition'")
    }
    for view in sql_files("views"):
        words = view.statement.split()
        sources = [at for at, word in enumerate(words[:-1]) if word == "FROM" and words[at + 1] != "("]
        assert sources
        for at in sources:
            assert words[at + 1].startswith("tallybook_rows.") or words[at + 1] == "(SELECT", (
                f"{view.name}: {words[at + 1]}"
            )
            assert words[at + 2].startswith("FINAL"), f"{view.name} reads {words[at + 1]} without FINAL"
        asked = {words[at + 1].removeprefix("tallybook_rows.") for at in sources}
        if asked & by_edition - {"current_edition"}:
            assert "(SELECT any(edition) FROM tallybook_rows.current_edition FINAL)" in view.statement
        columns = store.rows(f"DESCRIBE tallybook.{view.name}")
        assert columns[-1]["name"] == "as_of"


@pytest.mark.parametrize("folder", ["views", "audits", "questions", "answers"])
def test_nothing_filters_in_prewhere(folder: str) -> None:
    assert [each.name for each in sql_files(folder) if "PREWHERE" in each.statement.upper()] == []


@pytest.mark.parametrize("folder", ["migrations", "views", "audits", "questions", "answers"])
def test_a_file_holds_one_statement(folder: str) -> None:
    assert [each.name for each in sql_files(folder) if re.search(r";\s*$", each.statement, re.MULTILINE)] == []


def test_the_page_is_up_to_date(store: ClickHouse, repository: Path) -> None:
    page = (repository / "docs" / "tables.md").read_text("utf-8")
    assert page == table_docs(store), "run python -m scripts.table_docs"


def test_everything_has_a_comment(store: ClickHouse) -> None:
    ours = "database IN ('tallybook', 'tallybook_rows')"
    assert store.rows(f"SELECT name FROM system.tables WHERE {ours} AND comment = ''") == []
    assert store.rows(f"SELECT table, name FROM system.columns WHERE {ours} AND comment = ''") == []
    assert store.rows("SELECT name FROM system.databases WHERE name LIKE 'tallybook%' AND comment = ''") == []


def test_money_points_and_instants_name_their_unit(store: ClickHouse) -> None:
    said = {
        (str(row["table"]), str(row["name"])): str(row["comment"])
        for row in store.rows("SELECT table, name, comment FROM system.columns WHERE database LIKE 'tallybook%'")
    }
    units = {"_minor": "minor units", "_milli": "thousandths", "_at": "UTC"}
    for (table, column), comment in said.items():
        for ending, unit in units.items():
            assert not column.endswith(ending) or unit in comment, f"{table}.{column} does not say {unit}"
        if column in ("points", "balance", "remaining", "paid", "rounded", "earned"):
            assert "points" in comment.lower(), f"{table}.{column} does not say that it counts points"


def test_a_pipe_would_not_break_a_table(store: ClickHouse) -> None:
    comments = store.rows("SELECT comment FROM system.columns WHERE database LIKE 'tallybook%'")
    assert [row for row in comments if "|" in str(row["comment"])] == []
