"""The one file that knows chdb itself: read-only sessions beside the store's own, in threads of the same process.

Sessions of one engine run at the same time and release Python's lock, so a long query does not stop the inserts of the
process. A session costs a fraction of a millisecond, so each query has one of its own and leaves nothing behind.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from projections.store import QueryFailed


@contextmanager
def _as_if_not_installed(library: str) -> Iterator[None]:
    """Let an import of the library within the body fail, unless it is loaded already."""
    if library in sys.modules:
        yield
        return
    sys.modules[library] = None  # type: ignore[assignment] # by which Python marks a module that is not to be found
    try:
        yield
    finally:
        del sys.modules[library]


# chDB imports Arrow, and NumPy with it, wherever it is installed, for formats that nobody asks for here: half of the
# time that it takes to load.
with _as_if_not_installed("pyarrow"):
    import chdb

# For every session that reads: a row is the same row whenever it was written, so its copies never lie in two partitions
# of a table.
READING: Final = {"do_not_merge_across_partitions_select_final": "1"}
Texts = Mapping[str, str]
_SETTING_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
# The part of an error's text that is ClickHouse's own message.
_MESSAGE: Final = re.compile(r"Code: \d+\..*", re.DOTALL)


class Answer(msgspec.Struct, frozen=True):
    """The bytes of an answer, and what was read for it."""

    content: bytes
    rows_read: int
    bytes_read: int


class Sessions:
    """Asks the engine that this process has open at `path`, from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._is_closed = False

    def ask(
        self,
        query: str,
        output_format: str,
        *,
        parameters: Texts | None = None,
        settings: Texts | None = None,
        database: str = "",
        mark: str = "",
    ) -> Answer:
        """Run one query in a session of its own that can change nothing.

        Args:
            parameters: `{name:Type}` takes `parameters[name]`, written as in ClickHouse's HTTP interface.
            settings: set for this query; the caller has checked their names.
            database: the one of names without a database.
            mark: by which `kill` finds the query; letters and digits.

        Raises:
            QueryFailed: the message is ClickHouse's own.
        """
        if self._is_closed:
            raise QueryFailed("the tables are no longer open in this process")
        try:
            session: Any
            with closing(chdb.connect(self._path)) as session:
                if database:
                    session.query(f"USE {_quoted_name(database)}")
                session.query(_set({**READING, **(settings or {}), "readonly": "2"}))
                found = session.query(f"/* {mark} */ {query}", output_format, params=dict(parameters or {}))
                return Answer(found.bytes() or b"", found.rows_read(), found.bytes_read())
        except RuntimeError as error:
            found = _MESSAGE.search(str(error))
            raise QueryFailed(found[0] if found else str(error)) from error

    def kill(self, mark: str) -> None:
        """End the query with this mark, if it still runs."""
        if self._is_closed:
            return
        session: Any
        with closing(chdb.connect(self._path)) as session:
            session.query(f"KILL QUERY WHERE startsWith(query, '/* {mark} */') ASYNC", "Null")

    def close(self) -> None:
        """Refuse all further queries: a new session would open the engine again, without the lock."""
        self._is_closed = True


def _set(settings: Texts) -> str:
    for name in settings:
        if _SETTING_NAME.fullmatch(name) is None:
            raise AssertionError(f"{name!r} was not checked to be a setting's name")
    return "SET " + ", ".join(f"{name} = {_quoted_text(value)}" for name, value in settings.items())


def _quoted_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _quoted_name(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
