"""The HTTP server under `serve`: few threads, short patience, and nobody but this machine's own clients."""

from __future__ import annotations

import hmac
import io
import json
import os
import secrets
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from projections.serving.http_errors import Refused
from projections.serving.http_request import Request, read_body, read_credentials, read_request
from projections.serving.running import Running
from projections.serving.served_query import Guarded, Reply
from projections.store import Address

MAX_CONNECTIONS: Final = 32
ROOM_SECONDS: Final = 5.0  # until an idle connection has made room for another
LINGER_SECONDS: Final = 1.0  # until a client that was refused has stopped talking
_LINGER_BYTES: Final = 1 << 20
IDLE_SECONDS: Final = 30.0
REQUEST_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 60.0
END_SECONDS: Final = 10.0  # until the last answers are on their way
USERS: Final = frozenset({"", "default", "reader"})
_LOOPBACK: Final = "127.0.0.1"
_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_WHO: Final = "`tallybook address` prints user and token"
_OK: Final = b"Ok.\n"
_TEXT: Final = "text/plain; charset=UTF-8"
_TYPES: Final = (
    ("TabSeparated", "text/tab-separated-values; charset=UTF-8"),
    ("TSV", "text/tab-separated-values; charset=UTF-8"),
    ("CSVWithNames", "text/csv; charset=UTF-8; header=present"),
    ("CSV", "text/csv; charset=UTF-8; header=absent"),
    ("JSONEachRow", "application/x-ndjson; charset=UTF-8"),
    ("JSONLines", "application/x-ndjson; charset=UTF-8"),
    ("JSONStringsEachRow", "application/x-ndjson; charset=UTF-8"),
    ("JSONCompactEachRow", "application/x-ndjson; charset=UTF-8"),
    ("JSON", "application/json; charset=UTF-8"),
    ("XML", "application/xml; charset=UTF-8"),
    ("Markdown", "text/markdown; charset=UTF-8"),
    ("Pretty", _TEXT),
    ("Vertical", _TEXT),
    ("Values", _TEXT),
)


class Patience(msgspec.Struct, frozen=True):
    """How long a connection may be idle, a request may take to arrive, and an answer to be taken; in seconds."""

    idle: float = IDLE_SECONDS
    request: float = REQUEST_SECONDS
    answer: float = ANSWER_SECONDS


