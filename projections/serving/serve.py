"""Lets others read while one process holds the tables: a read-only part of ClickHouse's HTTP interface, on loopback.

`with serving(store) as address:` is all there is to call. It answers from threads of its own, each query in a session
of its own, and puts port and token into the lock file of the store, where readers of the same folder find them.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from projections.serving.clickhouse_http import LIMITS, ClickHouseSite
from projections.serving.http_server import HttpServer
from projections.serving.running_queries import Running
from projections.serving.served_query import Asks, Guarded
from projections.store import Address

_TOKEN_BYTES: Final = 32


class Served(Protocol):
    """The part of an opened store that serving needs."""

    def sessions(self) -> Asks:
        """Where queries of others are asked, beside the store's own."""

    def announce(self, address: Address | None) -> None:
        """Tell the readers of the folder where it is served; None: no longer."""


@contextmanager
def serving(store: Served, *, port: int = 0, token: str | None = None) -> Iterator[Address]:
    """Serve the store while the body runs, on a free port of 127.0.0.1, to whoever gives the token.

    Args:
        port: 0 takes any that is free.
        token: by default a new one, of 32 random bytes.

    Raises:
        OSError: the port is taken.
    """
    secret = secrets.token_urlsafe(_TOKEN_BYTES) if token is None else token
    sessions = store.sessions()
    guarded = Guarded(sessions)
    server = HttpServer("127.0.0.1", port, LIMITS)
    running = Running(guarded.kill)
    server.start(ClickHouseSite(guarded, running, secret, server.port))
    address = Address(port=server.port, token=secret, pid=os.getpid())
    try:
        store.announce(address)
        yield address
    finally:
        store.announce(None)
        running.end()
        server.end()
        sessions.close()
