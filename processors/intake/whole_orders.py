"""Makes whole orders of their pieces, which may stand anywhere in the files of one command; whole or not at all."""

from __future__ import annotations

import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from processors.intake.door import Door
from processors.intake.external_sort import (
    ARRIVED_BYTES,
    MAX_HELD_BYTES,
    Arrived,
    ExternalSort,
    by_arrival,
    sort_of_arrivals,
)
from processors.intake.file_sequence import FileSequence
from processors.intake.formats.fragments import (
    BrokenRow,
    Fragment,
    Heads,
    Piece,
    decode_fragment,
    disagreement,
    encode_fragment,
)
from processors.intake.formats.row_choice import RowsAbove
from processors.intake.formats.rows_to_events import MAX_ROWS, EventRows, Plan
from processors.intake.formats.same_rows import (
    compared,
    files_of,
    is_cut_between,
    is_doubled,
    is_in_one_part,
    lines_of,
    without,
)
from processors.intake.input_records import MAX_KEPT_BYTES, Read, as_json, refused
from processors.intake.mapping import ColumnMapping
from processors.intake.refusal import FILES_HEADER, MAX_MESSAGE, ROWS_HEADER, Problem, Refusal, quoted
from processors.intake.unknown_fields import UnknownFields
from schemas.bounds import EARLIEST_AT, MAX_EVENT_BYTES

# Rows of one order that are held while its files are compared; an order has fewer.
MAX_ORDER_ROWS: Final = 20 * MAX_ROWS
MAX_NOTES: Final = 20
# Of the files of a refused order, so many are named with what is kept, and in its message.
MAX_FILES_NAMED: Final = 50
MAX_NAMES_SHOWN: Final = 3
# So many orders that two files share, or that were cut for each one that was not, say what the files are.
ENOUGH_ORDERS: Final = 4
# One order that two files have in common does not say that they repeat each other; so many do.
ENOUGH_REPEATS: Final = 2
# So many orders of a file, and half of all that it has, are worth a note if they have all their rows twice.
ENOUGH_DOUBLED: Final = 5
# Where an order has rows in more files than this, each is compared with that one of so many before it which is most
# alike.
MIN_FILES_TO_CHOOSE: Final = 2
MAX_FILES_COMPARED: Final = 100
# Pairs of files for which it is counted how their orders compare; the rest are counted together.
MAX_PAIRS: Final = 100_000
_OF_A_ROW: Final = re.compile(r"lines\[([0-9]+)\]")
_by_place: Final = attrgetter("key", "rank", "row")

Pair = tuple[int, int]
PiecesOf = Callable[[UnknownFields | None, RowsAbove], Iterator[Piece]]


class WholeOrder(NamedTuple):
    """An order at the door, with the file (its rank) of its first row, and the instant that it is sorted by.

    `parts` are the first rows (rank, row number) of its files, where it has several; else it is empty. `headless` are
    the files of which it has rows that name no order, at the beginning.
    """

    read: Read
    rank: int
    occurred_at: int
    parts: tuple[Pair, ...]
    headless: frozenset[int] = frozenset()


class _Group(msgspec.Struct):
    """All pieces of one order, in the order of files and rows; `rows` counts those that are not held too."""

    pieces: list[Fragment]
    parts: dict[int, int]
    rows: int = 0

    @property
    def key(self) -> str:
        return self.pieces[0].key

    def take(self, piece: Fragment) -> None:
        """Take in the next piece; beyond MAX_ORDER_ROWS rows it is only counted."""
        if piece.broken < 0:
            self.parts.setdefault(piece.rank, piece.row)
        if self.rows < MAX_ORDER_ROWS:
            self.pieces.append(piece)
        self.rows += piece.rows


