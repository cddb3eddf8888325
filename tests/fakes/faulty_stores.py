"""Stores around a store that do to inserts what the world does: make them twice, cut them off, or come between."""

from __future__ import annotations

from collections.abc import Callable

from projections.store import Columns, Gathered, Parameters, Row, Store


class Stopped(Exception):  # noqa: N818 - named after what happened, as facts are
    """The process died here."""


class _Around:
    """Passes everything on to another store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def command(self, statement: str, parameters: Parameters | None = None) -> None:
        self.store.command(statement, parameters)

    def rows(self, query: str, parameters: Parameters | None = None) -> list[Row]:
        return self.store.rows(query, parameters)

    def gather(self, table: str) -> Gathered:
        return self.store.gather(table)

    def insert(self, gathered: Gathered) -> None:
        self.store.insert(gathered)

    def export(self, query: str, output_format: str, parameters: Parameters | None = None) -> bytes:
        return self.store.export(query, output_format, parameters)

    def close(self) -> None:
        self.store.close()


class _Copies:
    """Gathers the same rows twice."""

    def __init__(self, first: Gathered, second: Gathered) -> None:
        self.both = (first, second)
        self.table = first.table

    @property
    def rows(self) -> int:
        return self.both[0].rows

    def extend(self, columns: Columns) -> None:
        for each in self.both:
            each.extend(columns)


class InsertsTwice(_Around):
    """A client that timed out, and whose first insert went through all the same."""

    def gather(self, table: str) -> Gathered:
        return _Copies(self.store.gather(table), self.store.gather(table))

    def insert(self, gathered: Gathered) -> None:
        assert isinstance(gathered, _Copies)
        for each in gathered.both:
            self.store.insert(each)


class StopsAfter(_Around):
    """A process that dies after so many inserts that had rows."""

    def __init__(self, store: Store, inserts: int) -> None:
        super().__init__(store)
        self.left = inserts

    def insert(self, gathered: Gathered) -> None:
        if gathered.rows:
            if self.left == 0:
                raise Stopped
            self.left -= 1
        self.store.insert(gathered)


class CallsBefore(_Around):
    """Before one of its inserts with rows (counted from 0), somebody else does something."""

    def __init__(self, store: Store, insert: int, call: Callable[[], object]) -> None:
        super().__init__(store)
        self.inserts = 0
        self._insert = insert
        self._call = call

    def insert(self, gathered: Gathered) -> None:
        if gathered.rows:
            if self.inserts == self._insert:
                self._call()
            self.inserts += 1
        self.store.insert(gathered)
