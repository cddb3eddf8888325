"""Imports one history in the dialect, the cut and the order of rows that a seed chooses: the ledger must be the same.

Every dialect writes every history. In one command the postings are those of the plain JSON lines, repeats apart; or an
order is refused that names the lines which are not clear. Over several commands, each of later orders than the one
before, every member gets the same points at the same instants.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from books.files.consumed import NO_CACHE
from processors.intake.input_files import Input, open_input
from processors.intake.mapping import ColumnMapping, parse_mapping
from processors.intake.merge import gather
from schemas.canonical import next_ledger_digest
from schemas.pages import Reject
from schemas.posting import Reason
from tallybook.folder.import_files import Imported, Importer
from tests.exports.dialects import DIALECTS, Dialect
from tests.exports.history import NOW, Order, history_of
from tests.fakes.books import MemoryBooks
from tests.run.seeds import Seeded
from tests.support.small_imports import new_books, rounds_of
from tests.support.whole_books import postings_of, rejects_of

PARTITIONS: Final = 1
# Rows of one order in two files may be further rows or the same again: where no other order tells, it is refused.
UNCLEAR: Final = "it is not clear whether"
ORDERS_OF_ROWS: Final = ("by time", "orders shuffled", "rows interleaved")


class Plan(NamedTuple):
    """What a seed decides: the dialect, and the documents of each command."""

    history: int
    dialect: Dialect
    order_of_rows: str
    commands: tuple[tuple[bytes, ...], ...]
    happened: tuple[str, ...]


class Outcome(NamedTuple):
    """What the books hold after all commands."""

    digest: str
    points: dict[str, list[tuple[object, ...]]]
    rejects: tuple[Reject, ...]


def plan_of(seed: int) -> Plan:
    """The plan of a seed; the same on every machine."""
    rng = Random(f"exports {seed}")
    number, which = divmod(seed, len(DIALECTS))
    dialect, orders = DIALECTS[which], history_of(number)
    order_of_rows = rng.choice(ORDERS_OF_ROWS)
    happened = [f"dialect {dialect.name}", order_of_rows]
    ends = sorted(rng.sample(range(1, len(orders)), rng.choice((0, 0, 1, 2))))
    commands: list[tuple[bytes, ...]] = []
    for begin, end in zip([0, *ends], [*ends, len(orders)], strict=True):
        rows = _rows(orders[begin:end], dialect, order_of_rows, rng)
        files = [dialect.document(piece) for piece in _pieces(rows, rng)]
        if len(files) > 1:
            happened.append("orders cut into files")
        elif len(rows) > 1 and rng.random() < 0.3:
            files.insert(0, dialect.document(rows[: rng.randrange(1, len(rows))]))
            happened.append("a file and the same file grown")
        if rng.random() < 0.2:
            at = rng.randrange(len(files))
            files.insert(rng.randrange(at + 1, len(files) + 1), files[at])  # cells below may be blank: never before it
            happened.append("a file twice in a command")
        if commands and rng.random() < 0.3:
            files.append(rng.choice(commands[-1]))
            happened.append("a file of an earlier command again")
        commands.append(tuple(files))
    if len(commands) > 1:
        happened.append("several commands")
    return Plan(number, dialect, order_of_rows, tuple(commands), tuple(happened))


def _rows(orders: Sequence[Order], dialect: Dialect, order_of_rows: str, rng: Random) -> list[Any]:
    """The rows of some orders; those of one order stay in their order, whatever stands between them."""
    waiting = [dialect.rows(order) for order in orders] + [[row] for row in dialect.extra]
    if order_of_rows != "by time":
        rng.shuffle(waiting)
    if order_of_rows != "rows interleaved":
        return [row for rows in waiting for row in rows]
    mixed = []
    while waiting:
        rows = rng.choice(waiting)
        mixed.append(rows.pop(0))
        waiting = [rows for rows in waiting if rows]
    return mixed


def _pieces(rows: Sequence[Any], rng: Random) -> Iterator[Sequence[Any]]:
    """The rows cut into files, wherever that falls, but not between two equal rows of one order.

    Where these stand in two files, nobody can tell whether the second one is the first again.
    """
    drawn = sorted(rng.sample(range(1, len(rows)), min(len(rows) - 1, rng.choice((0, 0, 1, 2, 3)))))
    cuts = [cut for cut in drawn if not any(row in rows[cut:] for row in rows[:cut])]
    for begin, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        yield rows[begin:end]


def outcome_of(commands: Sequence[Sequence[bytes]], dialect: Dialect) -> Outcome:
    """Import the documents of each command into new books."""
    books = new_books(opened_at=NOW, partitions=PARTITIONS)
    mapping = None if dialect.settings is None else parse_mapping(dialect.settings)
    with tempfile.TemporaryDirectory(prefix="tallybook-exports-") as scratch:
        for number, documents in enumerate(commands):
            _import(
                books, [_opened(Path(scratch), number, at, one, dialect, mapping) for at, one in enumerate(documents)]
            )
    return _held(books)


def _opened(  # noqa: PLR0917 - private, with one caller
    scratch: Path, command: int, number: int, document: bytes, dialect: Dialect, mapping: ColumnMapping | None
) -> Input:
    path = scratch / f"c{command}-{number}{dialect.suffix}"
    path.write_bytes(document)
    return open_input(path, mapping=mapping)


def _import(books: MemoryBooks, inputs: Sequence[Input]) -> Imported:
    log = books.write()
    try:
        rounds = rounds_of(log)
        horizon_ms = log.opened().horizon_ms
        with gather(inputs, consumed=NO_CACHE.consumed(log)) as gathered:
            return Importer(rounds, inputs, now=NOW, horizon_ms=horizon_ms).take_all(gathered.arrivals)
    finally:
        books.die()


def _held(books: MemoryBooks) -> Outcome:
    log = books.read()
    digests = []
    points: dict[str, list[tuple[object, ...]]] = {}
    for partition in range(log.partitions):
        digest = b""
        for posting in postings_of(log, partition):
            if posting.reason != Reason.DUPLICATE:
                digest = next_ledger_digest(digest, posting)
                points.setdefault(posting.member_id, []).extend(
                    (entry.type, entry.rule_id, entry.points, entry.effective_at, entry.expires_at)
                    for entry in posting.entries
                )
        digests.append(digest.hex())
    return Outcome(" ".join(digests), points, tuple(rejects_of(log)))


@lru_cache(maxsize=8)
def expected(number: int) -> Outcome:
    """What the plain JSON lines of a history make in one command."""
    lines = b"".join(msgspec.json.encode(order.fact()) + b"\n" for order in history_of(number))
    plain = next(dialect for dialect in DIALECTS if dialect.name == "JSON lines")
    return outcome_of([[lines]], plain)


def wrong_in(plan: Plan, seen: Counter[str] | None = None) -> str:
    """What is wrong with the run of a plan; empty if nothing is. Refusals are counted in `seen`."""
    right = expected(plan.history)
    found = outcome_of(plan.commands, plan.dialect)
    for reject in found.rejects:
        if not (reject.at_line and UNCLEAR in reject.message):
            return f"refused: {reject.input_name}, line {reject.at_line}: {reject.reason}: {reject.message}"
    if found.rejects:
        if seen is not None:
            seen["runs in which an order was not clear"] += 1
        return ""
    if len(plan.commands) == 1 and found.digest != right.digest:
        return "the ledger is another one"
    for member in sorted(right.points.keys() | found.points.keys()):
        if right.points.get(member) != found.points.get(member):
            return f"{member}: {found.points.get(member)} instead of {right.points.get(member)}"
    return ""


def _holds(seed: int, seen: Counter[str]) -> bool:
    plan = plan_of(seed)
    seen.update(set(plan.happened))
    return not wrong_in(plan, seen)


def _story(seed: int) -> str:
    plan = plan_of(seed)
    told = [f"seed {seed}: history {plan.history} in the dialect {plan.dialect.name!r}, {plan.order_of_rows}"]
    for number, documents in enumerate(plan.commands, 1):
        for at, document in enumerate(documents, 1):
            told.append(f"-- command {number}, file {at}{plan.dialect.suffix}")
            told.append(document.decode(errors="backslashreplace"))
    told.append(f"wrong: {wrong_in(plan) or 'nothing'}")
    return "\n".join(told)


SEEDED: Final = Seeded(
    _holds,
    _story,
    must_happen=(
        *(f"dialect {dialect.name}" for dialect in DIALECTS),
        *ORDERS_OF_ROWS,
        "orders cut into files",
        "a file twice in a command",
        "a file and the same file grown",
        "a file of an earlier command again",
        "several commands",
    ),
    enough=len(DIALECTS) * 10,
)
