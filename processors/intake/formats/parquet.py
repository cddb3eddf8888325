"""Reads Parquet files through a column mapping, or (without one) with the fields of a fact as columns."""

from collections.abc import Iterator, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from processors.intake.door import Door
from processors.intake.formats.parquet_columns import Columns, columns_read, documents
from processors.intake.formats.row_choice import RowChoice
from processors.intake.formats.rows_to_events import MAX_ROWS, EventRows, Plan, disagreement
from processors.intake.input_records import InputRefused, Read, as_json, refused
from processors.intake.mapping import FIRST_CELL, ColumnMapping
from processors.intake.refusal import Refusal, quoted
from processors.intake.unknown_fields import nearest_name

BATCH_ROWS: Final = 65_536
MAX_GROUPED_ROWS: Final = 200_000_000
MAX_ROWS_KEPT: Final = 1_000
RECORD_BYTES: Final = 200
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

    Raises InputRefused if it is foreign or cut off, or holds what is not read.
    """

    def __init__(self, path: Path, mapping: ColumnMapping | None, name: str, door: Door, file: str = "") -> None:
        self._mapping = mapping
        self._file_name = file
        self._name = name
        self._door = door
        self._record = 0
        try:
            self._file = pq.ParquetFile(path, page_checksum_verification=True)
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
            if mapping.group_by and self._file.metadata.num_rows > MAX_GROUPED_ROWS:
                message = f"{self._file.metadata.num_rows:,} rows are too many to be grouped"
                raise InputRefused(name, 0, message, f"Split the file into parts of at most {MAX_GROUPED_ROWS:,} rows")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def records(self) -> Iterator[Read]:
        """The events of the file; where its data is damaged, the rest is one refused record."""
        try:
            if self._mapping is None:
                yield from self._documents()
            elif self._mapping.group_by is None:
                yield from self._single_rows(Plan(self._mapping), self._mapping)
            else:
                yield from self._grouped_rows(Plan(self._mapping), self._mapping)
        except pa.ArrowNotImplementedError as error:
            self._record += 1
            message = f"record {self._record} and the rest are not read here: {_first_line(error)}. {_OTHERWISE}"
            yield refused(self._record, self._record, Refusal("wrong_type", message), b"")
        except (pa.ArrowException, OSError) as error:
            self._record += 1
            message = f"the file is damaged after record {self._record - 1}: {_first_line(error)}; write it again"
            yield refused(self._record, self._record, Refusal("damaged", message), b"")

    def _documents(self) -> Iterator[Read]:
        for batch in self._file.iter_batches(batch_size=BATCH_ROWS):
            for event in documents(batch):
                self._record += 1
                admitted = self._door.admit(event)
                if isinstance(admitted, Refusal):
                    yield refused(self._record, self._record, admitted, as_json(event))
                else:
                    yield Read(self._record, self._record, admitted, None, b"", RECORD_BYTES)

    def _single_rows(self, plan: Plan, mapping: ColumnMapping) -> Iterator[Read]:
        choice = self._choice(mapping)
        begin = 1
        for batch in self._file.iter_batches(batch_size=BATCH_ROWS, columns=self._columns(mapping)):
            rows, numbers = self._chosen(plan, batch, range(begin, begin + batch.num_rows), choice)
            begin += batch.num_rows
            columns = Columns(plan, rows, numbers, self._file_name)
            for at, (head, line) in enumerate(zip(columns.heads(), columns.lines(), strict=True)):
                order = EventRows(numbers[at], head)
                order.lines.append(line)
                yield self._read(plan, order, rows, at, 1)

    def _columns(self, mapping: ColumnMapping) -> list[str]:
        return columns_read(mapping, self._file.schema_arrow)

    def _choice(self, mapping: ColumnMapping) -> RowChoice:
        positions = {column: at for at, column in enumerate(self._chosen_by(mapping))}
        return RowChoice(mapping, positions, self._door.unknown)

    def _chosen_by(self, mapping: ColumnMapping) -> list[str]:
        """The columns by which rows are chosen; the first one of the file before the others."""
        named = [name for name in (*mapping.only, *mapping.leave_out) if name != FIRST_CELL]
        return [self._file.schema_arrow.names[0], *named]

    def _chosen(self, plan: Plan, rows: Any, numbers: Sequence[int], choice: RowChoice) -> tuple[Any, Sequence[int]]:
        """The rows that the mapping takes, and their numbers in the file."""
        if not choice.is_needed:
            return rows, numbers
        columns = Columns(plan, rows, numbers, self._file_name)
        by = [
            columns.values(name) if name in rows.schema.names else [None] * rows.num_rows
            for name in self._chosen_by(plan.mapping)
        ]
        taken = [choice.takes(cells, len(by)) for cells in zip(*by, strict=True)]
        return rows.filter(pa.array(taken, pa.bool_())), list(compress(numbers, taken))

    def _grouped_rows(self, plan: Plan, mapping: ColumnMapping) -> Iterator[Read]:
        table = self._file.read(columns=self._columns(mapping))
        table, numbers = self._chosen(plan, table, range(1, table.num_rows + 1), self._choice(mapping))
        keys = Columns(plan, table, numbers, self._file_name).keys()
        rows, codes, nulls = _together(pa.chunked_array([pa.array(keys, pa.string())]))
        if rows is not None:
            table = table.take(rows)
            numbers = [numbers[row] for row in rows.to_pylist()]
        order: EventRows | None = None
        begin, code = 0, -1
        for start in range(0, table.num_rows, BATCH_ROWS):
            batch = table.slice(start, BATCH_ROWS)
            columns = Columns(plan, batch, numbers[start : start + BATCH_ROWS], self._file_name)
            lines = columns.lines()
            of_rows = codes.slice(start, BATCH_ROWS).to_pylist()
            for at, head in enumerate(columns.heads()):
                number = numbers[start + at]
                if order is None or of_rows[at] != code or code == nulls:
                    if order is not None:
                        yield self._read(plan, order, table, begin, start + at - begin)
                    order, begin, code = EventRows(number, head), start + at, of_rows[at]
                elif order.problem is None and plan.differ(order.head, head):
                    order.problem = disagreement(order.head, head, plan.of_order, (order.at_line, number))
                if len(order.lines) < MAX_ROWS:
                    order.lines.append(lines[at])
        if order is not None:
            yield self._read(plan, order, table, begin, table.num_rows - begin)

    def _read(self, plan: Plan, order: EventRows, rows: Any, begin: int, length: int) -> Read:
        self._record += 1
        read = plan.read(self._record, order, self._door)
        if read.refusal is not None:
            kept = as_json(rows.slice(begin, min(length, MAX_ROWS_KEPT)).to_pylist())
            read = refused(read.record, read.at_line, read.refusal, kept, headers=read.headers)
        return read


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
        kind = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
        if any(is_nested(kind) for is_nested in _NESTED):
            hint = "Map columns that hold one value in each row"
            raise InputRefused(name, 0, f"the column {quoted(column)} holds lists or objects ({kind})", hint)


def _together(keys: Any) -> tuple[Any, Any, int | None]:
    """The order of rows that puts the rows of each group together: groups by first appearance, rows as in the file.

    Returns the row numbers in that order (None: the file is in it), each row's group, and the group of null keys.
    """
    column = keys.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    encoded = column.dictionary_encode(null_encoding="encode")
    codes = encoded.indices
    null_at = pc.index_in(pa.scalar(None, encoded.dictionary.type), value_set=encoded.dictionary).as_py()
    if len(codes) < 2 or pc.all(pc.greater_equal(codes.slice(1), codes.slice(0, len(codes) - 1))).as_py():
        return None, codes, null_at
    rows = pc.array_sort_indices(codes)  # a stable sort, says its documentation
    return rows, codes.take(rows), null_at


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
