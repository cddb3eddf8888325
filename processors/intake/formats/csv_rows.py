"""Reads CSV with a header through a column mapping; the rows of one order stand together."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, BinaryIO, Final, NamedTuple

from processors.intake.door import Door
from processors.intake.formats.cells import cleaned
from processors.intake.formats.json_lines import Line, text_lines
from processors.intake.formats.row_choice import RowChoice
from processors.intake.formats.rows_to_events import MAX_ROWS, EventRows, Plan, disagreement
from processors.intake.formats.text_encodings import UNREADABLE_BYTES, as_utf_8, suggested
from processors.intake.input_records import InputRefused, Read
from processors.intake.mapping import FILE, PLACE_COLUMNS, ROW, ColumnMapping, Encoding
from processors.intake.refusal import Problem, quoted
from processors.intake.unknown_fields import nearest_name
from schemas.bounds import MAX_EVENT_BYTES

MAX_LINES_PER_ROW: Final = 100
# Orders remembered to notice rows that come back later; beyond that the journal's own duplicates and conflicts do it.
MAX_GROUPS_REMEMBERED: Final = 1_000_000


class Row(NamedTuple):
    """One row: the line it begins at, its bytes, and its cells, or the problem why it has none.

    Of a broken row `cells` are what a plain split gives, enough to guess the order that it belongs to.
    """

    at_line: int
    raw: bytes
    cells: list[str]
    problem: Problem | None
    size: int


def csv_rows(stream: BinaryIO, delimiter: str, encoding: Encoding = "utf-8") -> Iterator[Row]:
    """The rows of a file opened at its beginning (RFC 4180: quotes doubled within quotes), none of blank cells alone.

    They are kept in UTF-8, whatever the encoding of the file.

    A quote that is not closed within MAX_LINES_PER_ROW lines and MAX_EVENT_BYTES makes its own line a broken row, and
    reading goes on at the next line.
    """
    recoded = as_utf_8(stream, encoding)
    lines = text_lines(recoded)
    blank = f" \t\r{delimiter}".encode()
    waiting: deque[Line] = deque()
    while True:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            return
        if line.size > len(line.content):
            message = f"the line has {line.size:,} bytes: an event has at most {MAX_EVENT_BYTES:,}"
            yield Row(line.number, line.content, [], Problem("too_large", message), line.size)
        elif recoded is not stream and UNREADABLE_BYTES in line.content:
            message = (
                f"line {line.number} holds bytes that are no text in {encoding}: say in the mapping which encoding the "
                "file has, or save it as UTF-8"
            )
            yield _broken(line, Problem("malformed", message), delimiter)
        elif line.content.strip(blank):
            yield _row(line, waiting, lines, delimiter)


def _row(first: Line, waiting: deque[Line], lines: Iterator[Line], delimiter: str) -> Row:
    """The row that begins with a line; more are taken from `waiting` and `lines`, and put back if they do not fit."""
    raw = first.content
    try:
        text = raw.decode()
        if '"' not in text:
            return Row(first.number, raw, text.split(delimiter), None, len(raw))
        cells = _cells(text, delimiter)
    except UnicodeDecodeError as error:
        return _broken(first, Problem("malformed", not_utf_8(raw, error.start, first.number)), delimiter)
    except csv.Error as error:
        message = f"line {first.number} is no CSV: {error}; double a quote within quotes to mean it"
        return _broken(first, Problem("malformed", message), delimiter)
    if cells is not None:
        return Row(first.number, raw, cells, None, len(raw))
    return _longer_row(first, waiting, lines, delimiter)


def _longer_row(first: Line, waiting: deque[Line], lines: Iterator[Line], delimiter: str) -> Row:
    """A row whose quote is open at the end of its first line."""
    taken: list[Line] = []
    raw = first.content
    problem = _never_closed(first.number)
    while len(taken) < MAX_LINES_PER_ROW:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            break
        taken.append(line)
        if line.size > len(line.content) or len(raw) + line.size >= MAX_EVENT_BYTES:
            break
        raw += b"\n" + line.content
        if b'"' not in line.content:
            continue
        try:
            cells = _cells(raw.decode(), delimiter)
        except (csv.Error, UnicodeDecodeError) as error:
            problem = _never_closed(first.number, str(error))
            break
        if cells is not None:
            return Row(first.number, raw, cells, None, len(raw))
    waiting.extendleft(reversed(taken))
    return _broken(first, problem, delimiter)


def _cells(text: str, delimiter: str) -> list[str] | None:
    """The cells of one row, or None if a quote is still open at its end; raises csv.Error."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        if str(error) == "unexpected end of data":
            return None
        raise


def _broken(line: Line, problem: Problem, delimiter: str) -> Row:
    cells = line.content.decode("utf-8", "replace").split(delimiter)
    return Row(line.number, line.content, cells, problem, line.size)


