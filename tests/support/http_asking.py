"""Asks a served store over HTTP as clients do, and as clients should not."""

import http.client
import socket
from typing import NamedTuple

from projections.store import Address
from tests.fakes.sessions import FakeSessions

TOKEN = "a-token"  # noqa: S105 - opens nothing but the servers of these tests
KEY = {"X-ClickHouse-Key": TOKEN}
TIMEOUT_SECONDS = 120.0


class Got(NamedTuple):
    """An answer over HTTP."""

    status: int
    headers: dict[str, str]
    body: str


class Kept:
    """A store that can be served: remembers what was announced."""

    def __init__(self) -> None:
        self.asks = FakeSessions()
        self.announced: list[Address | None] = []

    def sessions(self) -> FakeSessions:
        """See Served."""
        return self.asks

    def announce(self, address: Address | None) -> None:
        """See Served."""
        self.announced.append(address)


def ask(
    port: int,
    target: str = "/",
    body: bytes | str | None = None,
    headers: dict[str, str] | None = None,
    method: str = "",
) -> Got:
    """One request on a connection of its own; `headers` None gives the token."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(
            method or ("GET" if body is None else "POST"), target, body, KEY if headers is None else headers
        )
        response = connection.getresponse()
        return Got(
            response.status, {name.lower(): value for name, value in response.getheaders()}, response.read().decode()
        )
    finally:
        connection.close()


def send(port: int, *pieces: bytes) -> bytes:
    """What comes back for these bytes, until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def head(port: int, *lines: str, length: int | None = None) -> bytes:
    """The head of a POST with the token, `lines` and a length added."""
    all_lines = ["POST / HTTP/1.1", f"Host: 127.0.0.1:{port}", f"X-ClickHouse-Key: {TOKEN}", *lines]
    if length is not None:
        all_lines.append(f"Content-Length: {length}")
    return "\r\n".join([*all_lines, "", ""]).encode()