class Server(ThreadingHTTPServer):
    """Answers on 127.0.0.1 until `end`; `address` says where."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, guarded: Guarded, token: str, port: int = 0, patience: Patience | None = None) -> None:
        super().__init__((_LOOPBACK, port), _Handler)
        self.patience = patience or Patience()
        self.guarded = guarded
        self.running = Running(guarded.kill)
        self.address = Address(port=self.server_address[1], token=token, pid=os.getpid())
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._open: set[socket.socket] = set()
        self._idle: dict[socket.socket, None] = {}  # those that wait for a request, the longest first
        self._lock = threading.Lock()
        self._answering = 0
        self._answered = threading.Condition(self._lock)

    def server_bind(self) -> None:
        """Bind, without asking the resolver for a name as http.server does."""
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection; where there are enough, an idle one makes room, or this one is closed."""
        if not self._room.acquire(blocking=False):
            self._close_an_idle_one()
            if not self._room.acquire(timeout=ROOM_SECONDS):
                self.shutdown_request(request)
                return
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a connection until it ends."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.discard(request)
            self._room.release()

    def _close_an_idle_one(self) -> None:
        with self._lock:
            longest = next(iter(self._idle), None)
            if longest is not None:
                del self._idle[longest]
                with suppress(OSError):  # it has hung up by itself
                    longest.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def idling(self, connection: socket.socket) -> Iterator[None]:
        """Let a connection be closed while the body waits for its next request."""
        with self._lock:
            self._idle[connection] = None
        try:
            yield
        finally:
            with self._lock:
                self._idle.pop(connection, None)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Have `end` wait for the body, which answers a request."""
        with self._answered:
            self._answering += 1
        try:
            yield
        finally:
            with self._answered:
                self._answering -= 1
                self._answered.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no fault; anything else is shown as Python shows it."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def end(self) -> None:
        """Take no more, end what runs, wait until nobody asks the engine any more, and hang up."""
        self.shutdown()
        self.running.end()
        with self._answered:
            self._answered.wait_for(lambda: not self._answering, END_SECONDS)
            for connection in self._open:
                with suppress(OSError):  # it has hung up by itself
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Patient(io.RawIOBase):
    """What a client sends, until `until` (of time.monotonic): one that sends a byte now and then holds no thread."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self.until = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long to arrive")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    """One connection, request after request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body of an answer go out one after the other, without waiting 40 ms
    server: Server

    def setup(self) -> None:
        """Read with a deadline instead of a timeout for each read."""
        super().setup()
        self._patient = _Patient(self.connection)
        self._reader = io.BufferedReader(self._patient)
        self.rfile = self._reader

    def handle_one_request(self) -> None:
        """Wait for a request, and answer it; a client that is too slow is hung up on."""
        self._patient.until = time.monotonic() + self.server.patience.idle
        try:
            with self.server.idling(self.connection):
                if not self._reader.peek(1):
                    self.close_connection = True
                    return
            self._patient.until = time.monotonic() + self.server.patience.request
            super().handle_one_request()
        except TimeoutError:
            self.close_connection = True

    def do_GET(self) -> None:
        """Answer a query in the URL, or say that the server is there."""
        with self.server.answering():
            self._answer(reads_body=False)

    def do_HEAD(self) -> None:
        """Say that the server is there."""
        with self.server.answering():
            self._answer(reads_body=False)

    def do_POST(self) -> None:
        """Answer a query in the body, the URL or both."""
        with self.server.answering():
            self._answer(reads_body=True)

    def _answer(self, *, reads_body: bool) -> None:
        self._started = time.monotonic()
        self._mark = secrets.token_hex(8)
        self._is_read = False
        try:
            self._check_origin()
            path = urlsplit(self.path).path
            if path == "/ping" or (self.path == "/" and not reads_body):
                self._send(HTTPStatus.OK, _OK, {"Content-Type": _TEXT})
                return
            self._check_token(path)
            body = read_body(self.headers, self.rfile)
            self._is_read = True
            request = read_request(self.path, self.headers, body)
            with self.server.running.query(self._mark, self.connection):
                reply = self.server.guarded.reply(request, self._mark)
            self._send_reply(request, reply)
        except Refused as refused:
            self._refuse(refused)

    def _check_origin(self) -> None:
        """Refuse what a page of the web could send through a browser on this machine."""
        port = self.server.address.port
        here = {f"{name}:{port}" for name in _NAMES}
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or hosts[0].strip().lower() not in here:
            raise _forbidden(f"the Host header must name 127.0.0.1:{port} or localhost:{port}, not {hosts}")
        if not self.path.startswith("/"):
            raise _forbidden("the request must name a path of this server")
        origin = self.headers.get("Origin")
        if origin is not None and origin.strip().lower() not in {f"http://{name}" for name in here}:
            raise _forbidden(f"pages of {origin!r} may not ask this server")

    def _check_token(self, path: str) -> None:
        if path != "/":
            raise Refused(36, f"there is nothing at {path!r}; queries go to /", status=HTTPStatus.NOT_FOUND)
        user, key = read_credentials(self.path, self.headers)
        if key is None:
            raise Refused(516, _WHO, status=HTTPStatus.UNAUTHORIZED)
        expected = self.server.address.token.encode()
        is_right = hmac.compare_digest(key.encode("utf-8", "surrogateescape"), expected)
        if not is_right or (user or "") not in USERS:
            raise Refused(516, f"{user or 'default'}: Authentication failed: the password is incorrect. {_WHO}")

    def _send_reply(self, request: Request, reply: Reply) -> None:
        took = int((time.monotonic() - self._started) * 1e9)
        answer = reply.answer
        summary = {
            "read_rows": answer.rows_read,
            "read_bytes": answer.bytes_read,
            "written_rows": 0,
            "written_bytes": 0,
            "result_bytes": len(answer.content),
            "elapsed_ns": took,
        }
        headers = {
            "Content-Type": content_type(reply.output_format),
            "X-ClickHouse-Query-Id": _header_text(request.query_id) or self._mark,
            "X-ClickHouse-Format": reply.output_format,
            "X-ClickHouse-Summary": json.dumps({name: str(value) for name, value in summary.items()}),
        }
        self._send(HTTPStatus.OK, answer.content, headers)

    def _refuse(self, refused: Refused) -> None:
        headers = {"Content-Type": _TEXT, "X-ClickHouse-Exception-Code": str(refused.code)}
        if not self._is_read:
            # Who knows where the next request would begin.
            self.close_connection = True
            headers["Connection"] = "close"
        if refused.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Basic realm="Tallybook"'
        self._send(refused.status, f"{refused.body}\n".encode(), headers)
        if not self._is_read:
            self._linger()

    def _linger(self) -> None:
        """Let the client finish: a connection that is closed before that is reset, and the refusal may be lost."""
        self._patient.until = time.monotonic() + LINGER_SECONDS
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            left = _LINGER_BYTES
            while left > 0 and (found := self._reader.read1(left)):
                left -= len(found)

    def _send(self, status: HTTPStatus, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("X-ClickHouse-Server-Display-Name", "tallybook")
        self.send_header("X-ClickHouse-Timezone", "UTC")
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.connection.settimeout(self.server.patience.answer)  # for the whole of one sendall
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what http.server itself refuses (an unknown method, a broken header) as everything else."""
        del explain
        self._is_read = False
        self.request_version = self.request_version or self.protocol_version
        status = HTTPStatus(code)
        self._refuse(Refused(36, f"{message or status.phrase}: this server answers GET and POST", status=status))

    def version_string(self) -> str:
        """Name the program, and not Python's version."""
        return "Tallybook"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named so by http.server
        """Say nothing: the terminal belongs to the command that runs."""


def content_type(output_format: str) -> str:
    """The media type of an answer in a format of ClickHouse."""
    return next((kind for start, kind in _TYPES if output_format.startswith(start)), "application/octet-stream")


def _forbidden(message: str) -> Refused:
    return Refused(516, message, status=HTTPStatus.FORBIDDEN)


def _header_text(text: str) -> str:
    return text if text.isascii() and text.isprintable() else ""
