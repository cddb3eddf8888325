"""Reads the scalars of a ruleset from their text as written, so that 0.1 is exactly 0.1 and 07:00 is a time.

A value is a `str` (the source text of a YAML scalar, quoted or not) or already of its Python type. The field says
what a text means; a binary float is refused, because what was written is no longer known.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar

from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

from processors.decider.fields.problems import refusal, shown

ID_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"
VERSION_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
MAX_TEXT_LENGTH: Final = 500
MAX_WHOLE: Final = 10**18
MAX_DECIMAL_PLACES: Final = 6
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2199
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,6})?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LOCAL_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?")
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_HOUR: Final = re.compile(r"[0-9]{2}:[0-9]{2}")
_MONTH_DAY: Final = re.compile(r"([0-9]{2})-([0-9]{2})")
_LEAP_YEAR: Final = 2000

T = TypeVar("T")


def whole_number(value: Any) -> int:
    """An integer from its text; the bounds are the field's."""
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and _WHOLE.fullmatch(value):
        number = int(value)
    else:
        raise refusal(f"{shown(value)} is not a whole number", "write digits alone, such as 100")
    return number


def count(value: Any) -> int:
    """An integer from 0 to MAX_WHOLE."""
    number = whole_number(value)
    if not 0 <= number <= MAX_WHOLE:
        raise refusal(f"{number} is out of bounds", "write a number from 0 to 10^18")
    return number


def _exact_decimal(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        value = format(value, "f")
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise refusal(
            f"{shown(value)} is not a decimal number",
            f"write it such as 2 or 1.5, with at most {MAX_DECIMAL_PLACES} digits after the point",
        )
    return Decimal(value)


def _true_or_false(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value not in ("true", "false"):
        raise refusal(f"{shown(value)} is neither true nor false", "write true or false")
    return bool(value == "true")


def _local_date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise refusal(f"{shown(value)} is not a date", "write it such as 2026-11-11")
    return _checked_year(_parsed_date(value))


def _local_datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            raise refusal("a local time has no offset", "leave the offset out: the programme's timezone holds")
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        day = _checked_year(_parsed_date(value))
        return datetime.combine(day, time())
    if not isinstance(value, str) or not _LOCAL_TIME.fullmatch(value):
        raise refusal(
            f"{shown(value)} is not a local date or time",
            "write 2026-11-11 or 2026-11-11T18:00, without an offset: the programme's timezone holds",
        )
    _checked_year(_parsed_date(value[:10]))
    return _parsed(datetime.fromisoformat, value, "the clock goes from 00:00 to 23:59")


def instant_text(value: str) -> str:
    """A text that `read_instant` can read: a local date or time, or RFC 3339 with an offset, checked."""
    if _INSTANT.fullmatch(value):
        _parsed(datetime.fromisoformat, value, "write it such as 2026-11-11T18:00:00+01:00")
        return value
    if not _DATE.fullmatch(value) and not _LOCAL_TIME.fullmatch(value):
        hint = "write 2026-11-11, 2026-11-11T18:00, or with seconds and an offset 2026-11-11T18:00:00+01:00"
        raise refusal(f"{shown(value)} is not a time", hint)
    _local_datetime(value)
    return value


def read_instant(value: str) -> datetime:
    """The moment that an `instant_text` names: aware where it has an offset, else naive and local."""
    return datetime.fromisoformat(value)


def _hour(value: Any) -> time:
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not _HOUR.fullmatch(value):
        raise refusal(f"{shown(value)} is not an hour of the day", 'write it such as "07:00"')
    return _parsed(time.fromisoformat, value, 'the clock goes from "00:00" to "23:59"; midnight is "00:00"')


def _weekday(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 6:
        return value
    if value not in WEEKDAYS:
        raise refusal(f"{shown(value)} is not a day of the week", f"write one of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(value)


def _month_day(value: Any) -> tuple[int, int]:
    if isinstance(value, tuple) and len(value) == 2:
        month, day = value
    else:
        match = _MONTH_DAY.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise refusal(f"{shown(value)} is not a day of the year", 'write month and day, such as "11-11"')
        month, day = int(match[1]), int(match[2])
    try:
        date(_LEAP_YEAR, month, day)
    except ValueError:
        raise refusal(f"no year has the day {shown(value)}", 'write month, then day, such as "12-24"') from None
    return month, day


def _parsed_date(text: str) -> date:
    return _parsed(date.fromisoformat, text, "write year-month-day, such as 2026-11-30")


def _parsed(parse: Callable[[str], T], text: str, hint: str) -> T:
    try:
        return parse(text)
    except ValueError:
        raise refusal(f"`{text}` does not exist", hint) from None


def _checked_year(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise refusal(f"the year {day.year} is out of bounds", f"write a year from {FIRST_YEAR} to {LAST_YEAR}")
    return day


def number_schema(**bounds: int) -> WithJsonSchema:
    """How a bounded `Exact` shows in the JSON Schema: as a number, under JSON Schema's names of bounds."""
    return WithJsonSchema({"type": "number", **bounds})


Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Version = Annotated[str, StringConstraints(pattern=VERSION_PATTERN)]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT_LENGTH)]
Whole = Annotated[int, BeforeValidator(whole_number)]
Exact = Annotated[Decimal, BeforeValidator(_exact_decimal)]
Flag = Annotated[bool, BeforeValidator(_true_or_false)]
LocalDate = Annotated[date, BeforeValidator(_local_date)]
LocalDateTime = Annotated[
    datetime,
    BeforeValidator(_local_datetime),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$"}),
]
Hour = Annotated[
    time, BeforeValidator(_hour), WithJsonSchema({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"})
]
Weekday = Annotated[int, BeforeValidator(_weekday), WithJsonSchema({"enum": list(WEEKDAYS)})]
MonthDay = Annotated[
    tuple[int, int],
    BeforeValidator(_month_day),
    WithJsonSchema({"type": "string", "pattern": "^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"}),
]
