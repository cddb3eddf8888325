"""Brings a decoded record into the one form that the same event has in every format, as far as its meaning is exact.

* null, NaN and blank text mean that an optional field is not given; so does an empty list of attributes.
* A currency may be written in small letters.
* Blanks around a text are taken off, tabs and line breaks too.
* A run of control characters within free text (line breaks, tabs) becomes one blank.
* A whole number may be written `1250.0`, or in quotes. An amount of money with more decimals, `25.00`, may be meant in
  dollars, so it is no whole number of cents; in a currency without decimals it is one.
* A number becomes text where text is asked for: the shortest decimal that reads back as the same number.

What has no exact meaning stays as it is; the door then refuses it.
"""

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, time
from decimal import Decimal
from functools import cache, partial
from typing import Any, Final, Self
from uuid import UUID

import msgspec
from msgspec import inspect

from processors.intake.fact_shapes import FIRST_INEXACT, given_type, struct_type
from processors.intake.refusal import Problem, quoted
from schemas.currencies import DECIMALS
from schemas.facts import FREE_TEXTS, PurchaseLine

_MAX_BITS: Final = 256
_MAX_DIGITS: Final = 40

# Blanks of no width, byte order marks and marks for the direction of text, which no eye sees around an id.
_INVISIBLE: Final = "\ufeff\u200b\u200e\u200f\u2060\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# What `str.strip` takes off, and those.
_SPACES: Final = (
    *range(9, 14),
    *range(28, 33),
    0x85,
    0xA0,
    0x1680,
    *range(0x2000, 0x200B),
    0x2028,
    0x2029,
    0x202F,
    0x205F,
    0x3000,
)
_BLANKS: Final = "".join(map(chr, _SPACES)) + _INVISIBLE
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,30}(\.0{1,30})?", re.ASCII)
# Programs that write whole numbers with a point write one decimal; amounts of money have two or more.
_MAX_DECIMALS: Final = 1
# As JavaScript and Java write now: milliseconds of 2001 to 2286, and no other way to write a time has 13 digits.
_MILLISECONDS: Final = re.compile(r"[1-9][0-9]{12}", re.ASCII)

_Read = Callable[[Any], Any]


class WithDecimals(float):
    """A whole number that JSON writes with two decimals or more, as amounts of money are written: 25.00."""

    __slots__ = ("written",)

    def __new__(cls, written: str) -> Self:
        """Keep how the number was written."""
        one = super().__new__(cls, written)
        one.written = written
        return one

    written: str

    def __repr__(self) -> str:
        """Show it as it was written."""
        return self.written


