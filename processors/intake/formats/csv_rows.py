"""Reads CSV with a header through a column mapping: records of one row each, or the pieces of orders."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from operator import itemgetter
from typing import Any, BinaryIO, Final

import msgspec
from msgspec.structs import replace

from processors.intake.door import Door
from processors.intake.formats.cells import cleaned
from processors.intake.formats.fragments import Fragment, Fragments, Piece, TableRow
from processors.intake.formats.json_lines import Line, text_lines
from processors.intake.formats.likely_encoding import likely_encoding
from processors.intake.formats.row_choice import RowChoice, RowsAbove
from processors.intake.formats.rows_to_events import EventRows, Plan
from processors.intake.formats.text_encodings import UNREADABLE_BYTES, as_utf_8, is_utf_8_instead
from processors.intake.input_records import InputRefused, Read
from processors.intake.mapping import ABOVE_HEADER, FILE, REPEATS_HEADER, ROW, ColumnMapping, Encoding
from processors.intake.refusal import Problem, quoted
from processors.intake.unknown_fields import UnknownFields, nearest_name
from schemas.bounds import MAX_EVENT_BYTES

MAX_LINES_PER_ROW: Final = 100
# The header is looked for in so many rows that are not blank: what stands above a table is a shop's name, a period.
MAX_ROWS_TO_HEADER: Final = 50
_DELIMITERS: Final = ";\t|,"
# A first line with which some programs tell a spreadsheet the delimiter.
_SEPARATOR_SAID: Final = re.compile(rb'"?[sS][eE][pP]=.?"?')
# With which programs of DOS end a text.
_END_OF_FILE: Final = b"\x1a"
# Of a broken row, this many cells are tried as the key of its order.
MAX_CELLS_TRIED: Final = 200


class Row(msgspec.Struct, gc=False):
    """One row: the line it begins at, its bytes, and its cells, or the problem why it has none.

    Of a broken row `cells` are what a plain split gives, enough to guess the order that it belongs to.
    """

    at_line: int
    raw: bytes
    cells: list[str]
    problem: Problem | None
    size: int


def csv_rows(
    stream: BinaryIO, delimiter: str, encoding: Encoding = "utf-8", is_whole: Callable[[list[str]], bool] | None = None
) -> Iterator[Row]:
    """The rows of a file opened at its beginning (RFC 4180: quotes doubled within quotes), none of blank cells alone.

    They are kept in UTF-8, whatever the encoding of the file.

    A quote that is not closed within MAX_LINES_PER_ROW lines and MAX_EVENT_BYTES makes its own line a broken row, and
    reading goes on at the next line. So does a quote that takes in a line of which `is_whole` says that its cells are
    those of a row, where they are in the first line too: such a quote is part of a text, as an inch sign is.
    """
    recoded = as_utf_8(stream, encoding)
    is_recoded = recoded is not stream
    lines = text_lines(recoded)
    blank = f" \t\r{delimiter}".encode()
    cutter = _Cutter(lines, delimiter, is_whole or _never)
    for line in cutter.lines():
        content = line.content
        if line.size > len(content):
            message = f"the line has {line.size:,} bytes: an event has at most {MAX_EVENT_BYTES:,}"
            yield _broken(line, Problem("too_large", message), delimiter)
            continue
        if is_recoded and UNREADABLE_BYTES in content:
            message = (
                f"line {line.number} holds bytes that are no text in {encoding}: say in the mapping which encoding the "
                "file has, or save it as UTF-8"
            )
            yield _broken(line, Problem("malformed", message), delimiter)
        elif content.strip(blank):
            yield cutter.row(line)


def _never(_: list[str]) -> bool:
    return False


class _Cutter:
    """Cuts lines into rows: one that holds an open quote takes in more lines, which are put back if they do not fit."""

    def __init__(self, lines: Iterator[Line], delimiter: str, is_whole: Callable[[list[str]], bool]) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._is_whole = is_whole
        self._put_back: deque[Line] = deque()

    def lines(self) -> Iterator[Line]:
        """The lines that no row has taken in, each as late as it is asked for."""
        while (line := self._next()) is not None:
            content = line.content
            if content.endswith(_END_OF_FILE) and line.size == len(content):
                content = content.rstrip(_END_OF_FILE)
                line = Line(line.number, content, len(content))
            yield line

    def row(self, first: Line) -> Row:
        """The row that begins with a line."""
        raw, delimiter = first.content, self._delimiter
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
        return self._longer_row(first) if cells is None else Row(first.number, raw, cells, None, len(raw))

    def _next(self) -> Line | None:
        return self._put_back.popleft() if self._put_back else next(self._lines, None)

    def _longer_row(self, first: Line) -> Row:
        """A row whose quote is open at the end of its first line."""
        delimiter = self._delimiter
        may_be_text = self._is_whole(_alone(first, delimiter))
        taken: list[Line] = []
        raw = first.content
        problem = _never_closed(first.number)
        while len(taken) < MAX_LINES_PER_ROW and (line := self._next()) is not None:
            taken.append(line)
            if may_be_text and self._is_whole(_alone(line, delimiter)):
                problem = _part_of_a_text(first.number, line.number)
                break
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
        self._put_back.extendleft(reversed(taken))
        return _broken(first, problem, delimiter)


def _cells(text: str, delimiter: str) -> list[str] | None:
    """The cells of one row, or None if a quote is still open at its end; raises csv.Error."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        if str(error) == "unexpected end of data":
            return None
        raise


