"""Opens input files: finds out their format, says what files of other kinds are, and gives the records."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from processors.intake.door import Door, Judge
from processors.intake.external_sort import ARRIVED_BYTES
from processors.intake.formats import FORMATS, Format
from processors.intake.formats.avro import check_container, read_avro_container
from processors.intake.formats.csv_rows import CsvReader
from processors.intake.formats.fragments import Piece
from processors.intake.formats.json_lines import read_json_lines
from processors.intake.formats.row_choice import RowsAbove
from processors.intake.formats.text_encodings import UTF_16_MARKS
from processors.intake.input_records import InputRefused, Read
from processors.intake.mapping import ColumnMapping
from processors.intake.unknown_fields import UnknownFields
from processors.intake.whole_orders import WholeOrders

if TYPE_CHECKING:
    from processors.intake.formats.parquet import ParquetReader

_CHUNK: Final = 1 << 20
_HEAD: Final = 4_096
_LINE_ENDS: Final = (b"", b"\n", b"\r")
_SUFFIXES: Final[dict[str, Format]] = {
    ".jsonl": "json-lines",
    ".ndjson": "json-lines",
    ".json": "json-lines",
    ".csv": "csv",
    ".tsv": "csv",
    ".avro": "avro",
    ".parquet": "parquet",
}
_MAGIC: Final[tuple[tuple[bytes, Format], ...]] = ((b"Obj\x01", "avro"), (b"PAR1", "parquet"))
# Files that are given by mistake, and what to do instead.
_FOREIGN: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "Unpack it first; from Excel, save as CSV UTF-8"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save it as CSV UTF-8"),
    (b"\x1f\x8b", "packed by gzip", "Unpack it first: gunzip"),
    (b"BZh91AY&SY", "packed by bzip2", "Unpack it first: bunzip2"),
    (b"\xfd7zXZ\x00", "packed by xz", "Unpack it first: unxz"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", "Unpack it first: unzstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-zip archive", "Unpack it first"),
    (b"SQLite format 3\x00", "an SQLite database", "Export its table as CSV or JSON lines"),
    (b"ARROW1", "an Arrow (Feather) file", "Write it as Parquet"),
    (b"%PDF-", "a PDF", "Give the data that it was made from"),
)


class Input:
    """One file to be read, its format known.

    `sha256` (hex) is its identity: over its bytes, and where a mapping reads it over the mapping too, so that a file
    read through a corrected mapping is another input. `size` is in bytes. `ends_in_a_line` says that the last line of a
    text has its end.
    """

    def __init__(self, path: Path, name: str, form: Format, mapping: ColumnMapping | None, shown: str = "") -> None:
        self.path = path
        self.name = name
        self.shown = shown or name
        self.format: Format = form
        self.mapping = mapping
        digest, self.size, self._stamp, end = _digest(path)
        self.ends_in_a_line = end in _LINE_ENDS
        if mapping is not None:
            digest = hashlib.sha256(digest + msgspec.json.encode(mapping.model_dump(), order="deterministic")).digest()
        self.sha256 = digest.hex()

    def records(self, unknown: UnknownFields | None = None, judge: Judge | None = None) -> Iterator[Read]:
        """The records from the beginning; fields that no fact has are counted in `unknown`, `judge` sees each fact.

        Raises InputRefused if the file is no longer what it was when it was opened.
        """
        return self.records_at(Door(unknown, judge))

    def records_at(self, door: Door) -> Iterator[Read]:
        """The records from the beginning, at this door. Raises InputRefused, as `records`."""
        if self.is_grouped:
            yield from self._whole_orders(door)
            return
        with self.path.open("rb") as stream:
            self._check_unchanged(stream)
            yield from self._records(stream, door)
            self._check_unchanged(stream)

    @property
    def is_grouped(self) -> bool:
        """Whether several rows make one order, so that it is read by `pieces`."""
        return self.mapping is not None and self.mapping.group_by is not None

    def pieces(self, unknown: UnknownFields | None = None, above: RowsAbove | None = None) -> Iterator[Piece]:
        """The pieces of orders, from the beginning of a file whose rows are grouped.

        Rows that the mapping leaves out are counted in `unknown`; `above` is what the rows of the files before it said.
        Raises InputRefused if the file is no longer what it was when it was opened.
        """
        with self.path.open("rb") as stream:
            self._check_unchanged(stream)
            if self.size and self.format == "csv":
                yield from self._csv(stream, unknown, above).pieces()
            elif self.size:
                with closing(self._parquet(unknown)) as reader:
                    yield from reader.pieces(above)
            self._check_unchanged(stream)

    def _whole_orders(self, door: Door) -> Iterator[Read]:
        """The orders of this file alone, in the order of their first rows."""
        with closing(WholeOrders(_needed(self.mapping, self.shown), [self.shown], door)) as whole:
            for _ in whole.take(0, self.pieces):
                pass
            for one in whole.in_order_of_rows():
                size = len(one.raw) + ARRIVED_BYTES
                yield Read(one.record, one.at_line, one.fact, one.refusal, one.raw, size, one.headers)

    def _records(self, stream: BinaryIO, door: Door) -> Iterator[Read]:
        if self.size == 0:
            return
        if self.format == "json-lines":
            yield from read_json_lines(stream, door)
        elif self.format == "avro":
            yield from read_avro_container(stream, self.shown, door)
        elif self.format == "csv":
            yield from self._csv(stream, door.unknown).records(door)
        else:
            with closing(self._parquet(door.unknown)) as reader:
                yield from reader.records(door)

    def check(self) -> None:
        """Raises InputRefused if the file cannot be read as its format and mapping say; looks at its beginning only."""
        with self.path.open("rb") as stream:
            if self.size == 0:
                return
            if self.format == "csv":
                self._csv(stream, None)
            elif self.format == "avro":
                check_container(stream, self.shown)
            elif self.format == "parquet":
                self._parquet(None).close()

    def _csv(self, stream: BinaryIO, unknown: UnknownFields | None, above: RowsAbove | None = None) -> CsvReader:
        return CsvReader(stream, _needed(self.mapping, self.shown), self.shown, self.name, unknown=unknown, above=above)

    def _parquet(self, unknown: UnknownFields | None) -> ParquetReader:
        from processors.intake.formats.parquet import ParquetReader  # noqa: PLC0415 - pyarrow loads slowly; only Parquet pays

        return ParquetReader(self.path, self.mapping, self.shown, self.name, unknown)

    def _check_unchanged(self, stream: BinaryIO) -> None:
        if _stamp(os.fstat(stream.fileno())) != self._stamp:
            hint = "Import it again when it is whole"
            raise InputRefused(self.shown, 0, "the file was changed while it was read", hint)


def open_input(
    path: Path,
    form: Format | None = None,
    mapping: ColumnMapping | None = None,
    name: str | None = None,
    *,
    shown: str | None = None,
    otherwise: Format | None = None,
) -> Input:
    """A file as an input; without `form` that is found out by its content first, then by its name's ending.

    `name` is what the books call it (default: the path's last part), and messages too unless `shown` is given.
    `otherwise` is the format if neither content nor name tells. An empty file is an input without records.

    Raises InputRefused for what cannot be read, or is no format of events.
    """
    name = path.name if name is None else name
    shown = name if shown is None else shown
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputRefused(shown, 0, "this is a folder", "Give the files in it")
        if not stat.S_ISREG(status.st_mode):
            raise InputRefused(shown, 0, "this is no regular file", "Give a file, or - for standard input")
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
        found = _format_of(head, path, shown, form, mapping, otherwise)
        if found == "csv" and head:
            _needed(mapping, shown)
        opened = Input(path, name, found, mapping if found in {"csv", "parquet"} else None, shown)
        opened.check()
    except FileNotFoundError as error:
        raise InputRefused(shown, 0, "there is no such file", "Check the path") from error
    except OSError as error:
        raise InputRefused(shown, 0, f"the file cannot be read: {error.strerror}", "Check its permissions") from error
    return opened


def _format_of(  # noqa: PLR0917 - private, with one caller
    head: bytes, path: Path, name: str, said: Format | None, mapping: ColumnMapping | None, otherwise: Format | None
) -> Format:
    by_content = next((one for magic, one in _MAGIC if head.startswith(magic)), None)
    by_name = _SUFFIXES.get(path.suffix.lower())
    wanted = said or by_content or by_name
    if wanted in {"avro", "parquet"}:
        if head and by_content != wanted:
            raise InputRefused(name, 0, f"this is no {wanted} file", f"Its first bytes are {head[:8]!a}")
        return wanted
    if head.startswith(UTF_16_MARKS) and (mapping is None or wanted == "json-lines"):
        raise InputRefused(name, 0, "this is text in UTF-16", "Save it as UTF-8")
    for magic, what, hint in _FOREIGN:
        if said is None and head.startswith(magic):
            raise InputRefused(name, 0, f"this is {what}", hint)
    if wanted is None:
        wanted = _guess(head, name, mapping, otherwise)
    if wanted == "json-lines" and said is None:
        _refuse_a_document(head, name, is_lines=path.suffix.lower() in {".jsonl", ".ndjson"})
    return wanted


def _guess(head: bytes, name: str, mapping: ColumnMapping | None, otherwise: Format | None) -> Format:
    """The format of a text file whose name says nothing."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    is_json = text[:1] in b"{["  # or nothing at all
    if mapping is not None and not (is_json and otherwise):
        return "csv"
    if is_json:
        return "json-lines"
    if otherwise is not None:
        return otherwise
    raise InputRefused(name, 0, "its format cannot be told", f"Say which it is: --format {' | '.join(FORMATS)}")


def _refuse_a_document(head: bytes, name: str, *, is_lines: bool) -> None:
    """Refuse one JSON document over several lines, which would make every line of it a reject.

    Where the file's name says lines, a whole list on the first line is one record among others, to be refused alone.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    first, ended, _ = text.partition(b"\n")
    first = first.strip()
    is_list = text[:1] == b"[" and text[1:].lstrip()[:1] in b"{["
    if first in {b"{", b"["} or (is_list and (not is_lines or (ended and first.endswith(b",")))):
        hint = "Write one event on each line, such as with jq: jq -c '.[]' FILE (a list), jq -c . FILE (one event)"
        raise InputRefused(name, 1, "this is one JSON document, not JSON lines", hint)


def _needed(mapping: ColumnMapping | None, name: str) -> ColumnMapping:
    if mapping is None:
        hint = "Say which column is which field: --mapping FILE.yaml"
        raise InputRefused(name, 0, "a CSV file needs a column mapping", hint)
    return mapping


def _digest(path: Path) -> tuple[bytes, int, tuple[int, int], bytes]:
    """SHA-256 and size of a file, what would change if it were written to, and its last byte that is not NUL."""
    digest, size, end = hashlib.sha256(), 0, b""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            end = chunk[-2:].strip(b"\0")[-1:]  # UTF-16 has a NUL after, or before, a line end
        return digest.digest(), size, _stamp(os.fstat(stream.fileno())), end


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
