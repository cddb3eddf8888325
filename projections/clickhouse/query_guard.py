"""Refuses a reader's query unless it only reads the tables: an engine set to read-only still reads and writes files.

ClickHouse itself writes the query down before it runs, so that what was checked is what runs.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from projections.store import Parameters, QueryFailed, Row

_READING: Final = frozenset({"select", "with", "from", "show", "describe", "desc", "exists", "explain"})
# Table functions that make rows of nothing but their own arguments; every other one reaches a file, a net or a program.
HARMLESS_TABLE_FUNCTIONS: Final = frozenset({
    "format", "generaterandom", "generateseries", "generate_series", "null", "numbers", "numbers_mt", "primes",
    "sqlstandardvalues", "values", "view", "viewexplain", "zeros", "zeros_mt",
})  # fmt: skip
# Functions of values that read a file or ask another machine. Some can be handed over by name alone (`APPLY file`).
_REACHING_OUT: Final = frozenset({
    "file", "hascolumnintable", "aiclassify", "aiembed", "aiextract", "aifilter", "aigenerate", "airedact",
    "aisimilarity", "aitranslate",
})  # fmt: skip
# In the embedded engine this database is the file system: `default."/etc/hosts"` is a table.
_FILE_DATABASE: Final = "default"
# Others can carry SQL or names of files in their values.
SETTINGS: Final = frozenset({
    "final", "join_algorithm", "join_use_nulls", "max_block_size", "max_bytes_before_external_group_by",
    "max_bytes_before_external_sort", "max_execution_time", "max_memory_usage", "max_result_rows", "max_rows_to_read",
    "max_threads",
})  # fmt: skip
# What can stand behind the last setting: the end of a subquery, or the next part of the query.
_AFTER_SETTINGS: Final = frozenset({")", "format", "union", "intersect", "except"})
_TOKEN: Final = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.|'')*')|`(?P<tick>(?:[^`\\]|\\.|``)*)`|"(?P<quoted>(?:[^"\\]|\\.|"")*)"|(?P<word>\w+)|\S""",
    re.DOTALL,
)
_CLAUSES: Final = {
    ("into", "outfile"): "INTO OUTFILE writes a file; to keep an answer, give --output FILE",
    ("insert", "into"): "INSERT is refused: the tables are readonly",
    ("parallel", "with"): "PARALLEL WITH is refused: ask one query at a time",
}
# ClickHouse parses a reader's query as a text, which runs nothing of it, and refuses more than one.
FORMATTED: Final = "SELECT formatQuerySingleLine({query:String}) AS query"
TABLE_FUNCTIONS: Final = "SELECT lower(name) AS name FROM system.table_functions"
# What the parser's error message says of the query in which the reader's is a parameter.
AROUND: Final = re.compile(r"(?:: )?(?:In scope|While executing|while executing).*(?=\([A-Z_]+\))", re.DOTALL)


class Asked(Protocol):
    """The part of a store that the guard uses."""

    def rows(self, query: str, parameters: Parameters | None = None) -> list[Row]:
        """The answer of a query as one dict a row (see Store)."""


class ReaderGuard:
    """Lets queries pass that only read."""

    def __init__(self, store: Asked) -> None:
        self._store = store
        self._table_functions: frozenset[str] | None = None

    def checked(self, query: str) -> str:
        """The query as ClickHouse writes it, which shall run; raises QueryFailed if it is none, or does more."""
        try:
            formatted = str(self._store.rows(FORMATTED, {"query": query})[0]["query"])
        except QueryFailed as error:
            raise QueryFailed(AROUND.sub("", str(error))) from error
        if self._table_functions is None:
            self._table_functions = frozenset(str(row["name"]) for row in self._store.rows(TABLE_FUNCTIONS))
        if (reason := why_refused(formatted, self._table_functions)) is not None:
            raise QueryFailed(f"refused: {reason}")
        return formatted


def why_refused(formatted: str, table_functions: frozenset[str], limits: Mapping[str, int] | None = None) -> str | None:
    """What a query would do besides reading the tables; None where it does nothing else.

    `formatted` is the one query as ClickHouse itself wrote it down again (`formatQuerySingleLine`): without comments,
    its texts in single quotes. `table_functions` are the names that this ClickHouse has, in small letters. `limits` are
    the greatest values that the query itself may set, where it does not run alone.
    """
    return next(_reasons(formatted, table_functions, limits or {}), None)


def _reasons(formatted: str, table_functions: frozenset[str], limits: Mapping[str, int]) -> Iterator[str]:
    names = list(_tokens(formatted))
    first = next((name for name in names if name not in {"(", ""}), "nothing")
    if first not in _READING:
        yield f"Cannot execute {first.upper()}: tables are readonly; ask with SELECT, WITH, SHOW, DESCRIBE or EXPLAIN"
    for at, name in enumerate(names):
        following = names[at + 1] if at + 1 < len(names) else ""
        if (name, following) in _CLAUSES:
            yield _CLAUSES[name, following]
        if name in _REACHING_OUT:
            yield f"{name!r} reaches out of the tables (to a file or the net); no query may name it"
        if name == _FILE_DATABASE:
            yield "the database 'default' is refused: its tables are files; the views are in 'tallybook'"
        if following == "(" and name in table_functions - HARMLESS_TABLE_FUNCTIONS:
            yield f"the table function {name!r} reaches out of the tables; a query reads only the views"
        if name == "format" and following.isidentifier() and at + 2 == len(names):
            yield "leave out the last clause, which names a format: --csv, --json and --parquet choose it"
        if name == "settings" and following and names[at + 2 : at + 3] == ["="]:
            yield from _refused_settings(names[at + 1 :], limits)


def _tokens(formatted: str) -> Iterator[str]:
    """Words, quoted names without their quotes and signs, in small letters; a text in quotes is an empty token."""
    for found in _TOKEN.finditer(formatted):
        if found["text"] is not None:
            yield ""
            continue
        inner = next((found[kind] for kind in ("tick", "quoted", "word") if found[kind] is not None), found[0])
        yield inner.lower()


def _refused_settings(tokens: list[str], limits: Mapping[str, int]) -> Iterator[str]:
    """What readers may not set in a SETTINGS clause, which is `name = value, name = value` and then ends."""
    at = 0
    while True:
        name, value = tokens[at], tokens[at + 2] if at + 2 < len(tokens) else "{"
        if name not in SETTINGS:
            yield f"Cannot execute with the setting {name!r} (readonly); there are: {', '.join(sorted(SETTINGS))}"
        if value and not value.isalnum():
            # A sign, a list or a parameter: what comes behind it could not be told from the next setting.
            yield f"the setting {name!r} takes a plain number or a text in quotes here"
        if name in limits and not (value.isascii() and value.isdigit() and 1 <= int(value) <= limits[name]):
            yield f"the setting {name!r} is at most {limits[name]:,} here, as a plain number"
        following = tokens[at + 3 : at + 5]
        if following[:1] != [","] or tokens[at + 5 : at + 6] != ["="]:
            if following and following[0] not in _AFTER_SETTINGS:
                yield f"the setting {name!r} takes a plain number or a text in quotes here"
            return
        at += 4
