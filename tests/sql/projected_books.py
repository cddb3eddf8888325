"""Books that are projected in many small steps, and what a projection of them starts from."""

from projections.clickhouse.migrate import migrate
from projections.projector import project
from projections.sql_files import sql_files
from projections.store import Store
from schemas.posting import FIRST_EDITION
from tests.fakes.list_books import ListBooks
from tests.fakes.store import StopsAfter

# Bytes: few enough for several batches of the small programme: what is cut and interleaved is then all of them.
SMALL_BATCH = 2_000
# The tables with rows, besides those of the migrations themselves.
_FILLED = """
SELECT name FROM system.tables
WHERE database = 'tallybook_rows' AND name NOT IN ('migrations', 'reader_views') AND ifNull(total_rows, 1) > 0
"""
DAY_MS = 86_400_000
LAST_TICK_AT = 1_790_000_000_000
TEMPORARY = "SELECT name FROM system.tables WHERE is_temporary"


def in_small_records(books: ListBooks) -> ListBooks:
    """The same books with at most three postings a block, so that a projection moves in many steps."""
    for partition, blocks in enumerate(books.blocks["0001"]):
        postings = [posting for block in blocks for posting in block]
        books.blocks["0001"][partition] = [postings[start : start + 3] for start in range(0, len(postings), 3)]
    return books


def cut_short(books: ListBooks, records: int) -> ListBooks:
    """The books as they were when each partition of each book had at most so many records."""
    shorter = ListBooks(books.partitions)
    shorter.pages = [pages[:records] for pages in books.pages]
    shorter.blocks = {edition: [b[:records] for b in blocks] for edition, blocks in books.blocks.items()}
    shorter.rejected = books.rejected[:records]
    return shorter


def empty(store: Store) -> None:
    """Take all rows out of the tables."""
    for row in store.rows(_FILLED):
        store.command(f"TRUNCATE TABLE tallybook_rows.{row['name']}")


def as_new(store: Store) -> None:
    """Make a store what a new one is, whatever the test before left in it; no part is merged behind a test's back."""
    migrate(store)
    empty(store)
    for row in store.rows(TEMPORARY):
        store.command(f"DROP TEMPORARY TABLE {row['name']}")
    store.command("SYSTEM STOP MERGES")


def inserts_of(store: Store, books: ListBooks) -> int:
    """How many inserts with rows a projection into empty tables makes."""
    empty(store)
    counting = StopsAfter(store, 1_000)
    project(books, counting, FIRST_EDITION, batch_bytes=SMALL_BATCH)
    return 1_000 - counting.left


def answers(store: Store) -> dict[str, list[bytes]]:
    """The rows of every reader view, in no order of their own, by one query: one for each view takes twice as long."""
    found: dict[str, list[bytes]] = {view.name: [] for view in sql_files("views")}
    rows = [f"SELECT concat('{view} ', formatRowNoNewline('JSONEachRow', *)) FROM {view}" for view in found]
    for line in store.export("\nUNION ALL\n".join(rows), "TSVRaw").splitlines():
        view, _, row = line.partition(b" ")
        found[view.decode()].append(row)
    return {view: sorted(lines) for view, lines in found.items()}


def rescored(store: Store) -> None:
    """Put a re-scoring of the small programme into the tables: under the draft one award of ann is 10 points less."""
    said: dict[str, list[object]] = {"run": ["0001"], "draft": ["half"]}
    place: dict[str, list[object]] = {"partition": [0], "page": [1], "line": [0], "member_id": ["ann"]}
    day: dict[str, list[object]] = {"occurred_at": [LAST_TICK_AT], "local_day": [LAST_TICK_AT // DAY_MS]}
    points: dict[str, list[object]] = {"points_before": [30], "points_after": [20]}
    kept: dict[str, list[object]] = {"expires_before": [None], "expires_after": [None]}
    texts = {
        "rule_id": "base", "wallet": "points", "cause": "direct", "fact_type": "PurchaseRecorded", "source": "pos",
        "event_id": "sale-1", "store_id": "", "reason_before": "", "reason_after": "",
    }  # fmt: skip
    store.insert("rescore_lines", {**said, **place, **{k: [v] for k, v in texts.items()}, **day, **points, **kept})
    sums: dict[str, list[object]] = {"balance_before": [525], "balance_after": [515]}
    earned: dict[str, list[object]] = {"earned_before": [595], "earned_after": [585]}
    store.insert("rescore_members", {**said, **place, "lines": [1], **sums, **earned})
    run: dict[str, list[object]] = {"finished_at": [LAST_TICK_AT], "base": ["0001"], "as_of": [LAST_TICK_AT]}
    counts: dict[str, list[object]] = {"is_proven": [True], "accounts": [4], "members": [1], "lines": [1]}
    store.insert("rescore_runs", {**said, **run, **counts, **sums, "point_value": [""]})
