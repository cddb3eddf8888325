"""Finds what a person asks to have explained, an event first, else a member, and explains it."""

import difflib
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

import msgspec

from books.files.reader import FileLogReader
from books.log import LogReader
from schemas.facts import PurchaseRecorded
from schemas.pages import Reject
from schemas.posting import TICK_SOURCE
from tallybook.explain.event import explain_events
from tallybook.explain.member import explain_member
from tallybook.explain.model import EventExplained, MemberExplained, RejectState
from tallybook.explain.print_explanation import print_event, print_member, print_reject
from tallybook.explain.rejects import reject_states
from tallybook.explain.search import Found, Tables, ask_tables, find_event
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.open_books import open_books
from tallybook.screen import progress, say

_TICK: Final = "tick:"
MAX_SUGGESTIONS: Final = 3
MAX_MEMBERS_COMPARED: Final = 200_000


class UnknownId(FolderRefused):
    """Nothing in the books has this id; the message names the nearest that are known."""


class Explanation(msgspec.Struct):
    """What was found: events with the rejects of the same id, or a member."""

    events: list[EventExplained] = []
    rejects: list[Reject] = []
    states: dict[int, RejectState] = {}
    member: MemberExplained | None = None
    notes: list[str] = []

    @property
    def is_refused(self) -> bool:
        """Whether the event came no further than the rejects."""
        return bool(self.rejects) and not self.events

    def as_json(self) -> dict[str, Any]:
        """Give the same as plain data; of a reject's bytes only the beginning of their text."""
        rejects = [
            {name: getattr(one, name) for name in one.__struct_fields__ if name not in {"raw", "headers"}}
            | {"state": self.states[one.number]}
            for one in self.rejects
        ]
        content: dict[str, Any] = {"notes": self.notes}
        if self.member is not None:
            return content | {"member": msgspec.to_builtins(self.member)}
        return content | {"events": msgspec.to_builtins(self.events), "rejects": rejects}

    def show(self) -> None:
        """Print it for people."""
        for line in self.notes:
            say(line)
        for reject in self.rejects:
            print_reject(reject, self.states[reject.number])
        for at, event in enumerate(self.events):
            if at or self.rejects:
                say("")
            print_event(event)
        if self.member is not None:
            print_member(self.member)


def explain_what(
    folder: Folder, event: str, member_id: str, source: str, newest: int, *, only_events: bool
) -> Explanation:
    """Explain an event (perhaps only what it did to one member), or where there is none the member of that id.

    Without `event` the member is explained, with its `newest` facts.

    Raises:
        UnknownId: there is neither.
        BooksError: the folder has no books, or damaged ones.
    """
    with open_books(folder) as log, progress("reading the books", None) as tick:
        if not event:
            return _member(log, member_id, newest, tick)
        tables = ask_tables(folder, event)
        starts = tables.starts(log.partitions)
        found = find_event(log, event, source=source, member_id=member_id, starts=starts, on_line=tick)
        # The id of an entry, and of an event with its source, has a slash in it.
        may_be_member = not only_events and not member_id and not source and "/" not in event
        if not found.hits and not found.rejects and may_be_member:
            # No event and no order is called so: a member's own partition tells whether it is one.
            _refuse_tick(event)
            member = explain_member(log, event, newest, tick)
            if member is not None:
                return Explanation(member=member)
        if not found.hits and not found.rejects:
            # The tables know events and orders; entries, members and what is alike stand in the books alone.
            found = find_event(log, event, source=source, member_id=member_id, on_line=tick)
        if not found.hits and not found.rejects and not source and "/" in event:
            # As a statement and an explanation write it; a source has no slash.
            sender, _, event_id = event.partition("/")
            found = find_event(log, event_id, source=sender, member_id=member_id, on_line=tick)
        if found.hits or found.rejects:
            mended = folder.consumed_cache().past(log).mended if isinstance(log, FileLogReader) else ()
            return _events(log, event, found, tables, mended, tick)
        _refuse_tick(event)
        if may_be_member and event in found.members:
            return _member(log, event, newest, tick)
        raise UnknownId(_unknown(log, event, member_id, source, found.members))


def _refuse_tick(event: str) -> None:
    """Raises UnknownId for the id of a tick's postings, which is nothing that anybody sent."""
    tick_id = event.removeprefix(f"{TICK_SOURCE}/")
    if tick_id.startswith(_TICK):
        raise UnknownId(
            f"{event!r} is no event that anybody sent: it is due work, what Tallybook does by itself once its clock "
            "has passed an instant, such as letting points expire. Its entries name the lot; to see what awarded the "
            "points, ask for the id of one of these entries, or for the member."
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """The known names that look most like one, as the end of a sentence; empty if none does."""
    candidates = [one for one, _ in zip(sorted(known), range(MAX_MEMBERS_COMPARED), strict=False)]
    alike = difflib.get_close_matches(name, candidates, MAX_SUGGESTIONS)
    return f" Did you mean {' or '.join(alike)}?" if alike else ""


def _events(
    log: LogReader,
    event: str,
    found: Found,
    tables: Tables,
    mended: Collection[int],
    tick: Callable[[], object],
) -> Explanation:
    events = explain_events(log, found, tables.hold, tick)
    notes = [f"{event} is no event id; found by {found.known_by}"] if found.known_by != "event id" else []
    if len({one.source for one in events}) > 1:
        notes.append(f"{len(events)} sources sent an event {event}: choose one with --source")
    states = reject_states(found.rejects, found.hits, events, mended)
    return Explanation(events, found.rejects, states, notes=notes)


def _member(log: LogReader, member_id: str, newest: int, tick: Callable[[], object]) -> Explanation:
    member = explain_member(log, member_id, newest, tick)
    if member is None:
        raise UnknownId(unknown_member(log, member_id))
    return Explanation(member=member)


def unknown_member(log: LogReader, member_id: str) -> str:
    """The message for a member that no fact names."""
    members = {line.member_id for n in range(log.partitions) for _, page in log.read_journal(n) for line in page.lines}
    return f"no fact names a member {member_id!r}.{nearest(member_id, (one for one in members if one is not None))}"


def _unknown(log: LogReader, event: str, member_id: str, source: str, members: set[str]) -> str:
    where = "".join(f" {word} {value!r}" for word, value in (("of source", source), ("for member", member_id)) if value)
    events = {
        line.fact.event_id
        for n in range(log.partitions)
        for _, page in log.read_journal(n)
        for line in page.lines
        if line.member_id is not None or isinstance(line.fact, PurchaseRecorded)
        if hasattr(line.fact, "event_id")
    }
    hint = nearest(event, events | members)
    return (
        f"neither the journal nor the rejects hold an event {event!r}{where}, and no member has this id.{hint} "
        "If it was sent, see whether its file was taken in: `tallybook status`. The books do not keep rows that a "
        "mapping leaves out (only, leave_out, ends_at): `tallybook check FILE --mapping MAPPING` counts them, and says "
        "for which values."
    )
