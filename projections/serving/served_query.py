"""Runs a query from outside: it may only read, within limits that leave the process room for its own work."""

import os
import re
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from projections.clickhouse.query_guard import AROUND, FORMATTED, SETTINGS, TABLE_FUNCTIONS, why_refused
from projections.clickhouse.sessions import Answer
from projections.serving.http_errors import Refused, refused_by_engine
from projections.serving.http_request import Request
from projections.serving.native_blocks import MAX_BYTES, REVISION, TypeNotKnown, with_additions
from projections.store import QueryFailed

VIEWS: Final = "tallybook"
MAX_SECONDS: Final = 60
MAX_MEMORY_BYTES: Final = 2 << 30
# The whole answer is gathered before its first byte is sent, so that an error is not sent as half an answer.
MAX_RESULT_BYTES: Final = 256 << 20
# Half of the cores are left for the process's own work.
MAX_THREADS: Final = max(1, (os.cpu_count() or 1) // 2)
# A query may set lower limits for itself; higher ones are cut to these.
LIMITS: Final[Mapping[str, int]] = {
    "max_execution_time": MAX_SECONDS,
    "max_memory_usage": MAX_MEMORY_BYTES,
    "max_result_bytes": MAX_RESULT_BYTES,
    "max_threads": MAX_THREADS,
}
# Beyond these a query sorts and groups on disk instead of failing.
_SPILLING: Final = {
    "max_bytes_before_external_group_by": str(MAX_MEMORY_BYTES // 2),
    "max_bytes_before_external_sort": str(MAX_MEMORY_BYTES // 2),
}
# Settings of the form of an answer, and what clients send on connecting. `output_format_schema` would write a file.
_FORMS: Final = (
    "date_time_", "output_format_arrow_", "output_format_binary_", "output_format_csv_", "output_format_decimal_",
    "output_format_json_", "output_format_native_", "output_format_parquet_", "output_format_pretty_",
    "output_format_tsv_",
)  # fmt: skip
_HARMLESS: Final = frozenset({
    "any_join_distinct_right_table_keys", "cast_string_to_dynamic_use_inference", "extremes", "format_csv_delimiter",
    "group_by_overflow_mode", "join_overflow_mode", "limit", "max_rows_to_group_by", "max_rows_to_sort", "offset",
    "read_overflow_mode", "result_overflow_mode", "session_timezone", "short_circuit_function_evaluation",
    "sort_overflow_mode", "timeout_overflow_mode",
})  # fmt: skip
_READONLY: Final = 164
_RAW: Final = "TabSeparatedRaw"
_FORMAT: Final = re.compile(r"(?P<query>.*)\sFORMAT (?P<name>\w+)", re.DOTALL)
_FORMAT_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
DEFAULT_FORMAT: Final = "TabSeparated"
# ClickHouse looks whether its own process has a terminal; who asks over HTTP has another one.
_DEFAULTS: Final = {"output_format_pretty_color": "0"}


class Asks(Protocol):
    """Where queries are asked; `Sessions` of the embedded engine, and a fake in tests."""

    def ask(
        self,
        query: str,
        output_format: str,
        *,
        parameters: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        database: str = "",
        mark: str = "",
    ) -> Answer:
        """Run one query that can change nothing, from any thread (see Sessions). Raises QueryFailed."""

    def kill(self, mark: str) -> None:
        """End the query with this mark, if it still runs."""

    def close(self) -> None:
        """Ask nothing any more; what runs goes on."""


class Reply(msgspec.Struct, frozen=True):
    """An answer, and the format it is in."""

    answer: Answer
    output_format: str


class Guarded:
    """Asks only what reads, within the limits."""

    def __init__(self, asks: Asks) -> None:
        self._asks = asks
        names = asks.ask(TABLE_FUNCTIONS, _RAW).content.decode("utf-8")
        self._table_functions = frozenset(names.split())

    def reply(self, request: Request, mark: str) -> Reply:
        """The answer of a request, by a query that `kill` finds by `mark`; raises Refused if it may not, or fails."""
        settings = bounded(request.settings)
        try:
            query, output_format = self._checked(request.query)
            output_format = output_format or request.default_format or DEFAULT_FORMAT
            if _FORMAT_NAME.fullmatch(output_format) is None:
                raise Refused(36, f"{output_format!r} is no name of a format")
            is_newer = output_format == "Native" and request.protocol >= REVISION
            # A client that names no database is in `default`, which in this engine is the file system.
            database = VIEWS if request.database in {"", "default", "__default__"} else request.database
            answer = self._asks.ask(
                f"{query}\nFORMAT {output_format}",
                DEFAULT_FORMAT,
                parameters=request.parameters,
                settings=settings,
                database=database,
                mark=mark,
            )
        except QueryFailed as error:
            raise refused_by_engine(str(error)) from error
        return Reply(_with_additions(answer) if is_newer else answer, output_format)

    def kill(self, mark: str) -> None:
        """End the query with this mark, if it still runs."""
        self._asks.kill(mark)

    def _checked(self, query: str) -> tuple[str, str]:
        """The query as ClickHouse writes it, which is what will run, and the format it names ("" for none)."""
        if not query.strip():
            raise Refused(62, "the query is empty")
        try:
            written = self._asks.ask(FORMATTED, _RAW, parameters={"query": _escaped(query)}).content.decode("utf-8")
        except QueryFailed as error:
            raise QueryFailed(AROUND.sub("", str(error))) from error
        written = written.removesuffix("\n")
        named = _FORMAT.fullmatch(written)
        plain, output_format = (written, "") if named is None else (named["query"], named["name"])
        if (reason := why_refused(plain, self._table_functions, LIMITS)) is not None:
            raise Refused(_READONLY, f"refused: {reason}")
        return plain, output_format


def _with_additions(answer: Answer) -> Answer:
    if len(answer.content) > MAX_BYTES:
        raise Refused(307, f"an answer in this protocol has at most {MAX_BYTES:,} bytes: ask for fewer rows or columns")
    try:
        return msgspec.structs.replace(answer, content=with_additions(answer.content))
    except TypeNotKnown as unknown:
        raise Refused(48, str(unknown)) from unknown


def bounded(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings of a request, cut to our limits; raises Refused for one that is unknown here, or no number."""
    found = {name: str(limit) for name, limit in LIMITS.items()} | _SPILLING | _DEFAULTS
    for name, value in settings.items():
        if name == "readonly":
            if value not in {"1", "2"}:
                raise Refused(_READONLY, "Cannot modify 'readonly' setting in readonly mode.")
        elif name in LIMITS:
            if not (value.isascii() and value.isdigit()):
                raise Refused(36, f"the setting {name} takes a whole number here, not {value!r}")
            found[name] = str(min(int(value) or LIMITS[name], LIMITS[name]))  # 0 asks for no limit
        elif name in SETTINGS or name in _HARMLESS or name.startswith(_FORMS):
            found[name] = value
        else:
            raise Refused(_READONLY, f"Cannot modify {name!r} setting in readonly mode: readers may not set it.")
    return found


def _escaped(text: str) -> str:
    """A text as a parameter of ClickHouse is written: its own escapes and no tab or line end as such."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
