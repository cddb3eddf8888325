"""Stands in for a ClickHouse server where none can be had: chDB behind the part of the HTTP interface that we write by.

`python -m tests.support.clickhouse_over_http --path FOLDER [--port N]` prints its URL and serves until it is ended.
What it has of the interface (ClickHouse's documentation, "HTTP interface"): the query in the URL, the body or both;
INSERT with its rows behind it; settings and `param_x` in the URL; sessions with their temporary tables, one statement
at a time each; the error's number in a header. It is no server: the engine is the embedded one, and its sessions end by
their number and not by the clock.
"""

import argparse
import os
import re
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import chdb
import msgspec

from projections.serving.http_errors import Refused, refused_by_engine
from projections.serving.http_request import Request, read_credentials, read_request

MAX_SESSIONS: Final = 64
MAX_BODY_BYTES: Final = 256 << 20
_LOOPBACK: Final = "127.0.0.1"
_DEFAULT_FORMAT: Final = "TabSeparated"
_SESSION_NOT_FOUND: Final = 372
_SESSION_IS_LOCKED: Final = 373
_INSERT: Final = re.compile(rb"\s*(INSERT\s+INTO\s.+?)\s+FORMAT\s+(\w+)\s*(?:\n|$)", re.IGNORECASE | re.DOTALL)
_ERROR: Final = re.compile(r"Code: \d+\..*", re.DOTALL)


class Statement(msgspec.Struct, frozen=True):
    """One request: what to run, and the rows that came with it."""

    request: Request
    session_id: str
    must_be_there: bool
    insert: str = ""  # all before FORMAT
    input_format: str = ""
    rows: bytes = b""


class Session:
    """A connection to the engine, with its own temporary tables, and what was set in it."""

    def __init__(self, path: str) -> None:
        self.busy = threading.Lock()
        self._connection: Any = chdb.connect(path)  # its face is not exported
        self._set: dict[str, str] = {}

    def run(self, statement: Statement, folder: Path) -> bytes:
        """What the engine says; raises Refused."""
        try:
            self._prepare(statement.request)
            if statement.insert:
                return self._insert(statement, folder)
            request = statement.request
            output_format = request.default_format or _DEFAULT_FORMAT
            found = self._connection.query(request.query, output_format, params=dict(request.parameters))
        except RuntimeError as error:
            said = _ERROR.search(str(error))
            raise refused_by_engine(said[0] if said else str(error)) from error
        content: bytes = found.bytes() or b""
        return content

    def close(self) -> None:
        """End it, with its temporary tables."""
        self._connection.close()

    def _prepare(self, request: Request) -> None:
        """Set what the URL of this statement sets, and nothing that only those before it had set."""
        changed = [f"{name} = DEFAULT" for name in self._set.keys() - request.settings.keys()]
        changed += [
            f"{name} = {_quoted(value)}" for name, value in request.settings.items() if self._set.get(name) != value
        ]
        if changed:
            self._connection.query("SET " + ", ".join(changed))
        self._set = dict(request.settings)
        if request.database:
            self._connection.query(f"USE `{request.database}`")

    def _insert(self, statement: Statement, folder: Path) -> bytes:
        """Hand rows over in a file: a query of this engine is a text, and rows are bytes."""
        file = folder / f"rows{threading.get_ident()}"
        file.write_bytes(statement.rows)
        try:
            infile = f"FROM INFILE {_quoted(str(file))} FORMAT {statement.input_format}"
            self._connection.query(f"{statement.insert} {infile}", "Null", params=dict(statement.request.parameters))
        finally:
            file.unlink()
        return b""


