"""Follows an inbox until asked to stop: takes its files in, and has the tables filled and served."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from books.files.disk import REAL_FILES, FilePort
from books.snapshots.due import POSTINGS_WHILE_FOLLOWING
from processors.intake.formats import Format
from processors.intake.mapping import ColumnMapping
from schemas.instants import format_instant
from tallybook.clock import Clock
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.folder.inputs import unknown_lines
from tallybook.folder.mapping_files import read_mapping
from tallybook.folder.publish_rules import ensure_published
from tallybook.folder.refusals import Refusals
from tallybook.folder.refused_in_parts import RefusedInParts
from tallybook.folder.session import Session, writing_session
from tallybook.follow.follower import Followed, Follower, received_until
from tallybook.follow.inbox import REFUSED, Inbox, Say
from tallybook.follow.spool import Spool, SpoolingThread
from tallybook.screen import counted, live_line, note
from tallybook.stop import Stop, stoppable
from tallybook.tables.filler import TableFiller

IDLE_SECONDS: Final = 0.02  # between two looks at an inbox that was empty
MAX_SPOOLED: Final = 64  # files that may wait; with more, standard input is not read, so that its writer waits too
LINE_SECONDS: Final = 1.0  # between two updates of the line on a terminal
LOG_SECONDS: Final = 10.0  # between two lines in a log, if anything was committed


def follow_folder(
    folder: Folder,
    clock: Clock,
    *,
    mapping: Path | None = None,
    descriptor: int | None = None,
    form: Format | None = None,
    processes: int = 1,
    say: Say = note,
    files: FilePort = REAL_FILES,
) -> Followed:
    """Take in what appears in the inbox, and on `descriptor` (standard input) if given, until asked to stop.

    Without a descriptor it goes on until SIGINT or SIGTERM; with one, it also ends when that does. Then the present
    round is committed, the tables are brought up to date, and snapshots are kept.

    Raises:
        FolderRefused: there is no inbox, or the folder's ruleset cannot be published.
        FolderHeld, BooksError: the books cannot be written.
        RulesetRefused, MappingRefused: the ruleset or the mapping has errors.
        OSError: the disk is full or fails; what was committed is kept.
    """
    if not folder.inbox.is_dir():
        raise FolderRefused(f"{folder.inbox} is not there: make that folder, and put files of events into it")
    columns = None if mapping is None else read_mapping(mapping)
    inbox = Inbox(folder.inbox, files, say)
    with ExitStack() as opened:
        stop = opened.enter_context(stoppable())
        session = opened.enter_context(writing_session(folder, clock(), processes))
        tables = TableFiller(folder.root, say, serves=True, is_notified=True)
        opened.callback(tables.kill)
        follower = _follower(folder, session, inbox, columns, tables, clock, say)
        spooling = _spool(folder, files, form, descriptor, inbox, clock)
        say(f"following {folder.inbox}: Ctrl-C (SIGINT) or SIGTERM stops it after the present round")
        following = _Following(follower, inbox, tables, session, say)
        following.run(clock, stop, spooling)
        tables.finish()
        follower.done.shared_keys = tables.shared_keys
        for line in (*unknown_lines(follower.unknown), following.summary()):
            say(line)
        return follower.done


def _follower(
    folder: Folder,
    session: Session,
    inbox: Inbox,
    columns: ColumnMapping | None,
    tables: TableFiller,
    clock: Clock,
    say: Say,
) -> Follower:
    """Make the follower of these books, after publishing a ruleset if there is none."""
    since = received_until(session.log)
    past = folder.consumed_cache().past(session.log)
    published = ensure_published(session.rounds, folder, max(clock(), since))
    if published is not None:
        session.rounds.commit([])
        say(f"ruleset {published.version} published, in force from {format_instant(published.effective_from)}")
    return Follower(
        session.rounds,
        inbox,
        horizon_ms=session.log.opened().horizon_ms,
        consumed=past.consumed,
        received_until=since,
        say=say,
        mapping=columns,
        refusals=Refusals(session.log, past),
        in_parts=RefusedInParts(session.log, past),
        on_commit=tables.on_commit,
    )


def _spool(
    folder: Folder, files: FilePort, form: Format | None, descriptor: int | None, inbox: Inbox, clock: Clock
) -> SpoolingThread | None:
    spool = Spool(folder.inbox, files, form or "json-lines", inbox.expect)
    spool.recover(clock())
    if descriptor is None:
        return None
    spooling = SpoolingThread(spool, descriptor, clock)
    spooling.start()
    return spooling


class _Following:
    """Runs the loop, and shows how it gets on."""

    def __init__(self, follower: Follower, inbox: Inbox, tables: TableFiller, session: Session, say: Say) -> None:
        self._follower = follower
        self._inbox = inbox
        self._tables = tables
        self._session = session
        self._say = say
        self._shown_facts = 0
        self._shown_at = time.monotonic()
        self._shown_commits = 0
        self._kept_postings = 0
        self._url = ""

    def run(self, clock: Clock, stop: Stop, spooling: SpoolingThread | None) -> None:
        """Go on until asked to stop, or until standard input has ended and everything is committed."""
        with live_line() as show:
            while not stop.is_asked:
                has_ended = spooling is not None and spooling.has_ended
                worked = self._follower.step(clock())
                self._tables.check()
                self._show(show)
                if spooling is not None:
                    spooling.check()
                    spooling.is_held = self._inbox.waiting > MAX_SPOOLED
                if not worked and has_ended and self._follower.is_idle:
                    break
                if not worked:
                    self._keep_snapshots()
                    time.sleep(IDLE_SECONDS)
        self._follower.finish(clock())
        if spooling is not None:
            spooling.stop()
            spooling.check()

    def summary(self) -> str:
        """Say in a line what was done."""
        done = self._follower.done
        parts = [counted(done.facts, "fact"), counted(done.postings, "posting"), counted(done.files, "file")]
        parts += [counted(done.rejects, "record") + " refused (tallybook rejects list)"] if done.rejects else []
        parts += [f"{done.refused_again:,} refused again, as before"] if done.refused_again else []
        parts += [counted(done.conflicts, "conflict") + " (tallybook status)"] if done.conflicts else []
        refused = done.files_refused
        parts += [counted(refused, "file") + f" refused ({self._inbox.folder / REFUSED})"] if refused else []
        return "stopped: " + ", ".join(parts)

    def _keep_snapshots(self) -> None:
        postings = self._follower.done.postings
        if postings - self._kept_postings >= POSTINGS_WHILE_FOLLOWING and self._follower.is_idle:
            self._session.keep_snapshots()
            self._kept_postings = postings

    def _show(self, show: Callable[[str], None] | None) -> None:
        if self._tables.url != self._url:
            self._url = self._tables.url
            if self._url:
                self._say(f"tables served at {self._url}")
        now = time.monotonic()
        passed = now - self._shown_at
        if passed < (LOG_SECONDS if show is None else LINE_SECONDS):
            return
        done = self._follower.done
        line = self._line((done.facts - self._shown_facts) / passed)
        if show is not None:
            show(line)
        elif done.commits != self._shown_commits:
            self._say(line)
        self._shown_at, self._shown_facts, self._shown_commits = now, done.facts, done.commits

    def _line(self, rate: float) -> str:
        done = self._follower.done
        committed = format_instant(done.committed_at) if done.committed_at else "none yet"
        tick = format_instant(self._follower.last_tick) if self._follower.last_tick else "none yet"
        return (
            f"{rate:,.0f} facts/s, {done.facts:,} in all; last commit {committed}; tick {tick}; "
            f"{counted(self._inbox.waiting, 'file')} waiting; {done.rejects:,} refused; "
            f"{counted(done.conflicts, 'conflict')}"
        )
