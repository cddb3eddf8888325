"""Converts instants between text and UTC milliseconds; a time without a zone is refused, and no zone is guessed.

Format: RFC 3339 section 5.6 ("T" may be a space, as its note allows), and what databases and programs make of it:
offsets such as +00 or -0500, a blank before the offset, no seconds, the zone's name after the offset (RFC 9557).
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
EARLIEST_MS: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MS
LATEST_MS: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MS

_SHORTEST: Final = len("2026-11-11T11:11:11Z")
_LONGEST_UTC: Final = len("2026-11-11T11:11:11.123456789Z")
_LONGEST: Final = len("2026-11-11T11:11:11.123456789+01:00")
_EXAMPLE: Final = '"2026-11-11T11:11:11Z" or "2026-11-11T12:11:11.5+01:00"'
_SHOWN: Final = 60

_DATE_ONLY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NO_ZONE: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d)?([.,]\d+)?", re.ASCII)
_NEAR: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,9}))?"
    r" ?([Zz]|UTC|[+-]\d\d(?::?\d\d)?)(?:\[[\w/+-]{1,40}\])?",
    re.ASCII,
)
_OFFSET: Final = re.compile(r"(?:UTC|GMT)?(?:([+-])(\d{1,2})(?::?(\d\d))?)?|[Zz]", re.ASCII)
_LEAP_SECOND: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:60.*", re.ASCII)
_WHOLE_NUMBER: Final = re.compile(r"-?\d+", re.ASCII)
_RIGHT_SHAPE: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class NoInstant(ValueError):
    """A value names no instant; the message says what to change, and `why` does so without the value before it."""

    def __init__(self, why: str, shown: str = "") -> None:
        super().__init__(f"{shown} {why}" if shown else why)
        self.why = why


def parse_instant(value: object) -> int:
    """UTC milliseconds since 1970 of an RFC 3339 text with a zone, or of an int that is just that.

    Digits below a millisecond are cut off. Raises NoInstant with a message that says what to change.
    """
    if type(value) is str:
        return _parse_text(value)
    if type(value) is int:
        if EARLIEST_MS <= value <= LATEST_MS:
            return value
        raise NoInstant(f"{value if abs(value) < 10**30 else 'a huge number'} is no number of milliseconds since 1970")
    if type(value) is float:
        raise NoInstant("milliseconds since 1970 must be a whole number, without a point")
    raise NoInstant(f"must be text such as {_EXAMPLE}, or a whole number of milliseconds since 1970")


def offset_minutes(written: str) -> int:
    """The minutes by which local time is ahead of UTC, as an offset says it: Z, UTC, +01, -0500, +05:30.

    Raises NoInstant for an offset of 24 hours or more, or of 60 minutes or more beside the hours.
    """
    found = _OFFSET.fullmatch(written)
    if found is None:
        raise NoInstant("has an offset that is not written as +01:00")
    hours, minutes = int(found[2] or 0), int(found[3] or 0)
    if hours > 23 or minutes > 59:
        raise NoInstant("is a day, an hour or an offset that does not exist")
    return (hours * 60 + minutes) * (-1 if found[1] == "-" else 1)


def format_instant(at: int) -> str:
    """UTC milliseconds since 1970 as RFC 3339 text in UTC, with milliseconds where there are any."""
    timespec = "milliseconds" if at % 1000 else "seconds"
    return (_EPOCH + timedelta(milliseconds=at)).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


def _parse_text(text: str) -> int:
    # `fromisoformat` takes much that RFC 3339 does not, so the shape is looked at first: it must end where RFC 3339
    # ends, and whatever stands between is digits to `fromisoformat`.
    size = len(text)
    if not (_SHORTEST <= size <= _LONGEST and text[4] == "-" == text[7] and text[13] == ":" == text[16]):
        return _near(text)
    last = text[-1]
    if last in "Zz":
        fraction = size - _SHORTEST
        right = size <= _LONGEST_UTC and text[10] in "Tt "
        if last == "z":
            text = text[:-1] + "Z"
    else:
        fraction = size - _SHORTEST - 5
        right = text[-6] in "+-" and text[-3] == ":" and text[-5:-3] < "24" and text[-2] < "6" and text[10] in "Tt "
    if not right or (fraction and (text[19] != "." or fraction == 1)) or text[11:13] > "23":
        return _near(text)
    try:
        since = datetime.fromisoformat(text) - _EPOCH
    except (ValueError, OverflowError):
        raise _no_instant(text) from None
    at = since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000
    if not EARLIEST_MS <= at <= LATEST_MS:  # an offset can lead out of the calendar
        raise _no_instant(text)
    return at


def _near(text: str) -> int:
    """An instant that is written in another way than RFC 3339, if it can mean one thing only; raises NoInstant."""
    found = _NEAR.fullmatch(text)
    if found is None:
        raise _no_instant(text)
    day, minute, second, fraction, offset = found.groups()
    try:
        ahead = offset_minutes(offset)
        hours, minutes = divmod(abs(ahead), 60)
        fraction = f".{fraction}" if fraction else ""
        plain = f"{day}T{minute}{second or ':00'}{fraction}{'-' if ahead < 0 else '+'}{hours:02}:{minutes:02}"
        if plain != text:
            return _parse_text(plain)
    except NoInstant as error:
        raise NoInstant(error.why, _short(text)) from None
    raise _no_instant(text)


def _no_instant(text: str) -> NoInstant:
    """Why a text is no instant, in words that say what to change."""
    if _NO_ZONE.fullmatch(text):
        why = 'has no zone: end it with "Z" for UTC, or with an offset such as "+01:00"'
    elif _DATE_ONLY.fullmatch(text):
        why = "is a date only: add the time and the zone"
    elif _LEAP_SECOND.fullmatch(text):
        why = "is a leap second, which the count of milliseconds does not have: send second 59"
    elif _WHOLE_NUMBER.fullmatch(text):
        why = "is a number in quotes: milliseconds since 1970 are written without them"
    elif _RIGHT_SHAPE.fullmatch(text):
        why = "is a day, an hour or an offset that does not exist"
    else:
        why = f"is not written as {_EXAMPLE}"
    return NoInstant(why, _short(text))


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
