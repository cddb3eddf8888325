"""Looks at the beginning of a text file: its encoding, its delimiter, its header and its first rows."""

import codecs
from collections import Counter
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

from processors.intake.formats.csv_rows import MAX_ROWS_TO_HEADER, csv_rows
from processors.intake.formats.likely_encoding import PYTHON_NAMES, likely_encoding
from processors.intake.input_records import InputRefused
from processors.intake.suggest.known_names import is_known

HEAD_BYTES: Final = 256 * 1024
MAX_ROWS: Final = 500
ENOUGH_NAMES: Final = 2
DELIMITERS: Final = (",", ";", "\t", "|")
_BOMS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Table(NamedTuple):
    """What a file begins with; `rows` have as many cells as the header, those that have not are in `odd` alone."""

    encoding: str
    delimiter: str
    header: list[str]
    rows: list[list[str]]
    odd: list[list[str]]

    def cells(self, column: str) -> list[str]:
        """The cells of a column that the header has, blank ones too."""
        at = self.header.index(column)
        return [cells[at].strip() for cells in self.rows]


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
    if head.startswith((b"PAR1", b"Obj\x01", b"PK\x03\x04", b"\xd0\xcf\x11\xe0")) or head.lstrip()[:1] in {b"{", b"["}:
        hint = "Parquet, Avro and JSON name their own columns; save an Excel workbook as CSV UTF-8"
        raise InputRefused(shown, 0, "this is no CSV file", hint)
    encoding = encoding_of(head)
    if encoding != "utf-16" and b"\x00" in head:
        raise InputRefused(shown, 0, "this is no text", "Save it as CSV UTF-8")
    text = _decoded(head, encoding)
    if not is_whole:
        text = text[: text.rfind("\n") + 1] or text
    return _best(text, encoding, shown)


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
    """The table with the delimiter that gives the header most cells, where at least the next rows have as many."""
    tables = [table for mark in DELIMITERS if (table := _table(text, encoding, mark)) is not None]
    if not tables:
        raise InputRefused(shown, 0, "the file is empty", "Give a file with a header and some rows")
    return max(tables, key=lambda table: (len(table.header) > 1 and bool(table.rows), len(table.header)))


def _table(text: str, encoding: str, delimiter: str) -> Table | None:
    rows = [row.cells for row, _ in zip(csv_rows(BytesIO(text.encode()), delimiter), range(MAX_ROWS + 1), strict=False)]
    if not rows:
        return None
    at = _header_at(rows)
    header, below = [cell.strip() for cell in rows[at]], rows[at + 1 :]
    whole = [cells for cells in below if len(cells) == len(header)]
    return Table(encoding, delimiter, header, whole, [cells for cells in below if len(cells) != len(header)])


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
