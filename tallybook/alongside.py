"""Fills the tables in a second process while an import is still going on: what is committed is already true."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

POLL_SECONDS: Final = 0.05
STOP_SECONDS: Final = 600.0


class Alongside:
    """What the child did, known when the body has ended: postings brought in, and seconds spent on it."""

    def __init__(self) -> None:
        self.postings = 0
        self.seconds = 0.0


@contextmanager
def projecting_alongside(root: Path) -> Iterator[Alongside]:
    """While the body runs, a child process projects whatever it commits into the tables of the folder `root`.

    The child only runs ahead: whoever reads next brings in what it left, and meets any error that it met. It is
    spawned, because an embedded ClickHouse does not survive a fork.
    """
    context = multiprocessing.get_context("spawn")
    done, told = context.Event(), Alongside()
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_follow, args=(root, done, sender), daemon=True)
    # Ctrl-C reaches both processes. It is for this one alone to answer, from the child's first moment on, and a child
    # inherits what is ignored.
    answer = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child.start()
    finally:
        signal.signal(signal.SIGINT, answer)
    sender.close()
    try:
        yield told
        done.set()
        child.join(STOP_SECONDS)
        with suppress(EOFError):  # the child died: whoever reads next meets its error
            if receiver.poll():
                told.postings, told.seconds = receiver.recv()
    finally:
        if child.is_alive():
            child.kill()
            child.join()
        receiver.close()


def _follow(root: Path, done: Event, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["TZ"] = "UTC"  # see tallybook.cli
    from projections.projector import project
    from tallybook.folder import EDITION, Folder
    from tallybook.garbage import collect_seldom

    collect_seldom()
    folder = Folder(root)
    postings, seconds = 0, 0.0
    with folder.reading() as log, folder.store() as store:
        last = -1
        while True:
            ending = done.is_set()
            log.refresh()
            committed = log.committed()
            if committed is not None and committed.number != last:
                last = committed.number
                started = time.perf_counter()
                postings += project(log, store, EDITION, lambda _: None).postings
                seconds += time.perf_counter() - started
            elif ending:
                break
            else:
                time.sleep(POLL_SECONDS)
    sender.send((postings, seconds))
