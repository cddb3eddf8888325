"""The one file that knows waitress: an HTTP server that no client can block, and whose memory no client can fill.

waitress reads requests in one thread and answers them in several others, so that a slow client holds no thread. What
it bounds by inactivity alone (a request that arrives byte by byte, an answer that is taken byte by byte) has a bound
in total here, and a request is judged by its head, before its body is kept.
"""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Protocol
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher
from waitress.utilities import Error, RequestEntityTooLarge

MAX_CONNECTIONS: Final = 128  # one more closes the one that has kept the server waiting
THREADS: Final = 32
MAX_HEAD_LINES: Final = 100
END_SECONDS: Final = 10.0  # until the last answers are on their way
TURN_SECONDS: Final = 0.25
PIECE_BYTES: Final = 1 << 20  # of an answer: so much of it is copied at a time
_SENT: Final = ("HTTP_", "CONTENT_")  # how the names of headers begin in WSGI
_FOR_ALL: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Limits(msgspec.Struct, frozen=True):
    """What a client may send, and in what time: a whole request, and the taking of a whole answer."""

    head_bytes: int
    body_bytes: int
    request_seconds: float
    answer_seconds: float
    idle_seconds: int = 30


class HttpRequest(msgspec.Struct, frozen=True):
    """A request, or the head of one: the target is as it was sent, names of headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    has_hung_up: Callable[[], bool] = lambda: False


class HttpAnswer(msgspec.Struct, frozen=True):
    """What is answered."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class Site(Protocol):
    """What answers the requests."""

    def refuse(self, head: HttpRequest) -> HttpAnswer | None:
        """Judge a request by its head; a refusal is sent in place of an answer, and ends the connection."""

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answer a request whose head was not refused."""

    def fault(self, status: int, why: str) -> HttpAnswer:
        """Word what the server itself refuses: a request that cannot be read, or an answer that failed."""


class HttpServer(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    """Listens on `host` and `port` (0: a free one), and answers from `start` to `end`; OSError where it is taken."""

    def __init__(self, host: str, port: int, limits: Limits) -> None:
        self.limits = limits
        self.site: Site
        self.channel_class = _Connection
        self._ends_at: float | None = None
        self._waking = threading.Lock()
        self._is_awake = True
        self._thread = threading.Thread(target=self._run, name="tallybook-http", daemon=True)
        bounds = Adjustments(
            backlog=MAX_CONNECTIONS,
            channel_request_lookahead=1,  # so that a client that hangs up is seen while it is answered
            channel_timeout=limits.idle_seconds,
            cleanup_interval=1,
            connection_limit=2 * MAX_CONNECTIONS,
            ident="Tallybook",
            inbuf_overflow=limits.body_bytes + 1,  # so that no body is put on disk
            log_socket_errors=False,
            max_request_body_size=limits.body_bytes + 1,
            max_request_header_size=limits.head_bytes,
            outbuf_high_watermark=PIECE_BYTES,
            outbuf_overflow=4 * PIECE_BYTES,  # so that no answer is put on disk
        )
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            super().__init__(
                self._application,
                map={},
                _sock=listening,
                dispatcher=ThreadedTaskDispatcher(),
                adj=bounds,
                sockinfo=(family, socket.SOCK_STREAM, 0, (host, port)),
                bind_socket=False,
            )
        except BaseException:
            listening.close()
            raise
        # It warns of every request that waits for a thread.
        self.task_dispatcher.queue_logger.disabled = True

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.effective_port)

    def start(self, site: Site) -> None:
        """Answer from now on."""
        self.site = site
        self.task_dispatcher.set_thread_count(THREADS)
        self._thread.start()

    def end(self) -> None:
        """Take no more connections, wait until what was asked is answered, and hang up."""
        self.accepting = False
        self._ends_at = time.monotonic() + END_SECONDS
        self.pull_trigger()
        self._thread.join()

    def pull_trigger(self) -> None:
        """Wake the thread that reads and sends, if it still runs; its pipe's descriptor may be another file's later."""
        with self._waking:
            if self._is_awake:
                super().pull_trigger()

    def handle_accept(self) -> None:
        """Take a connection; where there are enough, close one that has no request, or only a part of one."""
        connections = [one for one in self.active_channels.values() if not one.will_close]
        waiting = [one for one in connections if not one.requests and not one.total_outbufs_len]
        if len(connections) >= MAX_CONNECTIONS and waiting:
            min(waiting, key=lambda one: (one.request is None, one.last_activity)).will_close = True
        super().handle_accept()

    def _run(self) -> None:
        while not self._is_over():
            wasyncore.loop(TURN_SECONDS, use_poll=True, map=self._map, count=1)
            for one in list(self.active_channels.values()):
                if one.is_late():
                    one.handle_close()
        for one in list(self.active_channels.values()):
            one.handle_close()
        self.task_dispatcher.set_thread_count(0)
        with self._waking:
            self._is_awake = False
            self.close()

    def _is_over(self) -> bool:
        if self._ends_at is None:
            return False
        with self.task_dispatcher.lock:
            is_answering = self.task_dispatcher.queue or self.task_dispatcher.active_count
        is_sending = any(one.total_outbufs_len for one in self.active_channels.values())
        return time.monotonic() > self._ends_at or not (is_answering or is_sending)

    def _application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        headers = {name.removeprefix("HTTP_"): value for name, value in environ.items() if name.startswith(_SENT)}
        request = HttpRequest(
            environ["REQUEST_METHOD"],
            environ["REQUEST_URI"],
            _as_written(headers),
            environ["wsgi.input"].read(),
            environ["waitress.client_disconnected"],
        )
        try:
            answer = self.site.answer(request)
        except Exception:  # noqa: BLE001 - it is reported as if the thread had died, but the thread goes on
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))
            answer = self.site.fault(HTTPStatus.INTERNAL_SERVER_ERROR, "see the log of this process")
        start_response(*_head_of(answer))
        if request.method == "HEAD":
            return ()
        return (answer.body[at : at + PIECE_BYTES] for at in range(0, len(answer.body), PIECE_BYTES))


class _Refusing(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """Sends the refusal of a request, and closes the connection, as nobody knows where the next request would begin."""

    def execute(self) -> None:
        """Send it."""
        request = self.request
        said = request.error.body
        answer = said if isinstance(said, HttpAnswer) else self.channel.server.site.fault(request.error.code, said)
        self.status, self.response_headers = _head_of(answer)
        self.content_length = len(answer.body)
        self.set_close_on_finish()
        self.write(b"" if request.command == "HEAD" else answer.body)


class _Nowhere(OverflowableBuffer):  # type: ignore[misc]  # waitress has no types
    def append(self, data: bytes) -> None:
        """Keep nothing."""


class _Reader(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """Reads a request, and has it judged as soon as its head is read."""

    command = path = ""  # of a request whose head cannot be read
    expect_continue: bool
    body_rcv: Any

    def __init__(self, site: Site, bounds: Adjustments) -> None:
        super().__init__(bounds)
        self._site = site

    def received(self, data: bytes) -> int:
        """Take in a part of the request; a chunk that is too large is refused by its head, before it has come."""
        taken = int(super().received(data))
        if getattr(self.body_rcv, "chunk_remainder", 0) >= self.adj.max_request_body_size:
            self.error, self.completed = RequestEntityTooLarge("a chunk of the body is too large"), True
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head; of a request that is refused the body is not kept."""
        if header_plus.count(b"\n") > MAX_HEAD_LINES:
            raise ParsingError(f"the head has more than {MAX_HEAD_LINES} lines")
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("the length of the body is not clear: give Content-Length, or chunks alone")
        refusal = self._site.refuse(HttpRequest(self.command, self.request_uri, _as_written(self.headers)))
        if refusal is None:
            return
        self.error = Error(refusal)
        if self.chunked or self.expect_continue:
            self.body_rcv, self.content_length, self.expect_continue = None, 0, False
        elif self.body_rcv is not None:
            # It is read all the same: a connection closed before would be reset, and the refusal perhaps lost.
            self.body_rcv.buf = _Nowhere(0)


