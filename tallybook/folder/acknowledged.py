"""Keeps in a folder which rows of its audits a person has acknowledged, who it was, and why; it only ever grows."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from books.files.disk import REAL_FILES
from projections.audits.run import KEY, Audited, may_be_acknowledged, row_text
from projections.sql_files import sql_files
from projections.store import Row
from schemas.instants import format_instant
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.screen import note

FILE: Final = "acknowledged.jsonl"
MAX_KEYS_NAMED: Final = 10


class Acknowledgement(msgspec.Struct, frozen=True):
    """One row of an audit that `by` has acknowledged; `at` is RFC 3339. What the key finds later is another row."""

    audit: str
    key: str
    reason: str
    by: str
    at: str
    row: dict[str, Any]


class NotAcknowledged(FolderRefused):
    """This cannot be acknowledged; the message says why and what to do."""


def read_acknowledged(folder: Folder) -> list[Acknowledgement]:
    """Read what was acknowledged in a folder, in order; a line that cannot be read is told, and counts for nothing."""
    file = folder.root / FILE
    found = []
    lines = file.read_bytes().splitlines() if file.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(msgspec.json.decode(line, type=Acknowledgement))
        except (msgspec.DecodeError, UnicodeDecodeError):
            note(f"{file}, line {number} is no acknowledgement and counts for nothing: acknowledge its row again")
    return found


def by_audit(acknowledged: Iterable[Acknowledgement]) -> dict[str, dict[str, Acknowledgement]]:
    """Give what was acknowledged by audit and by row, as `row_text` writes it; the last one of a row stands."""
    found: dict[str, dict[str, Acknowledgement]] = {}
    for one in acknowledged:
        found.setdefault(one.audit, {})[row_text(one.row)] = one
    return found


def require_audit(folder: Folder, name: str) -> str:
    """Find an audit whose rows may be acknowledged, by the name that `audit` shows.

    Raises:
        NotAcknowledged: there is none of this name, or no person can acknowledge what it finds.
    """
    if folder.is_stream:
        raise NotAcknowledged(
            f"the books of {folder.root} are on Kafka, where the audits have no folder that all machines share to keep "
            "an acknowledgement in. Have the publisher mend its keys, and compare the keys in `tallybook audit --json` "
            "with a list of your own. Nothing was changed."
        )
    audits = {audit.name: audit for audit in sql_files("audits")}
    wanted = name.replace(" ", "_")
    if wanted in audits and may_be_acknowledged(audits[wanted]):
        return wanted
    those = ", ".join(sorted(audit.name for audit in audits.values() if may_be_acknowledged(audit)))
    said = (
        f"{wanted} proves that the books or the tables are sound, which nobody can acknowledge: see docs/ops.md for "
        "what to do about it. These can be"
        if wanted in audits
        else f"there is no audit {name!r}. These can be acknowledged"
    )
    raise NotAcknowledged(f"{said}: {those}. Nothing was changed.")


def chosen_rows(audited: Audited, keys: Sequence[str]) -> list[Row]:
    """Give the rows of these keys (of no keys: all rows) that are not acknowledged yet.

    Raises:
        NotAcknowledged: the audit did not find a key.
    """
    if not keys:
        return audited.rows
    known = {str(row[KEY]) for row in audited.acknowledged}
    found = {str(row[KEY]): row for row in audited.rows}
    missing = [key for key in keys if key not in known and key not in found]
    if missing:
        shown = ", ".join(repr(key) for key in list(found)[:MAX_KEYS_NAMED]) or "none that is not acknowledged yet"
        raise NotAcknowledged(
            f"{audited.name} does not find {', '.join(map(repr, missing))}. It finds: {shown}"
            f"{' and more' if len(found) > MAX_KEYS_NAMED else ''}; see `tallybook audit`. Nothing was changed."
        )
    return [found[key] for key in dict.fromkeys(keys) if key in found]


def acknowledge_rows(folder: Folder, audit: str, rows: Iterable[Row], *, reason: str, by: str, now: int) -> None:
    """Append one line for each row, and wait until the disk has them; `now` is UTC ms."""
    at = format_instant(now)
    said = [Acknowledgement(audit, str(row[KEY]), reason, by, at, row) for row in rows]
    file = folder.root / FILE
    torn = file.exists() and not file.read_bytes().endswith(b"\n")  # a process was killed while it wrote
    appended = REAL_FILES.open_append(file)
    try:
        appended.append(b"\n" * torn + b"".join(msgspec.json.encode(one) + b"\n" for one in said))
        appended.fsync()
    finally:
        appended.close()
    REAL_FILES.sync_folder(folder.root)