def not_utf_8(raw: bytes, at: int, line: int) -> str:
    """What is wrong with a line that is not UTF-8 from a byte on, and what to change."""
    likely = suggested(raw)
    hint = f"if it is {likely}, say so in the mapping, encoding: {likely}; else save" if likely else "save"
    return f"the text is not UTF-8 at byte {at + 1} of line {line}: {hint} the file as UTF-8"


def _never_closed(number: int, found: str = "") -> Problem:
    because = f" ({found})" if found else ""
    return Problem(
        "malformed", f"a quote opens in line {number} and is not closed{because}: close it, or double it to mean it"
    )


class CsvReader:
    """Reads one file; `name` is its name in messages, `file` the one that a mapping may ask for.

    Raises InputRefused if the header does not fit the mapping.
    """

    def __init__(self, stream: BinaryIO, mapping: ColumnMapping, name: str, door: Door, file: str = "") -> None:
        self._rows = csv_rows(stream, mapping.delimiter, mapping.encoding)
        self._place = file if mapping.asks_for_place() else None
        self._plan = Plan(mapping)
        self._door = door
        self._record = 0
        self._last_lines: dict[str, int] = {}
        header = next(self._rows, None)
        self._width = 0 if header is None else len(header.cells)
        if header is not None:
            at = _positions(header, mapping, name)
            self._head_slots = self._plan.of_order
            self._head_cells = _picker([[at[column] for column in slot.columns] for slot in self._head_slots])
            self._line_cells = _picker([[at[column] for column in slot.columns] for slot in self._plan.lines])
            self._key_cells = _picker([[at[column]] for column in mapping.group_by or ()])
            self._whole = self._width + (0 if self._place is None else len(PLACE_COLUMNS))
            self._choice = RowChoice(mapping, at, door.unknown)

    def records(self) -> Iterator[Read]:
        """The orders and the broken rows of the file, in its order."""
        if self._width and not self._plan.mapping.group_by:
            for row in self._taken_rows():
                yield self._alone(row)
        elif self._width:
            yield from self._grouped()

    def _taken_rows(self) -> Iterator[Row]:
        """The rows that the mapping takes, with their place in two more cells if it asks for that."""
        if self._place is None and not self._choice.is_needed:
            return self._rows
        return self._chosen_rows()

    def _chosen_rows(self) -> Iterator[Row]:
        takes = self._choice.takes if self._choice.is_needed else None
        for number, row in enumerate(self._rows, 1):
            if takes is not None and not takes(row.cells, self._width if row.problem is None else 0):
                continue
            if self._place is not None and row.problem is None:
                problem = self._shifted(row, self._width)
                if problem is not None:
                    yield row._replace(problem=problem)
                    continue
                row.cells.extend((str(number), self._place))
            yield row

    def _grouped(self) -> Iterator[Read]:
        group: _Group | None = None
        loose: list[Row] = []
        for row in self._taken_rows():
            problem = row.problem or self._shifted(row)
            key = self._key(row)
            if group is not None and key == group.key and key is not None:
                for broken in loose:
                    group.spoil(broken, broken.problem or self._shifted(broken))
                loose.clear()
                group.spoil(row, problem) if problem else self._add(group, row)
            elif problem:
                loose.append(row)
                if len(loose) > MAX_ROWS:
                    yield from self._closed(group, loose)
                    group = None
            else:
                mine = [broken for broken in loose if self._key(broken) == key and key is not None]
                yield from self._closed(group, [broken for broken in loose if broken not in mine])
                loose = []
                group = _Group(key, self._order(row), row.at_line, self._head_cells(row.cells))
                for broken in mine:
                    group.spoil(broken, broken.problem or self._shifted(broken))
                self._add(group, row)
                self._check_seen(group, row)
        yield from self._closed(group, loose)

    def _closed(self, group: _Group | None, loose: list[Row]) -> Iterator[Read]:
        """The records that are complete now: a group, then the broken rows after it that belong to no group."""
        if group is not None:
            if group.key is not None:
                if len(self._last_lines) >= MAX_GROUPS_REMEMBERED:
                    del self._last_lines[next(iter(self._last_lines))]
                self._last_lines[group.key] = group.last_line
            self._record += 1
            yield self._plan.read(self._record, group.order, self._door, b"\n".join(group.raw), group.size)
        for row in loose:
            yield self._alone(row)
        loose.clear()

    def _alone(self, row: Row) -> Read:
        problem = row.problem or self._shifted(row)
        self._record += 1
        if problem is not None:
            order = EventRows(row.at_line, [])
            order.problem = problem
        else:
            order = self._order(row)
            order.lines.append(self._plan.cells_of(self._plan.lines, self._line_cells(row.cells)))
        return self._plan.read(self._record, order, self._door, row.raw, row.size)

    def _order(self, row: Row) -> EventRows:
        return EventRows(row.at_line, self._plan.cells_of(self._head_slots, self._head_cells(row.cells)))

    def _add(self, group: _Group, row: Row) -> None:
        """One more good row of an order."""
        head = self._head_cells(row.cells)
        if head != group.head and group.order.problem is None:
            self._compare(group, row, head)
        if len(group.order.lines) < MAX_ROWS:
            group.order.lines.append(self._plan.cells_of(self._plan.lines, self._line_cells(row.cells)))
        group.keep(row)

    def _compare(self, group: _Group, row: Row, head: Sequence[Any]) -> None:
        """Refuse an order whose rows say different things where it has one value; guards and blanks do not count."""
        cells = self._plan.cells_of(self._head_slots, self._plan.filled(group.head, head))
        at = next((at for at, (one, cell) in enumerate(zip(group.order.head, cells, strict=True)) if one != cell), None)
        if at is not None:
            lines = (group.last_line, row.at_line)
            group.order.problem = disagreement(group.head[at:], head[at:], self._head_slots[at:], lines)

    def _check_seen(self, group: _Group, row: Row) -> None:
        if group.key is not None and group.key in self._last_lines and group.order.problem is None:
            message = (
                f"line {row.at_line} goes on with order {quoted(group.key)}, which ended at line "
                f"{self._last_lines[group.key]}: the rows of one order stand together; sort the file by it"
            )
            group.order.problem = Problem("duplicate_row", message)

    def _key(self, row: Row) -> str | None:
        """The order that a row says it belongs to; None if it says none."""
        cells = row.cells
        if len(cells) != self._whole:
            cells = [cells[at] if at < len(cells) else "" for at in range(self._whole)]
        return self._plan.key_of(self._key_cells(cells))

    def _shifted(self, row: Row, width: int = 0) -> Problem | None:
        """The problem of a row that has not as many cells as the header (or `width`, before its place is added)."""
        if len(row.cells) == (width or self._whole):
            return None
        message = (
            f"line {row.at_line} has {len(row.cells)} cells where the header has {self._width}: is a delimiter "
            "missing, or one too many? Put a text that holds one in quotes"
        )
        return Problem("malformed", message)


