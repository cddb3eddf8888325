"""Counts what is read and not taken, and shown for it may be a mistake: fields that no fact has, and rows left out."""

from collections.abc import Iterable
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


class RowsBy(msgspec.Struct, frozen=True):
    """The rows of a column by which a mapping chooses rows: how often each value was `taken`, and `left_out`.

    The values in `unmet` are named by the mapping, and no row has them. Of each kind the most frequent are first.
    """

    column: str
    taken: dict[str, int]
    left_out: dict[str, int]
    unmet: list[str]


class UnknownFields:
    """Counts per source, kind of fact and field; at most MAX_UNKNOWN_FIELDS of them, the rest in one `overflow`.

    Beside them it counts the rows that a mapping takes and leaves out, by column and value, as many of them at most.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], list[int]] = {}
        self._known: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self.overflow = 0
        self._left_out: dict[tuple[str, str], int] = {}
        self._taken: dict[tuple[str, str], int] = {}
        self._is_met: dict[tuple[str, str], bool] = {}

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
        _count(self._left_out, column, value, rows)

    def take(self, column: str, value: str) -> None:
        """Count one more row that was taken and has this value in a column by which rows are chosen."""
        _count(self._taken, column, value, 1)

    def look_for(self, column: str, values: Iterable[str]) -> None:
        """Note that a mapping chooses rows by these values of a column."""
        for value in values:
            self._is_met.setdefault((column, value), False)

    def meet(self, column: str, value: str) -> None:
        """Note that a row has a value, if it was looked for."""
        if (column, value) in self._is_met:
            self._is_met[column, value] = True

    def rows_by(self) -> list[RowsBy]:
        """The rows by the columns that they were chosen by; nothing if there were no rows."""
        found = []
        for column in dict.fromkeys(column for column, _ in self._is_met):
            taken, left_out = (_of_column(counts, column) for counts in (self._taken, self._left_out))
            unmet = [value for (named, value), is_met in self._is_met.items() if named == column and not is_met]
            if self._taken or self._left_out:
                found.append(RowsBy(column, taken, left_out, unmet))
        return found

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


def _count(counts: dict[tuple[str, str], int], column: str, value: str, rows: int) -> None:
    key = (column[:MAX_NAME_SHOWN], value[:MAX_NAME_SHOWN])
    if key not in counts and len(counts) >= MAX_UNKNOWN_FIELDS:
        key = (key[0], "…")
    counts[key] = counts.get(key, 0) + rows


def _of_column(counts: dict[tuple[str, str], int], column: str) -> dict[str, int]:
    found = [(value, count) for (named, value), count in counts.items() if named == column[:MAX_NAME_SHOWN]]
    return dict(sorted(found, key=lambda one: (-one[1], one[0])))


def _shown(name: str) -> str:
    """A name as any terminal can show it."""
    name = name[:MAX_NAME_SHOWN]
    return name if name.isprintable() else ascii(name)[1:-1]


def nearest_name(name: str, known: tuple[str, ...]) -> str:
    """The known name most like `name` (difflib's ratio, letter case aside), or "" if none is alike."""
    matches = get_close_matches(name[:MAX_NAME_SHOWN].lower(), known, 1, NEAREST_CUTOFF)
    return matches[0] if matches else ""
