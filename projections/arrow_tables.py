"""Gathers columns of Python values into an Arrow table, which ClickHouse takes in with half the work of its client's
own blocks.

Values are copied at once into flat buffers: a batch holds no Python objects, and reading them is cheap while the
processor still has them at hand. `pyarrow.array` would load pandas first (a quarter of a second at each start).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, Final, Protocol, TypeAlias

import pyarrow as pa

from projections.store import Columns

ArrowTable: TypeAlias = Any  # pyarrow ships no types
_Array: TypeAlias = Any  # the same
_Values: TypeAlias = Sequence[Any]  # a column's Python type follows from its ClickHouse type

_INSTANT: Final = pa.timestamp("ms", "UTC")
_VALID: Final = b"1"
_NULL: Final = b"0"


class ArrowRows:
    """Rows on their way to one table (see store.Gathered)."""

    def __init__(self, table: str, types: Mapping[str, str]) -> None:
        """`types` gives the ClickHouse type of each column.

        Raises:
            KeyError: a type that this file does not know.
        """
        self.table = table
        self.rows = 0
        self._columns: dict[str, _Column] = {name: _COLUMNS[kind]() for name, kind in types.items()}

    def extend(self, columns: Columns) -> None:
        """Take in equally long columns, all that the table has.

        Raises:
            AssertionError: other columns, or of different lengths.
            OverflowError: a number that its column cannot hold.
        """
        lengths = {len(values) for values in columns.values()}
        if columns.keys() != self._columns.keys() or len(lengths) != 1:
            wrong = sorted(columns.keys() ^ self._columns.keys())
            raise AssertionError(f"{self.table} was given columns of lengths {lengths}; missing or unknown: {wrong}")
        for name, values in columns.items():
            self._columns[name].extend(values if type(values) is list else list(values))
        self.rows += lengths.pop()

    def arrow(self) -> ArrowTable:
        """All rows as one Arrow table, which shares their memory: nothing may be added afterwards."""
        return pa.Table.from_arrays([column.arrow() for column in self._columns.values()], names=list(self._columns))


class _Column(Protocol):
    def extend(self, values: list[Any]) -> None: ...

    def arrow(self) -> _Array: ...


class _Numbers:
    def __init__(self, code: str, arrow_type: Any) -> None:
        self._type = arrow_type
        self._numbers = array(code)

    def extend(self, values: list[Any]) -> None:
        self._numbers.fromlist(values)

    def arrow(self) -> _Array:
        return _from_buffers(self._type, len(self._numbers), self._numbers)


class _NullableNumbers(_Numbers):
    def __init__(self, code: str, arrow_type: Any) -> None:
        super().__init__(code, arrow_type)
        self._valid = bytearray()

    def extend(self, values: list[Any]) -> None:
        if None not in values:
            self._valid += _VALID * len(values)
            self._numbers.fromlist(values)
            return
        self._valid += b"".join([_NULL if value is None else _VALID for value in values])
        self._numbers.fromlist([0 if value is None else value for value in values])

    def arrow(self) -> _Array:
        # Arrow's bitmap has one bit a value, the first value lowest: the digits read backwards are that number. (A
        # base that is a power of 2 converts in linear time.)
        bits = int(self._valid[::-1] or b"0", 2).to_bytes((len(self._valid) + 7) // 8, "little")
        return _from_buffers(self._type, len(self._numbers), self._numbers, valid=bits)


class _Texts:
    def __init__(self) -> None:
        self._data = bytearray()
        self._ends = array("i", [0])
        self._type = pa.string()

    def extend(self, values: list[Any]) -> None:
        pieces: list[Any] = values
        if values and isinstance(values[0], bytes):
            self._type = pa.binary()
        else:
            joined = "".join(values)
            if not joined:
                self._ends.extend(array("i", [len(self._data)]) * len(values))
                return
            if joined.isascii():
                self._ends.extend(_ends(values, len(self._data)))
                self._data += joined.encode()
                return
            pieces = [value.encode() for value in values]
        self._ends.extend(_ends(pieces, len(self._data)))
        self._data += b"".join(pieces)

    def arrow(self) -> _Array:
        return _from_buffers(self._type, len(self._ends) - 1, self._ends, self._data)


class _Labels(dict[str, int]):
    """Few different texts: each is sent once, and ClickHouse keeps the dictionary as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self._codes = array("i")

    def __missing__(self, label: str) -> int:
        code = self[label] = len(self)
        return code

    def extend(self, values: list[Any]) -> None:
        # A column that repeats one object, as the edition does, is told by its ends; comparing texts would cost more.
        if values and values[0] is values[-1] and values.count(values[0]) == len(values):
            self._codes.extend(array("i", [self[values[0]]]) * len(values))
        else:
            self._codes.fromlist(list(map(self.__getitem__, values)))

    def arrow(self) -> _Array:
        labels = _Texts()
        labels.extend(list(self))
        codes = _from_buffers(pa.int32(), len(self._codes), self._codes)
        return pa.DictionaryArray.from_arrays(codes, labels.arrow())


