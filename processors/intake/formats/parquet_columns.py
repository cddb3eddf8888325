"""Reads the columns of Parquet as cells: each different value is read once only.

Timestamps of any unit become UTC ms here, and local ones in `clock.Clock`, by the mapping's zone. Types that say the
same as another one (UUID, JSON, views, dictionaries) are read as that one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
import pyarrow as pa

from processors.intake.door import without_nulls
from processors.intake.formats.cells import Blurred
from processors.intake.formats.rows_to_events import Plan, Slot
from processors.intake.mapping import FILE, FIRST_CELL, ROW, ColumnMapping

# Binary numbers of fewer bits than a double have gaps sooner: from here on two ids may have become one.
_EXACT_OF: Final = {"float": 2**24, "halffloat": 2**11}


class Columns:
    """Rows of a file by columns; `numbers` are those of the rows in the file, from 1, and `file` is its name."""

    def __init__(self, plan: Plan, rows: Any, numbers: Sequence[int], file: str) -> None:
        self._plan = plan
        self._rows = rows
        self._numbers = numbers
        self._file = file
        self._raws: list[tuple[Any, ...]] | None = None
        self._known: dict[tuple[str, bool], tuple[list[Any], list[int]]] = {}

    def keys(self) -> list[str | None]:
        """The order that each row says it belongs to."""
        columns = [self._distinct(name) for name in self._plan.mapping.group_by or ()]
        if len(columns) == 1:
            values, codes = columns[0]
            return list(map(self._plan.keys_of(values).__getitem__, codes))
        return self._read_all(columns, self._plan.key_of)

    def names(self) -> Iterable[Sequence[Any]]:
        """The cells of each row's key, where it has several and a blank one says what the row above says."""
        if not self._plan.fills_keys:
            return [()] * self._rows.num_rows
        return zip(*(self._values(name) for name in self._plan.mapping.group_by or ()), strict=True)

    def heads(self) -> list[tuple[Any, ...]]:
        """The cells of each row's head."""
        return self._together([self._cells(slot) for slot in self._plan.of_order])

    def lines(self) -> list[tuple[Any, ...]]:
        """The cells of each row's line."""
        return self._together([self._cells(slot) for slot in self._plan.lines])

    def raws(self) -> list["RawRow"]:
        """The values of the mapping's columns in each row, as they stand."""
        return [RawRow(self, at) for at in range(self._rows.num_rows)]

    def raw(self, at: int) -> tuple[Any, ...]:
        """The values of the mapping's columns in one row; those of all rows are taken out of the file at once."""
        if self._raws is None:
            self._raws = self._together([self._values(name) for name in self._plan.mapping.columns()])
        return self._raws[at]

    def values(self, name: str) -> list[Any]:
        """A column's values, row by row."""
        return list(self._values(name))

    def _values(self, name: str) -> Iterable[Any]:
        values, codes = self._distinct(name)
        return map(values.__getitem__, codes)

    def _together(self, columns: Sequence[Iterable[Any]]) -> list[tuple[Any, ...]]:
        return list(zip(*columns, strict=True)) if columns else [()] * self._rows.num_rows

    def _cells(self, slot: Slot) -> Iterable[Any]:
        name = slot.columns[0]
        if len(slot.columns) > 1:
            columns = [self._distinct(name) for name in slot.columns]
            return self._read_all(columns, lambda cells: self._plan.cells_of([slot], [cells])[0])
        kind = self._rows.schema.field(name).type if name in self._rows.schema.names else pa.null()
        is_time = slot.field == "occurred_at" and (pa.types.is_timestamp(kind) or pa.types.is_date(kind))
        if is_time:
            local = self._plan.clock.local
            is_local = getattr(kind, "tz", None) is None
            slot = Slot(slot.field, slot.columns, lambda at: local(at) if is_local and at is not None else at)
        values, codes = self._distinct(name, as_ms=is_time)
        cells = self._plan.column_of(slot, values)
        return map(cells.__getitem__, codes)

    @staticmethod
    def _read_all(columns: Sequence[tuple[list[Any], list[int]]], read: Callable[[tuple[Any, ...]], Any]) -> list[Any]:
        """What is read from several cells of each row."""
        known: dict[tuple[int, ...], Any] = {}
        found = []
        for codes in zip(*[codes for _, codes in columns], strict=True):
            if codes not in known:
                known[codes] = read(tuple([values[code] for (values, _), code in zip(columns, codes, strict=True)]))
            found.append(known[codes])
        return found

    def _distinct(self, name: str, *, as_ms: bool = False) -> tuple[list[Any], list[int]]:
        """The different values of a column, and for each row which of them it has."""
        if name == ROW:
            return list(self._numbers), list(range(len(self._numbers)))
        if name == FILE:
            return [self._file], [0] * len(self._numbers)
        if (name, as_ms) not in self._known:
            column = self._rows.column(self._rows.schema.get_field_index(name))
            self._known[name, as_ms] = _distinct(timestamps_as_ms(_one_array(column)) if as_ms else column)
        return self._known[name, as_ms]


