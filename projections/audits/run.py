"""Runs the audits, one `.sql` file each in this folder: queries that must return no rows, the proof of a law."""

import json
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from projections.sql_files import SqlFile, sql_files
from projections.store import Row, Store

MAX_ROWS: Final = 1_000  # of each audit, besides those that are acknowledged
KEY: Final = "key"
_ACKNOWLEDGED_BY_KEY: Final = f"\nAcknowledged by: {KEY}\n"
_WARNS_ONLY: Final = "\nWarns only: "

Acknowledged = Mapping[str, Collection[str]]  # the rows of each audit, by its name, as `row_text` gives them


class Audited(NamedTuple):
    """What an audit found: the rows that must not be there, and those that a person has acknowledged."""

    name: str
    rows: list[Row]
    acknowledged: list[Row]
    warns_only: bool

    @property
    def fails(self) -> bool:
        """Whether the law does not hold."""
        return bool(self.rows) and not self.warns_only


def run_audits(store: Store, acknowledged: Acknowledged | None = None) -> list[Audited]:
    """Run every audit; each gives 1,000 rows at most, besides those that are acknowledged.

    They look at all editions (where a person may acknowledge what was found, at the current one), and at the tables
    themselves rather than the views.
    """
    return [run_audit(audit, store, (acknowledged or {}).get(audit.name, ())) for audit in sql_files("audits")]


def run_audit(audit: SqlFile, store: Store, acknowledged: Collection[str] = ()) -> Audited:
    """Run one audit. Raises QueryFailed."""
    parameters = {"most_rows": MAX_ROWS + len(acknowledged)} if may_be_acknowledged(audit) else None
    found = store.rows(audit.statement, parameters)
    known = [row for row in found if acknowledged and row_text(row) in acknowledged]
    new = [row for row in found if not acknowledged or row_text(row) not in acknowledged]
    return Audited(audit.name, new, known, _WARNS_ONLY in f"\n{audit.comment}\n")


def may_be_acknowledged(audit: SqlFile) -> bool:
    """Whether a person may say that what it found is known: its rows are about what publishers said, and have a key."""
    return _ACKNOWLEDGED_BY_KEY in f"\n{audit.comment}\n"


def row_text(row: Row) -> str:
    """Give a row as one text: what was acknowledged is this row alone, and not what is found under its key later."""
    return json.dumps(row, sort_keys=True, ensure_ascii=False)
