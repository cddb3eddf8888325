"""A writing session: the folder's lock, the books, and desks brought back to their end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from books.log import LogWriter
from processors.recovery import recover_desk, save_snapshot
from processors.rounds import Rounds
from processors.shares import DeskShare
from tallybook.folder import EDITION, Folder, load_published
from tallybook.importer import new_desks
from tallybook.screen import note, progress

# Fewer new postings than this are read again sooner than a snapshot of all accounts is written.
SNAPSHOT_AFTER_POSTINGS: Final = 5_000


class Session:
    """Open books and the rounds that may be written to them."""

    def __init__(self, log: LogWriter, rounds: Rounds) -> None:
        self.log = log
        self.rounds = rounds


@contextmanager
def writing_session(folder: Folder, now: int) -> Iterator[Session]:
    """Hold the folder, recover every partition, and keep snapshots of what was decided on the way out.

    Raises:
        FolderHeld: another process holds the folder.
        BooksError: the folder has no books, or damaged ones.
    """
    with folder.writing(now) as log:
        snapshots = folder.snapshot_store()
        desks = new_desks(log, load_published)
        with progress("reading the books", None) as tick:
            places = [recover_desk(log, EDITION, desk, snapshots, tick) for desk in desks]
        share = DeskShare(log, desks, EDITION, places)
        rounds = Rounds(log, [share], share.last_tick, share.publications)
        before = sum(desk.number for desk in desks)
        yield Session(log, rounds)
        if sum(desk.number for desk in desks) - before >= SNAPSHOT_AFTER_POSTINGS:
            try:
                for desk, place in zip(desks, share.places(), strict=True):
                    save_snapshot(snapshots, log.opened(), EDITION, desk, place)
            except OSError as error:
                # All that was decided is committed; a cache that cannot be written costs only time at the next start.
                note(f"{folder.snapshots}: {error.strerror}; the next start reads the books instead of a snapshot")
