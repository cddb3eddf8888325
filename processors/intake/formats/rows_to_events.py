"""Makes events from the rows of a table as a column mapping says, for CSV and Parquet alike."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from processors.intake.door import Door, refusal_of
from processors.intake.formats.cells import Clock, text, whole_number
from processors.intake.input_records import MAX_KEPT_BYTES, Read, as_json, refused
from processors.intake.mapping import ColumnMapping, integer_fields, kind_of
from processors.intake.refusal import Problem, Refusal, quoted
from schemas.bounds import MAX_LINES
from schemas.facts import PurchaseLine

# Of an order with more rows than it may have lines, this many are read; the door then refuses it.
MAX_ROWS: Final = MAX_LINES + 1
CELL_BYTES: Final = 16


class Slot(NamedTuple):
    """One cell of an event: the field it fills, the column it comes from, and how its value is read.

    `read` gives None for a cell that says nothing, and raises Problem.
    """

    field: str
    column: str
    read: Callable[[Any], Any]


class EventRows:
    """The rows of one event: the cells of its head, and those of each line, in the order of the plan's slots."""

    __slots__ = ("at_line", "head", "lines", "problem")

    def __init__(self, at_line: int, head: Sequence[Any]) -> None:
        self.at_line = at_line
        self.head = head
        self.lines: list[Sequence[Any]] = []
        self.problem: Problem | None = None


class Plan:
    """A mapping prepared for reading rows: which cells an event's head has, and which each of its lines."""

    def __init__(self, mapping: ColumnMapping) -> None:
        self.mapping = mapping
        self.clock = Clock(mapping.timezone)
        self._nulls = frozenset(["", *mapping.null_values, None])
        kind = kind_of(mapping)
        whole = integer_fields(kind)
        self.head = tuple(self._slot(field, column, whole) for field, column in mapping.fields.items())
        self.attributes = tuple(self._slot(name, column, frozenset()) for name, column in mapping.attributes.items())
        line_whole = integer_fields(PurchaseLine)
        self.lines = tuple(self._slot(field, column, line_whole) for field, column in mapping.lines.items())
        self._fixed: dict[str, Any] = {"type": mapping.type} | self._constants(mapping.constants, whole)
        if mapping.source:
            self._fixed["source"] = mapping.source
        self._fixed_line = self._constants(mapping.line_constants, line_whole)
        self._line_fields = tuple(slot.field for slot in self.lines)
        self._has_lines = mapping.type == "PurchaseRecorded"

    def read(self, record: int, order: EventRows, door: Door, raw: bytes = b"", size: int | None = None) -> Read:
        """The record that an order makes at the door; `raw`, of `size` bytes or less, is kept if it is refused."""
        event = self._event(order)
        if order.problem is not None:
            return refused(record, order.at_line, refusal_of(order.problem, event), raw, size=size)
        admitted = door.admit(event)
        if not isinstance(admitted, Refusal):
            size = CELL_BYTES * (len(order.head) + len(order.lines) * len(self.lines))
            return Read(record, order.at_line, admitted, None, b"", size)
        problem = _first_unread(order)
        if problem is not None:
            return refused(record, order.at_line, refusal_of(problem, event), raw, size=size)
        said = as_json(event)
        headers = {"event": said.decode()} if len(said) <= MAX_KEPT_BYTES else None
        return refused(record, order.at_line, admitted, raw, headers=headers, size=size)

    def cells_of(self, slots: Sequence[Slot], values: Sequence[Any]) -> list[Any]:
        """The cells read from `values`, one for each slot; a Problem for each that cannot be read."""
        try:
            return [slot.read(value) for slot, value in zip(slots, values, strict=True)]
        except Problem:
            cells: list[Any] = []
        for slot, value in zip(slots, values, strict=True):
            try:
                cells.append(slot.read(value))
            except Problem as problem:
                cells.append(problem)
        return cells

    def _event(self, order: EventRows) -> dict[str, Any]:
        """The event that an order's cells say; a Problem may stand in it, which no field of a fact allows."""
        event = dict(self._fixed)
        heads = len(self.head)
        for slot, cell in zip(self.head, order.head, strict=False):
            if cell is not None:
                event[slot.field] = cell
        if self.attributes:
            attributes = zip(self.attributes, order.head[heads:], strict=False)
            event["attributes"] = {slot.field: cell for slot, cell in attributes if cell is not None}
        if self._has_lines:
            event["lines"] = [
                self._fixed_line | dict(zip(self._line_fields, cells, strict=True))
                if None not in cells
                else self._fixed_line
                | {field: cell for field, cell in zip(self._line_fields, cells, strict=True) if cell is not None}
                for cells in order.lines
            ]
        return event

    def _slot(self, field: str, column: str, whole: frozenset[str]) -> Slot:
        nulls = self._nulls
        if field in whole:
            scale = self.mapping.scale.get(field, 1)
            rounding = self.mapping.rounding.get(field)

            def read(cell: Any) -> Any:
                if cell in nulls or cell != cell:  # noqa: PLR0124 - finds NaN, which tables without nulls hold
                    return None
                return whole_number(cell, scale, rounding, field, column)

        elif field == "occurred_at":
            instant = self.clock.instant

            def read(cell: Any) -> Any:
                return None if cell in nulls or cell != cell else instant(cell, column)  # noqa: PLR0124 - as above: finds NaN

        else:

            def read(cell: Any) -> Any:
                if cell in nulls or cell != cell:  # noqa: PLR0124 - as above: finds NaN
                    return None
                return cell if type(cell) is str else text(cell, field, column)

        return Slot(field, column, read)

    @staticmethod
    def _constants(constants: dict[str, str], whole: frozenset[str]) -> dict[str, Any]:
        return {
            name: whole_number(value, 1, None, name, "(constant)") if name in whole else value
            for name, value in constants.items()
        }


def _first_unread(order: EventRows) -> Problem | None:
    """The problem of the first cell that could not be read."""
    for cell in order.head:
        if isinstance(cell, Problem):
            return cell
    for index, cells in enumerate(order.lines):
        for cell in cells:
            if isinstance(cell, Problem):
                return Problem(cell.reason, cell.message, f"lines[{index}].{cell.field}")
    return None


def disagreement(first: Sequence[Any], other: Sequence[Any], columns: Sequence[str], lines: tuple[int, int]) -> Problem:
    """The problem that two rows of one order differ where an order has one value."""
    at = next(index for index, value in enumerate(first) if value != other[index])
    message = (
        f"lines {lines[0]} and {lines[1]} are rows of one order, but {quoted(columns[at])} is {quoted(first[at])} "
        f"in one and {quoted(other[at])} in the other: make them agree, or check group_by"
    )
    return Problem("duplicate_row", message)
