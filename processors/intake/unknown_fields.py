"""Counts what is read and not taken, and shown for it may be a mistake: fields that no fact has, and rows left out."""

from difflib import get_close_matches
from typing import Final

import msgspec

MAX_UNKNOWN_FIELDS: Final = 1_000
MAX_NAME_SHOWN: Final = 64
NEAREST_CUTOFF: Final = 0.6


class UnknownField(msgspec.Struct, frozen=True):
    """How often a source sent a field that the fact does not have; `nearest` is a known name like it, or empty."""

    source: str
    fact_type: str
    field: str
    count: int
    nearest: str


class LeftOut(msgspec.Struct, frozen=True):
    """How many rows a mapping left out for the value of a column."""

    column: str
    value: str
    count: int


class UnknownFields:
    """Counts per source, kind of fact and field; at most MAX_UNKNOWN_FIELDS of them, the rest in one `overflow`.

    Beside them it counts the rows that a mapping leaves out, by column and value, as many of them at most.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], list[int]] = {}
        self._known: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self.overflow = 0
        self._left_out: dict[tuple[str, str], int] = {}

    def add(self, source: str, fact_type: str, field: str, known: tuple[str, ...]) -> None:
        """Count an unknown `field` (a path such as `lines[].colour`) once more; `known` are the names that exist."""
        key = (_shown(source), fact_type, _shown(field))
        if key in self._counts:
            self._counts[key][0] += 1
        elif len(self._counts) < MAX_UNKNOWN_FIELDS:
            self._counts[key] = [1]
            self._known[key] = known
        else:
            self.overflow += 1

    def leave_out(self, column: str, value: str, rows: int = 1) -> None:
        """Count one more row, or several, left out because of this value in this column."""
        key = (column[:MAX_NAME_SHOWN], value[:MAX_NAME_SHOWN])
        if key not in self._left_out and len(self._left_out) >= MAX_UNKNOWN_FIELDS:
            key = (key[0], "…")
        self._left_out[key] = self._left_out.get(key, 0) + rows

    def left_out(self) -> list[LeftOut]:
        """The rows that were left out, by column and value, most first."""
        found = [LeftOut(*key, count) for key, count in self._left_out.items()]
        return sorted(found, key=lambda one: (-one.count, one.column, one.value))

    def report(self) -> list[UnknownField]:
        """What was counted, the most frequent first, with the nearest known name (a path like the field's)."""
        found = []
        for key, (count,) in self._counts.items():
            parent, dot, name = key[2].rpartition(".")
            nearest = nearest_name(name, self._known[key])
            found.append(UnknownField(*key, count, f"{parent}{dot}{nearest}" if nearest else ""))
        return sorted(found, key=lambda one: (-one.count, one.source, one.fact_type, one.field))


def _shown(name: str) -> str:
    """A name as any terminal can show it."""
    name = name[:MAX_NAME_SHOWN]
    return name if name.isprintable() else ascii(name)[1:-1]


def nearest_name(name: str, known: tuple[str, ...]) -> str:
    """The known name most like `name` (difflib's ratio, letter case aside), or "" if none is alike."""
    matches = get_close_matches(name[:MAX_NAME_SHOWN].lower(), known, 1, NEAREST_CUTOFF)
    return matches[0] if matches else ""
