"""Answers SQL queries of the tables: one in a format, or many at a prompt that goes on after a mistake."""

import contextlib
import re
import sys
from typing import Final, Protocol

from projections.store import QueryFailed
from tallybook.screen import note

FORMATS: Final = {"table": "PrettyCompactMonoBlock", "csv": "CSVWithNames", "parquet": "Parquet", "json": "JSONEachRow"}
MAX_MESSAGE: Final = 2_000
_COLOUR: Final = re.compile(rb"\x1b\[[0-9;]*m")
_FIRST: Final = "tallybook> "
_MORE: Final = "       ... "
_LEAVE: Final = frozenset({"exit", "quit", "\\q"})


class Asked(Protocol):
    """What a query needs of a Store."""

    def export(self, query: str, output_format: str) -> bytes:
        """The answer of a query in a format of ClickHouse, read-only. Raises QueryFailed."""


def answer(store: Asked, query: str, form: str, *, plain: bool = False) -> bytes:
    """Answer one query in a format of ClickHouse (see FORMATS).

    `plain` takes the colours out that ClickHouse gives a table when this process has a terminal.

    Raises:
        QueryFailed: the message is ClickHouse's own, cut to what helps.
    """
    try:
        content = store.export(query.strip().removesuffix(";"), form)
        if form == FORMATS["json"]:
            return _array(content)
        return _COLOUR.sub(b"", content) if plain and form == FORMATS["table"] else content
    except QueryFailed as error:
        raise QueryFailed(_shortened(str(error))) from error


def prompt(store: Asked, form: str) -> None:
    """Ask for queries, each ended by `;`, until the input ends or the person leaves."""
    with contextlib.suppress(ImportError):
        # Where Python has it, arrow keys move through the line and through earlier queries.
        import readline  # noqa: F401 imported for what it does to input()
    note("One query, ended by ;   SHOW TABLES; lists the views, DESCRIBE balances; their columns, exit leaves.")
    while (query := _read_query()) is not None:
        try:
            sys.stdout.buffer.write(answer(store, query, form))
            sys.stdout.flush()
        except QueryFailed as error:
            note(str(error))


def _read_query() -> str | None:
    """Read the next query; None at the end of the input, or if the person leaves."""
    lines: list[str] = []
    while True:
        try:
            line = input(_MORE if lines else _FIRST)
        except EOFError:
            note("")
            return None
        except KeyboardInterrupt:
            note("")
            lines = []
            continue
        if not lines and line.strip().rstrip(";").lower() in _LEAVE:
            return None
        if lines or line.strip():
            lines.append(line)
        if line.rstrip().endswith(";"):
            return "\n".join(lines)


def _array(lines: bytes) -> bytes:
    """Join JSON objects, each on a line of its own, into one array."""
    objects = [line for line in lines.split(b"\n") if line]
    return b"[\n" + b",\n".join(objects) + b"\n]\n" if objects else b"[]\n"


def _shortened(message: str) -> str:
    """Cut off the end of ClickHouse's message, which lists every word of its grammar."""
    text = re.sub(r"\s*FORMAT \w+\s*$", "", message.partition(". Expected one of:")[0]).rstrip(" .")
    return text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}…"
