"""The small programme in a process of its own, which holds the tables and serves them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from projections.clickhouse.client import open_chdb
from projections.clickhouse.migrate import migrate
from projections.projector import project
from projections.serving.serve import serving
from projections.store import Address
from schemas.posting import FIRST_EDITION
from tests.sql.bookkeeper import small_programme
from tests.sql.projected_books import rescored
from tests.support.holding import beside


@contextmanager
def served_programme(folder: Path) -> Iterator[Address]:
    """Where a spawned process serves the small programme, as long as the body runs."""
    with beside(_serve, folder) as address:
        assert address is not None
        yield address


def _serve(folder: Path, connection: Connection) -> None:
    os.environ["TZ"] = "UTC"
    with open_chdb(folder) as store:
        migrate(store)
        project(small_programme().books(), store, FIRST_EDITION)
        rescored(store)
        with serving(store) as address:
            connection.send(address)
            # Until the other end is closed, or its process has died.
            connection.poll(None)
