"""Gathers what a folder holds, from its books and tables, for `tallybook status`."""

from typing import Any

from books.log import LogReader
from projections.projector import other_books
from projections.store import Store, StoreHeld
from schemas.bounds import DAY_MS
from schemas.instants import format_instant
from schemas.pages import InputConsumed
from tallybook.folder.folder import Folder
from tallybook.folder.journal_keys import CONFLICTS_SHOWN_BY
from tallybook.rules.timeline import edited_files, published_in
from tallybook.screen import counted
from tallybook.tables.catch_up import postings_missing
from tallybook.tables.open_tables import opened_tables

MAX_INPUTS_SHOWN = 20


def status_of(folder: Folder) -> dict[str, Any]:
    """Gather counts, instants and rules of the folder, and its last MAX_INPUTS_SHOWN inputs. Raises BooksError."""
    with folder.reading() as log:
        opened = log.opened()
        commits = list(log.commits())
        last = commits[-1] if commits else None
        inputs = {one.sha256: one for commit in commits for one in commit.inputs}
        last_tick = last.last_tick if last else 0
        conflicts = sum(commit.conflicts for commit in commits)
        rulesets = [
            f"{f'{one.title}: ' if one.title else ''}{one.fact.version} from {format_instant(one.fact.effective_from)}"
            for one in published_in(log)
        ]
        tables, address = _tables(folder, log)
        return {
            "deployment": opened.deployment,
            "edition": log.current_edition(),
            "partitions": opened.partitions,
            "horizon_days": opened.horizon_ms // DAY_MS,
            "last_tick": format_instant(last_tick) if last_tick else None,
            "facts": sum(commit.facts for commit in commits),
            "postings": sum(commit.postings for commit in commits),
            "rejects": last.rejects if last else 0,
            "conflicts": conflicts,
            "conflicts_shown_by": CONFLICTS_SHOWN_BY if conflicts else None,
            "commits": len(commits),
            "book_bytes": sum(length.bytes for length in last.lengths) if last else 0,
            "rulesets": ", ".join(rulesets) or None,
            "edited": ", ".join(str(file.relative_to(folder.root)) for file in edited_files(folder)) or None,
            "tables": tables,
            "served": address,
            "inputs_taken_in": len(inputs),
            "inputs": [_input(one) for one in list(inputs.values())[-MAX_INPUTS_SHOWN:]],
        }


def _input(one: InputConsumed) -> dict[str, Any]:
    return {
        "name": one.name,
        "sha256": one.sha256[:12],
        "up_to": "its end" if one.has_ended else format_instant(one.occurred_at),
        "record": one.record,
        "order": "as is" if one.as_is else "by time",
    }


def _tables(folder: Folder, log: LogReader) -> tuple[str, str | None]:
    """Say how far the tables have followed the books, and where they are served."""
    if not folder.clickhouse.exists():
        return "none yet: any reading command makes them", None
    try:
        with opened_tables(folder) as tables:
            address = tables.address
            where = f"{address.host}:{address.port}, by process {address.pid}" if address is not None else None
            return _level(log, tables.store), where and f"{where}: `tallybook address` says how to connect"
    except StoreHeld as held:
        return f"open in process {held.holder}, which does not serve them" if held.holder else "open elsewhere", None


def _level(log: LogReader, store: Store) -> str:
    if other_books(log.opened(), store):
        return "of other books: any reading command makes them afresh"
    missing = postings_missing(log, store)
    return "up to date" if missing <= 0 else f"{counted(missing, 'posting')} behind: any reading command catches up"
