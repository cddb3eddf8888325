"""Parses an event's JSON strictly: exactly one object, no key twice, nothing that two parsers read differently."""

import json
import re
from typing import Any, Final

import msgspec

from processors.intake.normal_form import WithDecimals
from processors.intake.refusal import Problem, quoted

AVRO_MAGIC: Final = (b"\x00", b"\xc3\x01")
MAX_EXCERPT: Final = 12

_decode: Final = msgspec.json.Decoder().decode
_SPACE: Final = b" \t\r\n"
# A whole amount with two decimals or more. Its decoder keeps how a number is written, which no other does.
_AMOUNT_WITH_DECIMALS: Final = re.compile(rb'_minor"[ \t\r\n]*:[ \t\r\n]*-?[0-9]+\.00')
_WITH_DECIMALS: Final = re.compile(r"-?[0-9]+\.00+")


def _number(written: str) -> float:
    return WithDecimals(written) if _WITH_DECIMALS.fullmatch(written) else float(written)


_decode_as_written: Final = msgspec.json.Decoder(float_hook=_number).decode


def has_amounts_with_decimals(raw: bytes) -> bool:
    """Whether JSON may hold an amount such as 25.00, which a decoder makes 25."""
    return b".00" in raw and _AMOUNT_WITH_DECIMALS.search(raw) is not None


def parse_object(raw: bytes) -> dict[str, Any]:
    """One JSON object; raises Problem, for a key given twice as well."""
    if raw.startswith(AVRO_MAGIC):
        frame = "a Confluent frame (0x00)" if raw[:1] == b"\x00" else "an Avro single-object frame (0xC3 0x01)"
        raise Problem(
            "bad_frame", f"the record begins like {frame}, where JSON is read: send it as JSON or in an Avro container"
        )
    try:
        document = _decode(raw)
        if has_amounts_with_decimals(raw):
            document = _decode_as_written(raw)
    except UnicodeDecodeError as error:
        raise Problem("malformed", _broken_text(raw)) from error
    except RecursionError as error:
        raise Problem("malformed", "lists and objects are nested too deep to be an event") from error
    except msgspec.ValidationError as error:
        raise Problem("out_of_range", f"a number has too many digits: {error}") from error
    except msgspec.DecodeError as error:
        raise Problem("malformed", _broken_json(raw, str(error))) from error
    if not isinstance(document, dict):
        raise Problem("wrong_type", f"an event is one JSON object {{…}}, not {quoted(document)}")
    written = _keys_written(raw)
    if written != _keys_of_fact(document) and written != _keys(document):
        _check_repeats(raw)
    return document


def keys_without(raw: bytes, texts: str) -> int:
    """How many keys the JSON of a flat record has, repeated ones too, or more.

    `raw` holds no backslash, and `texts` are the texts in it, names of attributes too: outside of them each colon
    follows a key. Of a key given twice a decoder keeps one value, so that texts may be missing, but none too many are.
    """
    return raw.count(b":") - texts.count(":")


def _keys_of_fact(document: dict[str, Any]) -> int:
    """How many keys a decoded fact has; may be too few for a document that is no fact."""
    keys = len(document)
    if lines := document.get("lines"):
        keys += sum([len(line) for line in lines if isinstance(line, dict)]) if isinstance(lines, list) else 0
    if attributes := document.get("attributes"):
        keys += len(attributes) if isinstance(attributes, dict) else 0
    return keys


def _keys_written(raw: bytes) -> int:
    """How many keys valid JSON text has, repeated ones too: outside of texts a quote before a colon ends a key."""
    return raw.translate(None, _SPACE).count(b'":')


def _keys(value: Any) -> int:
    """How many keys the objects in a decoded value have; it is not deeper than the decoder's own stack allowed."""
    keys, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            keys += len(one)
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return keys


def _check_repeats(raw: bytes) -> None:
    try:
        json.loads(raw, object_pairs_hook=_without_repeats)
    except RecursionError as error:
        raise Problem("malformed", "lists and objects are nested too deep to be an event") from error
    except ValueError as error:
        raise Problem("out_of_range", f"a number has too many digits: {error}") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen = dict(pairs)
    if len(seen) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Problem("malformed", f"{quoted(twice)} is given twice in one object: which one is meant?", twice)
    return seen


def _broken_text(raw: bytes) -> str:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        found = quoted(raw[error.start : error.start + MAX_EXCERPT])
        return f"the text is not UTF-8 at byte {error.start + 1} ({found}): write the file in UTF-8"
    return "the text is not UTF-8"


def _broken_json(raw: bytes, message: str) -> str:
    if b"NaN" in raw or b"Infinity" in raw:
        return f"{message}: NaN and Infinity are no JSON numbers; leave the field out or give a number"
    if message.endswith("truncated"):
        return "the JSON ends before its object is closed: one event stands on one line, complete"
    return f"{message}, near {quoted(_excerpt(raw, message))}"


def _excerpt(raw: bytes, message: str) -> bytes:
    """The bytes around the place that the decoder names, which counts from 0."""
    digits = message.rpartition("(byte ")[2].rstrip(")")
    at = int(digits) if digits.isdigit() else 0
    return raw[max(0, at - MAX_EXCERPT) : at + MAX_EXCERPT]
