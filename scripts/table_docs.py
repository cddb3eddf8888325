"""Writes docs/tables.md from the comments of tables, views and columns in the database.

A column's comment stands in the `.sql` file that makes its table (`migrations/`) or its view (`views/`).
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from projections.clickhouse.client import open_chdb
from projections.clickhouse.migrate import migrate
from projections.store import Store

PAGE: Final = Path(__file__).parent.parent / "docs" / "tables.md"

_HEAD: Final = """\
# Views and tables

<!-- Generated from the comments in the database by `python -m scripts.table_docs`. Change those, not this page. -->

Query the views of the database `tallybook`: `SELECT * FROM tallybook.balances`. They show the current edition of the
ledger, each thing once, and with `as_of` how far they are. Points are whole numbers; amounts are whole minor units
(cents) of the currency beside them; instants are UTC with milliseconds; local dates are those of the programme's zone.

## Views
"""

_TABLES_HEAD: Final = """
## Tables

The views are made from the tables of the database `tallybook_rows`, which the projector alone writes. The same row may
stand in a table several times until ClickHouse merges them, and rows of old editions stay: always read with `FINAL`
and filter on the edition, or better, ask the views.
"""

_OBJECTS: Final = """
SELECT name, comment, engine_full, partition_key, sorting_key
FROM system.tables WHERE database = {database:String} ORDER BY name
"""
_COLUMNS: Final = """
SELECT name, type, comment
FROM system.columns WHERE database = {database:String} AND table = {table:String} ORDER BY position
"""


def table_docs(store: Store) -> str:
    """The page as Markdown, for a migrated store."""
    pieces = [_HEAD]
    for database, head in (("tallybook", ""), ("tallybook_rows", _TABLES_HEAD)):
        pieces.append(head)
        objects = store.rows(_OBJECTS, {"database": database})
        pieces += [_section(store, database, {name: str(each[name]) for name in each}) for each in objects]
    return "".join(pieces)


def _section(store: Store, database: str, each: dict[str, str]) -> str:
    lines = [f"\n### {database}.{each['name']}\n", f"{each['comment']}.\n"]
    if each["sorting_key"]:
        engine = each["engine_full"].split(" ", 1)[0]
        keys = f"`{engine}`, one row per `({each['sorting_key']})`"
        parts = f", partitioned by `{each['partition_key']}`" if each["partition_key"] else ""
        lines.append(f"{keys}{parts}.\n")
    lines += ["| column | type | meaning |", "|---|---|---|"]
    columns = store.rows(_COLUMNS, {"database": database, "table": each["name"]})
    lines += [f"| `{column['name']}` | {column['type']} | {column['comment']} |" for column in columns]
    return "\n".join(lines) + "\n"


def main(page: Path = PAGE) -> None:
    """Write the page anew."""
    with TemporaryDirectory() as folder, open_chdb(folder) as store:
        migrate(store)
        page.write_text(table_docs(store), "utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
