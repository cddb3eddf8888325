"""Gives ClickHouse's Native format the additions that a client of a newer protocol reads: the engine writes the oldest.

A client that sends `client_protocol_version` (the Go client, and so Grafana) expects before each block its info, and
from REVISION on a byte behind each column's type that says whether it is serialised in a way of its own. The format is
that of ClickHouse's `NativeWriter` (src/Formats/NativeWriter.cpp) and `BlockInfo` (src/Core/BlockInfo.cpp).
"""

import re
from typing import Final

REVISION: Final = 54454
# A block that is whole and of no bucket: field 1 (overflows) 0, field 2 (bucket) -1, end.
_INFO: Final = bytes((1, 0, 2, 0xFF, 0xFF, 0xFF, 0xFF, 0))
MAX_BYTES: Final = 16 << 20  # walking through it takes Python's one lock, which the projector needs as well
_WIDTHS: Final = {
    "Bool": 1, "Int8": 1, "UInt8": 1, "Enum8": 1, "Int16": 2, "UInt16": 2, "Enum16": 2, "Date": 2,
    "Int32": 4, "UInt32": 4, "Float32": 4, "Date32": 4, "DateTime": 4, "IPv4": 4, "Decimal32": 4,
    "Int64": 8, "UInt64": 8, "Float64": 8, "DateTime64": 8, "Decimal64": 8, "Int128": 16, "UInt128": 16, "UUID": 16,
    "IPv6": 16, "Decimal128": 16, "Int256": 32, "UInt256": 32, "Decimal256": 32, "Nothing": 1,
}  # fmt: skip
_DIGITS_TO_WIDTH: Final = ((9, 4), (18, 8), (38, 16), (76, 32))
_TYPE: Final = re.compile(r"(\w+)(?:\((.*)\))?", re.DOTALL)


class TypeNotKnown(Exception):
    """A column of a type whose length in bytes is not known here."""


def with_additions(content: bytes) -> bytes:
    """Blocks of the oldest Native as blocks of protocol REVISION.

    Raises:
        TypeNotKnown: a column has a type that this cannot walk through.
        IndexError: the bytes are no Native.
    """
    out, at = bytearray(), 0
    while at < len(content):
        start = at
        columns, at = _varint(content, at)
        rows, at = _varint(content, at)
        out += _INFO + content[start:at]
        for _ in range(columns):
            start = at
            _, at = _text(content, at)
            name, at = _text(content, at)
            out += content[start:at] + b"\x00"
            start, at = at, _behind(name, rows, content, at) if rows else at
            out += content[start:at]
    return bytes(out)


def _behind(name: str, rows: int, content: bytes, at: int) -> int:
    """Where the values of a column end that begin at `at`."""
    found = _TYPE.fullmatch(name)
    kind, inner = (found[1], found[2] or "") if found else ("", "")
    width = _width(kind, inner)
    if width is not None:
        at += rows * width
    elif kind == "String":
        for _ in range(rows):
            size, at = _varint(content, at)
            at += size
    elif kind == "Nullable":
        at = _behind(inner, rows, content, at + rows)
    elif kind == "Array":
        end = at + 8 * rows
        at = _behind(inner, int.from_bytes(content[end - 8 : end], "little") if rows else 0, content, end)
    elif kind == "Map":
        at = _behind(f"Array(Tuple({inner}))", rows, content, at)
    elif kind == "Tuple":
        for part in _parts(inner):
            at = _behind(part, rows, content, at)
    else:
        raise TypeNotKnown(f"a column of type {name} is not sent in this protocol: cast it, or ask for another format")
    return at


def _width(kind: str, inner: str) -> int | None:
    """How many bytes each value has, if all have as many."""
    if kind == "FixedString":
        return int(inner)
    if kind == "Decimal":
        digits = int(inner.partition(",")[0])
        return next(width for most, width in _DIGITS_TO_WIDTH if digits <= most)
    return _WIDTHS.get(kind)


def _parts(inner: str) -> list[str]:
    """The types of a tuple, whose elements may have names."""
    parts, depth, start = [], 0, 0
    for position, sign in enumerate(inner + ","):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            parts.append(inner[start:position].strip())
            start = position + 1
    return [re.sub(r"^(?:`[^`]*`|\w+) (?=[A-Z])", "", part) for part in parts]


def _text(content: bytes, at: int) -> tuple[str, int]:
    size, at = _varint(content, at)
    return content[at : at + size].decode("utf-8"), at + size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the least first, and where it ends."""
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
