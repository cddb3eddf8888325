"""Knows the sequence of files by their names, with numbers compared as numbers: page 2 comes before page 10."""

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import PurePath
from typing import Final

from processors.intake.input_records import InputRefused
from processors.intake.refusal import quoted

MAX_NAMES_SHOWN: Final = 20
_NUMBER: Final = re.compile(r"([0-9]+)")

NameKey = tuple[tuple[str | int, ...], str]


def by_name(name: str) -> NameKey:
    """What files are sorted by: their name without its ending, the numbers in it as numbers."""
    parts = _NUMBER.split(str(PurePath(name).with_suffix("")).casefold())
    return tuple(int(part) if at % 2 else part for at, part in enumerate(parts)), name


class FileSequence:
    """Says of files as they were given (`names`) whether each follows the one that its name follows."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def require_in_place(self, rank: int, line: int) -> None:
        """Raises InputRefused for a file that goes on with the one given before it, if that is another one by name.

        `line` is the first that goes on (0: it is not known).
        """
        given, by_their_names = rank - 1, self._before[rank]
        if given == by_their_names:
            return
        after = "is the first one" if by_their_names < 0 else f"comes after {quoted(self._names[by_their_names])}"
        stands = "none was given before it" if given < 0 else f"{quoted(self._names[given])} was given before it"
        shown = " ".join(self._names[at] for at in self._sorted[:MAX_NAMES_SHOWN])
        more = " …" if len(self._sorted) > MAX_NAMES_SHOWN else ""
        raise InputRefused(
            self._names[rank],
            line,
            "the file begins with a row that names no order, which goes on with the file before; by its name it "
            f"{after}, but {stands}: another order would get the row. Nothing was taken in",
            f"Give the files in this sequence: {shown}{more}; if their names say nothing of their sequence, rename "
            "them, or write the order into such rows",
        )

    @cached_property
    def _sorted(self) -> list[int]:
        return sorted(range(len(self._names)), key=lambda at: by_name(self._names[at]))

    @cached_property
    def _before(self) -> dict[int, int]:
        """The file before each, by name; -1 for the first one."""
        return dict(zip(self._sorted, [-1, *self._sorted], strict=False))