def normal_form(document: Mapping[str, Any], kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The fields of a document for a fact (or a line) of this kind; names that it does not have stay as they are.

    Raises Problem for an attribute that is given twice once the blanks around its name are taken off.
    """
    currency = currency_code(document.get("currency"))
    has_cents = not isinstance(currency, str) or DECIMALS.get(currency) != 0
    return _in_form(document, _readers(kind, has_cents=has_cents))


def _in_form(document: Mapping[str, Any], readers: Mapping[str, tuple[_Read, bool]]) -> dict[str, Any]:
    event: dict[str, Any] = {}
    for name, value in document.items():
        if name in readers:
            read, is_required = readers[name]
            value = read(value)  # noqa: PLW2901 - the value as it is meant
            if not is_required and (value is None or value == ""):
                continue
        event[name] = value
    return event


def trimmed(text: str) -> str:
    """A text without blanks, tabs, line breaks and invisible marks around it."""
    bare = text.strip()
    return bare.strip(_BLANKS) if bare and (bare[0] in _INVISIBLE or bare[-1] in _INVISIBLE) else bare


def id_text(value: Any) -> Any:
    """An id without the blanks around it, or as text where it is a number; what cannot be an id as it is."""
    text = _as_text(value)
    return trimmed(text) if isinstance(text, str) else text


def free_text(value: Any) -> Any:
    """Free text on one line, without blanks around it, numbers and truth values as text; the rest as it is."""
    text = _as_text(value)
    if isinstance(text, str):
        return trimmed(_CONTROL.sub(" ", text))
    return {True: "true", False: "false"}[text] if isinstance(text, bool) else text


def _as_text(value: Any) -> Any:
    """A scalar as text, where it has exactly one; else as it is; None for NaN, by which tables say nothing."""
    text = value
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int) and value.bit_length() <= _MAX_BITS:
        text = str(value)
    elif isinstance(value, float):
        text = _float_as_text(value)
    elif isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= _MAX_DIGITS:
        text = format(value, "f")
    elif isinstance(value, date | time):
        text = value.isoformat()
    elif isinstance(value, UUID):
        text = str(value)
    elif isinstance(value, bytes):
        with suppress(UnicodeDecodeError):
            text = value.decode()
    return text


def _float_as_text(value: float) -> Any:
    if math.isnan(value):
        return None
    if abs(value) >= FIRST_INEXACT:
        return value
    text = str(int(value)) if value.is_integer() else repr(value)
    return value if "e" in text else text


def currency_code(value: Any) -> Any:
    """A currency's code in capital letters, as some payment services write it in small ones; the rest as it is."""
    text = trimmed(value) if isinstance(value, str) else value
    return text.upper() if isinstance(text, str) and text.isascii() and text.isalpha() else text


def _whole_number(value: Any) -> Any:
    if isinstance(value, str):
        text = trimmed(value)
        return int(text.partition(".")[0]) if _WHOLE.fullmatch(text) else text
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return int(value) if value.is_integer() and abs(value) < FIRST_INEXACT else value
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() <= _MAX_DIGITS and value % 1 == 0:
        return int(value)
    return value


def _minor_units(value: Any) -> Any:
    """A whole number of cents; an amount with decimals, which may be meant in dollars, stays as it is."""
    if isinstance(value, WithDecimals):
        return value
    if isinstance(value, Decimal) and value.is_finite() and -int(value.as_tuple().exponent) > _MAX_DECIMALS:
        return format(value, "f")
    if isinstance(value, str):
        text = trimmed(value)
        return text if len(text.partition(".")[2]) > _MAX_DECIMALS else _whole_number(text)
    return _whole_number(value)


def _instant(value: Any) -> Any:
    if isinstance(value, str):
        text = trimmed(value)
        return int(text) if _MILLISECONDS.fullmatch(text) else text
    return _whole_number(value)


def _attributes(value: Any) -> Any:
    if value == []:  # as PHP writes a map that is empty
        return None
    if not isinstance(value, Mapping):
        return value
    attributes: dict[Any, Any] = {}
    for name, one in value.items():
        text = free_text(one)
        if text is None or text == "":
            continue
        plain = id_text(name)
        if plain in attributes:
            raise Problem(
                "malformed", f"{quoted(plain)} is given twice in attributes: which one is meant?", "attributes"
            )
        attributes[plain] = text
    return attributes


def _lines(value: Any, readers: Mapping[str, tuple[_Read, bool]]) -> Any:
    if not isinstance(value, list | tuple):
        return value
    return [_in_form(line, readers) if isinstance(line, Mapping) else line for line in value]


@cache
def _readers(kind: type[msgspec.Struct], *, has_cents: bool) -> dict[str, tuple[_Read, bool]]:
    """How each field of a kind is read, and whether it must be given; `has_cents` if its currency has decimals."""
    return {field.name: (_reader(field, has_cents=has_cents), field.required) for field in struct_type(kind).fields}


def _reader(field: inspect.Field, *, has_cents: bool) -> _Read:
    described = given_type(field.type)
    if field.name == "occurred_at":
        return _instant
    if field.name == "currency":
        return currency_code
    if isinstance(described, inspect.IntType):
        return _minor_units if has_cents and field.name.endswith("_minor") else _whole_number
    if isinstance(described, inspect.StrType):
        return free_text if field.name in FREE_TEXTS else id_text
    if isinstance(described, inspect.DictType):
        return _attributes
    return partial(_lines, readers=_readers(PurchaseLine, has_cents=has_cents))
