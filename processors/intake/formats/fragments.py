"""Cuts a table whose rows are grouped into fragments: runs of adjacent rows of one order, and rows that are broken."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from processors.intake.formats.keyless import KeylessRows
from processors.intake.formats.row_choice import RowsAbove, says_no_other
from processors.intake.formats.rows_to_events import MAX_ROWS, Plan, difference
from processors.intake.refusal import Problem, quoted
from schemas.bounds import MAX_EVENT_BYTES

# Broken rows that wait for the next good one, to learn which order comes after them; and their bytes.
MAX_WAITING: Final = 1_000
MAX_WAITING_BYTES: Final = 8 * 1024 * 1024
FRAGMENT_BYTES: Final = 200
CELL_BYTES: Final = 16
_AS_MESSAGE: Final = b"m"
_PICKLED: Final = b"p"
# Fields whose columns can tell apart two orders of the same number.
KEY_FIELDS: Final = ("store_id", "occurred_at")
# Without one of these no order is taken in; and a key of several columns of which one is blank.
_NEEDED: Final = frozenset({"event_id", "order_id", "occurred_at"})
_HALF: Final = re.compile("^/|//|/$")


class TableRow(msgspec.Struct, gc=False):
    """One row of a grouped table: where it stands, its order, its cells, and what is kept if it is refused.

    `number` counts the rows from 1, `at_line` is the line it begins at. `said` holds the head's cells as they stand,
    `line` those of the line as they were read. `key` is None where a row names no order. A broken row has a problem
    and no cells; it has a key only where that is certain, else `candidates` are the orders that it may belong to.
    `is_orphan` says of a row that names no order that the row above, which does, is not taken; `is_doubtful` that the
    row above, which does and is its only candidate, may be no order. `names` are the cells of a key of several columns,
    where a blank one says what the row above says.
    """

    number: int
    at_line: int
    key: str | None
    said: Sequence[Any]
    line: Sequence[Any]
    raw: Any
    size: int
    problem: Problem | None = None
    candidates: Sequence[str] = ()
    is_orphan: bool = False
    is_doubtful: bool = False
    names: Sequence[Any] = ()


class Fragment(msgspec.Struct, array_like=True, gc=False):
    """Rows of one order that follow each other in one file: `rows` of them, from row number `row` on.

    `rank` counts the files as they were given. `head` holds the head's cells as they were read, `said` as they stand in
    the file; `lines` and `raw` what was read and kept of each row, within bounds, and `size` the bytes of all.
    `occurred_at` is the instant that the rows give, in UTC ms. `begins` and `ends` say that the rows are the first or
    the last ones of their file.
    """

    key: str
    rank: int
    row: int
    at_line: int
    last_line: int
    occurred_at: int | None
    head: Sequence[Any]
    said: Sequence[Any]
    lines: list[Sequence[Any]]
    raw: list[Any]
    size: int
    rows: int
    problem: Problem | None = None
    begins: bool = False
    ends: bool = False
    # Of a broken row: its number among all broken rows, and whether `key` is only the order that stands beside it.
    broken: int = -1
    is_beside: bool = False
    # Whether it names no order, and no row above it in its file does, or is broken.
    leads: bool = False
    # Whether its first row may be none of an order, such as a page's subtotal.
    is_doubtful: bool = False
    # How many rows above it in its file repeat the header: what stands below is as if it were of another file.
    part: int = 0

    @property
    def held_bytes(self) -> int:
        """About how many bytes it takes in memory."""
        lines = self.lines
        return (
            FRAGMENT_BYTES
            + self.size
            + CELL_BYTES * (2 * len(self.head) + len(lines) * (len(lines[0]) if lines else 0))
        )


class BrokenRow(NamedTuple):
    """A row that says for certain neither what it holds nor which order it belongs to; see TableRow.

    `before` and `after` are the orders beside it in its file, None where there is none.
    """

    row: TableRow
    before: str | None
    after: str | None


Piece = Fragment | BrokenRow


class Fragments:
    """Makes the pieces of one file from its rows; `head_of` reads the cells of a head.

    With `fill`, a row that names no order goes on with the row above. Where that one names a new order, and says hardly
    anything of it, it may be a page's subtotal that stands among the rows of the order before: then the rows below it
    belong to either of the two. `above` is what the rows of the files before said.

    Without `fill`, a row that names no order spoils the order above it, which may go on there (see KeylessRows).
    """

    def __init__(
        self, plan: Plan, head_of: Callable[[Sequence[Any]], Sequence[Any]], above: RowsAbove | None = None
    ) -> None:
        self._plan = plan
        self._above = RowsAbove() if above is None else above
        self._product_at = next((at for at, slot in enumerate(plan.lines) if slot.field == "sku"), None)
        self._head_of = head_of
        self._instant_at = next((at for at, slot in enumerate(plan.head) if slot.field == "occurred_at"), None)
        self._fills = plan.mapping.fill
        self._open: Fragment | None = None
        self._is_first = True
        self._last_key: str | None = None
        self._key_above: str | None = None  # that of the row directly above, if it is sure
        self._keyless = KeylessRows(plan, self._product_at)
        # The order that a row without a key may go on with, where the mapping has no `fill`, and what its head says.
        self._further_of = self._above.further_of
        self._is_composite = len(plan.mapping.group_by or ()) > 1
        keys = frozenset(plan.mapping.group_by or ())
        self._beside_key = [at for at, slot in enumerate(plan.of_order) if keys.isdisjoint(slot.columns)]
        self._needed = [at for at, slot in enumerate(plan.head) if slot.field in _NEEDED]
        self._first_that_says: int | None = None  # the number of the first row that names an order, or is broken
        self._waiting: list[TableRow] = []
        self._waiting_bytes = 0

    def read(self, rows: Iterator[TableRow]) -> Iterator[Piece]:
        """All pieces, in the order of the file."""
        fills = self._fills
        for row in map(self._named, rows) if self._plan.fills_keys else rows:
            key = row.key
            if not fills and self._open is not None and key == self._open.key and row.problem is None:
                self._add(self._open, row)  # as most rows are
                continue
            row, key = self._filled(row) if fills else self._unfilled(row)  # noqa: PLW2901 - what names no order may be broken
            self._key_above = key if row.problem is None else None
            if self._first_that_says is None and (key is not None or row.problem is not None or row.is_orphan):
                self._first_that_says = row.number
            fragment = self._open
            if fragment is not None and key == fragment.key and row.problem is None:
                self._add(fragment, row)
                continue
            if fragment is not None:
                self._open = None
                yield fragment
            if key is not None and row.problem is None:
                self._open = self._begun(row, key)
                if fills or self._is_order(row, self._open):
                    yield from self._settled(key)
                    self._last_key = key
                    self._further_of = key, self._open.head
            else:
                self._waiting.append(row)
                self._waiting_bytes += row.size
                if len(self._waiting) > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES:
                    yield from self._settled(None)
            self._is_first = False
        if self._open is not None:
            self._open.ends = True
            yield self._open
        last = list(self._settled(None, at_end=True))
        self._above.further_of = self._further_of
        if last and isinstance(last[-1], Fragment):
            last[-1].ends = True
        yield from last

    def _named(self, row: TableRow) -> TableRow:
        """A row whose key is blank in part goes on with the row above, if that says nothing else.

        Else it names an order of its own if it has a time; and if it has none, those that it may belong to are spoilt.
        """
        above, parts = self._above, self._plan.key_parts(row.names)
        if row.problem is not None or all(parts) or not any(parts):
            if row.problem is None and row.key is not None:
                above.note(parts, row.key)
            return row
        has_time = self._instant_at is None or self._says(row, self._instant_at)
        if row.is_orphan or says_no_other(parts, above.parts) or not (above.parts or has_time):
            return replace(row, key=None, said=self._without_key(row.said))
        if has_time or not (orders := above.like(parts)):
            above.note(parts, row.key or "")
            return row
        message = f"line {row.at_line} gives the key of its order in part only: give it the whole key"
        return replace(row, key=None, problem=Problem("missing_field", message), candidates=orders)

    def _without_key(self, said: Sequence[Any]) -> Sequence[Any]:
        """A head without the cells that the key says, as if they were blank."""
        keys = frozenset(self._plan.mapping.group_by or ())
        cells = zip(self._plan.of_order, said, strict=True)
        return tuple(
            cell if not keys.issuperset(slot.columns) else (None,) * len(cell) if isinstance(cell, tuple) else None
            for slot, cell in cells
        )

    def _unfilled(self, row: TableRow) -> tuple[TableRow, str | None]:
        """A row of a table without `fill`, and the key that it says; if none, with the one it may go on with."""
        key = row.key
        if row.problem is not None:
            self._further_of = None
        elif key is not None and self._is_composite and _HALF.search(key) and self._lacks(row):
            key = None  # where no more than the store is known, say, the row is refused in any case
        if key is None and row.problem is None and not row.is_orphan and self._further_of is not None:
            above, head = self._further_of
            if not self._is_another(head, self._head_of(row.said)):
                return replace(row, candidates=[above]), None
        return row, key

    def _lacks(self, row: TableRow) -> bool:
        """Whether a row says nothing in a field without which no order is taken in."""
        head = self._head_of(row.said)
        return any(head[at] is None for at in self._needed)

    def _is_another(self, head: Sequence[Any], other: Sequence[Any]) -> bool:
        """Whether a row that names no order has a time or a member, say, that is not the one of the order above."""
        return any(other[at] != head[at] and not self._plan.is_blank(other[at]) for at in self._beside_key)

    def _is_order(self, row: TableRow, begun: Fragment) -> bool:
        """Whether a row that names an order may be one's, and no page's subtotal; the latter is refused by itself."""
        return self._is_whole(row, begun) or not self._may_be_none(row)

    def _is_whole(self, row: TableRow, begun: Fragment) -> bool:
        """Whether a row has a time and a product."""
        has_product = self._product_at is None or row.line[self._product_at] is not None
        return has_product and begun.occurred_at is not None

    def _filled(self, row: TableRow) -> tuple[TableRow, str | None]:
        """A row, and the key that it says, or that the row above says."""
        above, key = self._above, row.key
        if row.problem is not None or row.is_orphan:
            return row, key
        if key is None:
            return (row, self._key_above) if above.doubted is None else (self._between(row, above.doubted), None)
        if key != self._key_above:
            above.doubted = key if above.names(key) and self._may_be_none(row) else None
        return row, key

    def _may_be_none(self, row: TableRow) -> bool:
        """Whether a row that names an order has no time, or neither a product nor anything else of an order's head."""
        if self._instant_at is None:
            return False
        if not self._says(row, self._instant_at):
            return True
        if self._product_at is None or row.line[self._product_at] is not None:
            return False
        return not any(self._says(row, at) for at in range(len(self._plan.head)) if at != self._instant_at)

    def _says(self, row: TableRow, at: int) -> bool:
        """Whether a cell of the head, beside those of the key, is neither blank nor the name of its column."""
        slot, said = self._plan.head[at], row.said[at]
        keys = self._plan.mapping.group_by or ()
        cells = zip(slot.columns, said if isinstance(said, tuple) else (said,), strict=False)
        return any(column not in keys and cell != column and not self._plan.is_blank(cell) for column, cell in cells)

    def _between(self, row: TableRow, doubted: str) -> TableRow:
        columns = self._plan.mapping.group_by or ()
        by = f"leave_out: {{{columns[0]}: [{doubted}]}}" if len(columns) == 1 else "leave_out"
        message = (
            f"line {row.at_line} names no order, and the row above it that does, {quoted(doubted)}, has no time or no "
            f"product: if that one is no order (a subtotal, a page's header), leave it out in the mapping, {by}; else "
            "mend it"
        )
        return replace(row, problem=Problem("missing_field", message), candidates=[doubted], is_doubtful=True)

    def _begun(self, row: TableRow, key: str) -> Fragment:
        head = self._head_of(row.said)
        instant = None if self._instant_at is None else head[self._instant_at]
        return Fragment(
            key,
            0,
            row.number,
            row.at_line,
            row.at_line,
            instant if type(instant) is int else None,
            head,
            row.said,
            [row.line],
            [row.raw],
            row.size,
            1,
            begins=self._is_first,
            is_doubtful=bool(key) and self._above.doubted == key,
        )

    def _add(self, fragment: Fragment, row: TableRow) -> None:
        if (
            fragment.problem is None
            and row.said != fragment.said
            and (said := self._plan.filled(fragment.said, row.said)) != fragment.said
        ):
            head = self._head_of(said)
            if self._plan.differ(fragment.head, head):
                other = Heads(head, row.said)
                where = f"lines {fragment.last_line} and {row.at_line}", f"line {row.at_line}"
                fragment.problem = disagreement(self._plan, Heads(fragment.head, fragment.said), other, *where)
        fragment.rows += 1
        fragment.last_line = row.at_line
        fragment.size += row.size + 1
        if len(fragment.lines) < MAX_ROWS:
            fragment.lines.append(row.line)
        if fragment.size <= MAX_EVENT_BYTES and len(fragment.raw) < MAX_ROWS:
            fragment.raw.append(row.raw)

    def _settled(self, after: str | None, *, at_end: bool = False) -> Iterator[Piece]:
        """The rows that waited for the order after them. One that names no order, and stands in none, is alone."""
        before = self._last_key
        for row in self._waiting:
            if row.problem is not None:
                yield BrokenRow(row, before, after)
            elif row.candidates and self._may_go_on(row, before, after, at_end=at_end):
                key = row.candidates[0]
                problem = self._keyless.below(row.at_line, quoted(key), row.raw, row.line)
                yield BrokenRow(replace(row, key=key, candidates=(), problem=problem), before, after)
            elif before is not None and before == after:
                message = f"line {row.at_line} names no order, and stands between the rows of one: give it its key"
                yield BrokenRow(replace(row, problem=Problem("missing_field", message)), before, after)
            else:
                alone = self._begun(row, "")
                alone.leads = self._first_that_says is None or row.number < self._first_that_says
                alone.begins = alone.leads
                if not self._fills and not self._is_whole(row, alone):
                    alone.problem = self._keyless.alone(row.at_line, row.raw, row.line, at_end=at_end)
                yield alone
        self._waiting.clear()
        self._waiting_bytes = 0

    def _may_go_on(self, row: TableRow, before: str | None, after: str | None, *, at_end: bool) -> bool:
        is_no_line = self._keyless.is_no_line(row.raw, row.line, at_end=at_end)
        return not is_no_line or (before is not None and before == after)


