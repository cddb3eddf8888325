"""Runs something beside a test in a spawned process: what holds the tables of a folder, and serves them or not."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from projections.serving.serve import Served, serving
from projections.store import Address
from tallybook.folder.folder import Folder
from tallybook.tables.catch_up import project_folder

MAX_WAIT_SECONDS = 60.0


@contextmanager
def beside(work: Callable[[Path, Connection], None], root: Path) -> Iterator[Address | None]:
    """While the body runs, another process does this work on a folder; where it serves, if it does.

    It sends that, and ends when the other end of its connection is closed.
    """
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=work, args=(root, its), daemon=True)
    process.start()
    its.close()
    try:
        if not ours.poll(MAX_WAIT_SECONDS):
            raise AssertionError("the process does not open the tables")
        address: Address | None = ours.recv()
        yield address
    finally:
        ours.close()  # which ends it
        process.join(MAX_WAIT_SECONDS)
    if process.exitcode != 0:
        raise AssertionError(f"the process that held the tables ended with {process.exitcode}")


@contextmanager
def holding(root: Path, *, serves: bool) -> Iterator[Address | None]:
    """While the body runs, another process has the tables of `root` open, level with its books."""
    with beside(partial(_hold, serves=serves), root) as address:
        yield address


def _hold(root: Path, connection: Connection, *, serves: bool) -> None:
    os.environ["TZ"] = "UTC"
    folder = Folder(root)
    project_folder(folder)
    with ExitStack() as opened:
        store = opened.enter_context(folder.store())
        # The store of a folder is the embedded one, which can be served.
        address = opened.enter_context(serving(cast(Served, store))) if serves else None
        connection.send(address)
        # Until the other end is closed, or its process has died.
        connection.poll(None)
