"""Reads Parquet files through a column mapping, or (without one) with the fields of a fact as columns.

Timestamps of any unit become UTC ms here (`_timestamps_as_ms`), and local ones in `cells.Clock`, by the mapping's zone.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from processors.intake.door import Door
from processors.intake.formats.rows_to_events import MAX_ROWS, EventRows, Plan, Slot, disagreement
from processors.intake.input_records import InputRefused, Read, as_json, refused
from processors.intake.mapping import ColumnMapping
from processors.intake.refusal import Refusal, quoted
from processors.intake.unknown_fields import nearest_name

BATCH_ROWS: Final = 65_536
MAX_GROUPED_ROWS: Final = 200_000_000
MAX_ROWS_KEPT: Final = 1_000
RECORD_BYTES: Final = 200
_NESTED: Final = (pa.types.is_list, pa.types.is_large_list, pa.types.is_struct, pa.types.is_map, pa.types.is_union)


class ParquetReader:
    """Reads one file; `name` is its name in messages. Raises InputRefused if it is foreign or cut off."""

    def __init__(self, path: Path, mapping: ColumnMapping | None, name: str, door: Door) -> None:
        self._mapping = mapping
        self._name = name
        self._door = door
        self._record = 0
        try:
            self._file = pq.ParquetFile(path, page_checksum_verification=True)
            schema = self._file.schema_arrow
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
        except (pa.ArrowException, OSError) as error:
            self._record += 1
            message = f"the file is damaged after record {self._record - 1}: {_first_line(error)}; write it again"
            yield refused(self._record, self._record, Refusal("damaged", message), b"")

    def _documents(self) -> Iterator[Read]:
        for batch in self._file.iter_batches(batch_size=BATCH_ROWS):
            times = [field.name for field in batch.schema if pa.types.is_timestamp(field.type) and field.type.tz]
            for name in times:
                at = batch.schema.get_field_index(name)
                batch = batch.set_column(at, name, _timestamps_as_ms(batch.column(at)))  # noqa: PLW2901 - batches are immutable
            for row in batch.to_pylist():
                self._record += 1
                event = {name: _plain(value) for name, value in row.items() if value is not None}
                admitted = self._door.admit(event)
                if isinstance(admitted, Refusal):
                    yield refused(self._record, self._record, admitted, as_json(event))
                else:
                    yield Read(self._record, self._record, admitted, None, b"", RECORD_BYTES)

    def _single_rows(self, plan: Plan, mapping: ColumnMapping) -> Iterator[Read]:
        for batch in self._file.iter_batches(batch_size=BATCH_ROWS, columns=mapping.columns()):
            heads, lines = _columns(plan, batch)
            for at, head in enumerate(heads):
                order = EventRows(self._record + 1, head)
                order.lines.append(lines[at])
                yield self._read(plan, order, batch, at, 1)

    def _grouped_rows(self, plan: Plan, mapping: ColumnMapping) -> Iterator[Read]:
        table = self._file.read(columns=mapping.columns())
        rows, codes, nulls = _together(_keys(plan, mapping, table))
        if rows is not None:
            table = table.take(rows)
        names = [slot.column for slot in plan.of_order]
        order: EventRows | None = None
        begin, code = 0, -1
        for start in range(0, table.num_rows, BATCH_ROWS):
            batch = table.slice(start, BATCH_ROWS)
            heads, lines = _columns(plan, batch)
            of_rows = codes.slice(start, BATCH_ROWS).to_pylist()
            numbers = range(start, start + len(heads)) if rows is None else rows.slice(start, BATCH_ROWS).to_pylist()
            for at, head in enumerate(heads):
                if order is None or of_rows[at] != code or code == nulls:
                    if order is not None:
                        yield self._read(plan, order, table, begin, start + at - begin)
                    order, begin, code = EventRows(numbers[at] + 1, head), start + at, of_rows[at]
                elif head != order.head and order.problem is None:
                    pair = (order.at_line, numbers[at] + 1)
                    order.problem = disagreement(order.head, head, names, pair)
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


def _columns(plan: Plan, batch: Any) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The cells of every row's head and line."""
    head = [_cells(plan, slot, batch) for slot in plan.of_order]
    lines = [_cells(plan, slot, batch) for slot in plan.lines]
    rows = batch.num_rows
    return (
        list(zip(*head, strict=True)) if head else [()] * rows,
        list(zip(*lines, strict=True)) if lines else [()] * rows,
    )


def _keys(plan: Plan, mapping: ColumnMapping, table: Any) -> Any:
    """The key of each row's order, as a column of text."""
    columns = [_values(table, column)[0] for column in mapping.group_by or ()]
    known: dict[Any, str | None] = {}
    keys = []
    for cells in zip(*columns, strict=True):
        if cells not in known:
            known[cells] = plan.key_of(cells)
        keys.append(known[cells])
    return pa.chunked_array([pa.array(keys, pa.string())])


def _cells(plan: Plan, slot: Slot, batch: Any) -> list[Any]:
    """One slot's cells: each different value is read once only."""
    columns = [_values(batch, column, slot.field) for column in slot.columns]
    if len(columns) == 1:
        values, is_local = columns[0]
        local = plan.clock.local
        read = (lambda wall: None if wall is None else local(wall)) if is_local else slot.read
    else:
        values, read = list(zip(*(values for values, _ in columns), strict=True)), slot.read
    found: dict[Any, Any] = {}
    slot = Slot(slot.field, slot.columns, read)
    for value in values:
        if value not in found:
            found[value] = plan.cells_of([slot], [value])[0]
    return [found[value] for value in values]


def _values(batch: Any, name: str, field: str = "") -> tuple[list[Any], bool]:
    """A column's values; timestamps for `occurred_at` as ms, and whether those are local."""
    column = batch.column(batch.schema.get_field_index(name))
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    kind = column.type
    if field == "occurred_at" and (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return _timestamps_as_ms(column).to_pylist(), getattr(kind, "tz", None) is None
    return column.to_pylist(), False


def _timestamps_as_ms(column: Any) -> Any:
    """A column of timestamps of any unit (with or without a time zone) as ms since 1970."""
    zone = column.type.tz if pa.types.is_timestamp(column.type) else None
    return column.cast(pa.timestamp("ms", tz=zone), safe=False).cast(pa.int64())


def _plain(value: Any) -> Any:
    """A nested value without its nulls, which mean that nothing was given; a map, which comes as pairs, as a dict."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        if value and all(isinstance(one, tuple) for one in value):
            return {name: _plain(one) for name, one in value if one is not None}
        return [_plain(one) for one in value]
    return value


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