def _alone(line: Line, delimiter: str) -> list[str]:
    """The cells of a line by itself; where its quotes do not allow that, those that a plain split gives."""
    text = line.content.decode("utf-8", "replace")
    try:
        return _cells(text, delimiter) or text.split(delimiter)
    except csv.Error:
        return text.split(delimiter)


def _broken(line: Line, problem: Problem, delimiter: str) -> Row:
    cells = line.content.decode("utf-8", "replace").split(delimiter)
    return Row(line.number, line.content, cells, problem, line.size)


def not_utf_8(raw: bytes, at: int, line: int) -> str:
    """What is wrong with a line that is not UTF-8 from a byte on, and what to change."""
    likely = likely_encoding(raw)
    hint = f"if it is {likely}, say so in the mapping, encoding: {likely}; else save" if likely else "save"
    return f"the text is not UTF-8 at byte {at + 1} of line {line}: {hint} the file as UTF-8"


def _never_closed(number: int, found: str = "") -> Problem:
    because = f" ({found})" if found else ""
    return Problem(
        "malformed", f"a quote opens in line {number} and is not closed{because}: close it, or double it to mean it"
    )


def _part_of_a_text(number: int, other: int) -> Problem:
    message = (
        f"a quote opens in line {number} and is still open in line {other}, which is a row of its own: where the quote "
        "is part of the text, double it, and put the whole cell in quotes"
    )
    return Problem("malformed", message)


