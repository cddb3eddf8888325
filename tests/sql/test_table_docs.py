"""Every table and column says what it means, and docs/tables.md says the same."""

from pathlib import Path

from projections.clickhouse.client import ClickHouse
from projections.table_docs import table_docs


def test_the_page_is_up_to_date(store: ClickHouse, repository: Path) -> None:
    page = (repository / "docs" / "tables.md").read_text("utf-8")
    assert page == table_docs(store), "run python -m projections.table_docs"


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
