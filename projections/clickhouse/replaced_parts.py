"""Deletes the parts of an embedded ClickHouse's tables that merges have replaced, which it never does by itself.

A server clears them in the background. The embedded engine never did, however long it was open; but dropping a
partition, be it one that does not exist, ends with clearing the table. What a merge wrote is synced before: until then
the parts that it replaces are the only ones that a power cut leaves.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from projections.store import Parameters, Row

_REPLACED: Final = (
    "SELECT table AS name FROM system.parts WHERE database = {database:String} AND NOT active "
    "AND ({is_closing:Bool} OR table NOT IN (SELECT table FROM system.merges WHERE database = {database:String})) "
    "GROUP BY table"
)
_KEPT: Final = "SELECT path FROM system.parts WHERE database = {database:String} AND table = {table:String} AND active"
_TABLE: Final = "{database:Identifier}.{table:Identifier}"


def clear_replaced_parts(
    ask: Callable[[str, Parameters], list[Row]],
    command: Callable[[str, Parameters], None],
    database: str,
    *,
    is_closing: bool,
) -> None:
    """Delete what merges have replaced; a table in which a merge runs is left for the next time.

    With `is_closing` it is not: the merge would be cut short anyway.
    """
    for found in ask(_REPLACED, {"database": database, "is_closing": is_closing}):
        place = {"database": database, "table": str(found["name"])}
        command(f"SYSTEM STOP MERGES {_TABLE}", place)
        try:
            for kept in ask(_KEPT, place):
                _sync(Path(str(kept["path"])))
            command(f"ALTER TABLE {_TABLE} DROP PARTITION ID 'none'", place)
        finally:
            command(f"SYSTEM START MERGES {_TABLE}", place)


def _sync(part: Path) -> None:
    """Wait until the disk has the files of a part, and their names."""
    for path in (*part.iterdir(), part, part.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
