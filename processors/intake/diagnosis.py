"""Finds the first thing wrong with a decoded record, in the order of its schema's fields, and says what to change.

The decoder decides what is valid, but for what stands in texts: whether an id has too many bytes, is a number in
scientific notation or may stand for several, and whether rare characters are control characters, is decided here.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import inspect

from processors.intake.doubtful_ids import (
    ID_FIELDS,
    OF_ONE,
    PEOPLE,
    has_lost_letters,
    is_masked,
    is_rounded,
    is_spreadsheet_error,
)
from processors.intake.fact_shapes import FIRST_INEXACT, SCIENTIFIC, struct_type
from processors.intake.refusal import Problem, quoted
from processors.intake.unknown_fields import nearest_name
from schemas.bounds import MAX_ID_BYTES
from schemas.entry_ids import DERIVED_SOURCE
from schemas.facts import FREE_TEXTS

_EVERY_ESCAPE: Final = "control characters (line breaks, tabs, NUL)"


def diagnose(document: Mapping[str, Any], kind: type[msgspec.Struct]) -> Problem | None:
    """The first problem of a record by the order of the contract's fields, or None if this finds none.

    `document` is in its normal form, `kind` the fact's struct; `occurred_at` is not looked at here, beyond that it is
    there.
    """
    try:
        _check_struct(document, struct_type(kind), "")
    except Problem as problem:
        return problem
    return None


def _check_struct(value: Any, expected: inspect.StructType, path: str) -> None:
    if not isinstance(value, Mapping):
        raise Problem("wrong_type", f"{path or 'an event'} must be an object {{…}}, not {_name_of(value)}", path)
    names = tuple(field.name for field in expected.fields)
    for field in expected.fields:
        place = f"{path}.{field.name}" if path else field.name
        if field.name not in value:
            if field.required:
                raise _missing(value, field.name, names, place)
        elif value[field.name] is None and field.required and field.name != "occurred_at":
            raise Problem("wrong_type", f"{place} is null, and it is needed: give it a value", place)
        elif field.name != "occurred_at":
            _check(value[field.name], field.type, place)


def _missing(value: Mapping[str, Any], name: str, names: tuple[str, ...], place: str) -> Problem:
    for given in value:
        if given not in names and given != "type" and nearest_name(given, names) == name:
            return Problem("missing_field", f"{place} is missing: is {quoted(given)} meant? Rename it", place)
    return Problem("missing_field", f"{place} is missing: add it", place)


def _check(value: Any, expected: inspect.Type, place: str) -> None:
    if isinstance(expected, inspect.UnionType):
        if value is None and expected.includes_none:
            return
        expected = next(one for one in expected.types if not isinstance(one, inspect.NoneType))
    if isinstance(expected, inspect.IntType):
        _check_integer(value, expected, place)
    elif isinstance(expected, inspect.StrType):
        _check_text(value, expected, place, is_id=place.rpartition(".")[2] not in FREE_TEXTS)
    elif isinstance(expected, inspect.DictType):
        _check_map(value, expected, place)
    elif isinstance(expected, inspect.VarTupleType):
        _check_list(value, expected, place)
    elif isinstance(expected, inspect.StructType):
        _check_struct(value, expected, place)
    else:
        raise TypeError(f"{place}: no way to explain {expected!r}")


def _check_integer(value: Any, expected: inspect.IntType, place: str) -> None:
    name = place.rpartition(".")[2]
    if isinstance(value, bool) or not isinstance(value, int | float):
        hint = _unquoted(name, value)
        raise Problem("wrong_type", f"{place} must be a whole number, not {_name_of(value)}{hint}", place)
    if isinstance(value, float):
        raise Problem("wrong_type", f"{place} must be a whole number, not {value!r}: {_whole(name, value)}", place)
    low, high = expected.ge, expected.le
    if low is not None and value < low:
        raise Problem("out_of_range", f"{place} is {quoted(value)}: it must be {low} or more", place)
    if high is not None and value > high:
        raise Problem("out_of_range", f"{place} is {quoted(value)}: the most that is taken is {high:,}", place)


def _whole(name: str, value: float) -> str:
    """How a number with a decimal point should have been written."""
    if name.endswith("_minor"):
        return f"{name} is in minor units: write 1250 for 12.50"
    if name.endswith("_milli"):
        return f"{name} is in thousandths: write 1500 for 1.5"
    return f"write {int(value)}" if value.is_integer() and abs(value) < 2**53 else "write it without decimals"


def _unquoted(name: str, value: Any) -> str:
    """How a number in quotes should have been written; empty if the text is no number."""
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,30}([.,][0-9]{1,30})?", value):
        return ""
    if value.lstrip("-").isdigit():
        return ": write it without quotes"
    return f": {_whole(name, float(value.replace(',', '.')))}, without quotes"


def _check_text(value: Any, expected: inspect.StrType, place: str, *, is_id: bool) -> None:
    if not isinstance(value, str):
        raise Problem("wrong_type", f"{place} must be text, not {_name_of(value)}{_as_text_hint(value)}", place)
    if expected.min_length is not None and len(value) < expected.min_length:
        raise Problem("out_of_range", f"{place} is empty: give it a value", place)
    if expected.max_length is not None and len(value) > expected.max_length:
        raise Problem(
            "out_of_range", f"{place} has {len(value):,} characters: at most {expected.max_length:,} are taken", place
        )
    if not _is_unicode(value):
        raise Problem("malformed", f"{place} holds half of a surrogate pair, which is not valid Unicode text", place)
    if expected.pattern is not None and not re.search(expected.pattern, value):
        if place == "source" and value == DERIVED_SOURCE:
            message = (
                f"{place} {quoted(value)} is reserved for what Tallybook derives itself: name the system it is from"
            )
            raise Problem("out_of_range", message, place)
        allowed = (
            "only letters a-z and A-Z, digits and . _ : - may stand in it"
            if place == "source"
            else f"{_EVERY_ESCAPE} may not stand in it"
        )
        raise Problem("out_of_range", f"{place} is {quoted(value)}: {allowed}", place)
    if is_id:
        _check_id(value, place)


def _as_text_hint(value: Any) -> str:
    """How a number that is no text should have been written."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if isinstance(value, float) and abs(value) >= FIRST_INEXACT:
        return ": its last digits may have been lost; put it in quotes where it is still written in full"
    return ": put it in quotes"