class CsvReader:
    """Reads one file; `name` is its name in messages, `file` the one that a mapping may ask for.

    Rows that the mapping leaves out are counted in `unknown`; `above` is what the files before it said. Raises
    InputRefused if the header, or the encoding, does not fit it.
    """

    def __init__(
        self,
        stream: BinaryIO,
        mapping: ColumnMapping,
        name: str,
        file: str = "",
        *,
        unknown: UnknownFields | None = None,
        above: RowsAbove | None = None,
    ) -> None:
        self._width = 0  # till the header is read
        if is_utf_8_instead(stream, mapping.encoding):
            message = f"the file is UTF-8, and the mapping says encoding: {mapping.encoding}"
            raise InputRefused(name, 1, message, "Write encoding: utf-8 in the mapping")
        self._rows = csv_rows(stream, mapping.delimiter, mapping.encoding, self._is_whole)
        self._place = file if mapping.asks_for_place() else None
        self._plan = Plan(mapping)
        self._above = above
        header, titles = _header(self._rows, mapping)
        self._width = 0 if header is None else len(header.cells)
        self._header = [] if header is None else [cleaned(cell) for cell in header.cells]
        self._unknown = unknown
        self._begins_again = False
        if header is not None:
            at = _positions(header, mapping, name)
            if titles and unknown is not None:
                unknown.leave_out(ABOVE_HEADER, str(header.at_line), titles)
            self._head_cells = _picker([[at[column] for column in slot.columns] for slot in self._plan.of_order])
            self._line_cells = _picker([[at[column] for column in slot.columns] for slot in self._plan.lines])
            self._key_cells = _picker([[at[column]] for column in mapping.group_by or ()])
            self._keys = [at[column] for column in mapping.group_by or ()]
            self._time = next((slot for slot in self._plan.head if slot.field == "occurred_at"), None)
            self._times = [at[column] for column in self._time.columns] if self._time else []
            self._choice = RowChoice(mapping, at, unknown, above)

    def records(self, door: Door) -> Iterator[Read]:
        """The records of a file whose rows are not grouped, in its order."""
        for number, row in self._taken_rows():
            order = EventRows(row.at_line, () if row.problem else self._head_of(self._head_cells(row.cells)))
            order.problem = row.problem
            if row.problem is None:
                order.lines.append(self._line_of(row.cells))
            yield self._plan.read(number, order, door, row.raw, row.size)

    def pieces(self) -> Iterator[Piece]:
        """The pieces of the orders of a file whose rows are grouped, in its order.

        A row that repeats the header begins another part, as of another file.
        """
        rows = self._taken_rows()
        for part in count():
            self._begins_again = False
            for piece in Fragments(self._plan, self._head_of, self._above).read(self._table_rows(rows)):
                if part and isinstance(piece, Fragment):
                    piece.part = part
                yield piece
            if not self._begins_again:
                return

    def _taken_rows(self) -> Iterator[tuple[int, Row]]:
        """The rows that the mapping takes, their numbers, and with two cells more their place if it asks for that."""
        if not self._width:
            return
        takes = self._choice.takes if self._choice.is_needed else None
        last = self._header[-1] if self._keys else None
        for number, row in enumerate(self._rows, 1):
            cells = row.cells
            if cells and last is not None and last in cells[-1] and self._repeats_header(row):
                yield number, row
                continue
            if takes is not None and not takes(row.cells, self._width if row.problem is None else 0):
                continue
            if row.problem is None:
                if len(row.cells) != self._width:
                    row.problem = self._shifted(row)
                elif self._place is not None:
                    row.cells.extend((str(number), self._place))
            yield number, row

    def _repeats_header(self, row: Row) -> bool:
        """Whether a row is the header once more; what stands below it is then read as if it began another file."""
        if row.problem is not None or [cleaned(cell) for cell in row.cells] != self._header:
            return False
        self._begins_again, self._choice.has_ended = True, False
        if self._unknown is not None:
            self._unknown.leave_out(REPEATS_HEADER, "")
        return True

    def _table_rows(self, rows: Iterator[tuple[int, Row]]) -> Iterator[TableRow]:
        """The rows up to the one that repeats the header."""
        if not self._width:
            return
        key_of, key_cells, head_cells, line_of = self._plan.key_of, self._key_cells, self._head_cells, self._line_of
        choice = self._choice
        named, key = None, None
        is_filled = self._plan.fills_keys
        for number, row in rows:
            if self._begins_again:
                return
            if row.problem is not None:
                yield self._broken_row(number, row, row.problem)
                continue
            cells = row.cells
            if (names := key_cells(cells)) != named:  # mostly the rows of an order stand together
                named, key = names, key_of(names)
            said, line = head_cells(cells), line_of(cells)
            yield TableRow(
                number,
                row.at_line,
                key,
                said,
                line,
                row.raw,
                row.size,
                None,
                (),
                choice.is_orphan,
                names=names if is_filled else (),
            )

    def _head_of(self, said: Sequence[Any]) -> Sequence[Any]:
        return self._plan.cells_of(self._plan.of_order, said)

    def _line_of(self, cells: Sequence[str]) -> Sequence[Any]:
        return self._plan.cells_of(self._plan.lines, self._line_cells(cells))

    def _broken_row(self, number: int, row: Row, problem: Problem) -> TableRow:
        """A row that is broken: with the key of its order where that stands for certain, else with those it may be.

        Cells are where they belong up to the time, if the time can be read there; or from the time on, if it can be
        read as far off as the row is too long. Else the key may stand that far off at most, and where even that is not
        known, as after a quote that is not closed, it may be any cell.
        """
        cells = [cell.strip().strip('"').strip() for cell in row.cells[:MAX_CELLS_TRIED]]
        off = len(row.cells) - self._width
        is_shifted = len(row.cells) != self._width and problem.message == self._shifted(row).message
        broken = TableRow(number, row.at_line, None, (), (), row.raw, row.size, problem)
        first, last = min(self._keys), max(self._keys)
        is_first = last == 0 and is_shifted and off > 0 and (not self._times or self._is_time(cells, 0))
        if is_first or (self._times and last < min(self._times) and self._is_time(cells, 0)):
            return replace(broken, key=self._key_at(cells, self._keys))
        if is_shifted and self._times and max(self._times) < first and self._is_time(cells, off):
            return replace(broken, key=self._key_at(cells, [at + off for at in self._keys]))
        shifts = range(min(off, 0), max(off, 0) + 1) if is_shifted else range(-last, len(cells))
        places = [[at + shift for at in self._keys] for shift in shifts]
        # A delimiter too many, or missing, between two columns of the key shifts the second one only.
        places += [[at + off if at >= cut else at for at in self._keys] for cut in sorted(self._keys)[1:]]
        found = dict.fromkeys(self._key_at(cells, each) for each in places)
        return replace(broken, candidates=[key for key in found if key is not None])

    def _key_at(self, cells: Sequence[str], places: Sequence[int]) -> str | None:
        """The key that cells in these places are; None where there are no such cells, or they say none."""
        if not all(0 <= at < len(cells) for at in places):
            return None
        return self._plan.key_of([cells[at] for at in places])

    def _is_whole(self, cells: list[str]) -> bool:
        """Whether cells are those of a row: as many as the header has, and a time where its time stands.

        With `fill` a further row of an order has no time.
        """
        if len(cells) != self._width or not self._times:
            return False
        is_further = self._plan.mapping.fill and not any(cells[at].strip() for at in self._times)
        return is_further or self._is_time(cells, 0)

    def _is_time(self, cells: Sequence[str], off: int) -> bool:
        """Whether the time of an order can be read from cells that stand so far off."""
        places = [at + off for at in self._times]
        if self._time is None or not all(0 <= at < len(cells) for at in places):
            return False
        values = [cells[at] for at in places]
        return type(self._plan.cells_of([self._time], [values[0] if len(values) == 1 else tuple(values)])[0]) is int

    def _shifted(self, row: Row) -> Problem:
        cells = "1 cell" if len(row.cells) == 1 else f"{len(row.cells)} cells"
        message = (
            f"line {row.at_line} has {cells} where the header has {self._width}: is a delimiter "
            "missing, or one too many? Put a text that holds one in quotes"
        )
        return Problem("malformed", message)


