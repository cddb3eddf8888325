"""Stores around a store that do to inserts what the world does: make them twice, cut them off, or come between."""

from collections.abc import Callable

from projections.store import Columns, Parameters, Pieces, Row, Staged, Store


class Stopped(Exception):
    """The process died here."""


class _Around:
    """Passes everything on to another store; every insert, of rows or of what was staged, goes through `_insert`."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def command(self, statement: str, parameters: Parameters | None = None) -> None:
        self.store.command(statement, parameters)

    def rows(self, query: str, parameters: Parameters | None = None) -> list[Row]:
        return self.store.rows(query, parameters)

    def insert(self, table: str, columns: Columns) -> None:
        self._insert(lambda: self.store.insert(table, columns))

    def stage(self, book: str, pieces: Pieces) -> Staged:
        return self.store.stage(book, pieces)

    def insert_staged(self, staged: Staged, table: str, edition: str, partitions: int) -> None:
        self._insert(lambda: self.store.insert_staged(staged, table, edition, partitions))

    def unstage(self, staged: Staged) -> None:
        self.store.unstage(staged)

    def export(self, query: str, output_format: str, parameters: Parameters | None = None) -> bytes:
        return self.store.export(query, output_format, parameters)

    def close(self) -> None:
        self.store.close()

    def _insert(self, insert: Callable[[], None]) -> None:
        raise NotImplementedError


class InsertsTwice(_Around):
    """A client that timed out, and whose first insert went through all the same."""

    def _insert(self, insert: Callable[[], None]) -> None:
        insert()
        insert()


class StopsAfter(_Around):
    """A process that dies after so many inserts."""

    def __init__(self, store: Store, inserts: int) -> None:
        super().__init__(store)
        self.left = inserts

    def _insert(self, insert: Callable[[], None]) -> None:
        if self.left == 0:
            raise Stopped
        self.left -= 1
        insert()


class CallsBefore(_Around):
    """Before one of its inserts (counted from 0), somebody else does something."""

    def __init__(self, store: Store, insert: int, call: Callable[[], object]) -> None:
        super().__init__(store)
        self.inserts = 0
        self._moment = insert
        self._call = call

    def _insert(self, insert: Callable[[], None]) -> None:
        if self.inserts == self._moment:
            self._call()
        self.inserts += 1
        insert()