class Heads(NamedTuple):
    """The cells of a head as they were read, and as they stand."""

    read: Sequence[Any]
    said: Sequence[Any]


def disagreement(plan: Plan, first: Heads, other: Heads, where: str, at_other: str) -> Problem:
    """The problem that rows of one order, which stand at `where`, differ where an order has one value.

    A cell that is refused by itself goes before; `at_other` is the place of the other row.
    Where they differ in time or place, numbers that begin anew each day or at each till may be the cause.
    """
    slots = plan.of_order
    for heads, place in ((first, ""), (other, f"{at_other}: ")):
        for cell in heads.read:
            if isinstance(cell, Problem):
                return Problem(cell.reason, place + cell.message, cell.field)
    apart = [at for at, cell in enumerate(first.read) if cell != other.read[at]]
    at = next((each for each in apart if plan.is_blank(other.said[each])), apart[0])
    columns = [column for each in apart if slots[each].field in KEY_FIELDS for column in slots[each].columns]
    column, one, two = difference(slots[at], first.said[at], other.said[at])
    hint = "make them agree, or check group_by"
    if plan.is_blank(two):
        hint = "if these are two orders, name more columns in group_by and in event_id"
        if not plan.mapping.fill:
            hint = f"if a blank cell means what the order's first row says, write fill: true in the mapping; {hint}"
    elif columns:
        names = ", ".join(dict.fromkeys([*(plan.mapping.group_by or ()), *columns]))
        hint = (
            "make them agree; or where numbers begin anew, each day or at each till, name more columns in group_by and "
            f"in event_id, such as [{names}]"
        )
        if all(slots[each].field == "occurred_at" for each in apart):
            hint += "; or where each row has a time of its own, write of_first_row: [occurred_at]"
    one, two = _from_where_they_differ(one, two)
    message = (
        f"{where} are rows of one order, but {quoted(column)} is {quoted(one)} in one and {quoted(two)} in the other: "
        f"{hint}"
    )
    return Problem("duplicate_row", message)


