"""Chooses the rows of a table that its mapping takes: by a column's value, and up to the row that ends the table."""

from collections.abc import Sequence
from typing import Any, Final

from processors.intake.formats.cells import cleaned, text
from processors.intake.mapping import ENDS_AT, FIRST_CELL, ColumnMapping
from processors.intake.refusal import Problem
from processors.intake.unknown_fields import UnknownFields

# Orders of which is remembered what their rows said, for rows of theirs that stand further down.
MAX_ORDERS_REMEMBERED: Final = 50_000


class RowChoice:
    """Chooses among the rows of one file; `positions` says which of a row's cells each column is, from 0.

    Rows that are left out are counted in `unknown`, by column and value. Where the mapping has `fill`, a blank cell
    says what the order's rows above say: an order is taken whole, or left out whole. `is_orphan` says of the last row
    that it was taken and names no order, while the row that does so above it was left out.
    """

    def __init__(self, mapping: ColumnMapping, positions: dict[str, int], unknown: UnknownFields | None) -> None:
        at = positions | {FIRST_CELL: 0}
        self._only = [(column, at[column], frozenset(values)) for column, values in mapping.only.items()]
        self._out = [(column, at[column], frozenset(values)) for column, values in mapping.leave_out.items()]
        self._ends_at = frozenset(mapping.ends_at)
        self._unknown = unknown
        self._keys = [at[column] for column in mapping.group_by or () if column in at] if mapping.fill else []
        self._key: tuple[str, ...] = ()
        self._above: dict[int, str] = {}
        self._orders: dict[tuple[str, ...], dict[int, str]] = {}
        self._names_an_order = True
        self._order_left_out = False
        self.is_orphan = False
        self.has_ended = False

    @property
    def is_needed(self) -> bool:
        """Whether any row could be left out."""
        return bool(self._only or self._out or self._ends_at)

    def takes(self, cells: Sequence[Any], width: int) -> bool:
        """Whether a row is taken. Of a row that has not `width` cells only the first cell is looked at."""
        self._names_an_order = True
        taken = self._takes(cells, width)
        self.is_orphan = taken and not self._names_an_order and self._order_left_out
        if self._names_an_order:
            self._order_left_out = not taken
        return taken

    def _takes(self, cells: Sequence[Any], width: int) -> bool:
        first = self._said(cells[0]) if cells else ""
        if self.has_ended or first in self._ends_at:
            self.has_ended = True
            return self._left_out(ENDS_AT, "the table ends")
        whole = len(cells) == width
        if whole and self._keys:
            self._go_on_with(cells)
        for column, at, values in self._out:
            if (whole or column == FIRST_CELL) and (said := self._filled(cells, at, column)) in values:
                return self._left_out(column, said)
        for column, at, values in self._only:
            if whole and (said := self._filled(cells, at, column)) not in values:
                return self._left_out(column, said)
        return True

    def _go_on_with(self, cells: Sequence[Any]) -> None:
        """Take up what the rows of this order said above; a row without a key goes on with the one before."""
        key = tuple([self._said(cells[at]) for at in self._keys])
        self._names_an_order = any(key)
        if self._names_an_order and key != self._key:
            self._key = key
            self._above = self._orders.setdefault(key, {})
            if len(self._orders) > MAX_ORDERS_REMEMBERED:
                del self._orders[next(iter(self._orders))]

    def _filled(self, cells: Sequence[Any], at: int, column: str) -> str:
        said = self._said(cells[at])
        if said and self._keys:
            self._above.setdefault(at, said)
        return said or ("" if column == FIRST_CELL else self._above.get(at, ""))

    def _left_out(self, column: str, value: str) -> bool:
        if self._unknown is not None:
            self._unknown.leave_out(column, value)
        return False

    @staticmethod
    def _said(cell: Any) -> str:
        if cell is None:
            return ""
        try:
            return cleaned(text(cell, "", ""))
        except Problem:
            return repr(cell)
