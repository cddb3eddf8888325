"""Reads one cell of a table, of CSV or Parquet, as a whole number, a text or an instant.

Times in text, and local times, become instants in `Clock`; timestamps of Parquet first become numbers in `parquet.py`.
"""

import re
from datetime import UTC, date, datetime, time
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Any, Final

from processors.decider.local_time import Zone
from processors.intake.refusal import Problem, quoted
from processors.zones import zone_data
from schemas.instants import NoInstant, parse_instant

MAX_CELLS_REMEMBERED: Final = 65_536
MAX_DIGITS: Final = 40
EXACT_FLOAT: Final = 10**15  # below it a decimal of 15 digits and its nearest double identify each other

_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
_EXACT: Final = Context(prec=200)  # more digits than any cell has: no product is ever rounded here
_HAS_OFFSET: Final = re.compile(r"(?:Z|z|[+-][0-9]{2}:?[0-9]{2})\Z")
_WALL: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]{1,9})?)?)?"
)
_MODES: Final = {"floor": ROUND_FLOOR, "ceil": ROUND_CEILING, "half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}


@lru_cache(maxsize=MAX_CELLS_REMEMBERED, typed=True)
def whole_number(value: Any, scale: int, rounding: str | None, field: str, column: str) -> int:
    """`value` × `scale` as a whole number, exactly; or rounded where `rounding` names a way.

    A double stands for the shortest decimal that reads back as the same double, so 1.43 × 100 is 143. Raises Problem.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value * scale
    if isinstance(value, float) and scale > 1:
        nearest = round(value * scale) if abs(value) < EXACT_FLOAT / scale else None
        if nearest is not None and nearest / scale == value:
            return nearest
    scaled = _EXACT.multiply(_decimal(value, field, column), Decimal(scale))
    if scaled == scaled.to_integral_value():
        return int(scaled)
    if rounding is not None:
        return int(scaled.to_integral_value(_MODES[rounding]))
    if scale == 1:
        name = field.rpartition(".")[2]
        usual = 1000 if name.endswith("_milli") else 100
        hint = f"say in the mapping how it is scaled, such as scale: {{{name}: {usual}}}"
    else:
        hint = f"times {scale} it is not whole; name a rounding in the mapping if that is meant"
    raise Problem("wrong_type", f"{field} is {quoted(value)} in column {quoted(column)}: {hint}", field)


def _decimal(value: Any, field: str, column: str) -> Decimal:
    text = repr(value) if isinstance(value, float) else str(value)
    if isinstance(value, str):
        text = text.strip()
        if _DECIMAL.fullmatch(text) is None:
            hint = "write it as 1234.50: no letters, no spaces, no comma"
            raise Problem("wrong_type", f"{field} is {quoted(value)} in column {quoted(column)}: {hint}", field)
    elif isinstance(value, bool) or not isinstance(value, float | Decimal):
        raise Problem(
            "wrong_type", f"{field} is {quoted(value)} in column {quoted(column)}: it must be a number", field
        )
    number = Decimal(text)
    if not number.is_finite() or number.adjusted() > MAX_DIGITS:
        raise Problem("wrong_type", f"{field} is {quoted(value)} in column {quoted(column)}: no such amount", field)
    return number


def text(value: Any, field: str, column: str) -> str:
    """A cell as text; 7.0 is "7", as a column of ids with empty cells is often stored as doubles. Raises Problem."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < EXACT_FLOAT else repr(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            message = f"{field} is {quoted(value)} in column {quoted(column)}: the bytes are not UTF-8"
            raise Problem("malformed", message, field) from error
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    raise Problem("wrong_type", f"{field} is {quoted(value)} in column {quoted(column)}: it must be text", field)


class Clock:
    """Reads the times of a table; those without an offset are local to `timezone`, refused if that is None."""

    def __init__(self, timezone: str | None) -> None:
        self._zone = None if timezone is None else Zone(timezone, zone_data(timezone))
        self._is_utc = timezone in {"UTC", "Etc/UTC"}
        self.instant = lru_cache(maxsize=MAX_CELLS_REMEMBERED, typed=True)(self._instant)

    def local(self, wall_ms: int) -> int:
        """The instant at which the local clock shows `wall_ms` (ms since 1970 on that clock). Raises Problem.

        A time that a clock change skips is read as the next one that exists, one that comes twice as the first.
        """
        if self._zone is None:
            hint = "the column has no time zone: say in the mapping which one is meant, such as timezone: Europe/Berlin"
            raise Problem("invalid_time", f"occurred_at: {hint}", "occurred_at")
        if self._is_utc:
            return wall_ms
        seconds, ms = divmod(wall_ms, 1000)
        try:
            wall = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
            return self._zone.instant_of(wall) + ms
        except (ValueError, OverflowError) as error:
            raise Problem(
                "invalid_time", f"occurred_at: {wall_ms} is beyond the years 1 to 9999", "occurred_at"
            ) from error

    def _instant(self, value: Any, column: str) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if not isinstance(value, str):
            raise self._unread(value, column, "it must be a time")
        value = value.strip()
        if _HAS_OFFSET.search(value) and len(value) > len("2026-01-31"):
            try:
                return parse_instant(value)
            except NoInstant as error:
                raise self._unread(value, column, f"it {error.why}") from error
        found = _WALL.fullmatch(value)
        if found is None:
            raise self._unread(value, column, "write it as 2026-01-31T18:00:00")
        if self._zone is None:
            hint = "it has no offset: say in the mapping whose time it is, such as timezone: Europe/Berlin"
            raise self._unread(value, column, hint)
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
        try:
            wall = datetime.combine(date(year, month, day), time(hour, minute, second))
            return self._zone.instant_of(wall) + int((found[7] or ".0")[1:].ljust(3, "0")[:3])
        except (ValueError, OverflowError) as error:
            raise self._unread(value, column, "there is no such day or time") from error

    @staticmethod
    def _unread(value: Any, column: str, hint: str) -> Problem:
        message = f"occurred_at is {quoted(value)} in column {quoted(column)}: {hint}"
        return Problem("invalid_time", message, "occurred_at")
