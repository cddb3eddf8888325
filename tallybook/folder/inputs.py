"""Opens the files that a command line names: reads their mapping, and spools standard input."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from processors.intake.formats import Format
from processors.intake.input_files import Input, open_input
from processors.intake.mapping import ABOVE_HEADER, ENDS_AT, FIRST_CELL
from processors.intake.refusal import quoted
from processors.intake.unknown_fields import UnknownFields
from tallybook.folder.mapping_files import read_mapping
from tallybook.screen import counted

STANDARD_INPUT: Final = "-"
_CHUNK: Final = 1 << 20


@contextmanager
def opened_inputs(files: Sequence[str], mapping: Path | None, form: Format | None = None) -> Iterator[list[Input]]:
    """Open the named inputs; `-` is standard input, read to its end into a temporary file.

    Raises:
        InputRefused: a file cannot be read or is no format of events.
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
        yield inputs


def unknown_lines(unknown: UnknownFields) -> list[str]:
    """Name each field that no fact has, with the field that was perhaps meant, and the rows that were left out."""
    lines = []
    for left in unknown.left_out():
        if left.column == ABOVE_HEADER:
            lines.append(f"{counted(left.count, 'row')} left out above the header, which is in line {left.value}")
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


def _spooled(scratch: Path) -> Path:
    target = scratch / "stdin"
    with target.open("wb") as file:
        while chunk := sys.stdin.buffer.read(_CHUNK):
            file.write(chunk)
    return target
