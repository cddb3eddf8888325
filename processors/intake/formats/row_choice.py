"""Chooses the rows of a table that its mapping takes: by a column's value, and up to the row that ends the table."""

from collections.abc import Sequence
from typing import Any, Final

from processors.intake.formats.cells import cleaned, text
from processors.intake.mapping import ENDS_AT, FIRST_CELL, ColumnMapping, columns_of
from processors.intake.refusal import Problem
from processors.intake.unknown_fields import UnknownFields

# Orders of which is remembered what their rows said, for rows of theirs that stand further down.
MAX_ORDERS_REMEMBERED: Final = 50_000
# Keys of several columns that are remembered, for rows further down that give such a key in part only.
MAX_KEYS_REMEMBERED: Final = 1_000

Key = tuple[str, ...]


class RowsAbove:
    """Remembers what the rows of one command's files said so far, where a blank cell says what the rows above say.

    `left_out` says that the last row that names an order was left out. `doubted` is the key of the last row that names
    one, if it may be none (see Fragments). `further_of` is the order that a row without a key may go on with where the
    mapping has no `fill`, and its head as it was read. `goes_on` says that the present file begins with a row that
    names none.
    `parts` are what the key columns say of the last row that names an order, `orders` the last keys by their parts.
    """

    def __init__(self) -> None:
        self.key: Key = ()
        self.said: dict[str, str] = {}
        self.left_out = False
        self.doubted: str | None = None
        self.further_of: tuple[str, Sequence[Any]] | None = None
        self.goes_on = False
        self.parts: Key = ()
        self.orders: dict[Key, str] = {}
        self._orders: dict[Key, dict[str, str]] = {}
        self._named: dict[str, None] = {}

    def knows(self, key: Key) -> bool:
        """Whether a row above says that it belongs to an order."""
        return key in self._orders

    def go_on_with(self, key: Key) -> None:
        """Take up what the rows of an order said above."""
        if key != self.key:
            self.key = key
            self.said = self._orders.setdefault(key, {})
            if len(self._orders) > MAX_ORDERS_REMEMBERED:
                del self._orders[next(iter(self._orders))]

    def note(self, parts: Key, order: str) -> None:
        """Note the parts of the key of a row that names an order."""
        self.parts = parts
        if all(parts):
            self.orders[parts] = order
            if len(self.orders) > MAX_KEYS_REMEMBERED:
                del self.orders[next(iter(self.orders))]

    def like(self, parts: Key) -> list[str]:
        """The last orders whose keys have these parts, blank ones apart."""
        return [order for key, order in self.orders.items() if says_no_other(parts, key)]

    def names(self, order: str) -> bool:
        """Note that a row that is taken names an order; whether it is the first one that does."""
        if order in self._named:
            return False
        self._named[order] = None
        if len(self._named) > MAX_ORDERS_REMEMBERED:
            del self._named[next(iter(self._named))]
        return True


