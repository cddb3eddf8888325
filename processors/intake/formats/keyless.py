"""Tells what a row without a key is in a table where each row names its order: a total or a note, or an order's row."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from processors.intake.formats.cells import cleaned
from processors.intake.formats.rows_to_events import Plan
from processors.intake.mapping import FIRST_CELL
from processors.intake.refusal import Problem

MAX_SHOWN: Final = 40
_TOTALS: Final = (
    r"(?:grand |sub|sub |sub-)?totals?|sum|(?:gesamt|zwischen|end)?summe|gesamt|insgesamt|sous-total|"
    r"total g[eé]n[eé]ral|totale|totaal|итого|всего|"
    r"[^\W\d_]{0,4}(?:合计|总计|小计|共计|总额|汇总|合計|總計|小計|総計|累计)"
)
_IS_TOTAL: Final = re.compile(rf"(?:{_TOTALS})(?:\W.*|\d.*)?", re.IGNORECASE | re.DOTALL)
_IS_TOTAL_ALONE: Final = re.compile(rf"(?:{_TOTALS})\W*", re.IGNORECASE)


class First(NamedTuple):
    """The first cell of a row that is not blank, and how a mapping names its column; "" where that is not known."""

    said: str
    column: str


class KeylessRows:
    """Looks at the rows of one file that name no order.

    A further row of an order says something of a line: a row that does not is a note. A row without a product that
    begins with a word for a total is one. Below the last order, where no other row of the file may go on with an order,
    a row without a product is none of its lines either, and one that begins with such a word is a total.
    """

    def __init__(self, plan: Plan, product_at: int | None) -> None:
        self._plan = plan
        self._product_at = product_at
        self._may_go_on = False

    def is_no_line(self, raw: Any, line: Sequence[Any], *, at_end: bool) -> bool:
        """Whether a row is none of the order above it; `at_end` says that only such rows follow it in the file."""
        found = self._is_no_line(raw, line, at_end=at_end and not self._may_go_on)
        self._may_go_on = self._may_go_on or not found
        return found

    def _is_no_line(self, raw: Any, line: Sequence[Any], *, at_end: bool) -> bool:
        if line and all(self._plan.is_blank(cell) for cell in line):
            return True
        has_product = self._product_at is None or line[self._product_at] is not None
        if not has_product and at_end:
            return True
        said = self.first_of(raw, line).said
        if not has_product:
            return _IS_TOTAL.fullmatch(said) is not None
        return at_end and _IS_TOTAL_ALONE.fullmatch(said) is not None

    def first_of(self, raw: Any, line: Sequence[Any]) -> First:
        """The first cell of a row that says something."""
        if isinstance(raw, bytes):
            cells: Sequence[Any] = next(csv.reader([raw.decode()], delimiter=self._plan.mapping.delimiter), [])
            columns = [FIRST_CELL]
        else:
            cells, columns = tuple(raw), self._plan.mapping.columns()
        for at, cell in enumerate(cells):
            if not self._plan.is_blank(cell):
                said = cleaned(cell) if isinstance(cell, str) else str(cell)
                product = None if self._product_at is None else self._product_at
                if at >= len(columns) and product is not None and line[product] == said:
                    slot = self._plan.lines[product]
                    return First(said, slot.column if len(slot.columns) == 1 else "")
                return First(said, columns[at] if at < len(columns) else "")
        return First("", "")

    def leave_out(self, raw: Any, line: Sequence[Any]) -> str:
        """The setting of a mapping that leaves such a row out, with its value where that is a text of some letters."""
        said, column = self.first_of(raw, line)
        has_product = self._product_at is None or line[self._product_at] is not None
        if has_product and _IS_TOTAL.fullmatch(said) is None:
            return "leave_out"
        if not column or len(said) > MAX_SHOWN or not any(map(str.isalpha, said)) or not said.isprintable():
            return "leave_out"
        value = said if said.isalnum() else json.dumps(said, ensure_ascii=False)
        return f"leave_out: {{{json.dumps(column) if column == FIRST_CELL else column}: [{value}]}}"

    def below(self, at_line: int, key: str, raw: Any, line: Sequence[Any]) -> Problem:
        """The problem of a row that may go on with the order above it."""
        message = (
            f"line {at_line} names no order: if it goes on with the order above it, {key}, write fill: true in the "
            f"mapping; if it is none of its rows (a total, a note), leave it out by name, {self.leave_out(raw, line)}"
        )
        return Problem("missing_field", message, "event_id")

    def alone(self, at_line: int, raw: Any, line: Sequence[Any], *, at_end: bool) -> Problem:
        """The problem of a row that belongs to no order."""
        ends = ""
        first = self.first_of(raw, line)
        if at_end and first.column == FIRST_CELL and self.leave_out(raw, line) != "leave_out":
            ends = f", or end the table there, ends_at: [{json.dumps(first.said, ensure_ascii=False)}]"
        message = (
            f"event_id is missing: line {at_line} names no order. If it is no row of one (a total, a note), leave it "
            f"out in the mapping, {self.leave_out(raw, line)}{ends}; else give it its key"
        )
        return Problem("missing_field", message, "event_id")
