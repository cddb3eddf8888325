"""Errors of the books; each message names the file, what is wrong with it, and what to do."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

NOTHING_CHANGED = "Nothing was changed."


class BooksError(Exception):
    """The books cannot be used as they are; the message says which file, what is wrong and what to do."""

    def __reduce__(self) -> tuple[object, ...]:
        # An error may be sent to another process, and its arguments are not those that Exception remembers.
        return _rebuilt, (type(self), str(self), self.__dict__)


def _rebuilt(kind: type[BooksError], message: str, fields: dict[str, object]) -> BooksError:
    error = kind.__new__(kind, message)
    error.__dict__.update(fields)
    return error


class BooksForeign(BooksError):
    """No books of Tallybook, or those of another deployment, generation or layout."""

    def __init__(self, place: Path | str, what: str, to_do: str) -> None:
        super().__init__(f"{place}: {what}. {to_do} {NOTHING_CHANGED}")


class BooksExist(BooksError):
    """There are books in the folder already, so none can be created there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} has books already. Use them, or name another folder. {NOTHING_CHANGED}")


class BooksDamaged(BooksError):
    """A book was changed, cut short or removed by something else than Tallybook.

    `file` is relative to the folder of the books, `offset` in bytes (None where the damage has no place in a file).
    """

    def __init__(self, file: str, offset: int | None, what: str, to_do: str = "") -> None:
        self.file = file
        self.offset = offset
        to_do = to_do or "Restore the whole folder from one backup, or import again into a fresh folder."
        at = "" if offset is None else f" at byte {offset:,}"
        super().__init__(f"{file}{at}: {what}. {to_do} {NOTHING_CHANGED}")


class UnknownEdition(BooksError):
    """The ledger has no such edition (yet)."""

    def __init__(self, edition: str, known: tuple[str, ...]) -> None:
        super().__init__(f"The ledger has no edition {edition!r}; it has {', '.join(known) or 'none'}.")


class NoSuchPosition(BooksError):
    """A position that is no place between two records of this book: one kept from other or older books."""

    def __init__(self, file: str, position: int) -> None:
        super().__init__(f"{file} has no record boundary at position {position:,}; start from 0 instead.")


class LockHolder(msgspec.Struct, frozen=True):
    """Who holds a folder: what its lock file says. `started_at` is in UTC milliseconds since 1970."""

    pid: int
    host: str
    started_at: int
    command: str


class FolderHeld(BooksError):
    """Another process writes these books; `holder` is None while it has not yet said who it is."""

    def __init__(self, folder: Path, holder: LockHolder | None) -> None:
        self.holder = holder
        super().__init__(f"{folder} is in use by {_described(holder)}. Wait until it ends, or stop it.")


def _described(holder: LockHolder | None) -> str:
    if holder is None:
        return "another process that is just starting or ending"
    try:
        since = datetime.fromtimestamp(holder.started_at // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        since = "an unknown time"
    return f"process {holder.pid} on {holder.host} since {since} ({holder.command})"
