"""Compares the rows that one order has in several files, or in parts of a file that begin with a header."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from processors.intake.formats.fragments import Fragment
from processors.intake.refusal import Problem

# A cell that was read from several columns: a list once it lay in a temporary file.
_SEVERAL: Final = (tuple, list)


def is_in_one_part(good: list[Fragment]) -> bool:
    """Whether all rows stand in one file, and there is no header between them."""
    first, last = good[0], good[-1]
    return first.rank == last.rank and first.part == last.part


def is_doubled(good: list[Fragment]) -> bool:
    """Whether the rows of an order stand in several places, each of them an even number of times."""
    return len(good) > 1 and not any(rows % 2 for rows in Counter(lines_of(good)).values())


def files_of(good: list[Fragment]) -> list[list[Fragment]]:
    """The good pieces of an order, by file, or the part of one that begins with a header."""
    return [list(pieces) for _, pieces in groupby(good, attrgetter("rank", "part"))]


def is_cut_between(one: list[Fragment], other: list[Fragment]) -> bool:
    """Whether an order ends one file and begins the next one given."""
    before, after = one[-1], other[0]
    follows = before.part + 1 == after.part if before.rank == after.rank else before.rank + 1 == after.rank
    return before.ends and after.begins and follows


def lines_of(pieces: list[Fragment]) -> list[tuple[Any, ...]]:
    """The lines of some pieces, in a form in which equal ones are equal."""
    return [_comparable(line) for piece in pieces for line in piece.lines]


def _comparable(line: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(
        repr(tuple(cell)) if type(cell) in _SEVERAL else str(cell) if type(cell) is Problem else cell for cell in line
    )


def compared(one: list[Fragment], other: list[Fragment]) -> str:
    """How the rows of an order in two files compare: one file has all of the other's ("same"), some, or none."""
    first, second = Counter(lines_of(one)), Counter(lines_of(other))
    common = (first & second).total()
    if not common:
        return "apart"
    return "same" if common in {first.total(), second.total()} else "partly"


def without(lines: list[Sequence[Any]], others: list[Sequence[Any]]) -> list[Sequence[Any]]:
    """The lines that are not among the others, each of which takes away one."""
    there = Counter(map(_comparable, others))
    left = []
    for line in lines:
        same = _comparable(line)
        if there[same]:
            there[same] -= 1
        else:
            left.append(line)
    return left