def _picker(positions: list[list[int]]) -> Callable[[Sequence[str]], Sequence[Any]]:
    """Picks these cells of a row, always as a sequence; a tuple of cells where several columns make one value."""
    if not positions:
        return lambda _: ()
    if all(len(one) == 1 for one in positions):
        first, *others = [one[0] for one in positions]
        return itemgetter(first, *others) if others else lambda cells: (cells[first],)
    each = [itemgetter(*one) for one in positions]
    return lambda cells: tuple([pick(cells) for pick in each])


def _header(rows: Iterator[Row], mapping: ColumnMapping) -> tuple[Row | None, int]:
    """The header, and how many rows stand above it: it is the first row that has all columns of the mapping.

    Where no row has them, it is the one that has most of them, cut by whichever delimiter; where none has any, the
    first one that cannot be read, else the first one of several cells.
    """
    wanted = frozenset(mapping.columns())
    seen: list[Row] = []
    for row in rows:
        if _SEPARATOR_SAID.fullmatch(row.raw):
            continue
        if row.problem is None and wanted.issubset(map(cleaned, row.cells)):
            return row, len(seen)
        seen.append(row)
        if len(seen) == MAX_ROWS_TO_HEADER:
            break
    if not seen:
        return None, 0
    found = [0 if row.problem else _found_in(row, wanted) for row in seen]
    if not any(found):
        broken = next((row for row in seen if row.problem is not None), None)
        return broken or next((row for row in seen if len(row.cells) > 1), seen[0]), 0
    return seen[found.index(max(found))], 0


def _found_in(row: Row, wanted: frozenset[str]) -> int:
    """How many of the wanted columns a row has, by the delimiter that shows most of them."""
    text = row.raw.decode()
    cut = (row.cells, *([cell.strip('"') for cell in text.split(mark)] for mark in _DELIMITERS))
    return max(len(wanted.intersection(map(cleaned, cells))) for cells in cut)


def _positions(header: Row, mapping: ColumnMapping, name: str) -> dict[str, int]:
    """Where the columns of a header stand; raises InputRefused if the mapping names one that is not there."""
    if header.problem is not None:
        message = f"the header cannot be read: {header.problem.message}"
        raise InputRefused(name, header.at_line, message, "Mend the header, or the mapping")
    if b"\x00" in header.raw:
        hint = "If it is UTF-16, say so in the mapping: encoding: utf-16"
        raise InputRefused(name, header.at_line, "the header holds NUL characters", hint)
    if b"\r" in header.raw and '"' not in header.raw.decode():
        hint = "Save it as CSV UTF-8, with lines that end with LF or CRLF"
        ends = (
            "CR alone, as on old Macs" if b"\r" in header.raw.rstrip(b"\r\n") else "CR CR LF: they were written twice"
        )
        raise InputRefused(name, header.at_line, f"the lines end with {ends}", hint)
    columns = [cleaned(cell) for cell in header.cells]
    for column in mapping.columns():
        if column not in columns:
            nearest = nearest_name(column, tuple(columns))
            hint = f"Is {quoted(nearest)} meant? Change the mapping" if nearest else f"It has {_listed(columns)}"
            other = next(
                (mark for mark in _DELIMITERS if mark != mapping.delimiter and mark in header.raw.decode()), None
            )
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
