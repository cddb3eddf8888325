"""Puts together the statements that make rows of staged records, and leaves out those that would make none."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from projections.clickhouse.staging import fact_types
from projections.sql_files import sql_file, sql_files
from projections.store import LEDGER, TABLES

# Both give one row with a column `found`: the types of the facts, or the tables, that the staged records have rows for.
KINDS: Final = "SELECT groupUniqArray(toString(variantType(said))) AS found FROM {staged:Identifier}"
FILLED: Final = sql_file("staging", "filled_tables").statement
_MAYBE_EMPTY: Final = ("members", "lot_states", "check_in_days")
_NEEDS: Final = {"fact_lines": "PurchaseRecorded", "rulesets": "RulesetPublished", "ticks": "ClockTicked"}
# In the files a kind of fact stands for the type by which ClickHouse knows it.
_KIND_AS_NAME: Final = re.compile(r"`(\w+)`")
_KIND_AS_TEXT: Final = re.compile(r"\{([A-Z]\w+):String\}")


def insert_statement(table: str, found: frozenset[str]) -> str | None:
    """What inserts the rows of a table, given what was found in the staged records (see KINDS and FILLED).

    None where there are no rows. The statement takes `staged`, `edition` and `partitions`.
    """
    if table in TABLES[LEDGER]:
        return _statement(table) if table in found or table not in _MAYBE_EMPTY else None
    types = fact_types()
    if table == "facts":
        kinds = tuple(kind for kind in _kinds() if types[kind] in found)
        return _facts(kinds) if kinds else None
    return _statement(table) if table not in _NEEDS or types[_NEEDS[table]] in found else None


def lines_statement() -> str:
    """What lays the lines of staged pages (`staged`) into another table (`lines`), whose columns line_columns gives."""
    return _journal_lines()


@cache
def line_columns() -> str:
    """The columns of a table of journal lines, as CREATE TABLE takes them."""
    said = ", ".join(sorted(fact_types().values()))
    return (
        "partition Int64, page Int64, line UInt32, member_id String, received_at DateTime64(3), input String, "
        f"record Int64, said Variant({said})"
    )


@cache
def _journal_lines() -> str:
    return sql_file("staging", "journal_lines").statement


@cache
def _kinds() -> tuple[str, ...]:
    return tuple(file.name for file in sql_files("facts_of"))


@cache
def _facts(kinds: tuple[str, ...]) -> str:
    selects = [_with_types(sql_file("facts_of", kind).statement) for kind in kinds]
    return "\n".join((sql_file("inserts", "facts").statement, "\nUNION ALL\n".join(selects)))


@cache
def _statement(table: str) -> str:
    return _with_types(sql_file("inserts", table).statement)


def _with_types(statement: str) -> str:
    types = fact_types()
    named = _KIND_AS_NAME.sub(lambda found: f"`{types[found[1]]}`", statement)
    return _KIND_AS_TEXT.sub(lambda found: f"'{types[found[1]]}'", named)