def _check_id(value: str, place: str) -> None:
    size = len(value.encode())
    if size > MAX_ID_BYTES:
        message = f"{place} has {size:,} bytes of UTF-8: at most {MAX_ID_BYTES} are taken"
        raise Problem("out_of_range", message, place)
    field = place.rpartition(".")[2]
    if SCIENTIFIC.fullmatch(value) or (field in OF_ONE and is_rounded(value)):
        message = (
            f"{place} is {quoted(value)}: a program has rounded a long number, so that its last digits are lost. "
            "Export it again as text (in a spreadsheet: give the column the format Text before the numbers come in)"
        )
        raise Problem("wrong_type", message, place)
    hint = ""
    if field in ID_FIELDS and has_lost_letters(value):
        hint = "letters of it were lost when the text was converted, and other ids may look the same: send it as UTF-8"
    elif field in ID_FIELDS and is_spreadsheet_error(value):
        hint = "a spreadsheet could not show the value: mend it there, then export again"
    elif field in PEOPLE and is_masked(value):
        hint = (
            "some of its characters are hidden, and many people would share one account: send an id that is whole, or "
            "null where there is none"
        )
    if hint:
        raise Problem("wrong_type", f"{place} is {quoted(value)}: {hint}", place)


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_map(value: Any, expected: inspect.DictType, place: str) -> None:
    if not isinstance(value, Mapping):
        raise Problem("wrong_type", f"{place} must be an object {{…}}, not {_name_of(value)}", place)
    if expected.max_length is not None and len(value) > expected.max_length:
        raise Problem("out_of_range", f"{place} has {len(value)} names: at most {expected.max_length} are taken", place)
    for name, one in value.items():
        _check_text(name, _text(expected.key_type), f"{place}[{quoted(name)}]", is_id=True)
        at = f"{place}.{name}" if name.isidentifier() else place
        _check_text(one, _text(expected.value_type), at, is_id=False)


def _text(described: inspect.Type) -> inspect.StrType:
    if not isinstance(described, inspect.StrType):
        raise TypeError(f"attributes are texts by name, not {described!r}")
    return described


def _check_list(value: Any, expected: inspect.VarTupleType, place: str) -> None:
    if not isinstance(value, list | tuple):
        raise Problem("wrong_type", f"{place} must be a list […], not {_name_of(value)}", place)
    if expected.max_length is not None and len(value) > expected.max_length:
        raise Problem("out_of_range", f"{place} has {len(value):,} items: at most {expected.max_length:,}", place)
    for index, one in enumerate(value):
        _check(one, expected.item_type, f"{place}[{index}]")


def _name_of(value: Any) -> str:
    if value is None or isinstance(value, bool | dict | list | tuple):
        return quoted(value)
    kind = {str: "text", int: "the number", float: "the number", bytes: "bytes"}.get(type(value), type(value).__name__)
    return f"{kind} {quoted(value)}"
