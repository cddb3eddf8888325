"""Finds a folder's kept rejects by number or reason, and imports one again."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from processors.intake.door import admit_json
from processors.intake.input_files import open_input
from processors.intake.refusal import EVENT_HEADER, event_of, one_line
from schemas.instants import format_instant
from schemas.pages import Reject
from tallybook.folder.came_in import came_in_after
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.folder.import_files import Imported, import_inputs
from tallybook.screen import note

TO_MEND_A_TABLE: Final = (
    "mend the table and import it again, or write the event as one JSON object (`tallybook example purchase` shows "
    "one) and give it to `tallybook rejects resubmit`"
)
TABLES: Final = (".csv", ".tsv", ".parquet")


class UnknownReject(FolderRefused):
    """There is no reject of this number."""


class KeptRejects(msgspec.Struct):
    """Rejects in order of their numbers, how many there are of each reason, and which were sent again."""

    rejects: list[Reject]
    by_reason: dict[str, int]
    sent_again: frozenset[int]


def kept_rejects(folder: Folder, reason: str = "") -> KeptRejects:
    """Read all rejects of a folder, or those of one reason. Raises BooksError where there are no sound books."""
    with folder.reading() as log:
        found = [reject for _, batch in log.read_rejects() for reject in batch]
        sent_again = folder.consumed_cache().past(log).mended
    sent_again |= {reject.resubmit_of for reject in found if reject.resubmit_of}
    chosen = [reject for reject in found if reason in ("", reject.reason)]
    if reason and not chosen and found:
        known = ", ".join(sorted({reject.reason for reject in found}))
        raise UnknownReject(f"there is no reject with reason {reason!r}; the reasons here are: {known}")
    counts = Counter(reject.reason for reject in found)
    return KeptRejects(chosen, dict(counts.most_common()), frozenset(sent_again))


def came_in(folder: Folder, rejects: Sequence[Reject]) -> frozenset[int]:
    """The numbers of those rejects whose event came in since: one of the same source and event id, in a mended file.

    A `conflict` is left out: it is refused for that very event. The journal is read if there is anything to look for.
    """
    asked = [one for one in rejects if one.source and one.event_id and one.reason != "conflict"]
    if not asked:
        return frozenset()
    with folder.reading() as log:
        return came_in_after(log, asked)


def reject_named(kept: KeptRejects, number: int) -> Reject:
    """Find the reject of a number; raises UnknownReject where there is none."""
    for reject in kept.rejects:
        if reject.number == number:
            return reject
    last = kept.rejects[-1].number if kept.rejects else 0
    there = f"their numbers go from 1 to {last}" if last else "there are none here"
    raise UnknownReject(f"there is no reject {number}; {there}: see `tallybook rejects list`")


def reject_row(reject: Reject, sent_again: frozenset[int]) -> dict[str, Any]:
    """A reject without its bytes, as people read it; instants as RFC 3339."""
    row = {
        name: getattr(reject, name)
        for name in ("number", "reason", "field", "message", "input_name", "record", "at_line", "fact_type", "source")
    }
    return row | {
        "event_id": reject.event_id,
        "received_at": format_instant(reject.received_at) if reject.received_at else "",
        "resubmit_of": reject.resubmit_of,
        "sent_again": reject.number in sent_again,
        "raw_bytes": len(reject.raw),
    }


def is_of_table(reject: Reject) -> bool:
    """Whether the original bytes are rows of a table, which cannot be imported again as they are."""
    return EVENT_HEADER in reject.headers or reject.input_name.lower().endswith(TABLES)


def resubmit_event(
    folder: Folder, number: int, mended: bytes | None, *, now: int, accept_too_old: bool = False
) -> Imported:
    """Import a reject again, as `mended` JSON or as it was; `now` is the door's clock in UTC ms.

    Raises:
        UnknownReject: there is no such reject.
        FolderRefused: it would be too old, and `accept_too_old` was not given; or there is nothing to send.
        FolderHeld, BooksError: the books cannot be written.
    """
    kept = kept_rejects(folder)
    reject = reject_named(kept, number)
    if mended is None and is_of_table(reject) and EVENT_HEADER not in reject.headers:
        raise FolderRefused(f"reject {number} is of a table: {TO_MEND_A_TABLE}")
    event = event_of(reject) if mended is None else one_line(mended)
    if not event:
        raise FolderRefused(f"there is nothing to send for reject {number}: give the mended event as one JSON object")
    warn_of_another(reject, event)
    with tempfile.TemporaryDirectory(prefix="tallybook-") as scratch:
        file = Path(scratch) / "event.jsonl"
        file.write_bytes(event + b"\n")
        return import_inputs(
            folder,
            [open_input(file, "json-lines", None, f"reject {number}")],
            now=now,
            accept_too_old=accept_too_old,
            resubmit_of=number,
        )


def warn_of_another(reject: Reject, event: bytes) -> None:
    """Warn if a mended event has another source or id than the reject had: then both could count."""
    admitted = admit_json(event)
    for name, before, after in (
        ("source", reject.source, admitted.source),
        ("event_id", reject.event_id, admitted.event_id),
    ):
        if before and after and before != after:
            note(f"{name} was {before!r} in reject {reject.number} and is {after!r} now: that names another event")
