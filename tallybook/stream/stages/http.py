"""A small HTTP server for machines that ask how a stage is: few threads, short patience, one request a connection."""

from __future__ import annotations

import io
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

MAX_CONNECTIONS: Final = 16
REQUEST_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 10.0
MAX_HEAD_BYTES: Final = 16_384
MAX_QUERY_FIELDS: Final = 16
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"
_END_OF_HEAD: Final = b"\r\n\r\n"


class Asked(msgspec.Struct, frozen=True):
    """A request: the path as it was sent, the first value of each field of its query, its headers in lower case."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class Answer(msgspec.Struct, frozen=True):
    """What is answered."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = {}


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> Answer:
    """A value as JSON."""
    return Answer(status, msgspec.json.encode(value) + b"\n", JSON, headers or {})


Respond = Callable[[Asked], Answer]


class StageServer(ThreadingHTTPServer):
    """Answers GET and HEAD on `host` and `port` (0: a free one), by `respond`, once started and until `end`.

    Raises:
        OSError: the port is taken.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, host: str, port: int, respond: Respond) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)
        self.respond = respond
        self.port = int(self.server_address[1])
        self.is_local = host in LOOPBACK
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._thread = threading.Thread(target=self.serve_forever, name="tallybook-http", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def end(self) -> None:
        """Answer no more."""
        self.shutdown()
        self.server_close()

    def server_bind(self) -> None:
        """Bind, without asking the resolver for a name as http.server does."""
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection; where there are enough, wait until one of them must have ended."""
        if not self._room.acquire(timeout=REQUEST_SECONDS):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no fault; anything else is told as of any thread that dies."""
        del request, client_address
        kind, error, at = sys.exc_info()
        if kind is not None and not isinstance(error, OSError):
            threading.excepthook(threading.ExceptHookArgs((kind, error, at, threading.current_thread())))


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: StageServer

    def setup(self) -> None:
        """Read the head of the request, all of it in time: one that sends a byte now and then holds no thread."""
        super().setup()
        self.rfile = io.BufferedReader(io.BytesIO(self._head()))
        self.connection.settimeout(ANSWER_SECONDS)

    def do_GET(self) -> None:
        """Answer."""
        try:
            answer = self._respond()
        except Exception:
            self._send(json_answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "see the log of this process"}))
            raise  # and `handle_error` says what it was
        self._send(answer)

    def do_HEAD(self) -> None:
        """Answer with the head alone."""
        self.do_GET()

    def _head(self) -> bytes:
        head = b""
        until = time.monotonic() + REQUEST_SECONDS
        while _END_OF_HEAD not in head and len(head) < MAX_HEAD_BYTES:
            left = until - time.monotonic()
            if left <= 0:
                return b""  # as if it had hung up
            self.connection.settimeout(left)
            try:
                found = self.connection.recv(MAX_HEAD_BYTES - len(head))
            except TimeoutError:
                return b""
            if not found:
                break
            head += found
        return head if _END_OF_HEAD in head else b""

    def _respond(self) -> Answer:
        if self.server.is_local and not self._is_for_here():
            # A page of the web could send this through a browser on this machine.
            return json_answer(HTTPStatus.FORBIDDEN, {"error": "the Host header must name this machine's loopback"})
        try:
            split = urlsplit(self.path)
            fields = parse_qs(split.query, max_num_fields=MAX_QUERY_FIELDS)
        except ValueError as error:
            return json_answer(HTTPStatus.BAD_REQUEST, {"error": f"the path cannot be read: {error}"})
        query = {name: values[0] for name, values in fields.items()}
        return self.server.respond(
            Asked(split.path, query, {name.lower(): text for name, text in self.headers.items()})
        )

    def _is_for_here(self) -> bool:
        host = (self.headers.get("Host") or "").strip().lower()
        name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
        return name.strip("[]") in LOOPBACK

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            with suppress(BrokenPipeError, ConnectionResetError):  # whoever asked has left
                self.wfile.write(answer.body)

    def version_string(self) -> str:
        """Name the program, and not Python's version."""
        return "Tallybook"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named so by http.server
        """Say nothing: whoever scrapes does so all day."""