class WholeOrders:
    """Takes the pieces of files, and gives the orders of all of them at the door.

    `names` are the files as they were given. More than about `held_bytes` go to temporary files in `folder`.
    """

    def __init__(
        self,
        mapping: ColumnMapping,
        names: Sequence[str],
        door: Door,
        *,
        held_bytes: int = MAX_HELD_BYTES,
        folder: Path | None = None,
    ) -> None:
        self._plan = Plan(mapping)
        self._columns = mapping.columns()
        self._fills = mapping.fill
        self._last_key = ""
        self._sure_key = ""  # that of the last row that surely names its order, with no broken row after it
        self._above = RowsAbove()
        self._names = names
        self._sequence = FileSequence(names)
        self._door = door
        self._held_bytes = held_bytes = held_bytes // 2  # while they are drained, the sort by time is filled
        self._folder = folder
        self._pieces = ExternalSort(_by_place, encode_fragment, decode_fragment, held_bytes=held_bytes, folder=folder)
        # Orders that cannot be told before all have been seen, and what is found out for that.
        self._undecided = ExternalSort(None, _encode_group, _decode_group, held_bytes=held_bytes, folder=folder)
        self._matched = bytearray()
        self._repeats: Counter[Pair] = Counter()
        self._cuts: Counter[Pair] = Counter()
        self._all = (0, 0)
        self._rows: Counter[int] = Counter()
        self._orders: Counter[int] = Counter()
        self._doubled: Counter[int] = Counter()
        self._counted_once: Counter[Pair] = Counter()
        self._counted_twice: Counter[Pair] = Counter()

    def close(self) -> None:
        """Forget everything."""
        self._pieces.close()
        self._undecided.close()

    def take(self, rank: int, pieces_of: PiecesOf) -> Iterator[None]:
        """Take in the file of this rank, one piece at each step. A piece without an instant has that of the one before.

        At the head of the file it has the first that any gives, for which the file is read once more.
        Raises InputRefused if the file goes on with the order of another file than its name says.
        """
        previous: int | None = None
        goes_on_at, self._above.goes_on = 0, False
        for piece in pieces_of(self._door.unknown, self._above):
            given = piece.occurred_at if isinstance(piece, Fragment) else None
            if given is None and previous is None:
                found = (each.occurred_at for each in pieces_of(None, RowsAbove()) if isinstance(each, Fragment))
                given = next((at for at in found if at is not None), EARLIEST_AT)
            previous = previous if given is None else given
            if isinstance(piece, Fragment):
                if self._fills and piece.leads and not goes_on_at:
                    goes_on_at = piece.at_line
                    self._sequence.require_in_place(rank, goes_on_at)
                if self._fills:
                    # A blank cell says what the row above says, which may be the last one of the file before.
                    self._last_key = piece.key = self._last_key if piece.leads else piece.key
                    self._sure_key = self._sure_key if piece.is_doubtful else piece.key
                piece.rank = rank
                piece.occurred_at = previous
                self._rows[rank] += piece.rows
                self._pieces.add(piece, piece.held_bytes)
            else:
                if piece.before is None and self._last_key:
                    piece = piece._replace(before=self._last_key)  # noqa: PLW2901 - the last row of the file before
                self._take_broken(rank, piece, previous)
                self._last_key = ""
                self._sure_key = self._sure_key if piece.row.is_doubtful else ""
            yield None
        if self._above.goes_on and not goes_on_at:  # it goes on with an order that is left out
            self._sequence.require_in_place(rank, 0)

    def orders(self) -> Iterator[WholeOrder]:
        """All orders, each once."""
        pieces = self._pieces.drain()
        piece = next(pieces, None)
        while piece is not None:
            following = next(pieces, None)
            if not piece.key or following is None or following.key != piece.key:  # as nearly all are
                if piece.broken < 0:
                    self._orders[piece.rank] += 1
                    yield self._in_one_piece(piece)
                elif not piece.key:
                    self._undecided.add(_Group([piece], {piece.rank: piece.row}, 1), piece.held_bytes)
                piece = following
                continue
            group = _Group([], {})
            while following is not None and following.key == piece.key:
                group.take(piece)
                piece, following = following, next(pieces, None)
            group.take(piece)
            if self._is_decided(group):
                yield self._order(group)
            piece = following
        self._all = (self._repeats.total(), self._cuts.total())
        for group in self._undecided.drain():
            if group.key or not self._matched[group.pieces[0].broken]:
                yield self._order(group)

    def in_order_of_rows(self) -> Iterator[Arrived]:
        """All orders, by the places of their first rows."""
        records = sort_of_arrivals(by_arrival, self._held_bytes, self._folder)
        with closing(records):
            for order in self.orders():
                read = order.read
                arrived = Arrived(
                    order.occurred_at,
                    order.rank,
                    read.record,
                    order.rank,
                    read.at_line,
                    read.fact,
                    read.refusal,
                    read.raw,
                    read.headers,
                    is_order=True,
                )
                records.add(arrived, read.size + ARRIVED_BYTES)
            yield from records.drain()

    def notes(self) -> list[str]:
        """What people should know of rows that stand in several files; after all orders were given."""
        notes = []
        for (one, other), rows in sorted(self._counted_once.items())[:MAX_NOTES]:
            first, second = self._names[one], self._names[other]
            if one == other:
                notes.append(f"{first}: {_rows_are(rows)} the same below a row that repeats the header: counted once")
            elif rows == self._rows[one]:
                notes.append(f"{first}: all its rows are in {second} too: counted once")
            elif rows == self._rows[other]:
                notes.append(f"{second}: all its rows are in {first} too: counted once")
            else:
                notes.append(f"{second}: {_rows_are(rows)} the same as in {first}: counted once")
        if len(self._counted_once) > MAX_NOTES:
            notes.append(f"… and rows of {len(self._counted_once) - MAX_NOTES:,} more pairs of files, counted once too")
        for (one, other), rows in sorted(self._counted_twice.items())[:MAX_NOTES]:
            notes.append(
                f"{self._names[other]}: {_rows_are(rows)} the same as in {self._names[one]}, in an order that goes on "
                "from one file to the other: counted twice. If the files overlap there, take what comes again out of "
                "one of them"
            )
        if len(self._counted_twice) > MAX_NOTES:
            notes.append(
                f"… and rows of {len(self._counted_twice) - MAX_NOTES:,} more pairs of files, counted twice too"
            )
        return notes + [
            f"{self._names[rank]}: {doubled:,} of {self._orders[rank]:,} orders have all their rows twice, apart from "
            "each other, and each of them counts: if two exports stand below each other here, take one of them out"
            for rank, doubled in sorted(self._doubled.items())[:MAX_NOTES]
            if doubled >= ENOUGH_DOUBLED and 2 * doubled >= self._orders[rank]
        ]

    def _take_broken(self, rank: int, broken: BrokenRow, at: int | None) -> None:
        """A broken row goes to the orders that it may belong to; which of them there are is found out later."""
        number = len(self._matched)
        self._matched.append(0)
        row = broken.row
        beside = [key for key in dict.fromkeys((broken.before, broken.after)) if key is not None and row.key is None]
        sure = row.candidates if row.key is None else [row.key]
        if row.is_doubtful:
            beside, sure = [], [*sure, self._sure_key] if self._sure_key else sure
        keys = [(key, False) for key in sure] + [(key, True) for key in beside or [""]]
        # Each of these orders keeps the row if it is refused; of long rows with many candidates, only the beginning.
        several = len(sure) + len(beside)
        raw = row.raw[: MAX_KEPT_BYTES // several] if isinstance(row.raw, bytes) and several > 1 else row.raw
        for key, is_beside in keys:
            piece = Fragment(
                key, rank, row.number, row.at_line, row.at_line, at, (), (), [], [raw], row.size, 1, row.problem
            )
            piece.broken, piece.is_beside = number, is_beside
            self._pieces.add(piece, piece.held_bytes)

    def _is_decided(self, group: _Group) -> bool:
        """Whether it can be told already what becomes of an order; else it is put aside, or there is none."""
        if not group.parts:
            return False  # it is only what a broken row might have meant
        certain = {piece.broken for piece in group.pieces if piece.broken >= 0 and not piece.is_beside}
        for number in certain:
            self._matched[number] = 1
        group.pieces = [piece for piece in group.pieces if not (piece.is_beside and piece.broken in certain)]
        good = _good(group)
        is_in_one = is_in_one_part(good)
        self._orders[good[0].rank] += 1
        self._doubled[good[0].rank] += is_in_one and is_doubled(good)
        if is_in_one and not any(piece.is_beside for piece in group.pieces):
            return True
        if not is_in_one:
            self._compare_files(group)
        self._undecided.add(group, sum(piece.held_bytes for piece in group.pieces))
        return False

    def _compare_files(self, group: _Group) -> None:
        """Count how an order's rows in two files compare: files that repeat each other, or that were cut."""
        for one, other in self._pairs(files_of(_good(group))):
            if not is_cut_between(one, other):
                found = self._found(one, other)
                pair = self._counted(one, other)
                self._repeats[pair] += found == "same"
                self._cuts[pair] += found == "apart"

    def _pairs(self, files: list[list[Fragment]]) -> Iterator[tuple[list[Fragment], list[Fragment]]]:
        """Each file of an order but the first, with the one before it that has most of its rows.

        Of several it is the last one. Where the order goes on from the file before, that is the one, unless another is
        known to be repeated.
        """
        held = [Counter(lines_of(each)) for each in files] if len(files) > MIN_FILES_TO_CHOOSE else []
        for at, other in enumerate(files[1:], 1):
            one = files[at - 1]
            if held:
                earlier = range(max(0, at - MAX_FILES_COMPARED), at)
                most = files[max(earlier, key=lambda each: ((held[each] & held[at]).total(), each))]
                pair = (most[0].rank, other[0].rank)
                if not is_cut_between(one, other) or self._repeats[pair] - self._cuts[pair] >= ENOUGH_ORDERS:
                    one = most
            yield one, other

    def _counted(self, one: list[Fragment], other: list[Fragment]) -> Pair:
        pair = (one[0].rank, other[0].rank)
        return pair if pair in self._repeats or len(self._repeats) < MAX_PAIRS else (-1, -1)

    def _in_one_piece(self, piece: Fragment) -> WholeOrder:
        """The order of one piece at the door, in less time than `_order` takes."""
        order = EventRows(piece.at_line, piece.head)
        order.problem = piece.problem
        order.lines = piece.lines
        read = self._plan.read(piece.row, order, self._door)
        if read.refusal is not None:
            read = self._kept(read, [piece])
        return WholeOrder(read, piece.rank, _instant_of(read, piece), ())

    def _order(self, group: _Group) -> WholeOrder:
        """The order at the door."""
        good = _good(group)
        first = (good or group.pieces)[0]
        order = EventRows(first.at_line, first.head)
        order.problem = self._problem(group, good, first)
        if order.problem is None and good and not is_in_one_part(good):
            order.lines, order.problem = self._joined(group.key, good)
        else:
            order.lines = [line for piece in good for line in piece.lines][:MAX_ROWS]
        read = self._plan.read(first.row, order, self._door)
        if read.refusal is not None:
            read = self._kept(read, group.pieces)
            if group.key:
                self._say_files(read, group)
        parts = tuple(group.parts.items()) if len(group.parts) > 1 else ()
        headless = frozenset(piece.rank for piece in good if piece.leads)
        return WholeOrder(read, first.rank, _instant_of(read, first), parts, headless)

    def _problem(self, group: _Group, good: list[Fragment], first: Fragment) -> Problem | None:
        """What is wrong with an order before its cells are looked at."""
        for piece in group.pieces:
            problem = piece.problem
            if problem is None or (piece.is_beside and group.key and self._matched[piece.broken]):
                continue
            place = "" if piece.rank == first.rank else f"{self._names[piece.rank]}: "
            if piece.is_beside and group.key:
                hint = "It stands beside this order and may be a row of it; where it is none, take it out"
                return Problem(problem.reason, f"{place}{problem.message}. {hint}")
            return Problem(problem.reason, place + problem.message, problem.field)
        if group.rows > MAX_ORDER_ROWS:
            return Problem("out_of_range", f"order {quoted(group.key)} has {group.rows:,} rows: check group_by")
        for piece in good[1:]:
            head = self._plan.filled(first.head, piece.head)
            if self._plan.differ(first.head, head):
                heads = Heads(first.head, first.said), Heads(head, piece.said)
                other = f"line {piece.at_line}"
                if piece.rank != first.rank:
                    other += f" of {self._names[piece.rank]}"
                return disagreement(self._plan, *heads, self._where(first, piece), other)
        return None

    def _where(self, one: Fragment, other: Fragment) -> str:
        if one.rank == other.rank:
            return f"lines {one.at_line} and {other.at_line}"
        return f"line {one.at_line} of {self._names[one.rank]} and line {other.at_line} of {self._names[other.rank]}"

    def _joined(self, key: str, good: list[Fragment]) -> tuple[list[Sequence[Any]], Problem | None]:
        """The lines of an order that has rows in several files: all of them, or those that are repeated once."""
        files = files_of(good)
        lines = [line for piece in files[0] for line in piece.lines]
        once, twice = Counter[Pair](), Counter[Pair]()
        for one, other in self._pairs(files):
            relation = self._relation(one, other)
            added = [line for piece in other for line in piece.lines]
            if relation == "unclear":
                return lines[:MAX_ROWS], self._unclear(key, one, other)
            new = without(added, lines)
            (once if relation == "repeated" else twice)[one[0].rank, other[0].rank] += len(added) - len(new)
            lines += new if relation == "repeated" else added
        self._counted_once += once
        self._counted_twice += twice
        return lines[:MAX_ROWS], None

    def _relation(self, one: list[Fragment], other: list[Fragment]) -> str:
        """Whether a file goes on with an order ("joined"), "repeated" it, or that is "unclear".

        How the files' other orders compare decides it: rows that are in both are a repeat where that is the rule, and
        further rows of the same content where all but a few orders were cut.
        """
        pair = self._counted(one, other)
        repeats, cuts = self._repeats[pair], self._cuts[pair]
        if repeats + cuts < ENOUGH_ORDERS:
            repeats, cuts = self._all
        found = self._found(one, other)
        if cuts >= ENOUGH_ORDERS * max(repeats, 1):
            return "joined"
        if is_cut_between(one, other):
            return self._at_the_cut(found, one, other, repeats)
        if found == "same":
            return "repeated" if repeats > cuts and repeats >= ENOUGH_REPEATS else "unclear"
        return "joined" if found == "apart" and cuts > repeats else "unclear"

    def _found(self, one: list[Fragment], other: list[Fragment]) -> str:
        """How the rows of an order in two files compare; an order exported again begins with its head again."""
        found = compared(one, other)
        if found == "same" and self._fills and len(lines_of(one)) <= len(lines_of(other)):
            is_headless = any(
                cell is None and before is not None for before, cell in zip(one[0].head, other[0].head, strict=True)
            )
            return "apart" if is_headless else found
        return found

    @staticmethod
    def _at_the_cut(found: str, one: list[Fragment], other: list[Fragment], repeats: int) -> str:
        """The same for an order that ends one file and begins the next: it goes on if nothing speaks against it."""
        if found == "partly":
            return "unclear" if repeats else "joined"
        first, second = lines_of(one), lines_of(other)
        if found == "apart" or second[: len(first)] != first:
            return "joined"
        return "repeated" if repeats >= ENOUGH_REPEATS else "unclear"

    def _unclear(self, key: str, one: list[Fragment], other: list[Fragment]) -> Problem:
        message = (
            f"{self._where(one[0], other[0])} are rows of one order, {quoted(key)}: it is not clear whether those are "
            "further rows, or the same ones exported again. Give further rows in one file with the first ones; of two "
            "exports, give the newer one alone"
        )
        return Problem("duplicate_row", message)

    def _say_files(self, read: Read, group: _Group) -> None:
        """Say of a refused order that goes on from file to file where its rows stand: all of them must come again.

        A broken row may be one of them, too, unless it is known to belong to another order.
        """
        pieces = [piece for piece in group.pieces if not (piece.is_beside and self._matched[piece.broken])]
        names = [Path(self._names[rank]).name for rank in sorted({piece.rank for piece in pieces})]
        if len(names) == 1 or any(self._relation(*pair) != "joined" for pair in self._pairs(files_of(_good(group)))):
            return
        read.headers |= {
            ROWS_HEADER: str(sum(piece.rows for piece in pieces)),
            FILES_HEADER: as_json(names[:MAX_FILES_NAMED]).decode(),
        }
        shown = ", ".join(quoted(name) for name in names[:MAX_NAMES_SHOWN])
        more = ", …" if len(names) > MAX_NAMES_SHOWN else ""
        hint = f". Its rows stand in {shown}{more}: give all these files again, in one command, under these names"
        if read.refusal is not None:
            message = read.refusal.message.rstrip(".")[: MAX_MESSAGE - len(hint)] + hint
            read.refusal = msgspec.structs.replace(read.refusal, message=message[:MAX_MESSAGE])

    def _kept(self, read: Read, pieces: list[Fragment]) -> Read:
        """A refused order with all its rows, as far as they are kept."""
        rows = [raw for piece in pieces for raw in piece.raw if raw is not None]
        size = sum(piece.size for piece in pieces) + len(pieces) - 1
        documents = [dict(zip(self._columns, row, strict=True)) for row in rows if not isinstance(row, bytes)]
        if len(documents) == len(rows):
            raw = as_json(documents) if rows else b""
            size = len(raw)
        else:
            raw = _within_bounds(row if isinstance(row, bytes) else as_json(row) for row in rows)
        refusal = read.refusal
        if refusal is None:
            raise ValueError("only a refused order is kept")
        line = _line_of(refusal, pieces)
        if line is not None and line != read.at_line:
            message = f"line {line}: {refusal.message}"[:MAX_MESSAGE]
            refusal = msgspec.structs.replace(refusal, message=message)
        return refused(read.record, read.at_line, refusal, raw, headers=read.headers, size=max(size, len(raw)))


def _line_of(refusal: Refusal, pieces: list[Fragment]) -> int | None:
    """The line in its file of the row that a refusal is about; None where that is not known for certain."""
    found = _OF_A_ROW.match(refusal.field)
    if found is None or any(piece.broken >= 0 or piece.rank != pieces[0].rank for piece in pieces):
        return None
    at = int(found[1])
    for piece in pieces:
        if at < len(piece.lines):
            # A row may have several lines, and rows may be left out between two of an order.
            more = [1 + (raw.count(b"\n") if isinstance(raw, bytes) else 0) for raw in piece.raw]
            is_dense = len(more) == piece.rows and piece.at_line + sum(more[:-1]) == piece.last_line
            return piece.at_line + sum(more[:at]) if is_dense else None
        at -= len(piece.lines)
    return None


def _instant_of(read: Read, first: Fragment) -> int:
    """The instant that an order is sorted by: its own if it gives one."""
    if read.fact is not None:
        return read.fact.occurred_at
    if read.refusal is not None and read.refusal.occurred_at is not None:
        return read.refusal.occurred_at
    return EARLIEST_AT if first.occurred_at is None else first.occurred_at


def _within_bounds(rows: Iterable[bytes]) -> bytes:
    """Rows as lines, the first of them for certain, as many as an event may have bytes."""
    held: list[bytes] = []
    room = MAX_EVENT_BYTES
    for row in rows:
        room -= len(row) + 1
        if room < 0 and held:
            break
        held.append(row)
    return b"\n".join(held)


def _rows_are(rows: int) -> str:
    return "1 row is" if rows == 1 else f"{rows:,} rows are"


def _good(group: _Group) -> list[Fragment]:
    return [piece for piece in group.pieces if piece.broken < 0]


def _encode_group(group: _Group) -> bytes:
    return pickle.dumps(([encode_fragment(piece) for piece in group.pieces], group.parts, group.rows))


def _decode_group(content: bytes) -> _Group:
    pieces, parts, rows = pickle.loads(content)  # noqa: S301 - this process wrote it, into a file that has no name
    return _Group([decode_fragment(piece) for piece in pieces], parts, rows)
