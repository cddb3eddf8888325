"""Finds an event in the books by its id, its order or one of its entries, with the help of the tables."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from books.log import LogReader
from projections.projector import other_books
from projections.store import StoreError
from schemas.facts import PurchaseRecorded
from schemas.pages import JournalLine, Reject
from schemas.partitions import partition_of
from tallybook.folder.folder import Folder
from tallybook.open_books import open_books
from tallybook.tables.catch_up import projected_positions, projected_records
from tallybook.tables.open_tables import opened_tables

DUE_EXPIRY: Final = "due:expire:"
_PARTITIONS: Final = (
    "SELECT DISTINCT partition FROM tallybook.facts WHERE event_id = {what:String} OR order_id = {what:String}"
)


class Hit(msgspec.Struct, frozen=True):
    """Holds a journal line and its place; `position` is that after its page, `input` the SHA-256 of its input."""

    partition: int
    page: int
    line: int
    position: int
    input: str
    journalled: JournalLine


class Found(msgspec.Struct):
    """Holds what a search found, and every member it passed. `known_by` says how the event was found."""

    hits: list[Hit] = []
    rejects: list[Reject] = []
    members: set[str] = set()
    known_by: str = "event id"


def find_event(
    log: LogReader,
    what: str,
    *,
    source: str = "",
    member_id: str = "",
    starts: Mapping[int, int] | None = None,
    on_line: Callable[[int], object],
) -> Found:
    """Find all journal lines and rejects of an event, in the order of the books.

    `what` is an event id; where no event has it, the id of an order or of an entry. `starts` has the position at which
    to begin in each partition, if the event is known not to lie before it; `on_line` is told how many more lines were
    looked at.
    """
    wanted = _awarding_entry(log, what) or what
    by_event, by_order, by_entry = Found(), Found(known_by="order id"), Found(known_by="entry id")
    members = by_event.members
    for partition in [partition_of(member_id, log.partitions)] if member_id else range(log.partitions):
        for position, page in log.read_journal(partition, 0 if starts is None else starts[partition]):
            on_line(len(page.lines))
            for at, line in enumerate(page.lines):
                member, fact = line.member_id, line.fact
                if member is not None:
                    members.add(member)
                elif type(fact) is not PurchaseRecorded:
                    continue  # a book fact
                found = _match(line, wanted, by_event, by_order, by_entry)
                if found is None or (member_id and member != member_id) or (source and _source(line) != source):
                    continue
                found.hits.append(Hit(partition, page.page, at, position, page.inputs[line.input], line))
    result = next((found for found in (by_event, by_order, by_entry) if found.hits), by_event)
    result.members = members
    result.rejects = [
        reject
        for _, batch in log.read_rejects()
        for reject in batch
        if reject.event_id == what and (not source or reject.source == source)
    ]
    return result


def _match(line: JournalLine, what: str, by_event: Found, by_order: Found, by_entry: Found) -> Found | None:
    fact = line.fact
    event_id = getattr(fact, "event_id", "")
    if event_id == what:
        return by_event
    if type(fact) is PurchaseRecorded and fact.order_id == what:
        return by_order
    # An entry's id is source/event_id/member/n.
    if what.startswith(f"{_source(line)}/{event_id}/{line.member_id}/"):
        return by_entry
    return None


def _source(line: JournalLine) -> str:
    return getattr(line.fact, "source", "")


def _awarding_entry(log: LogReader, what: str) -> str | None:
    """Find, for the id of a lot's expiry, the id of the entry that awarded the lot."""
    lot_name, _, due_at = what.removeprefix(DUE_EXPIRY).rpartition(":")
    member_id, _, lot = lot_name.rpartition("/")
    if not what.startswith(DUE_EXPIRY) or not due_at.isdigit() or not lot.isdigit():
        return None
    for _, batch in log.read_ledger(log.current_edition(), partition_of(member_id, log.partitions)):
        for posting in batch:
            if posting.member_id == member_id:
                for entry in posting.entries:
                    if entry.lot == int(lot):
                        return entry.entry_id
    return None


class Tables(msgspec.Struct, frozen=True):
    """Says how far the tables have followed the books, and in which partitions they hold an event (or an order).

    `is_open` False: they cannot be opened (for example, another process has them), so nothing is known.
    """

    is_open: bool = True
    positions: dict[tuple[str, int], int] = {}
    records: dict[tuple[str, int], int] = {}
    partitions: frozenset[int] = frozenset()

    def starts(self, partitions: int) -> dict[int, int]:
        """Give where a search must begin in each partition: at its beginning, or behind what the tables hold."""
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
    """Ask the tables for an event or order, without bringing them up to date."""
    if not folder.clickhouse.exists():
        return Tables()
    try:
        with open_books(folder) as log, opened_tables(folder) as tables:
            store = tables.store
            if other_books(log.opened(), store):
                return Tables()  # nothing of these books is in them; the next reader makes them afresh
            rows = store.rows(_PARTITIONS, {"what": what})
            return Tables(
                positions=projected_positions(store),
                records=projected_records(store),
                partitions=frozenset(int(str(row["partition"])) for row in rows),
            )
    except StoreError:
        # The books alone can explain; the next reader of the tables is told what is wrong with them.
        return Tables(is_open=False)
