"""Makes events from the rows of a table as a column mapping says, for CSV and Parquet alike."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from processors.intake.door import Door, refusal_of
from processors.intake.doubtful_ids import ID_FIELDS
from processors.intake.formats.cells import (
    MAX_CELLS_REMEMBERED,
    are_bare_ids,
    bare_id,
    cleaned,
    id_text,
    is_doubtful,
    joined,
    number_text,
    text,
)
from processors.intake.formats.clock import Clock
from processors.intake.formats.facts_of_cells import FactOf, fact_maker
from processors.intake.formats.numbers import Numbers
from processors.intake.formats.spreading import shares
from processors.intake.input_records import MAX_KEPT_BYTES, Read, as_json, refused
from processors.intake.mapping import (
    BY_CURRENCY,
    AllOf,
    ColumnMapping,
    Computed,
    FieldSource,
    FirstOf,
    columns_of,
    integer_fields,
    kind_of,
)
from processors.intake.normal_form import currency_code
from processors.intake.refusal import MAX_MESSAGE, Problem, Refusal, quoted
from schemas.bounds import MAX_LINES
from schemas.currencies import DECIMALS
from schemas.facts import PublishedFact, PurchaseLine

# Of an order with more rows than it may have lines, this many are read; the door then refuses it.
MAX_ROWS: Final = MAX_LINES + 1
CELL_BYTES: Final = 16
_DOUBTFUL: Final = object()
_ZEROS: Final = frozenset({"0", "0.0", "0.00"})
AMOUNT: Final = "amount_minor"


class Slot(NamedTuple):
    """One cell of an event: the field it fills, the columns it comes from, and how their values are read.

    `read` is given the value of its column, or a tuple of the values of its several columns; it gives None where they
    say nothing, and raises Problem. `is_id` says that it is an id of one column.
    """

    field: str
    columns: tuple[str, ...]
    read: Callable[[Any], Any]
    is_id: bool = False

    @property
    def column(self) -> str:
        """The names of its columns, for messages."""
        return ", ".join(self.columns)


class EventRows:
    """The rows of one event: the cells of its head, and those of each line, in the order of the plan's slots."""

    __slots__ = ("at_line", "head", "lines", "problem")

    def __init__(self, at_line: int, head: Sequence[Any]) -> None:
        self.at_line = at_line
        self.head = head
        self.lines: list[Sequence[Any]] = []
        self.problem: Problem | None = None