class RawRow(msgspec.Struct, gc=False):
    """The values of one row, which are taken out of the file only if the row is refused, or does not fit in memory."""

    columns: Columns
    at: int

    def __iter__(self) -> Iterator[Any]:
        return iter(self.columns.raw(self.at))

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return tuple, (self.columns.raw(self.at),)


def columns_read(mapping: ColumnMapping, schema: Any) -> list[str]:
    """The columns of a file that a mapping reads; its first one too, where the first cell chooses rows."""
    first = [schema.names[0]] if mapping.ends_at or FIRST_CELL in {*mapping.only, *mapping.leave_out} else []
    return list(dict.fromkeys([*mapping.columns(), *first]))


def int96_columns(schema: Any) -> frozenset[str]:
    """The columns of a Parquet schema that Spark, Hive and others have written as INT96: instants in UTC, as they say.

    Arrow gives them without a zone, as if they were local times.
    """
    columns = (schema.column(at) for at in range(len(schema)))
    return frozenset(one.path for one in columns if one.physical_type == "INT96")


def with_zone(rows: Any, names: frozenset[str]) -> Any:
    """Rows whose timestamps in some columns are instants in UTC."""
    for at, name in enumerate(rows.schema.names):
        if name in names:
            column = rows.column(at)
            rows = rows.set_column(at, name, column.cast(pa.timestamp(column.type.unit, tz="UTC")))
    return rows


def timestamps_as_ms(column: Any) -> Any:
    """A column of timestamps of any unit (with or without a time zone) as ms since 1970."""
    zone = column.type.tz if pa.types.is_timestamp(column.type) else None
    return column.cast(pa.timestamp("ms", tz=zone), safe=False).cast(pa.int64())


def documents(batch: Any) -> Iterator[dict[str, Any]]:
    """The rows as records whose fields are named as the columns; instants are ms, nulls are left out."""
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        kind = column.type
        if pa.types.is_timestamp(kind):
            is_utc = kind.tz is not None
            values = timestamps_as_ms(column).to_pylist() if is_utc else _in_python(column)
        else:
            is_json = str(kind) == "extension<arrow.json>"
            values = [_parsed(one) if is_json and one else one for one in _in_python(_storage(column))]
            values = _as_uuids(values, kind)
        columns.append([(name, value) for value in values])
    for row in zip(*columns, strict=True):
        yield without_nulls({name: _plain_field(name, value) for name, value in row})


def _distinct(column: Any) -> tuple[list[Any], list[int]]:
    kind = column.type
    column = _storage(_one_array(column))
    try:
        encoded = column.dictionary_encode()
        values = _in_python(encoded.dictionary)
        codes = encoded.indices.fill_null(len(values)).to_pylist()
    except pa.ArrowNotImplementedError:  # a type that Arrow cannot look up, such as short decimals
        known: dict[Any, int] = {}
        codes = [known.setdefault(value, len(known)) for value in _in_python(column)]
        values = list(known)
    values = _as_uuids([*values, None], kind)
    exact = _EXACT_OF.get(str(column.type))
    if exact is not None:
        values = [Blurred(value) if value is not None and abs(value) >= exact else value for value in values]
    return values, codes


def _one_array(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _storage(column: Any) -> Any:
    """A column as the type that it is stored as."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _in_python(column: Any) -> list[Any]:
    """A column's values as Python has them; instants to the microsecond, short binary numbers as they are written."""
    kind = column.type
    if str(kind) in _EXACT_OF:
        return [None if one is None else float(one) for one in column.cast(pa.string()).to_pylist()]
    try:
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            column = column.cast(pa.timestamp("us", tz=kind.tz), safe=False)
        return list(column.to_pylist())
    except UnicodeDecodeError:  # text that is none, to be refused cell by cell
        return list(column.cast(pa.large_binary()).to_pylist())
    except (ValueError, OverflowError):  # a day beyond the calendar
        return list(column.cast(pa.string()).to_pylist())


def _as_uuids(values: list[Any], kind: Any) -> list[Any]:
    if str(kind) != "extension<arrow.uuid>":
        return values
    return [None if value is None else str(UUID(bytes=value)) for value in values]


def _parsed(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _plain_field(name: Any, value: Any) -> Any:
    """A field's value as JSON would have it; an amount of money keeps its decimals."""
    is_amount = isinstance(value, Decimal) and isinstance(name, str) and name.endswith("_minor")
    return format(value, "f") if is_amount else _plain(value)


def _plain(value: Any) -> Any:
    """A value as JSON would have it."""
    if isinstance(value, dict):
        return {name: _plain_field(name, one) for name, one in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(one, tuple) for one in value):  # a map comes as pairs
            return {name: _plain(one) for name, one in value}
        return [_plain(one) for one in value]
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return str(value) if isinstance(value, UUID | timedelta) else value
