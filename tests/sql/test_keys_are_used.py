"""Questions about one member or one period read a few rows of a large table, and not all: ClickHouse says so itself."""

from collections.abc import Iterator

import pytest

from benchmarks.clickhouse_scale import fill
from projections.clickhouse.client import ClickHouse, open_chdb
from projections.clickhouse.migrate import migrate
from projections.sql_files import sql_file

ROWS = 150_000
MEMBERS = 50_000
QUESTIONS = {
    "balances": "SELECT * FROM tallybook.balances WHERE member_id = {member:String}",
    "statement": "SELECT * FROM tallybook.statement WHERE member_id = {member:String} ORDER BY seq DESC LIMIT 20",
    "ledger": "SELECT * FROM tallybook.ledger WHERE member_id = {member:String}",
    "leaderboard": "SELECT * FROM tallybook.leaderboard "
    "WHERE period = 'month' AND starts_on = '2025-06-01' AND store_id = '' AND rank <= 100",
    "top members": sql_file("answers", "leaderboard").statement,
}
PARAMETERS = {
    "member": "AB12",
    "period": "month",
    "store": "",
    "first": "2025-06-01",
    "after": "2025-07-01",
    "limit": 100,
}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """Tables of many granules, which is what an index leaves out."""
    with open_chdb(tmp_path_factory.mktemp("large") / "clickhouse") as store:
        migrate(store)
        fill(store, ROWS, MEMBERS)
        yield store


def granules(store: ClickHouse, query: str) -> tuple[int, int]:
    """How many granules of its tables a query reads, and how many there are, by its plan."""
    read = there = 0
    for row in store.rows(f"EXPLAIN indexes = 1 {query}", PARAMETERS):
        line = str(row["explain"]).strip(" │├└─")
        if line.startswith("Granules: "):  # the last of these under an index is that of the primary key
            left, _, right = line.removeprefix("Granules: ").partition("/")
            read, there = (int(left), max(there, int(right)))
    return read, there


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_reads_a_few_granules(large: ClickHouse, name: str) -> None:
    read, there = granules(large, QUESTIONS[name])
    assert there >= 3, "the tables are too small to tell"
    assert 0 < read <= there / 2


def test_a_question_about_everybody_reads_everything(large: ClickHouse) -> None:
    read, there = granules(large, "SELECT sum(points) FROM tallybook.ledger WHERE points > 5")
    assert read == there >= 3


@pytest.mark.parametrize("table", ["ledger", "period_totals", "account_states"])
def test_the_formula_of_the_large_tables_keeps_the_laws(large: ClickHouse, table: str) -> None:
    (row,) = large.rows(f"SELECT count() AS rows, uniqExact(member_id) AS members FROM tallybook_rows.{table} FINAL")
    assert row["members"] == MEMBERS
    wrong = {
        "ledger": "SELECT member_id FROM tallybook_rows.ledger FINAL GROUP BY member_id HAVING max(seq) != count() "
        "OR sum(points) != argMax(balance_after, seq)",
        "account_states": "SELECT member_id FROM tallybook_rows.account_states AS state FINAL JOIN (SELECT member_id, "
        "sum(points) AS earned FROM tallybook_rows.ledger FINAL GROUP BY member_id) AS sums USING member_id "
        "WHERE balance != earned",
        "period_totals": "SELECT member_id FROM (SELECT member_id, toStartOfMonth(day) AS month, "
        "argMax(earned_month, seq) AS total, sum(earned_day) AS summed FROM tallybook_rows.period_totals FINAL "
        "WHERE scope = '' GROUP BY member_id, month) WHERE total != summed",
    }
    assert large.rows(f"{wrong[table]} LIMIT 3") == []
