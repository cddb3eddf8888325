"""Has ClickHouse itself write down a reader's query before it runs, so that what was checked is what runs."""

from __future__ import annotations

import re
from typing import Final, Protocol

from projections.clickhouse.query_guard import why_refused
from projections.store import Parameters, QueryFailed, Row

# ClickHouse parses a reader's query as a text, which runs nothing of it, and refuses more than one.
_FORMATTED: Final = "SELECT formatQuerySingleLine({query:String}) AS query"
_TABLE_FUNCTIONS: Final = "SELECT lower(name) AS name FROM system.table_functions"
# What the message of that parser says of the query around the reader's.
_AROUND: Final = re.compile(r"(?:: )?(?:In scope|While executing|while executing).*(?=\([A-Z_]+\))", re.DOTALL)


class Asked(Protocol):
    """The part of a store that is asked."""

    def rows(self, query: str, parameters: Parameters | None = None) -> list[Row]:
        """The answer of a query as one dict a row (see Store)."""


class ReaderGuard:
    """Lets queries pass that only read."""

    def __init__(self, store: Asked) -> None:
        self._store = store
        self._table_functions: frozenset[str] | None = None

    def checked(self, query: str) -> str:
        """The query as ClickHouse writes it, which is what shall run.

        Raises:
            QueryFailed: it does anything but read, or is no query.
        """
        try:
            formatted = str(self._store.rows(_FORMATTED, {"query": query})[0]["query"])
        except QueryFailed as error:
            raise QueryFailed(_AROUND.sub("", str(error))) from error
        if self._table_functions is None:
            self._table_functions = frozenset(str(row["name"]) for row in self._store.rows(_TABLE_FUNCTIONS))
        if (reason := why_refused(formatted, self._table_functions)) is not None:
            raise QueryFailed(f"refused: {reason}")
        return formatted
