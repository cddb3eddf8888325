"""Opens the files that a command line names: reads their mapping, and spools standard input."""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from processors.intake.formats import Format
from processors.intake.input_files import Input, open_input
from processors.intake.input_records import InputRefused
from processors.intake.mapping import ABOVE_HEADER, ENDS_AT, FIRST_CELL, REPEATS_HEADER
from processors.intake.refusal import quoted
from processors.intake.unknown_fields import UnknownFields
from tallybook.folder.mapping_files import read_mapping
from tallybook.screen import counted, note

STANDARD_INPUT: Final = "-"
MAX_NAMED: Final = 5
MAX_VALUES: Final = 12
_CHUNK: Final = 1 << 20


@contextmanager
def opened_inputs(
    files: Sequence[str], mapping: Path | None, form: Format | None = None, *, are_of_inbox: bool = False
) -> Iterator[list[Input]]:
    """Open the named inputs; `-` is standard input, read to its end into a temporary file.

    A file that names its own fields has no use for the mapping, which is told. `are_of_inbox` says that nobody chose
    the files for it, so that none of them need have a use for it.

    Raises:
        InputRefused: a file cannot be read or is no format of events, or none of them has a use for the mapping.
        MappingRefused: the mapping cannot be used.
    """
    columns = None if mapping is None else read_mapping(mapping)
    with tempfile.TemporaryDirectory(prefix="tallybook-") as scratch:
        inputs: list[Input] = []
        for name in files:
            if name == STANDARD_INPUT:
                spooled = _spooled(Path(scratch))
                inputs.append(open_input(spooled, form, columns, "standard input", otherwise="json-lines"))
            else:
                inputs.append(open_input(Path(name), form, columns, shown=name))
        if mapping is not None:
            _tell_of_unused(mapping, inputs, may_refuse=not are_of_inbox)
        yield inputs


def _tell_of_unused(mapping: Path, inputs: Sequence[Input], *, may_refuse: bool) -> None:
    """Say of which inputs a mapping says nothing; raises InputRefused if it is none's."""
    unused = [one for one in inputs if one.mapping is None]
    if not unused:
        return
    if may_refuse and len(unused) == len(inputs):
        hint = (
            "Leave --mapping out if the file has Tallybook's own fields (`tallybook example purchase` shows them); if "
            "not, write its orders as CSV with a row for each line, and give that with the mapping"
        )
        raise InputRefused(unused[0].shown, 0, _no_use_for(mapping, unused[0]), hint)
    for one in unused[:MAX_NAMED]:
        note(f"{one.shown}: {_no_use_for(mapping, one)}")
    if len(unused) > MAX_NAMED:
        note(f"… and {len(unused) - MAX_NAMED:,} more files for which it is not used")


def _no_use_for(mapping: Path, one: Input) -> str:
    return (
        f"the mapping {mapping} is not used for this file: it names columns of CSV and Parquet, and {one.format} names "
        "its own fields"
    )


def unknown_lines(unknown: UnknownFields) -> list[str]:
    """Name each field that no fact has, with the field that was perhaps meant, and the rows that were left out."""
    lines = []
    for left in unknown.left_out():
        if left.column == ABOVE_HEADER:
            lines.append(f"{counted(left.count, 'row')} left out above the header, which is in line {left.value}")
            continue
        if left.column == REPEATS_HEADER:
            again = f"{counted(left.count, 'row')} that {'repeats' if left.count == 1 else 'repeat'} the header"
            lines.append(f"{again}: what stands below was read as if it began another file")
            continue
        where = "the first cell" if left.column == FIRST_CELL else left.column
        why = left.value if left.column == ENDS_AT else f"{where} is {quoted(left.value)}"
        lines.append(f"{counted(left.count, 'row')} left out, as the mapping says: {why}")
    for one in unknown.report():
        meant = f"; did you mean {one.nearest}?" if one.nearest else ""
        source = one.source or "(no source)"
        often = counted(one.count, "time")
        lines.append(f"{source}: {one.fact_type} has no field {one.field} ({often}, ignored){meant}")
    if unknown.overflow:
        lines.append(f"… and {unknown.overflow:,} more fields that no event has")
    return lines


def unmet_lines(unknown: UnknownFields) -> list[str]:
    """Say which values a mapping chooses rows by that no row has, and what the rows have."""
    lines = []
    for one in unknown.rows_by():
        if not one.unmet:
            continue
        where = "the first cell" if one.column == FIRST_CELL else quoted(one.column)
        values = _listed([quoted(value) for value in one.unmet])
        have = dict(Counter(one.taken) + Counter(one.left_out))
        rows = f"; rows have: {_counts(have)}" if have and one.column != FIRST_CELL else ""
        lines.append(f"no row has {values} in {where}, which the mapping chooses rows by{rows}")
    return lines


def chosen_lines(unknown: UnknownFields) -> list[str]:
    """Say which values the rows have that were taken, for each column by which a mapping chooses rows."""
    return [
        f"{quoted(one.column)} of the rows that are taken: {_counts(one.taken)}"
        + (f"; of those left out: {_counts(one.left_out)}" if one.left_out else "")
        for one in unknown.rows_by()
        if one.taken and one.column != FIRST_CELL
    ]


def _counts(rows: Mapping[str, int]) -> str:
    most = sorted(rows.items(), key=lambda one: (-one[1], one[0]))
    return _listed([f"{quoted(value) if value else '(blank)'} {count:,}" for value, count in most])


def _listed(values: Sequence[str]) -> str:
    more = len(values) - MAX_VALUES
    return ", ".join(values[:MAX_VALUES]) + (f" and {more:,} more" if more > 0 else "")


def _spooled(scratch: Path) -> Path:
    target = scratch / "stdin"
    with target.open("wb") as file:
        while chunk := sys.stdin.buffer.read(_CHUNK):
            file.write(chunk)
    return target
