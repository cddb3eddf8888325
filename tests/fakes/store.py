"""A Store in memory: rows by the identity that the tables' own definitions give them, the greater version winning."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final, NamedTuple

from projections.sql_files import sql_files
from projections.store import Columns, Parameters, Pieces, QueryFailed, Row, Staged, Store
from tests.reference.rows import Tables, plain_rows

_TABLE: Final = re.compile(r"CREATE TABLE IF NOT EXISTS tallybook_rows\.(\w+)")
_ENGINE: Final = re.compile(r"ENGINE = ReplacingMergeTree(?:\((\w+)\))?")
_ORDER: Final = re.compile(r"ORDER BY (?:\(([^)]*)\)|(\w+))")
_FROM: Final = re.compile(r"FROM tallybook_rows\.(\w+)")


class Identity(NamedTuple):
    """Which columns of a table tell its rows apart, and which one says which of two copies is newer (or none)."""

    key: tuple[str, ...]
    version: str | None


@cache
def identities() -> dict[str, Identity]:
    """The identity of the rows of every table, as the migrations say it."""
    found = {}
    for file in sql_files("migrations"):
        table, engine = _TABLE.search(file.statement), _ENGINE.search(file.statement)
        order = _ORDER.search(file.statement)
        if table and engine and order:
            columns = (order[1] or order[2]).split(",")
            found[table[1]] = Identity(tuple(name.strip() for name in columns), engine[1])
    return found


class StagedRows(NamedTuple):
    """What stage gives: the rows by table, once the edition is known."""

    book: str
    pieces: Pieces


Key = tuple[object, ...]


class FakeStore:
    """See projections.store.Store; `tables` holds the rows, each table by key."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[Key, Row]] = {name: {} for name in identities()}
        self._made: tuple[StagedRows, Tables] | None = None

    def command(self, statement: str, parameters: Parameters | None = None) -> None:
        raise QueryFailed(f"a fake store runs no statements: {statement} {parameters}")

    def rows(self, query: str, parameters: Parameters | None = None) -> list[Row]:
        """All rows of the one table that the query names; whoever asks picks the columns."""
        found = _FROM.search(query)
        if found is None or parameters is not None:
            raise QueryFailed(f"a fake store does not know {query}")
        return list(self.tables[found[1]].values())

    def insert(self, table: str, columns: Columns) -> None:
        self.put(table, rows_of(columns))

    def stage(self, book: str, pieces: Pieces) -> Staged:
        return StagedRows(book, pieces)

    def insert_staged(self, staged: Staged, table: str, edition: str, partitions: int) -> None:
        self.put(table, self.staged_rows(staged, table, edition, partitions))

    def unstage(self, staged: Staged) -> None:
        assert isinstance(staged, StagedRows)
        self._made = None

    def export(self, query: str, output_format: str, parameters: Parameters | None = None) -> bytes:
        raise QueryFailed(f"a fake store exports nothing: {query} {output_format} {parameters}")

    def close(self) -> None:
        self._made = None

    def staged_rows(self, staged: Staged, table: str, edition: str, partitions: int) -> list[Row]:
        """The rows that staged records make in a table; none where they make none."""
        assert isinstance(staged, StagedRows)
        assert all(partition < partitions for partition, _ in staged.pieces)
        if self._made is None or self._made[0] is not staged:
            self._made = staged, plain_rows(staged.book, staged.pieces, edition)
        return self._made[1].get(table, [])

    def put(self, table: str, rows: Sequence[Row]) -> None:
        """Append rows: of two with one key the greater version stays, or where there is none the later."""
        key, version = identities()[table]
        kept = self.tables[table]
        for row in rows:
            name = tuple(row[column] for column in key)
            before = kept.get(name)
            if before is None or version is None or not _is_older(row[version], before[version]):
                kept[name] = row


def rows_of(columns: Columns) -> list[Row]:
    """The rows of columns, which must be equally long."""
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _is_older(one: object, other: object) -> bool:
    assert isinstance(one, int)
    assert isinstance(other, int)
    return one < other


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