def _from_where_they_differ(one: Any, two: Any) -> tuple[Any, Any]:
    """Two values for a message, which cuts long texts: without what both begin with, where they would look the same."""
    if not isinstance(one, str) or not isinstance(two, str) or quoted(one) != quoted(two):
        return one, two
    pairs = enumerate(zip(one, two, strict=False))
    same = next((at for at, (first, second) in pairs if first != second), min(len(one), len(two)))
    return "…" + one[same:], "…" + two[same:]


def encode_fragment(fragment: Fragment) -> bytes:
    """A fragment as bytes for a temporary file; its cells may be of any type that a table has."""
    # Rows of text hold what MessagePack gives back as it was: texts, numbers and nulls, but for what could not be read.
    if fragment.problem is None and fragment.raw and type(fragment.raw[0]) is bytes:
        try:
            return _AS_MESSAGE + _encode(fragment)
        except (TypeError, OverflowError):
            pass
    return _PICKLED + pickle.dumps(msgspec.structs.astuple(fragment), pickle.HIGHEST_PROTOCOL)


def decode_fragment(content: bytes) -> Fragment:
    """The fragment that `encode_fragment` wrote."""
    if content.startswith(_AS_MESSAGE):
        return _decode(content[1:])
    return Fragment(*pickle.loads(content[1:]))  # noqa: S301 - this process wrote it, into a file that has no name


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Fragment).decode