class _Group:
    """The rows of one order while they are read, and their bytes, as far as they are kept."""

    __slots__ = ("head", "key", "last_line", "order", "raw", "size")

    def __init__(self, key: str | None, order: EventRows, at_line: int, head: Sequence[Any]) -> None:
        self.key = key
        self.order = order
        self.last_line = at_line
        self.head = head
        self.raw: list[bytes] = []
        self.size = 0

    def keep(self, row: Row) -> None:
        """Keep the bytes of one more row, up to the size that an event may have."""
        self.last_line = row.at_line
        self.size += row.size + (1 if self.raw else 0)
        if self.size <= MAX_EVENT_BYTES:
            self.raw.append(row.raw)

    def spoil(self, row: Row, problem: Problem | None) -> None:
        """Take in a broken row: an order is taken whole or not at all."""
        self.order.problem = self.order.problem or problem
        self.keep(row)


def _picker(positions: list[list[int]]) -> Callable[[Sequence[str]], Sequence[Any]]:
    """Picks these cells of a row, always as a sequence; a tuple of cells where several columns make one value."""
    if not positions:
        return lambda _: ()
    if all(len(one) == 1 for one in positions):
        first, *others = [one[0] for one in positions]
        return itemgetter(first, *others) if others else lambda cells: (cells[first],)
    each = [itemgetter(*one) for one in positions]
    return lambda cells: tuple([pick(cells) for pick in each])


def _positions(header: Row, mapping: ColumnMapping, name: str) -> dict[str, int]:
    """Where the columns of a header stand; raises InputRefused if the mapping names one that is not there."""
    if header.problem is not None:
        message = f"the header cannot be read: {header.problem.message}"
        raise InputRefused(name, header.at_line, message, "Mend the header, or the mapping")
    if b"\x00" in header.raw:
        hint = "If it is UTF-16, say so in the mapping: encoding: utf-16"
        raise InputRefused(name, header.at_line, "the header holds NUL characters", hint)
    columns = [cleaned(cell) for cell in header.cells]
    for column in mapping.columns():
        if column not in columns:
            nearest = nearest_name(column, tuple(columns))
            hint = f"Is {quoted(nearest)} meant? Change the mapping" if nearest else f"It has {_listed(columns)}"
            other = next((mark for mark in ";\t|," if mark != mapping.delimiter and mark in header.raw.decode()), None)
            if len(columns) == 1 and other is not None:
                hint = f"The header looks delimited by {other!r}: say so in the mapping, delimiter: {other!r}"
            raise InputRefused(
                name, header.at_line, f"there is no column {quoted(column)}, which the mapping names", hint
            )
        if columns.count(column) > 1:
            hint = "Rename one of them"
            raise InputRefused(name, header.at_line, f"there are two columns {quoted(column)}", hint)
    return {column: at for at, column in enumerate(columns)} | {ROW: len(columns), FILE: len(columns) + 1}


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(quoted(column) for column in columns[:20]) + (", …" if len(columns) > 20 else "")
