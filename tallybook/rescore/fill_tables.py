"""Brings finished runs into the tables, where they can be asked in SQL, and takes discarded ones out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from projections.store import Store, StoreHeld
from tallybook.folder.folder import Folder
from tallybook.rescore.runs import Run, Runs
from tallybook.screen import note
from tallybook.tables.catch_up import own_tables

BATCH_ROWS: Final = 20_000
_KEPT: Final = "SELECT run, draft FROM tallybook_rows.rescore_runs FINAL"
_PARTS: Final = ("rescore_runs", "rescore_members", "rescore_lines")  # the runs first: without them no row is shown
_LINE_FIELDS: Final = (
    "page", "line", "member_id", "rule_id", "wallet", "local_day", "fact_type", "source", "event_id", "occurred_at",
    "store_id", "points_before", "points_after", "reason_before", "reason_after", "expires_before", "expires_after",
)  # fmt: skip
_MEMBER_FIELDS: Final = (
    "page", "line", "member_id", "lines", "balance_before", "balance_after", "earned_before", "earned_after",
)  # fmt: skip


def bring_in_runs(folder: Folder) -> None:
    """Bring the folder's runs into its tables; where another process has them open, only say so.

    Raises:
        StoreError: they cannot be opened or filled.
        BooksError: the folder has no books, or damaged ones.
    """
    try:
        with _own(folder) as store:
            _bring_in(folder, store)
    except StoreHeld as held:
        note(f"process {held.holder} has the tables open: `tallybook rescore export` brings the runs into them later")


@contextmanager
def _own(folder: Folder) -> Iterator[Store]:
    """The tables that this process may write."""
    if not folder.is_stream:
        with folder.reading() as log, own_tables(folder, log) as store:
            yield store
        return
    from tallybook.stream.open import open_stream, tables_for_writing  # files alone have no Kafka client

    stream = open_stream(folder.root)
    if stream.settings.clickhouse:
        with tables_for_writing(stream) as store:
            yield store
    else:
        with folder.store() as store:
            yield store


def _bring_in(folder: Folder, store: Store) -> None:
    """Insert what is finished and not there yet, and drop what is discarded; a second time changes nothing."""
    runs = Runs(folder)
    finished = {event.run: event.at for event in runs.events() if event.what == "finished"}
    there = {run.number: run for run in runs.there() if run.number in finished}
    kept = {(str(row["run"]), str(row["draft"])) for row in store.rows(_KEPT)}
    for number in sorted({number for number, _ in kept} - there.keys()):
        for table in _PARTS:
            store.command(f"ALTER TABLE tallybook_rows.{table} DROP PARTITION '{int(number):04d}'")
    for run in there.values():
        for place, draft in enumerate(run.plan().drafts):
            if (run.number, draft.name) not in kept:
                _insert(store, run, draft.name, place, finished[run.number])


def _insert(store: Store, run: Run, draft: str, place: int, finished_at: int) -> None:
    said = {"run": run.number, "draft": draft}
    members = ({"partition": partition} | _fields(one, _MEMBER_FIELDS) for partition, one in run.members(draft))
    _insert_rows(store, "rescore_members", said, members)
    lines = (
        {"partition": partition, "cause": one.cause.value} | _fields(one, _LINE_FIELDS)
        for partition, one in run.lines(draft)
    )
    _insert_rows(store, "rescore_lines", said, lines)
    plan, totals = run.plan(), run.totals()
    changed = totals.drafts[place]
    row = {
        "finished_at": finished_at,
        "base": plan.base,
        "as_of": plan.last_tick,
        "is_proven": totals.is_proven,
        "accounts": totals.accounts,
        "members": changed.members,
        "lines": changed.lines,
        "balance_before": totals.balance,
        "balance_after": totals.balance + changed.balance_change,
        "point_value": plan.point_value,
    }
    _insert_rows(store, "rescore_runs", said, [row])


def _fields(row: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _insert_rows(store: Store, table: str, said: dict[str, Any], rows: Iterable[dict[str, Any]]) -> None:
    left = iter(rows)
    while batch := list(islice(left, BATCH_ROWS)):
        names = [*said, *batch[0]]
        store.insert(table, {name: [said.get(name, row.get(name)) for row in batch] for name in names})