class _Lists:
    def __init__(self, items: _Column) -> None:
        self._ends = array("i", [0])
        self._items = items

    def extend(self, values: list[Any]) -> None:
        self._ends.extend(_ends(values, self._ends[-1]))
        self._items.extend(list(chain.from_iterable(values)))

    def arrow(self) -> _Array:
        offsets = _from_buffers(pa.int32(), len(self._ends), self._ends)
        return pa.ListArray.from_arrays(offsets, self._items.arrow())


class _TextMaps:
    def __init__(self) -> None:
        self._ends = array("i", [0])
        self._keys = _Texts()
        self._items = _Texts()

    def extend(self, values: list[Any]) -> None:
        self._ends.extend(_ends(values, self._ends[-1]))
        self._keys.extend(list(chain.from_iterable(values)))
        self._items.extend(list(chain.from_iterable([value.values() for value in values])))

    def arrow(self) -> _Array:
        offsets = _from_buffers(pa.int32(), len(self._ends), self._ends)
        return pa.MapArray.from_arrays(offsets, self._keys.arrow(), self._items.arrow())


def _ends(values: _Values, start: int) -> array[int]:
    """Where each value ends, counted on from `start`."""
    return array("i", accumulate(map(len, values), initial=start))[1:]


def _from_buffers(arrow_type: Any, count: int, *buffers: Any, valid: bytes | None = None) -> _Array:
    wrapped = [None if valid is None else pa.py_buffer(valid), *map(pa.py_buffer, buffers)]
    return pa.Array.from_buffers(arrow_type, count, wrapped)


# Every column type that a migration may use.
_COLUMNS: Final[dict[str, Callable[[], _Column]]] = {
    "String": _Texts,
    "LowCardinality(String)": _Labels,
    "Bool": lambda: _Numbers("B", pa.uint8()),
    "UInt8": lambda: _Numbers("B", pa.uint8()),
    "UInt16": lambda: _Numbers("H", pa.uint16()),
    "UInt32": lambda: _Numbers("I", pa.uint32()),
    "UInt64": lambda: _Numbers("Q", pa.uint64()),
    "Int64": lambda: _Numbers("q", pa.int64()),
    "Date32": lambda: _Numbers("i", pa.date32()),
    "DateTime64(3, 'UTC')": lambda: _Numbers("q", _INSTANT),
    "Nullable(UInt8)": lambda: _NullableNumbers("B", pa.uint8()),
    "Nullable(Int64)": lambda: _NullableNumbers("q", pa.int64()),
    "Nullable(Date32)": lambda: _NullableNumbers("i", pa.date32()),
    "Nullable(DateTime64(3, 'UTC'))": lambda: _NullableNumbers("q", _INSTANT),
    "Array(LowCardinality(String))": lambda: _Lists(_Texts()),
    "Array(String)": lambda: _Lists(_Texts()),
    "Array(Int64)": lambda: _Lists(_Numbers("q", pa.int64())),
    "Map(LowCardinality(String), String)": _TextMaps,
}
