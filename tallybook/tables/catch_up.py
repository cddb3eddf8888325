"""Brings the tables up to date with the books: a reader first brings in what was committed since."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from books.errors import NoSuchPosition
from books.log import LogReader, postings_in
from projections.answers.queries import KeyOfTwoMembers, keys_of_two_members, next_pages
from projections.answers.queries import progress as progress_lines
from projections.projector import Projected, other_books, project
from projections.store import LEDGER, Store, StoreError, StoreHeld, TablesLeftBehind
from schemas.instants import format_instant
from tallybook.folder.folder import Folder
from tallybook.screen import Tick, aside, note, progress
from tallybook.tables.open_tables import served_tables

OnProgress = Callable[[Projected], None]


@contextmanager
def caught_up(folder: Folder) -> Iterator[Store]:
    """Open the folder's tables, up to date with its books; or, with a note, as the process that holds them serves them.

    Raises:
        StoreHeld: another process has them open, and does not serve them.
        StoreNotOpened: the process that serves them does not answer.
        BooksError: the folder has no books, or damaged ones.
    """
    if folder.is_stream:
        from tallybook.stream.open import (  # an installation for files alone has no Kafka client
            open_stream,
            tables_for_reading,
        )

        with tables_for_reading(open_stream(folder.root)) as answers:
            yield answers
        return
    with folder.reading() as log, ExitStack() as opened:
        try:
            store = opened.enter_context(own_tables(folder, log))
        except StoreHeld as held:
            store = opened.enter_context(served_tables(held)).store
            aside(f"process {held.holder} has the tables open and answers, {_how_level(log, store)}")
        else:
            _catch_up(log, store)
        yield store


def project_folder(folder: Folder, on_progress: OnProgress | None = None) -> Projected:
    """Bring the tables up to date; without `on_progress` a bar is drawn on a terminal. Gives what was new.

    Raises:
        StoreHeld: another process has the tables open.
        BooksError: the folder has no books, or damaged ones.
    """
    with folder.reading() as log, own_tables(folder, log) as store:
        return (
            project(log, store, log.current_edition(), on_progress)
            if on_progress is not None
            else _catch_up(log, store)
        )


def update_after_import(folder: Folder) -> list[KeyOfTwoMembers]:
    """Bring the tables up to date after an import; where another process has them open, only say so.

    Gives the publishers' keys that are those of several members with what was brought in.

    Raises:
        TablesLeftBehind: ClickHouse failed; what was taken in is committed all the same.
        BooksError: the folder has no books, or damaged ones.
    """
    try:
        with folder.reading() as log, own_tables(folder, log) as store:
            first_pages = next_pages(store)
            _catch_up(log, store)
            return keys_of_two_members(store, first_pages)
    except StoreHeld as held:
        who = f"process {held.holder}" if held.holder else "another process"
        note(f"the facts are in; {who} has the tables open, so the next reading command brings them up to date")
        return []  # `audit` finds them
    except StoreError as error:
        raise TablesLeftBehind(
            f"The facts are in, and the books are complete; only the tables could not follow, and the next reading "
            f"command tries again. {error}"
        ) from error


@contextmanager
def own_tables(folder: Folder, log: LogReader) -> Iterator[Store]:
    """Open the folder's tables in this process, after deleting them if they were filled from other books.

    They hold only copies. Tables that hold more than these books are deleted too: they were filled before an older copy
    of the books was put here.

    Raises:
        StoreHeld: another process has them open.
    """
    with ExitStack() as opened:
        store = opened.enter_context(folder.store())
        # Nobody else can fill the tables now, so what is in them, and perhaps more, is in the books as they are now.
        log.refresh()
        if filled_from := _other_source(log, store):
            opened.close()
            note(f"{folder.clickhouse} was filled from {filled_from}; it holds nothing but copies and is made afresh")
            shutil.rmtree(folder.clickhouse)
            store = opened.enter_context(folder.store())
            log.refresh()
        yield store


def _other_source(log: LogReader, store: Store) -> str:
    """Say what the tables were filled from, if not from these books; else nothing."""
    if other_books(log.opened(), store):
        return "other books"
    return "a later copy of these books" if _are_ahead(log, projected_positions(store)) else ""


def _are_ahead(log: LogReader, positions: dict[tuple[str, int], int]) -> bool:
    """Whether a position, as `projected_positions` gives it, does not exist in the books."""
    reads: dict[str, Callable[[int, int], object]] = {
        "journal": log.read_journal,
        "ledger": lambda partition, start: log.read_ledger(log.current_edition(), partition, start),
        "rejects": lambda _, start: log.read_rejects(start),
    }
    try:
        for (book, partition), position in positions.items():
            reads[book](partition, position)
    except (NoSuchPosition, ValueError):  # ValueError: there is no such partition
        return True
    return False


def is_behind(log: LogReader, positions: dict[tuple[str, int], int]) -> bool:
    """Whether the books hold anything after these positions by (book, partition), as `projected_positions` gives."""
    for partition in range(log.partitions):
        if any(True for _ in log.journal_blocks(partition, positions.get(("journal", partition), 0))):
            return True
        if any(
            True for _ in log.ledger_blocks(log.current_edition(), partition, positions.get(("ledger", partition), 0))
        ):
            return True
    return any(True for _ in log.reject_blocks(positions.get(("rejects", 0), 0)))


def projected_positions(store: Store) -> dict[tuple[str, int], int]:
    """Find how far each book is in the tables, by (book, partition)."""
    return {(line.book, line.partition): line.position for line in progress_lines(store)}


def projected_records(store: Store) -> dict[tuple[str, int], int]:
    """Count the lines, postings and rejects in the tables, by (book, partition)."""
    return {(line.book, line.partition): line.records for line in progress_lines(store)}


def _how_level(log: LogReader, store: Store) -> str:
    as_of = [line.as_of for line in progress_lines(store) if line.as_of is not None]
    said = f"as of {format_instant(min(as_of))}" if as_of else "before the first tick"
    missing = postings_missing(log, store)
    return said if missing <= 0 else f"{said}; postings still on their way into them: {missing:,}"


def postings_missing(log: LogReader, store: Store) -> int:
    """Count the postings of the books that are not in the tables."""
    done = sum(line.records for line in progress_lines(store) if line.book == LEDGER)
    return postings_in(log, log.current_edition()) - done


def _catch_up(log: LogReader, store: Store) -> Projected:
    positions = projected_positions(store)
    try:
        if positions and not is_behind(log, positions):
            return Projected()
    except NoSuchPosition:
        pass  # these tables were filled from other books; `project` says so
    with _Bars(log, store) as bars:
        return project(log, store, log.current_edition(), bars.show)


class _Bars:
    """Draws progress: first of the ledger, whose postings are numbered, then of the journal, whose lines are not."""

    def __init__(self, log: LogReader, store: Store) -> None:
        self._postings = postings_missing(log, store)
        self._open = ExitStack()
        self._lines: Tick | None = None
        self._entries: Tick | None = None
        self._seen = Projected()

    def __enter__(self) -> Self:
        self._entries = self._open.enter_context(progress("ledger to tables", self._postings))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    def show(self, done: Projected) -> None:
        """Draw how much has been brought in so far."""
        if done.facts and self._lines is None:
            self._open.close()  # one bar at a time
            self._lines = self._open.enter_context(progress("journal to tables", None))
        if self._lines is not None:
            self._lines(done.facts - self._seen.facts)
        elif self._entries is not None:
            self._entries(done.postings - self._seen.postings)
        self._seen = done
