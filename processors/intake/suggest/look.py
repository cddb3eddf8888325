"""Looks at the beginning of a text file: its encoding, its delimiter, its header and its first rows."""

import codecs
import os
import re
from collections import Counter
from collections.abc import Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from processors.intake.formats.cells import cleaned
from processors.intake.formats.csv_rows import MAX_ROWS_TO_HEADER, csv_rows
from processors.intake.formats.likely_encoding import PYTHON_NAMES, likely_encoding
from processors.intake.input_records import InputRefused
from processors.intake.suggest.known_names import is_known

HEAD_BYTES: Final = 256 * 1024
TAIL_BYTES: Final = 64 * 1024
MAX_ROWS: Final = 20_000
ENOUGH_NAMES: Final = 2
DELIMITERS: Final = (",", ";", "\t", "|")
# How a web page begins, and the tables that some shops give the name .xls.
_HTML: Final = re.compile(r"<(?:!doctype|!--|html|head|meta|style|table|body|div|\?xml)", re.IGNORECASE)
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Table(NamedTuple):
    """What a file begins with; `rows` have as many cells as the header, those that have not are in `odd` alone.

    Cells are cleaned as they are when the file is read. `tail` are the last rows of a file of which not all is in
    `rows`; `is_whole` says that all is.
    """

    encoding: str
    delimiter: str
    header: list[str]
    rows: list[list[str]]
    odd: list[list[str]]
    tail: Sequence[list[str]] = ()
    is_whole: bool = True

    def cells(self, column: str) -> list[str]:
        """The cells of a column that the header has, blank ones too."""
        at = self.header.index(column)
        return [cells[at] for cells in self.rows]

    def cells_to_the_end(self, column: str) -> list[str]:
        """The cells of a column that the header has, and those of the last rows, blank ones too."""
        at = self.header.index(column)
        return [*self.cells(column), *(cells[at] for cells in self.tail)]

    @property
    def looked_at(self) -> str:
        """Which rows were looked at, to be said where something was not found; empty if it was all of them."""
        if self.is_whole:
            return ""
        last = f" and the last {len(self.tail):,}" if self.tail else ""
        return f"of the first {len(self.rows):,}{last}"


def whole_lines(path: Path) -> bytes:
    """The first lines of a file, as far as they are looked at; all of a short file."""
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        if not stream.read(1):
            return head
    end = head.rfind(b"\n") + 1
    return head[: end + end % 2 if encoding_of(head) == "utf-16" else end] if end else head


def look_at(path: Path, shown: str) -> Table:
    """The beginning of a file; `shown` is its name in messages. Raises InputRefused for what is no table in text."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            is_whole = not stream.read(1)
    except OSError as error:
        raise InputRefused(shown, 0, f"the file cannot be read: {error.strerror}", "Check the path") from error
    _refuse_what_is_no_table(head, shown)
    encoding = encoding_of(head)
    if encoding != "utf-16" and b"\x00" in head:
        raise InputRefused(shown, 0, "this is no text", "Save it as CSV UTF-8")
    text = _decoded(head, encoding)
    if _HTML.match(text.lstrip()):
        hint = "Open it in a spreadsheet program, save it as CSV UTF-8, and give that file"
        raise InputRefused(shown, 0, "this is a web page (HTML or XML), whatever its name says", hint)
    if is_whole:
        return _best(text, encoding, shown)
    best = _best(text[: text.rfind("\n") + 1] or text, encoding, shown)
    tail = [cells for cells in _rows(_end_of(path, head, encoding), best.delimiter) if len(cells) == len(best.header)]
    return best._replace(tail=tail, is_whole=False)


def _refuse_what_is_no_table(head: bytes, shown: str) -> None:
    if head.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in {b"{", b"["}:
        hint = "Write each order as an event in Tallybook's form, as docs/publishers.md shows for orders from JSON"
        raise InputRefused(shown, 0, "this is no CSV file but JSON, to which mappings do not apply", hint)
    if head.startswith(b"Obj\x01"):
        hint = "Name the fields as Tallybook does, or write the rows as Parquet or CSV, which take a mapping"
        raise InputRefused(shown, 0, "this is no CSV file but Avro, to which mappings do not apply", hint)
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        hint = "Save an Excel workbook as CSV UTF-8; unpack an archive"
        raise InputRefused(shown, 0, "this is no CSV file but an Excel workbook or an archive", hint)


def _end_of(path: Path, head: bytes, encoding: str) -> str:
    """The last lines of a file that is longer than its head, without the one that is cut."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        begin = max(len(head), size - TAIL_BYTES)
        stream.seek(begin + begin % 2)
        end = stream.read(TAIL_BYTES)
    if encoding == "utf-16":
        encoding = _byte_order(end)
    text = end.decode(PYTHON_NAMES.get(encoding, encoding), "replace")
    return text[text.find("\n") + 1 :]


