"""Looks at the first rows of a Parquet file, as if they were those of a table in text."""

from datetime import datetime, time
from pathlib import Path
from typing import Any

from processors.intake.formats.cells import cleaned, number_text
from processors.intake.formats.parquet import Beginning
from processors.intake.input_records import InputRefused
from processors.intake.refusal import Problem
from processors.intake.suggest.look import MAX_ROWS, Table


def look_at_parquet(path: Path, shown: str) -> Table:
    """The beginning of a file; `shown` is its name in messages. Raises InputRefused for what needs no mapping."""
    beginning = Beginning(path, shown, MAX_ROWS)
    if {"type", "event_id", "occurred_at"}.issubset(beginning.header):
        hint = f"Give it as it is: tallybook check {shown}"
        raise InputRefused(shown, 0, "the columns of this Parquet file are Tallybook's own: it needs no mapping", hint)
    columns = [list(map(_as_text, beginning.values(column))) for column in beginning.header]
    if not columns or not columns[0]:
        raise InputRefused(shown, 0, "the file has no rows", "Give a file with some rows")
    rows = [list(cells) for cells in zip(*columns, strict=True)]
    return Table("utf-8", ",", beginning.header, rows, [], is_whole=beginning.is_whole)


def write_beginning(path: Path, shown: str, target: Path) -> None:
    """Write the rows that are looked at as a file of their own."""
    Beginning(path, shown, MAX_ROWS).write(target)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, time):
        return value.isoformat("seconds")
    try:
        return cleaned(number_text(value, "", ""))
    except Problem:
        return repr(value)
