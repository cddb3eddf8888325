"""Reads the times of a table: as text in the ways that people and programs write them, or as numbers.

What is given without an offset is local to the mapping's zone. Timestamps of Parquet are numbers here already.
"""

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from processors.decider.local_time import EPOCH_ORDINAL, Zone
from processors.intake.formats.cells import narrowed
from processors.intake.formats.named_months import in_figures
from processors.intake.refusal import Problem, quoted
from processors.zones import zone_data
from schemas.instants import NoInstant, offset_minutes

# A number below this is no ms since 1970 that a till would write (it would lie in 1973 or before).
EARLIEST_MS: Final = 10**11
MAX_DAYS_REMEMBERED: Final = 4_096
FIRST_OF_1900S: Final = 70  # a year of two digits from here on is of the 1900s

_NOON: Final = 12
_FIGURES: Final = r"(?P<a>[0-9]{1,4})(?P<by>[-/.])(?P<b>[0-9]{1,2})(?P=by)(?P<c>[0-9]{1,4})"
_HAN: Final = (  # Chinese, Japanese and Korean
    r"(?P<hy>[0-9]{4})[\u5e74\ub144]\s?(?P<hm>[0-9]{1,2})[\u6708\uc6d4]\s?(?P<hd>[0-9]{1,2})[\u65e5\u53f7\u865f\uc77c]?"
)
_COMPACT: Final = r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})"
_BEFORE_NOON: Final = ("\u4e0a\u5348", "\u5348\u524d", "\uc624\uc804")
_AFTER_NOON: Final = ("\u4e0b\u5348", "\u5348\u5f8c", "\uc624\ud6c4")
_CLOCK: Final = (
    rf"(?P<before>{'|'.join(_BEFORE_NOON + _AFTER_NOON)})?\s?"
    r"(?P<hour>[0-9]{1,2})(?:[:\u65f6\u6642\u70b9\u9ede\uc2dc]\s?(?P<minute>[0-9]{1,2}))"
    r"(?:[:\u5206\ubd84]\s?(?P<second>[0-9]{1,2})(?:[.,](?P<part>[0-9]{1,9}))?)?[\u5206\ubd84\u79d2\ucd08]?"
    r"(?:\s?(?:(?P<after>[AaPp]\.?[Mm]\.?)|Uhr|h))?"
)
_TIGHT_CLOCK: Final = r"(?P<th>[0-9]{2})(?P<tm>[0-9]{2})(?P<ts>[0-9]{2})?"
_OFFSET: Final = (
    r"(?:\s?(?P<offset>Z|z|(?:UTC|GMT)?[+-][0-9]{1,2}(?::?[0-9]{2})?|UTC|GMT)(?:\[[A-Za-z0-9_/+-]{1,40}\])?)?"
)
_WRITTEN: Final = re.compile(
    rf"(?:{_FIGURES}|{_HAN}|{_COMPACT})(?:(?:[Tt]|,?\s{{1,3}}|(?<=[\u65e5\uc77c]))?(?:{_CLOCK}|{_TIGHT_CLOCK}){_OFFSET})?"
)
# What most files have is read at once.
_PLAIN: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}")
_ENDS_IN_A_NAME: Final = re.compile(r".*[0-9]\s?\(?[A-Za-z][A-Za-z/_ ]{1,40}\)?")
_MIDNIGHT: Final = re.compile(r"(?P<day>.*\S)[T ]0{1,2}:00(?::00(?:\.0{1,9})?)?")
_SECONDS: Final = re.compile(r"(?P<whole>[0-9]{9,10})(?:\.(?P<part>[0-9]{1,9}))?", re.ASCII)
_SAY_SECONDS: Final = "say so in the mapping, scale: {occurred_at: 1000} (it counts milliseconds)"
_NO_DAY: Final = re.compile(
    r"(?:1899-12-3[01]|1900-01-0[01])[T ](?P<clock>.*)"
)  # a time alone, as spreadsheets keep it