def encoding_of(head: bytes) -> str:
    """The encoding that the first bytes of a file are in, of those that a mapping can name."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return encoding
    if b"\x00" in head and _is(head, _byte_order(head)):
        return "utf-16"
    if _is(head, "utf-8"):
        return "utf-8"
    return likely_encoding(head) or "windows-1252"


def _is(head: bytes, encoding: str) -> bool:
    """Whether bytes, the last of them perhaps half a letter, are text in an encoding."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(head, final=False)
    except UnicodeDecodeError:
        return False
    return True


def _byte_order(head: bytes) -> str:
    """UTF-16 without a mark: most letters of a table have a zero byte, before or after the other one."""
    return "utf-16-be" if head[::2].count(0) > head[1::2].count(0) else "utf-16-le"


def _decoded(head: bytes, encoding: str) -> str:
    if encoding == "utf-16" and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = _byte_order(head)
    name = PYTHON_NAMES.get(encoding, encoding)
    return codecs.getincrementaldecoder(name)("replace").decode(head, final=False).lstrip("\ufeff")


def _best(text: str, encoding: str, shown: str) -> Table:
    """The table with the delimiter that gives the header most known names, of these most cells, and rows as long.

    A tab may stand in each cell as a guard, so that the number of cells alone does not tell.
    """
    tables = [table for mark in DELIMITERS if (table := _table(text, encoding, mark)) is not None]
    if not tables:
        raise InputRefused(shown, 0, "the file is empty", "Give a file with a header and some rows")
    return max(tables, key=_likelihood)


def _likelihood(table: Table) -> tuple[bool, int, int]:
    return len(table.header) > 1 and bool(table.rows), sum(map(is_known, table.header)), len(table.header)


def _table(text: str, encoding: str, delimiter: str) -> Table | None:
    rows = _rows(text, delimiter)
    if not rows:
        return None
    at = _header_at(rows)
    header, below = rows[at], rows[at + 1 :]
    whole = [cells for cells in below if len(cells) == len(header)]
    odd = [cells for cells in below if len(cells) != len(header)]
    return Table(encoding, delimiter, header, whole, odd, is_whole=len(rows) <= MAX_ROWS)


def _rows(text: str, delimiter: str) -> list[list[str]]:
    rows = islice(csv_rows(BytesIO(text.encode()), delimiter), MAX_ROWS + 1)
    return [[cleaned(cell) for cell in row.cells] for row in rows]


def _header_at(rows: Sequence[Sequence[str]]) -> int:
    """Which row is the header: that of most names that are known, as titles may stand above it.

    Where there are no such names it is the first one, unless that fills less than half of the usual cells.
    """
    known = [sum(map(is_known, cells)) for cells in rows[:MAX_ROWS_TO_HEADER]]
    if max(known) >= ENOUGH_NAMES:
        return known.index(max(known))
    ((usual, _),) = Counter(map(len, rows)).most_common(1)
    for at, cells in enumerate(rows[:MAX_ROWS_TO_HEADER]):
        if 2 * sum(1 for cell in cells if cell.strip()) > usual:
            return at
    return 0