class Engine:
    """The embedded ClickHouse of a folder, and the sessions of those who ask."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = str(path)
        self._folder = folder
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()
        self._first = Session(self._path)  # which keeps the engine open

    def run(self, statement: Statement) -> bytes:
        """What the engine says to one statement; raises Refused."""
        with self._session(statement) as session:
            return session.run(statement, self._folder)

    @contextmanager
    def _session(self, statement: Statement) -> Iterator[Session]:
        if not statement.session_id:
            session = Session(self._path)
            try:
                yield session
            finally:
                session.close()
            return
        session = self._named(statement)
        if not session.busy.acquire(blocking=False):
            raise _refused(_SESSION_IS_LOCKED, "Session is locked by a concurrent client", "SESSION_IS_LOCKED")
        try:
            yield session
        finally:
            session.busy.release()

    def _named(self, statement: Statement) -> Session:
        with self._lock:
            session = self._sessions.get(statement.session_id)
            if session is None:
                if statement.must_be_there:
                    raise _refused(_SESSION_NOT_FOUND, "Session not found", "SESSION_NOT_FOUND")
                session = self._sessions[statement.session_id] = Session(self._path)
            self._sessions.move_to_end(statement.session_id)
            if len(self._sessions) > MAX_SESSIONS:
                _, oldest = self._sessions.popitem(last=False)
                oldest.close()
            return session


class Server(ThreadingHTTPServer):
    """Answers on 127.0.0.1 for one engine, whoever knows the password."""

    daemon_threads = True

    def __init__(self, engine: Engine, port: int, password: str) -> None:
        super().__init__((_LOOPBACK, port), _Handler)
        self.engine = engine
        self.password = password

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{_LOOPBACK}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no fault; anything else is shown as Python shows it."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection, request after request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        """Say that the server is there, or answer."""
        if urlsplit(self.path).path == "/ping":
            self._send(HTTPStatus.OK, b"Ok.\n", {})
        else:
            self._answer()

    def do_POST(self) -> None:
        """Answer."""
        self._answer()

    def _answer(self) -> None:
        try:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = _body(headers, self.rfile)
            user, password = read_credentials(self.path, headers)
            if user not in {None, "default"} or (password or "") != self.server.password:
                raise _refused(516, f"{user}: Authentication failed: password is incorrect", "AUTHENTICATION_FAILED")
            self._send(HTTPStatus.OK, self.server.engine.run(statement_of(self.path, headers, body)), {})
        except Refused as refused:
            self._send(refused.status, f"{refused.body}\n".encode(), {"X-ClickHouse-Exception-Code": str(refused.code)})

    def _send(self, status: HTTPStatus, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("X-ClickHouse-Timezone", "UTC")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named so by http.server
        """Say nothing: the terminal belongs to the tests."""


def statement_of(target: str, headers: Mapping[str, str], body: bytes) -> Statement:
    """The statement of a request; raises Refused where it cannot be read."""
    fields = parse_qs(urlsplit(target).query, keep_blank_values=True)
    session_id, check = fields.get("session_id", [""])[0], fields.get("session_check", ["0"])[0]
    in_url = fields.get("query", [""])[0].encode()
    # In the URL and in the body: the one goes on where the other ends.
    whole = b"\n".join(part for part in (in_url, body) if part)
    insert = _INSERT.match(whole)
    if insert is None:
        return Statement(read_request(target, headers, body), session_id, check == "1")
    return Statement(
        read_request(target, headers, b""),
        session_id,
        check == "1",
        insert[1].decode(),
        insert[2].decode(),
        whole[insert.end() :],
    )


def _body(headers: Mapping[str, str], stream: BufferedIOBase) -> bytes:
    """All that was sent, of at most MAX_BODY_BYTES; in chunks (RFC 9112, section 7.1) or in one piece."""
    if "transfer-encoding" not in headers:
        return stream.read(min(int(headers.get("content-length", 0)), MAX_BODY_BYTES))
    content = bytearray()
    while (size := int(stream.readline().partition(b";")[0], 16)) and len(content) + size <= MAX_BODY_BYTES:
        content += stream.read(size)
        stream.readline()
    stream.readline()
    return bytes(content)


def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", type=Path, required=True, help="folder of the embedded ClickHouse; made if missing")
    parser.add_argument("--port", type=int, default=0, help="of 127.0.0.1; 0: any that is free")
    parser.add_argument("--password", default="", help="of the user `default`")
    parser.add_argument("--until-stdin-ends", action="store_true", help="end with the process that started it")
    given = parser.parse_args()
    os.environ["TZ"] = "UTC"  # as servers have it; the engine reads it when it is opened
    time.tzset()
    with TemporaryDirectory() as folder:
        server = Server(Engine(given.path.resolve(), Path(folder)), given.port, given.password)
        if given.until_stdin_ends:
            threading.Thread(target=_end_with_stdin, args=(server,), daemon=True).start()
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        server.serve_forever()


def _end_with_stdin(server: Server) -> None:
    sys.stdin.buffer.read()
    server.shutdown()


def _refused(code: int, message: str, name: str) -> Refused:
    return Refused(code, f"Code: {code}. DB::Exception: {message}. ({name})")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


if __name__ == "__main__":
    main()
