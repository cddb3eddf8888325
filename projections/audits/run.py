"""Runs the audits, one `.sql` file each in this folder: queries that must return no rows, the proof of a law."""

from projections.sql_files import sql_files
from projections.store import Row, Store


def run_audits(store: Store) -> list[tuple[str, list[Row]]]:
    """Every audit by name with the rows that it found, at most 1,000 each; an empty list means that the law holds.

    They look at all editions, and at the tables themselves rather than the views.
    """
    return [(audit.name, store.rows(audit.statement)) for audit in sql_files("audits")]
