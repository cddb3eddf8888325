"""What the tables can tell an explanation: where an event may stand, and whether it has come so far."""

from __future__ import annotations

import msgspec

from projections.store import StoreError
from tallybook.explain.search import Hit
from tallybook.folder.folder import Folder
from tallybook.open_books import open_books
from tallybook.tables.catch_up import are_of_other_books, projected_positions, projected_records
from tallybook.tables.open_tables import opened_tables

_WHERE = "SELECT DISTINCT partition FROM tallybook.facts WHERE event_id = {what:String} OR order_id = {what:String}"


class Tables(msgspec.Struct, frozen=True):
    """How far the tables have followed the books, and the partitions in which they hold an event (or an order).

    `is_open` False: they cannot be opened (another process has them, say), so nothing is known.
    """

    is_open: bool = True
    positions: dict[tuple[str, int], int] = {}
    records: dict[tuple[str, int], int] = {}
    partitions: frozenset[int] = frozenset()

    def starts(self, partitions: int) -> dict[int, int]:
        """Where a search must begin in each partition: at its beginning, or behind what the tables hold."""
        return {
            partition: 0 if partition in self.partitions else self.positions.get(("journal", partition), 0)
            for partition in range(partitions)
        }

    def hold(self, hit: Hit, number: int) -> bool | None:
        """Whether a journal line and its posting of this number (0: none) are in the tables; None: not known."""
        if not self.is_open:
            return None
        in_journal = self.positions.get(("journal", hit.partition), 0) >= hit.position
        return in_journal and self.records.get(("ledger", hit.partition), 0) >= number


def ask_tables(folder: Folder, what: str) -> Tables:
    """What the tables know of an event or order; they are not brought up to date for it."""
    if not folder.clickhouse.exists():
        return Tables()
    try:
        with open_books(folder) as log, opened_tables(folder) as tables:
            store = tables.store
            if are_of_other_books(log, store):
                return Tables()  # nothing of these books is in them; whoever reads them next makes them afresh
            rows = store.rows(_WHERE, {"what": what})
            return Tables(
                positions=projected_positions(store),
                records=projected_records(store),
                partitions=frozenset(int(str(row["partition"])) for row in rows),
            )
    except StoreError:
        # The books alone can explain; whoever reads the tables next is told what is the matter with them.
        return Tables(is_open=False)
