"""Reads Parquet files through a column mapping, or (without one) with the fields of a fact as columns."""

from collections.abc import Container, Iterator, Sequence
from contextlib import closing
from itertools import compress
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from processors.intake.door import Door
from processors.intake.formats.fragments import Fragments, Piece, TableRow
from processors.intake.formats.parquet_columns import Columns, columns_read, documents, int96_columns, with_zone
from processors.intake.formats.row_choice import RowChoice, RowsAbove, head_columns
from processors.intake.formats.rows_to_events import EventRows, Plan
from processors.intake.input_records import InputRefused, Read, as_json, refused
from processors.intake.mapping import FIRST_CELL, PLACE_COLUMNS, ColumnMapping
from processors.intake.refusal import Problem, Refusal, quoted
from processors.intake.unknown_fields import UnknownFields, nearest_name

BATCH_ROWS: Final = 65_536
RECORD_BYTES: Final = 200
ROW_BYTES: Final = 50
_NESTED: Final = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_fixed_size_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
    pa.types.is_struct,
    pa.types.is_map,
    pa.types.is_union,
)
_OTHERWISE: Final = "Write the column as text, whole numbers, decimals, doubles or timestamps"


class ParquetReader:
    """Reads one file; `name` is its name in messages, `file` the one that a mapping may ask for.

    Rows that the mapping leaves out are counted in `unknown`. Raises InputRefused if it is foreign or cut off, or holds
    what is not read.
    """

    def __init__(
        self,
        path: Path,
        mapping: ColumnMapping | None,
        name: str,
        file: str = "",
        unknown: UnknownFields | None = None,
    ) -> None:
        self._mapping = mapping
        self._file_name = file
        self._unknown = unknown
        self._record = 0
        try:
            self._file = pq.ParquetFile(path, page_checksum_verification=True, coerce_int96_timestamp_unit="us")
            schema = self._file.schema_arrow
        except pa.ArrowNotImplementedError as error:
            message = f"this Parquet file holds what is not read here: {_first_line(error)}"
            raise InputRefused(name, 0, message, _OTHERWISE) from error
        except (pa.ArrowException, OSError, ValueError) as error:
            message = f"this Parquet file cannot be read: {_first_line(error)}"
            raise InputRefused(name, 0, message, "It may be cut off: copy or write it again") from error
        if mapping is None:
            if "type" not in schema.names:
                hint = "Give a column mapping (--mapping), or a column type that names the kind of fact in each row"
                raise InputRefused(name, 0, "the file has no column 'type', and there is no mapping", hint)
        else:
            _check_columns(schema, mapping, name)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def records(self, door: Door) -> Iterator[Read]:
        """The events of a file whose rows are not grouped; where it cannot be read on, one record is refused."""
        try:
            if self._mapping is None:
                yield from self._documents(door)
            else:
                yield from self._single_rows(Plan(self._mapping), self._mapping, door)
        except (pa.ArrowException, OSError) as error:
            self._record += 1
            problem = _unreadable("record", self._record, error)
            yield refused(self._record, self._record, Refusal(problem.reason, problem.message), b"")

    def pieces(self, above: RowsAbove | None = None) -> Iterator[Piece]:
        """The pieces of the orders of a file whose rows are grouped; where reading fails, the last one is broken.

        `above` is what the rows of the files before it said.
        """
        if self._mapping is not None:
            plan = Plan(self._mapping)
            rows = self._table_rows(plan, self._mapping, above)
            yield from Fragments(plan, lambda said: said, above).read(rows)

    def _table_rows(self, plan: Plan, mapping: ColumnMapping, above: RowsAbove | None) -> Iterator[TableRow]:
        try:
            for columns, numbers, orphans in self._batches(plan, mapping, above):
                raws = columns.raws()
                for number, key, names, said, line, raw in zip(
                    numbers, columns.keys(), columns.names(), columns.heads(), columns.lines(), raws, strict=True
                ):
                    self._record = number
                    is_orphan = number in orphans
                    yield TableRow(number, number, key, said, line, raw, ROW_BYTES, is_orphan=is_orphan, names=names)
        except (pa.ArrowException, OSError) as error:
            number = self._record + 1
            yield TableRow(number, number, None, (), (), None, 0, _unreadable("row", number, error))

    def _documents(self, door: Door) -> Iterator[Read]:
        for batch in self._read(None):
            for event in documents(batch):
                self._record += 1
                admitted = door.admit(event)
                if isinstance(admitted, Refusal):
                    yield refused(self._record, self._record, admitted, as_json(event))
                else:
                    yield Read(self._record, self._record, admitted, None, b"", RECORD_BYTES)

    def _single_rows(self, plan: Plan, mapping: ColumnMapping, door: Door) -> Iterator[Read]:
        for columns, numbers, _ in self._batches(plan, mapping):
            raws = columns.raws()
            for number, head, line, raw in zip(numbers, columns.heads(), columns.lines(), raws, strict=True):
                self._record = number
                order = EventRows(number, head)
                order.lines.append(line)
                read = plan.read(number, order, door)
                if read.refusal is not None:
                    kept = as_json([dict(zip(mapping.columns(), raw, strict=True))])
                    read = refused(number, number, read.refusal, kept, headers=read.headers)
                yield read

    def _batches(
        self, plan: Plan, mapping: ColumnMapping, above: RowsAbove | None = None
    ) -> Iterator[tuple[Columns, Sequence[int], Container[int]]]:
        """The rows that the mapping takes, their numbers in the file, and those of its orphans (see RowChoice)."""
        positions = {column: at for at, column in enumerate(self._chosen_by(mapping))}
        choice, begin = RowChoice(mapping, positions, self._unknown, above), 1
        for batch in self._read(self._columns(mapping)):
            rows, numbers, orphans = self._chosen(plan, batch, range(begin, begin + batch.num_rows), choice)
            begin += batch.num_rows
            yield Columns(plan, rows, numbers, self._file_name), numbers, orphans

    def _read(self, columns: list[str] | None) -> Iterator[Any]:
        """Some columns of the file, or all of them, in batches of rows."""
        instants = int96_columns(self._file.schema)
        for batch in self._file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
            yield with_zone(batch, instants)

    def _columns(self, mapping: ColumnMapping) -> list[str]:
        return columns_read(mapping, self._file.schema_arrow)

    def _chosen_by(self, mapping: ColumnMapping) -> list[str]:
        """The columns by which rows are chosen; the first one of the file before the others."""
        named = [name for name in (*mapping.only, *mapping.leave_out) if name != FIRST_CELL]
        keys = [*(mapping.group_by or ()), *head_columns(mapping)]
        return [self._file.schema_arrow.names[0], *named, *(name for name in keys if name not in PLACE_COLUMNS)]

    def _chosen(
        self, plan: Plan, rows: Any, numbers: Sequence[int], choice: RowChoice
    ) -> tuple[Any, Sequence[int], Container[int]]:
        """The rows that the mapping takes, their numbers in the file, and those of the orphans among them."""
        if not choice.is_needed:
            return rows, numbers, ()
        columns = Columns(plan, rows, numbers, self._file_name)
        by = [
            columns.values(name) if name in rows.schema.names else [None] * rows.num_rows
            for name in self._chosen_by(plan.mapping)
        ]
        taken, orphans = [], set()
        for number, cells in zip(numbers, zip(*by, strict=True), strict=True):
            taken.append(choice.takes(cells, len(by)))
            if choice.is_orphan:
                orphans.add(number)
        return rows.filter(pa.array(taken, pa.bool_())), list(compress(numbers, taken)), orphans