class Clock:
    """Reads the times of a table; those without an offset are local to `timezone`, refused if that is None.

    `date_order` is the mapping's, None if it says nothing. Cells in `nulls` say nothing, and blank ones. `is_seconds`
    says that numbers are seconds since 1970.
    """

    def __init__(
        self,
        timezone: str | None,
        date_order: str | None = None,
        nulls: frozenset[Any] = frozenset(["", None]),
        *,
        is_seconds: bool = False,
    ) -> None:
        self._zone = None if timezone is None else Zone(timezone, zone_data(timezone))
        self._is_utc = timezone in {"UTC", "Etc/UTC"}
        self._order = date_order
        self._nulls = nulls
        self._is_seconds = is_seconds
        self._steady_day = lru_cache(maxsize=MAX_DAYS_REMEMBERED)(self._begin_of_steady_day)

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

    def of_two(self, day: Any, clock: Any, day_column: str, clock_column: str) -> int | None:
        """The instant of a date and a time of day in two cells; None if both are blank."""
        column = f"{day_column}, {clock_column}"
        parts: list[Any] = []
        for cell in (day, clock):
            plain = cell.isoformat() if isinstance(cell, date | time) else cell
            plain = str(plain) if isinstance(plain, int) and not isinstance(plain, bool) else plain
            plain = narrowed(plain) if isinstance(plain, str) else plain
            parts.append(None if plain in self._nulls or plain != plain else plain)  # noqa: PLR0124 - finds NaN, which tables without nulls hold
        if parts == [None, None]:
            return None
        written_day, written_clock = parts
        for part, one in ((written_day, day_column), (written_clock, clock_column)):
            if not isinstance(part, str):
                hint = "is blank" if part is None else f"is {quoted(part)}, which is no text"
                raise Problem("invalid_time", f"occurred_at: column {quoted(one)} {hint}: give both", "occurred_at")
        midnight, alone = _MIDNIGHT.fullmatch(written_day), _NO_DAY.fullmatch(written_clock)
        written_day = midnight["day"] if midnight else written_day
        written_clock = alone["clock"] if alone else written_clock
        return self.instant(f"{written_day} {written_clock}", column)

    def instant(self, value: Any, column: str) -> int | None:
        """The instant that a cell names, in UTC ms; None if it is blank. Raises Problem."""
        if isinstance(value, str):
            text = narrowed(value)
            return None if text in self._nulls else self._text(value, text, column)
        if value in self._nulls or value != value:  # noqa: PLR0124 - finds NaN, which tables without nulls hold
            return None
        if self._is_seconds and isinstance(value, int | float | Decimal):
            return self._seconds(value, str(value), column)
        if type(value) is int:
            return self._number(value, column)
        if isinstance(value, float):
            hint = "it is a number with a point, perhaps a spreadsheet's day: format the column as a date and time"
            raise _unread(value, column, hint)
        raise _unread(value, column, "it must be a time")

    def _seconds(self, value: Any, text: str, column: str) -> int:
        """The instant that seconds since 1970 name, the part of a second below a ms cut off."""
        found = _SECONDS.fullmatch(text)
        if found is None:
            raise _unread(value, column, "it is no number of seconds since 1970, which the mapping's scale asks for")
        return int(found["whole"]) * 1000 + int((found["part"] or "0")[:3].ljust(3, "0"))

    def _number(self, value: int, column: str) -> int:
        """Whole numbers are ms since 1970, but for those that spell a date."""
        shown = str(value)
        if len(shown) in {8, 14} and _WRITTEN.fullmatch(shown) and shown[:2] in {"19", "20"}:
            return self._text(value, shown, column)
        if 0 <= value < EARLIEST_MS:
            hint = f"that looks like seconds since 1970: {_SAY_SECONDS}"
            raise _unread(value, column, hint if value >= 10**8 else "write a date and time, or ms since 1970")
        return value

    def _text(self, value: Any, text: str, column: str) -> int:
        if self._is_seconds:
            return self._seconds(value, text, column)
        if len(text) == 13 and text.isascii() and text.isdigit():
            return int(text)
        if self._zone is not None and _PLAIN.fullmatch(text):
            begin = self._steady_day(text[:10])
            if begin is not None and text[11:13] < "24" and text[14:16] < "60" and text[17:] < "60":
                return begin + ((int(text[11:13]) * 60 + int(text[14:16])) * 60 + int(text[17:])) * 1000
            try:
                return self._zone.instant_of(datetime.fromisoformat(text))
            except (ValueError, OverflowError) as error:
                raise _unread(value, column, "there is no such day or time") from error
        found = _WRITTEN.fullmatch(text) or _WRITTEN.fullmatch(in_figures(text) or "")
        if found is None:
            raise _unread(value, column, _unlike(text))
        return self._instant_of(found, value, column)

    def _begin_of_steady_day(self, day: str) -> int | None:
        """The first instant of a local day (2026-01-31) on which the clocks do not change; None if it is no such day.

        Most rows of a table need no more of the zone than this.
        """
        if self._zone is None:
            return None
        try:
            begin, end = self._zone.steady_day(date.fromisoformat(day).toordinal() - EPOCH_ORDINAL)
        except (ValueError, OverflowError):
            return None
        return begin if end else None

    def _instant_of(self, found: re.Match[str], value: Any, column: str) -> int:
        day = self._day(found)
        if day is None:
            raise _unread(value, column, "say in the mapping how it is written: date_order: dmy, or date_order: mdy")
        ms = int((found["part"] or "0")[:3].ljust(3, "0"))
        try:
            wall = datetime.combine(date(*day), _time(found))
        except ValueError as error:
            hint = "there is no such day or time"
            if found["a"] and self._order is not None:
                hint += f"; the mapping says date_order: {self._order}"
            raise _unread(value, column, hint) from error
        try:
            if found["offset"]:
                minutes = offset_minutes(found["offset"])
                since = wall - datetime(1970, 1, 1)  # noqa: DTZ001 - both are local to the offset
                return (since.days * 86_400 + since.seconds - minutes * 60) * 1000 + ms
            if self._zone is None:
                hint = "it has no offset: say in the mapping whose time it is, such as timezone: Europe/Berlin"
                raise _unread(value, column, hint)
            return self._zone.instant_of(wall) + ms
        except NoInstant as error:
            raise _unread(value, column, f"it {error.why}") from error
        except (ValueError, OverflowError) as error:
            raise _unread(value, column, "there is no such day or time") from error

    def _day(self, found: re.Match[str]) -> tuple[int, int, int] | None:
        """Year, month and day; None if the mapping must say which is which."""
        if not found["a"]:
            parts = (found["hy"], found["hm"], found["hd"]) if found["hy"] else (found["y"], found["m"], found["d"])
            return int(parts[0]), int(parts[1]), int(parts[2])
        first, second, third = found["a"], found["b"], found["c"]
        if len(first) == 4 and len(third) <= 2:
            return int(first), int(second), int(third)
        if self._order is None or len(first) > 2 or len(third) == 3:
            return None
        if self._order == "ymd":
            return (_year(first), int(second), int(third)) if len(third) <= 2 else None
        day, month = (first, second) if self._order == "dmy" else (second, first)
        return _year(third), int(month), int(day)