class RowChoice:
    """Chooses among the rows of one file; `positions` says which of a row's cells each column is, from 0.

    Rows that are left out are counted in `unknown`, by column and value. Where the mapping has `fill`, a blank cell
    says what the order's rows above say, in the files before too (`above`): an order is taken whole, or left out whole.
    A row that is no order's, such as a page's subtotal, changes nothing for the rows below it. `is_orphan` says of the
    last row that it was taken and names no order, while the row that does so above it was left out.
    """

    def __init__(
        self,
        mapping: ColumnMapping,
        positions: dict[str, int],
        unknown: UnknownFields | None,
        above: RowsAbove | None = None,
    ) -> None:
        at = positions | {FIRST_CELL: 0}
        self._only = [(column, at[column], frozenset(values)) for column, values in mapping.only.items()]
        self._out = [(column, at[column], frozenset(values)) for column, values in mapping.leave_out.items()]
        self._ends_at = frozenset(mapping.ends_at)
        self._unknown = unknown
        if unknown is not None:
            for column, _, values in (*self._out, *self._only):
                unknown.look_for(column, values)
        self._group = [at[column] for column in mapping.group_by or () if column in at]
        self._keys = self._group if mapping.fill else []
        self._heads = [(column, at[column]) for column in head_columns(mapping) if column in at]
        self._out_by_key = [(at, values) for _, at, values in self._out if at in self._group]
        self._blanks = frozenset(["", *mapping.null_values])
        self._above = RowsAbove() if above is None else above
        self._said_above: dict[str, str] = {}
        self._is_first = True
        self._names_an_order = True
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
        if not self._keys and (self._above.left_out or not taken):
            self._names_an_order = self._says_a_key(cells, width)
        self.is_orphan = taken and not self._names_an_order and self._above.left_out
        if self._names_an_order:
            self._above.left_out = not taken
        return taken

    def _says_a_key(self, cells: Sequence[Any], width: int) -> bool:
        """Whether a row names an order where no blank cell is filled; of a broken row it is not known."""
        if len(cells) != width or not self._group:
            return bool(self._group) and width == 0
        return any(self._said(cells[at]) for at in self._group) and not self._is_left_out_by_key(cells, whole=True)

    def _takes(self, cells: Sequence[Any], width: int) -> bool:
        first = self._said(cells[0]) if cells else ""
        if self.has_ended or first in self._ends_at:
            self.has_ended = True
            return self._left_out(ENDS_AT, "the table ends")
        whole = len(cells) == width
        if self._keys:
            self._go_on_with(cells, whole=whole)
        met = []
        for column, at, values in self._out:
            if whole or at == 0:
                met.append((column, said := self._filled(cells, at, column)))
                if said in values:
                    self._note_values(cells, whole=whole)
                    return self._left_out(column, said)
        for column, at, values in self._only:
            if whole:
                met.append((column, said := self._filled(cells, at, column)))
                if said not in values:
                    self._note_values(cells, whole=whole)
                    return self._left_out(column, said)
        if self._unknown is not None:
            for column, said in met:
                self._unknown.meet(column, said)
                if column != FIRST_CELL:
                    self._unknown.take(column, said)
        return True

    def _note_values(self, cells: Sequence[Any], *, whole: bool) -> None:
        """Note what a row that is left out has in all the columns by which rows are chosen."""
        if self._unknown is not None:
            for column, at, _ in (*self._out, *self._only):
                if whole or at == 0:
                    self._unknown.meet(column, self._said(cells[at]))

    def _go_on_with(self, cells: Sequence[Any], *, whole: bool) -> None:
        """Take up what the rows of this order said above; a row without a key goes on with the one before."""
        self._said_above = self._above.said
        is_first, self._is_first = self._is_first, False
        if not whole:
            self._names_an_order = not self._is_left_out_by_key(cells, whole=False) and any(map(self._said, cells[1:]))
            return
        key = tuple([self._said(cells[at]) for at in self._keys])
        self._names_an_order = any(key) and not (not all(key) and says_no_other(key, self._above.key))
        if not self._names_an_order:
            self._above.goes_on |= is_first
            return
        if (self._out_by_key and self._is_left_out_by_key(cells, whole=True)) or (
            not self._above.knows(key) and self._heads_no_order(cells)
        ):
            self._names_an_order = False
            self._said_above = {}
        else:
            self._above.go_on_with(key)
            self._said_above = self._above.said

    def _is_left_out_by_key(self, cells: Sequence[Any], *, whole: bool) -> bool:
        """Whether a row is left out for what stands in place of its key, which then is none."""
        return any((whole or at == 0) and self._said(cells[at]) in values for at, values in self._out_by_key)

    def _heads_no_order(self, cells: Sequence[Any]) -> bool:
        """Whether a row says nothing of an order but a key, or repeats the header."""
        said = ((column, self._said(cells[at])) for column, at in self._heads)
        return bool(self._heads) and all(cell in self._blanks or cell == column for column, cell in said)

    def _filled(self, cells: Sequence[Any], at: int, column: str) -> str:
        said = self._said(cells[at])
        if said and self._keys:
            self._said_above.setdefault(column, said)
        return said or ("" if column == FIRST_CELL else self._said_above.get(column, ""))

    def _left_out(self, column: str, value: str) -> bool:
        if self._unknown is not None:
            self._unknown.leave_out(column, value)
            self._unknown.meet(column, value)
        return False

    @staticmethod
    def _said(cell: Any) -> str:
        if cell is None:
            return ""
        try:
            return cleaned(text(cell, "", ""))
        except Problem:
            return repr(cell)


def says_no_other(parts: Key, above: Key) -> bool:
    """Whether a key that is blank in part says nothing else than the one above."""
    return bool(above) and all(not part or part == other for part, other in zip(parts, above, strict=True))


def head_columns(mapping: ColumnMapping) -> list[str]:
    """The columns of an order's head, without those of its key."""
    columns = dict.fromkeys(column for source in mapping.fields.values() for column in columns_of(source))
    return [column for column in columns if column not in (mapping.group_by or ())] if mapping.fill else []