class _Connection(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection, and since when its present request has been arriving, and its present answer leaving."""

    error_task_class = _Refusing

    def __init__(self, server: HttpServer, *more: Any, **named: Any) -> None:
        self.parser_class = partial(_Reader, server.site)
        self._arriving_since = self._leaving_since = time.monotonic()
        super().__init__(server, *more, **named)

    def received(self, data: bytes) -> bool:
        """Take in a part of a request."""
        before = self.request
        is_taken = bool(super().received(data))
        if self.request is not before:
            self._arriving_since = time.monotonic()
        return is_taken

    def write_soon(self, data: bytes) -> int:
        """Send a part of an answer as soon as possible."""
        if not self.total_outbufs_len:
            self._leaving_since = time.monotonic()
        return int(super().write_soon(data))

    def handle_expt(self) -> None:
        """Hang up on a client that sends urgent data, which HTTP does not have."""
        self.handle_close()

    def is_late(self) -> bool:
        """Whether the client has taken too long to send a request, or to take an answer."""
        limits, now = self.server.limits, time.monotonic()
        if self.total_outbufs_len:
            return bool(now - self._leaving_since > limits.answer_seconds)
        return self.request is not None and not self.requests and now - self._arriving_since > limits.request_seconds


def _head_of(answer: HttpAnswer) -> tuple[str, list[tuple[str, str]]]:
    length = {"Content-Length": str(len(answer.body))}
    return f"{answer.status} {HTTPStatus(answer.status).phrase}", [*{**answer.headers, **_FOR_ALL, **length}.items()]


def _as_written(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").lower(): value for name, value in headers.items()}
