"""Cuts CSV text into rows so that a broken row is one row: a quote that is never closed does not swallow the file."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from processors.intake.formats.json_lines import Line, text_lines
from processors.intake.refusal import Problem
from schemas.bounds import MAX_EVENT_BYTES

MAX_LINES_PER_ROW: Final = 100


class Row(NamedTuple):
    """One row: the line it begins at, its bytes, and its cells, or the problem why it has none.

    Of a broken row `cells` are what a plain split gives, good for a guess at what it belongs to.
    """

    at_line: int
    raw: bytes
    cells: list[str]
    problem: Problem | None
    size: int


def csv_rows(stream: BinaryIO, delimiter: str) -> Iterator[Row]:
    """The rows of a file in UTF-8 opened at its beginning (RFC 4180: quotes doubled within quotes), no blank ones.

    A quote that is not closed within MAX_LINES_PER_ROW lines and MAX_EVENT_BYTES makes its own line a broken row, and
    reading goes on at the next line.
    """
    lines = text_lines(stream)
    waiting: deque[Line] = deque()
    while True:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            return
        if line.size > len(line.content):
            message = f"the line has {line.size:,} bytes: an event has at most {MAX_EVENT_BYTES:,}"
            yield Row(line.number, line.content, [], Problem("too_large", message), line.size)
        elif line.content and not line.content.isspace():
            yield _row(line, waiting, lines, delimiter)


def _row(first: Line, waiting: deque[Line], lines: Iterator[Line], delimiter: str) -> Row:
    """The row that begins with a line; further lines are taken from `waiting` and `lines`, and put back if in vain."""
    raw = first.content
    try:
        text = raw.decode()
        if '"' not in text:
            return Row(first.number, raw, text.split(delimiter), None, len(raw))
        cells = _cells(text, delimiter)
    except UnicodeDecodeError as error:
        message = f"the text is not UTF-8 at byte {error.start + 1} of line {first.number}: save the file as UTF-8"
        return _broken(first, Problem("malformed", message), delimiter)
    except csv.Error as error:
        return _broken(first, _unreadable(first.number, str(error)), delimiter)
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


def _never_closed(number: int, found: str = "") -> Problem:
    because = f" ({found})" if found else ""
    return Problem(
        "malformed", f"a quote opens in line {number} and is not closed{because}: close it, or double it to mean it"
    )


def _unreadable(number: int, found: str) -> Problem:
    return Problem("malformed", f"line {number} is no CSV: {found}; double a quote within quotes to mean it")
