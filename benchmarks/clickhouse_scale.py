"""How long readers wait when the tables are large: a balance, a statement page, the top 100 of a month.

    python -m benchmarks.clickhouse_scale [--rows 500000] [--members 100000] [--asked 15] [--write]

Fills the tables of a fresh embedded ClickHouse in a temporary folder, inside ClickHouse, with postings that follow a
formula (benchmarks/scale/postings.sql says which), in batches of 100,000 as the projection makes them. Then asks the
readers that the command line asks, and the view that analysts ask: first with merges stopped, when every batch is a
part of its own and a member has several states; then with every table merged. Times are on the wall, in this process.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.report import table, versions, write_block
from projections.answers import queries as readers
from projections.answers.queries import Period
from projections.clickhouse.client import ClickHouse, open_chdb
from projections.clickhouse.migrate import migrate
from projections.sql_files import parse

BLOCK: Final = "clickhouse-scale"
BATCH_ROWS: Final = 100_000
EACH: Final = 2
TOP: Final = 100
PAGE_LINES: Final = 20
MONTH: Final = date(2025, 6, 1)
MAX_MEMBERS_ASKED: Final = 1_000
FILLED: Final = ("ledger", "period_totals", "account_states")
_HERE: Final = Path(__file__).parent / "scale"
_VIEW: Final = (
    "SELECT rank, member_id, earned FROM tallybook.leaderboard "
    "WHERE period = 'month' AND starts_on = {day:Date32} AND store_id = '' AND rank <= {top:UInt32}"
)
Question = Callable[[int], object]


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill, ask, print, and with --write keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000, help="rows of the ledger, at least 3 a member")
    parser.add_argument("--members", type=int, default=100_000)
    parser.add_argument("--asked", type=int, default=15, help="how often each question is asked, of another member")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/benchmarks.md ({BLOCK})")
    given = parser.parse_args(arguments)
    if given.members < 10 or given.rows < 3 * given.members:
        parser.error("at least 10 members, and 3 rows for each")
    with TemporaryDirectory() as place, open_chdb(Path(place) / "clickhouse") as store:
        migrate(store)
        store.command("SYSTEM STOP MERGES")
        started = time.perf_counter()
        rows = fill(store, given.rows, given.members)
        filled = time.perf_counter() - started
        apart, parts_apart = ask(store, given.asked), parts(store)
        store.command("SYSTEM START MERGES")
        for name in FILLED:
            store.command(f"OPTIMIZE TABLE tallybook_rows.{name} FINAL")
        merged, parts_merged = ask(store, given.asked), parts(store)
    said = (
        f"{rows:,} ledger rows, {given.members:,} members, filled in {filled:.0f} s; {parts_apart} parts with merges "
        f"stopped, {parts_merged} merged. Milliseconds on the wall, {given.asked} times each."
    )
    lines = [
        versions(),
        "",
        said,
        "",
        *table(
            ["question", "merges stopped: best", "median", "merged: best", "median"],
            [[name, *_shown(apart[name]), *_shown(merged[name])] for name in apart],
        ),
    ]
    print("\n".join(lines))
    if given.write:
        write_block(BLOCK, lines)
    return 0


def fill(store: ClickHouse, rows: int, members: int) -> int:
    """Fill the tables that the questions need; the number of ledger rows, a few less than `rows`."""
    regulars = members // 10
    more = (rows - EACH * members) // regulars
    total = EACH * members + more * regulars
    store.insert("current_edition", {"pointer": [1], "edition": ["0001"], "version": [1]})
    store.insert("ticks", {"partition": [0], "at": [1_767_225_600_000]})
    constants = {"members": members, "regulars": regulars, "each": EACH, "more": more}
    statements = list(_statements())
    for first in range(0, total, BATCH_ROWS):
        batch = {"first": first, "count": min(BATCH_ROWS, total - first)}
        for statement in statements:
            store.command(statement, constants | batch)
    return total


def ask(store: ClickHouse, times: int) -> dict[str, list[float]]:
    """Ask each question several times, each time about another member; the seconds that each took."""
    asked = [
        str(row["member_id"])
        for row in store.rows(
            "SELECT member_id FROM tallybook_rows.account_states ORDER BY intHash32(cityHash64(member_id)) LIMIT "
            f"{MAX_MEMBERS_ASKED}"
        )
    ]
    questions: dict[str, Question] = {
        "balance of a member": lambda n: readers.balance(store, asked[n % len(asked)]),
        f"statement page ({PAGE_LINES} lines)": lambda n: readers.statement(store, asked[n % len(asked)], PAGE_LINES),
        f"top {TOP} of a month": lambda _: readers.leaderboard(store, Period.MONTH, MONTH, "", TOP),
        f"top {TOP} of a month in a store": lambda n: readers.leaderboard(
            store, Period.MONTH, MONTH, f"store-{n % 50}", TOP
        ),
        f"top {TOP} of a month, from the view": lambda _: store.rows(_VIEW, {"day": MONTH, "top": TOP}),
    }
    return {name: [_seconds(question, n) for n in range(times)] for name, question in questions.items()}


def parts(store: ClickHouse) -> int:
    """How many parts the filled tables lie in."""
    (row,) = store.rows(
        "SELECT count() AS parts FROM system.parts WHERE active AND database = 'tallybook_rows' AND table IN "
        "{tables:Array(String)}",
        {"tables": list(FILLED)},
    )
    return int(str(row["parts"]))


def _statements() -> Iterator[str]:
    postings = parse("postings", (_HERE / "postings.sql").read_text("utf-8")).statement
    for name in FILLED:
        yield parse(name, (_HERE / f"{name}.sql").read_text("utf-8")).statement.replace(
            "{postings}", f"(\n{postings}\n)"
        )


def _seconds(question: Question, number: int) -> float:
    started = time.perf_counter()
    if not question(number):
        raise AssertionError("a question without an answer measures nothing")
    return time.perf_counter() - started


def _shown(seconds: Sequence[float]) -> list[str]:
    return [f"{min(seconds) * 1000:,.1f}", f"{statistics.median(seconds) * 1000:,.1f}"]


if __name__ == "__main__":
    sys.exit(main())
