"""Runs the audits: queries that must return no rows, each the proof of one law over everything that is projected."""

from __future__ import annotations

from projections.sql_files import sql_files
from projections.store import Row, Store


def run_audits(store: Store) -> list[tuple[str, list[Row]]]:
    """Every audit by name with the rows that it found, at most 1,000 each; an empty list is a law that holds.

    They look at all editions, and at the tables themselves rather than the views.
    """
    return [(audit.name, store.rows(audit.statement)) for audit in sql_files("audits")]
