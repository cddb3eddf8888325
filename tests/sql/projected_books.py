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