def _year(written: str) -> int:
    year = int(written)
    if len(written) > 2:
        return year
    return year + (1900 if year >= FIRST_OF_1900S else 2000)


def _time(found: re.Match[str]) -> time:
    """The time of day that was written; midnight if there is none. Raises ValueError if there is no such time."""
    hour, minute, second = (
        int(found[loose] or found[tight] or 0) for loose, tight in (("hour", "th"), ("minute", "tm"), ("second", "ts"))
    )
    half = (found["after"] or found["before"] or "").lower()
    if half:
        if not 1 <= hour <= _NOON:
            raise ValueError("no hour of half a day")
        is_afternoon = half.startswith("p") or half in _AFTER_NOON
        hour = hour % _NOON + (_NOON if is_afternoon else 0)
    return time(hour, minute, second)


def _unlike(text: str) -> str:
    """What to change in a text that is no time."""
    if _SECONDS.fullmatch(text):
        return f"that looks like seconds since 1970: {_SAY_SECONDS}"
    if _ENDS_IN_A_NAME.fullmatch(text):
        return "write the zone at its end as an offset, such as +01:00"
    return "write it as 2026-01-31T18:00:00, and with its offset if it has one, such as +01:00"


def _unread(value: Any, column: str, hint: str) -> Problem:
    message = f"occurred_at is {quoted(value)} in column {quoted(column)}: {hint}"
    return Problem("invalid_time", message, "occurred_at")