class Plan:
    """A mapping prepared for reading rows: which cells an event's head has, and which each of its lines.

    The head's slots are those in `of_order`: fields, attributes, then the amounts that the lines share.
    """

    def __init__(self, mapping: ColumnMapping) -> None:
        self.mapping = mapping
        self._nulls = frozenset(["", *mapping.null_values, None])
        is_seconds = "occurred_at" in mapping.scale
        self.clock = Clock(mapping.timezone, mapping.date_order, self._nulls, is_seconds=is_seconds)
        # A word for nobody such as "0" is a number all the same where an amount or a quantity is asked for.
        self._numbers = Numbers(mapping.decimal, frozenset(one for one in self._nulls if one not in _ZEROS))
        self._tidy = lru_cache(maxsize=MAX_CELLS_REMEMBERED)(self._tidied)
        self._readers: dict[tuple[FieldSource, str | None], Callable[[Any], Any]] = {}
        # An amount is read with its row's currency in view: now if all rows have the same, else when it is known.
        self._currency = mapping.constants.get("currency")
        self._waits = self._currency is None and "currency" in mapping.fields
        kind = kind_of(mapping)
        whole = integer_fields(kind)
        self.head = tuple(self._slot(field, source, whole) for field, source in mapping.fields.items())
        self.attributes = tuple(self._slot(name, source, frozenset()) for name, source in mapping.attributes.items())
        self._shared = tuple(Slot(AMOUNT, (column,), _as_it_is) for column in mapping.spread.columns)
        self.of_order = (*self.head, *self.attributes, *self._shared)
        self._of_first_row = frozenset(at for at, slot in enumerate(self.head) if slot.field in mapping.of_first_row)
        line_whole = integer_fields(PurchaseLine)
        self.lines = tuple(self._slot(field, source, line_whole) for field, source in mapping.lines.items())
        self._late = tuple(at for at, slot in enumerate(self.lines) if slot.read is _as_it_is)
        self.fills_keys = mapping.fill and len(mapping.group_by or ()) > 1
        self._fixed: dict[str, Any] = {"type": mapping.type} | self._constants(mapping.constants, whole)
        if mapping.source:
            self._fixed["source"] = mapping.source
        self._fixed_line = self._constants(mapping.line_constants, line_whole)
        self._line_fields = tuple(slot.field for slot in self.lines)
        self._head_fields = tuple(slot.field for slot in self.head)
        self._has_lines = mapping.type == "PurchaseRecorded"

    def read(self, record: int, order: EventRows, door: Door, raw: bytes = b"", size: int | None = None) -> Read:
        """The record that an order makes at the door; `raw`, of `size` bytes or less, is kept if it is refused."""
        event: dict[str, Any] | None = None
        admitted = self._admitted_quickly(order, door)
        if admitted is None:
            event = self._event(order)
            if order.problem is not None:
                return refused(record, order.at_line, refusal_of(order.problem, event), raw, size=size)
            admitted = door.admit(event)
        if not isinstance(admitted, Refusal):
            size = CELL_BYTES * (len(order.head) + len(order.lines) * len(self.lines))
            return Read(record, order.at_line, admitted, None, b"", size)
        event = self._event(order) if event is None else event
        problem = _first_unread(order)
        if problem is not None:
            return refused(record, order.at_line, refusal_of(problem, event), raw, size=size)
        said = as_json(event)
        headers = {"event": said.decode()} if len(said) <= MAX_KEPT_BYTES else None
        return refused(record, order.at_line, self._with_column(admitted), raw, headers=headers, size=size)

    def _admitted_quickly(self, order: EventRows, door: Door) -> PublishedFact | Refusal | None:
        """What the door says of an order whose cells make a fact as they are; None leaves it open."""
        if order.problem is not None or self._late or self._shared:
            return None
        try:
            fact = self._fact_of(order.head, order.lines)
        except TypeError:  # a field is missing
            return None
        return door.admit_quickly(fact)

    @cached_property
    def _fact_of(self) -> FactOf:
        fixed = {name: value for name, value in self._fixed.items() if name != "type"}
        attributes = [slot.field for slot in self.attributes]
        kind = kind_of(self.mapping)
        return fact_maker(kind, self._head_fields, attributes, self._line_fields, fixed, self._fixed_line)

    def key_of(self, cells: Sequence[Any]) -> str | None:
        """The order that a row says it belongs to, by its cells of the columns in `group_by`; None if it says none.

        Two different rows of cells never give one key. A cell that cannot be read stands in the key as it is: reading
        the event's own cells says what is wrong with it.
        """
        if len(cells) == 1:
            cell = cells[0]
            said = self._tidy(cell) if type(cell) is str else self._key_part(cell)
            return bare_id(cell) if said is _DOUBTFUL else said or None
        parts = self.key_parts(cells)
        return joined("order_id", parts) if any(parts) else None

    def key_parts(self, cells: Sequence[Any]) -> tuple[str, ...]:
        """What each of a row's cells of the columns in `group_by` says; empty for those that say nothing."""
        return tuple([self._key_part(cell) for cell in cells])

    def _with_column(self, refusal: Refusal) -> Refusal:
        """A refusal of the door that names the column of its field as well."""
        name = refusal.field.rpartition(".")[2]
        slots = self.lines if refusal.field.startswith("lines[") else (*self.head, *self.attributes)
        column = next((slot.column for slot in slots if slot.field == name), None)
        if column is None:
            return refusal
        place = f"column {quoted(column)}{' is blank' if refusal.reason == 'missing_field' else ''}"
        return msgspec.structs.replace(refusal, message=f"{refusal.message} ({place})"[:MAX_MESSAGE])

    def cells_of(self, slots: Sequence[Slot], values: Sequence[Any]) -> tuple[Any, ...]:
        """The cells read from `values`, one for each slot; a Problem for each that cannot be read."""
        # A tuple of texts and numbers, unlike a list, is soon left alone by the garbage collector.
        try:
            return tuple([slot.read(value) for slot, value in zip(slots, values, strict=True)])
        except Problem:
            return tuple([_or_problem(slot.read, value) for slot, value in zip(slots, values, strict=True)])

    def column_of(self, slot: Slot, values: Sequence[Any]) -> Sequence[Any]:
        """The cells that one slot reads from the different values of a column, of which the last one is None."""
        if slot.is_id and self._are_ids(values[:-1]):
            return values
        return self.cells_of([slot] * len(values), values)

    def keys_of(self, values: Sequence[Any]) -> Sequence[str | None]:
        """The orders that the different values of a column name, of which the last one is None."""
        return values if self._are_ids(values[:-1]) else [self.key_of((value,)) for value in values]

    def _are_ids(self, values: Sequence[Any]) -> bool:
        return are_bare_ids(values) and self._nulls.isdisjoint(values)

    def filled(self, first: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        """The head's values in a further row of an order; those that are of the `first` row are those of that one.

        With `fill` these are the blank ones.
        """
        if self._of_first_row:
            values = tuple([first[at] if at in self._of_first_row else value for at, value in enumerate(values)])
        if not self.mapping.fill:
            return values
        return tuple(
            tuple(map(self._filled, before, value)) if isinstance(value, tuple) else self._filled(before, value)
            for before, value in zip(first, values, strict=True)
        )

    def differ(self, first: Sequence[Any], other: Sequence[Any]) -> bool:
        """Whether two heads, as they were read, say different things; with `fill` a blank cell says nothing else."""
        if first == other:
            return False
        fill = self.mapping.fill
        return any(one != cell and not (fill and cell is None) for one, cell in zip(first, other, strict=True))

    def is_blank(self, value: Any) -> bool:
        """Whether a cell says nothing: empty, blanks alone, null, NaN, or one of `null_values`."""
        return value in self._nulls or value != value or (type(value) is str and cleaned(value) in self._nulls)  # noqa: PLR0124 - finds NaN, which tables without nulls hold

    def _filled(self, before: Any, value: Any) -> Any:
        return before if self.is_blank(value) else value

    def _key_part(self, cell: Any) -> str:
        if type(cell) is str:
            said = self._tidy(cell)
            return bare_id(cell) if said is _DOUBTFUL else said or ""
        if self.is_blank(cell):
            return ""
        try:
            return id_text(cell, "group_by", "")
        except Problem:
            return repr(cell)

    def _event(self, order: EventRows) -> dict[str, Any]:
        """The event that an order's cells say; a Problem may stand in it, which no field of a fact allows."""
        event = dict(self._fixed)
        heads = len(self.head)
        named = zip(self._head_fields, order.head, strict=False)
        event.update({field: cell for field, cell in named if cell is not None})
        if self.attributes:
            attributes = zip(self.attributes, order.head[heads:], strict=False)
            event["attributes"] = {slot.field: cell for slot, cell in attributes if cell is not None}
        if self._has_lines:
            if (self._late or self._shared) and order.problem is None:
                self._settle(order, event.get("currency"))
            fields, fixed = self._line_fields, self._fixed_line
            lines = [
                dict(zip(fields, cells, strict=True))
                if None not in cells
                else {field: cell for field, cell in zip(fields, cells, strict=True) if cell is not None}
                for cells in order.lines
            ]
            event["lines"] = [fixed | line for line in lines] if fixed else lines
        return event

    def _settle(self, order: EventRows, currency: Any) -> None:
        """Read the amounts of an order that waited for its currency, and share out those of the whole order."""
        by_currency = BY_CURRENCY in self.mapping.scale.values()
        if by_currency and (not isinstance(currency, str) or currency not in DECIMALS):
            if isinstance(currency, Problem):
                order.problem = currency
            else:
                hint = "write three capital letters such as EUR"
                message = f"currency {quoted(currency)} is no ISO 4217 code, which says the amounts' decimals: {hint}"
                order.problem = Problem(
                    "missing_field" if currency is None else "unknown_currency", message, "currency"
                )
            return
        if self._late:
            reads = [(at, self._number(self.lines[at].field, currency)) for at in self._late]
            for index, cells in enumerate(order.lines):
                order.lines[index] = changed = list(cells)
                for at, read in reads:
                    changed[at] = _or_problem(read, cells[at])
        if self._shared and order.head:
            self._share(order, currency)

    def _share(self, order: EventRows, currency: Any) -> None:
        at = self._line_fields.index(AMOUNT)
        amounts = [cells[at] for cells in order.lines]
        if not all(isinstance(amount, int) for amount in amounts):
            return  # a line that cannot be read, or says no amount, is refused for that
        spread = self.mapping.spread
        total = 0
        values = order.head[len(self.head) + len(self.attributes) :]
        for sign, column, value in zip(
            [1] * len(spread.plus) + [-1] * len(spread.minus), spread.columns, values, strict=True
        ):
            read = self._in_currency(AMOUNT, column, currency)
            found = _or_problem(read, value)
            if isinstance(found, Problem):
                order.problem = Problem(found.reason, found.message, "lines")
                return
            if sign < 0 and (found or 0) < 0:
                hint = "name it in plus: of spread, not in minus:"
                message = f"{quoted(column)} is {quoted(value)}, which is below 0 already: {hint}"
                order.problem = Problem("out_of_range", message, "lines")
                return
            total += sign * (found or 0)
        if not total:
            return
        parts = shares(total, amounts)
        if parts is None:
            message = f"{', '.join(spread.columns)} cannot be spread: no line of the order has an amount above 0"
            order.problem = Problem("out_of_range", message, "lines")
            return
        for index, part in enumerate(parts):
            order.lines[index] = changed = list(order.lines[index])
            changed[at] = amounts[index] + part

    def _slot(self, field: str, source: FieldSource, whole: frozenset[str]) -> Slot:
        columns = columns_of(source)
        if field in whole:
            money = field.endswith("_minor")
            if money and self._waits:
                return Slot(field, columns, _as_it_is)
            return Slot(field, columns, self._reader(field, source, self._currency if money else None))
        if field == "occurred_at":
            return Slot(field, columns, self._time(source))
        if field == "currency":
            read = self._text(field, source)
            return Slot(field, columns, lambda value: currency_code(read(value)))
        return Slot(field, columns, self._text(field, source), isinstance(source, str) and field in ID_FIELDS)

    def _number(self, field: str, currency: Any) -> Callable[[Any], Any]:
        """How a number of a line is read in an order of this currency."""
        return self._in_currency(field, self.mapping.lines[field], currency)

    def _in_currency(self, field: str, source: FieldSource, currency: Any) -> Callable[[Any], Any]:
        known = currency if isinstance(currency, str) and currency in DECIMALS else None
        if (source, known) not in self._readers:
            self._readers[source, known] = self._reader(field, source, known)
        return self._readers[source, known]

    def _reader(self, field: str, source: FieldSource, currency: str | None) -> Callable[[Any], Any]:
        """How a number is read; an amount of money in this currency, if it is known."""
        said = self.mapping.scale.get(field, 1)
        by_currency = 1 if currency is None else 10 ** DECIMALS.get(currency, 0)
        scale = by_currency if isinstance(said, str) else said
        if scale not in {1, by_currency} and self._waits and currency is not None:
            return _misscaled(field, scale, currency)
        rounding = self.mapping.rounding.get(field)
        numbers = self._numbers
        columns = columns_of(source)
        is_unscaled = field.endswith("_minor") and field not in self.mapping.scale and DECIMALS.get(currency or "") != 0

        def read(value: Any) -> int | None:
            cells = (value,) if len(columns) == 1 else value
            if is_unscaled:
                for cell, column in zip(cells, columns, strict=True):
                    numbers.check_is_minor(cell, field, column)
            if isinstance(source, Computed):
                return numbers.computed(cells, source, scale, rounding, currency, field)
            return numbers.whole(cells[0], scale, rounding, currency, field, columns[0])

        return lru_cache(maxsize=MAX_CELLS_REMEMBERED, typed=True)(read)

    def _time(self, source: FieldSource) -> Callable[[Any], Any]:
        columns = columns_of(source)
        clock = self.clock
        remembered = lru_cache(maxsize=MAX_CELLS_REMEMBERED, typed=True)
        if isinstance(source, AllOf):
            return remembered(lambda cells: clock.of_two(cells[0], cells[1], columns[0], columns[1]))
        if isinstance(source, FirstOf):
            return self._first(clock.instant, columns)
        return remembered(lambda cell: clock.instant(cell, columns[0]))

    def _text(self, field: str, source: FieldSource) -> Callable[[Any], Any]:
        """How a text is read; ids are looked at more closely than other texts."""
        columns = columns_of(source)
        read = self._id if field in ID_FIELDS else self._plain
        if isinstance(source, FirstOf):
            return self._first(lambda cell, column: read(cell, field, column), columns)
        if isinstance(source, AllOf):

            def read_all(cells: Sequence[Any]) -> Any:
                parts = [read(cell, field, column) or "" for cell, column in zip(cells, columns, strict=True)]
                return joined(field, parts) if any(parts) else None

            return read_all
        return self._id_of(field, columns[0]) if field in ID_FIELDS else self._plain_of(field, columns[0])

    def _id_of(self, field: str, column: str) -> Callable[[Any], Any]:
        """How an id is read from one column; most cells of a table are ids, and nothing else is asked so often."""
        tidy, read = self._tidy, self._id

        def read_id(cell: Any) -> Any:
            if type(cell) is str:
                said = tidy(cell)
                if said is not _DOUBTFUL:
                    return said
            return read(cell, field, column)

        return read_id

    def _plain_of(self, field: str, column: str) -> Callable[[Any], Any]:
        """How free text is read from one column."""
        nulls, read = self._nulls, self._plain

        def read_plain(cell: Any) -> Any:
            if type(cell) is str and cell.isalnum():
                return None if cell in nulls else cell
            return read(cell, field, column)

        return read_plain

    def _id(self, cell: Any, field: str, column: str) -> Any:
        if type(cell) is str:
            said = self._tidy(cell)
            return id_text(bare_id(cell), field, column) if said is _DOUBTFUL else said
        if cell in self._nulls or cell != cell:  # noqa: PLR0124 - finds NaN, which tables without nulls hold
            return None
        if isinstance(cell, int | float | Decimal) and number_text(cell, field, column) in self._nulls:
            return None
        return id_text(cell, field, column)

    def _plain(self, cell: Any, field: str, column: str) -> Any:
        if type(cell) is str:
            if not cell.isalnum():
                cell = cleaned(cell)
            return None if cell in self._nulls else cell
        if cell in self._nulls or cell != cell:  # noqa: PLR0124 - as above: finds NaN
            return None
        return text(cell, field, column)

    def _tidied(self, cell: str) -> Any:
        """An id without blanks and guards, None if nothing is left, and _DOUBTFUL if it may stand for several ids."""
        cell = cleaned(cell)
        bare = bare_id(cell)
        if cell in self._nulls or bare in self._nulls:
            return None
        return _DOUBTFUL if is_doubtful(bare) else bare

    @staticmethod
    def _first(read: Callable[[Any, str], Any], columns: tuple[str, ...]) -> Callable[[Any], Any]:
        def read_first(cells: Any) -> Any:
            each = cells if len(columns) > 1 else (cells,)
            found = (read(cell, column) for cell, column in zip(each, columns, strict=True))
            return next((one for one in found if one is not None), None)

        return read_first

    def _constants(self, constants: Mapping[str, str], whole: frozenset[str]) -> dict[str, Any]:
        return {
            name: self._numbers.whole(value, 1, None, None, name, "(constant)") if name in whole else value
            for name, value in constants.items()
        }


def _as_it_is(value: Any) -> Any:
    """A cell that is read later, when the currency of its row is known."""
    return cleaned(value) if type(value) is str else value


def _misscaled(field: str, scale: int, currency: str) -> Callable[[Any], Any]:
    """Refuses the amounts in a currency of other decimals than all rows are scaled by."""
    message = (
        f"{field} is scaled by {scale}, which does not fit {currency}, a currency of {DECIMALS[currency]} decimals: "
        f"write scale: {{{field}: currency}} in the mapping"
    )

    def refuse(_: Any) -> Any:
        raise Problem("wrong_type", message, field)

    return refuse


def _or_problem(read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except Problem as problem:
        return problem


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


def difference(slot: Slot, one: Any, other: Any) -> tuple[str, Any, Any]:
    """The first of a slot's columns in which two rows differ, and what stands in it in each of them."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        for column, first, second in zip(slot.columns, one, other, strict=True):
            if first != second:
                return column, first, second
    return slot.column, one, other
