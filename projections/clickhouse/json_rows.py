"""Writes a few rows as JSON lines for ClickHouse: markers and notes, of which there are never many."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec

from projections.store import Columns

FORMAT: Final = "JSONCompactEachRow"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1)


def json_rows(columns: Columns, types: Mapping[str, str]) -> bytes:
    """Rows given as equally long columns, one JSON array a line; `types` gives the ClickHouse type of each column.

    Raises:
        AssertionError: other columns than those of `types`, or of different lengths.
    """
    if columns.keys() != types.keys() or len({len(values) for values in columns.values()}) != 1:
        lengths = {name: len(values) for name, values in columns.items()}
        raise AssertionError(f"columns and how many values each: {lengths}; the table has {sorted(types)}")
    written = [map(_TEXTS.get(types[name], lambda value: value), values) for name, values in columns.items()]
    return b"".join(msgspec.json.encode(row) + b"\n" for row in zip(*written, strict=True))


def _instant(value: int) -> str:
    return (_EPOCH + timedelta(milliseconds=value)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _day(value: int) -> str:
    return (_EPOCH_DAY + timedelta(days=value)).isoformat()


def _or_null(write: Callable[[int], str]) -> Callable[[int | None], str | None]:
    return lambda value: None if value is None else write(value)


_TEXTS: Final[dict[str, Callable[[Any], Any]]] = {
    "DateTime64(3, 'UTC')": _instant,
    "Nullable(DateTime64(3, 'UTC'))": _or_null(_instant),
    "Date32": _day,
    "Nullable(Date32)": _or_null(_day),
}
