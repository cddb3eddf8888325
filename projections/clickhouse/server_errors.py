"""Parses the address of a ClickHouse server, and tells errors that pass by themselves from refusals of a statement."""

import re
from typing import Final
from urllib.parse import urlsplit

import msgspec

from projections.store import StoreNotOpened, StoreUnreachable

MAX_SAID_LENGTH: Final = 300
_PORTS: Final = {"http": 8123, "https": 8443}
_FORM: Final = "write http://HOST:8123 or https://HOST:8443; user and password are given beside it"
# Errors that pass by themselves or with a new session. Numbers: ClickHouse, src/Common/ErrorCodes.cpp.
_PASSING: Final = frozenset({
    202,  # TOO_MANY_SIMULTANEOUS_QUERIES
    209,  # SOCKET_TIMEOUT
    210,  # NETWORK_ERROR
    236,  # ABORTED: the server is shutting down
    252,  # TOO_MANY_PARTS: merges are slower than inserts
    372,  # SESSION_NOT_FOUND
    373,  # SESSION_IS_LOCKED: a statement that we gave up on still runs in it
    394,  # QUERY_WAS_CANCELLED: by the server's end, or by somebody who ended it
})  # fmt: skip
# A proxy in front of the server answers so, not the server itself.
_GATEWAY: Final = re.compile(r"HTTP status 5\d\d")
# The cause in the client library's message, which is long and differs each time.
_CAUSE: Final = re.compile(r"""Caused by \w+\(["'](?:.*: )?(.+?)["']\)""")


class Server(msgspec.Struct, frozen=True):
    """Where a ClickHouse server takes HTTP."""

    scheme: str
    host: str
    port: int

    @property
    def url(self) -> str:
        """As it is written in messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_server(url: str) -> Server:
    """Where a server is, from its URL; without a port it is ClickHouse's own for the scheme.

    Raises:
        StoreNotOpened: it is no such URL; the message does not repeat what may be a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise StoreNotOpened(f"the URL of the ClickHouse server cannot be read: {error}; {_FORM}") from error
    if parts.username is not None or parts.password is not None:
        raise StoreNotOpened(f"the URL of the ClickHouse server holds a user or a password: {_FORM}")
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise StoreNotOpened(f"{url!r} is no URL of a ClickHouse server: {_FORM}")
    return Server(parts.scheme, parts.hostname, port or _PORTS[parts.scheme])


def cannot_answer_now(code: int | None, said: str, *, on_the_way: bool) -> bool:
    """Whether a failure says nothing of the statement, so that another try may go well.

    Args:
        code: ClickHouse's number of the error, where the server gave one.
        said: the message.
        on_the_way: the client failed to send, or to get an answer.
    """
    return code in _PASSING if code is not None else on_the_way or _GATEWAY.search(said) is not None


def unreachable(server: Server, said: str) -> StoreUnreachable:
    """The error to raise where a server cannot answer now."""
    cause = _CAUSE.search(said)
    said = cause[1] if cause is not None else said
    short = said.strip() if len(said) <= MAX_SAID_LENGTH else said[:MAX_SAID_LENGTH].strip() + "…"
    return StoreUnreachable(
        f"the ClickHouse server at {server.url} cannot be asked now ({short}). Start it, or see to its network, or "
        "wait: then what was not finished can be done again. The books are safe, and tell where to go on."
    )


def lost_session(server: Server, staged: str) -> StoreUnreachable:
    """The error to raise where the session that held a temporary table is gone."""
    return unreachable(server, f"it has forgotten the temporary table {staged}: it was started anew, or we were asleep")


def server_renewal(server: Server) -> str:
    """What a user must do so that the tables of a server are made again from the books."""
    return (
        f"run DROP DATABASE tallybook and DROP DATABASE tallybook_rows on the server at {server.url}, then start the "
        "projection again"
    )
