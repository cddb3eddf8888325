"""Lets others read while one process holds the tables: a read-only part of ClickHouse's HTTP interface, on loopback.

`with serving(store) as address:` is all there is to call. It answers from threads of its own, each query in a session
of its own, and puts port and token into the lock file of the store, where readers of the same folder find them.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from projections.serving.http_server import Server
from projections.serving.served_query import Asks, Guarded
from projections.store import Address

_TOKEN_BYTES: Final = 32
_POLL_SECONDS: Final = 0.1


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
    server = Server(Guarded(sessions), secret, port)
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), name="tallybook-serve", daemon=True)
    thread.start()
    try:
        store.announce(server.address)
        yield server.address
    finally:
        store.announce(None)
        server.end()
        thread.join()
        sessions.close()