def _check_columns(schema: Any, mapping: ColumnMapping, name: str) -> None:
    for column in mapping.columns():
        if schema.names.count(column) != 1:
            found = "two columns" if column in schema.names else "no column"
            nearest = nearest_name(column, tuple(schema.names))
            hint = f"It has {', '.join(schema.names[:20])}"
            if nearest:
                hint = f"Is {quoted(nearest)} meant? Change the mapping"
            raise InputRefused(name, 0, f"there is {found} {quoted(column)}, which the mapping names", hint)
        kind = schema.field(column).type
        if _is_nested(kind):
            hint = "Map columns that hold one value in each row"
            raise InputRefused(name, 0, f"the column {quoted(column)} holds lists or objects ({kind})", hint)


def _is_nested(kind: Any) -> bool:
    kind = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    return any(is_nested(kind) for is_nested in _NESTED)


class Beginning:
    """The first rows of a file whose columns nobody has named yet; those that hold lists or objects are left out.

    `is_whole` says that there are no more rows. Raises InputRefused for what cannot be read.
    """

    def __init__(self, path: Path, name: str, rows: int) -> None:
        try:
            with closing(pq.ParquetFile(path)) as file:
                schema = file.schema_arrow
                self.header = [one for one in dict.fromkeys(schema.names) if _is_plain(schema, one)]
                batch = next(file.iter_batches(batch_size=rows, columns=self.header), None)
                self._rows = None if batch is None else pa.Table.from_batches([batch])
                self.is_whole = file.metadata.num_rows <= rows
        except (pa.ArrowException, OSError, ValueError) as error:
            message = f"this Parquet file cannot be read: {_first_line(error)}"
            raise InputRefused(name, 0, message, "It may be cut off: copy or write it again") from error

    def values(self, column: str) -> list[Any]:
        """The values of a column; times with at most three decimals of a second."""
        if self._rows is None:
            return []
        values = self._rows.column(column)
        if pa.types.is_timestamp(values.type):
            values = values.cast(pa.timestamp("ms", values.type.tz), safe=False)
        return [value.as_py() for value in values]

    def write(self, path: Path) -> None:
        """Write these rows, of which there are some, as a file of their own."""
        pq.write_table(self._rows, path)


def _is_plain(schema: Any, column: str) -> bool:
    return schema.names.count(column) == 1 and not _is_nested(schema.field(column).type)


def _unreadable(what: str, number: int, error: BaseException) -> Problem:
    """Why a file cannot be read on, from a record or a row of this number."""
    if isinstance(error, pa.ArrowNotImplementedError):
        return Problem(
            "wrong_type", f"{what} {number} and the rest are not read here: {_first_line(error)}. {_OTHERWISE}"
        )
    return Problem("damaged", f"the file is damaged after {what} {number - 1}: {_first_line(error)}; write it again")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
