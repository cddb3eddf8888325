"""A client that is slow, endless or rude keeps nobody waiting and fills no memory."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import msgspec
import pytest

from projections.serving.http_server import MAX_CONNECTIONS, MAX_HEAD_LINES, HttpAnswer, HttpRequest, HttpServer, Limits
from tests.support.http_asking import TIMEOUT_SECONDS, ask, send

LIMITS = Limits(head_bytes=16_384, body_bytes=16_384, request_seconds=1000, answer_seconds=1000)
HEAD = b"GET /x HTTP/1.1\r\nHost: here\r\n"
MAX_PIECES = 400
PAUSE_SECONDS = 0.05
# What a sender on loopback may have sent before it learns that nobody reads on: the buffers of both sockets.
MAX_SENT_BYTES = 16 << 20


class Echo:
    """Answers with the body; `/secret` is refused by the head, `/slow` waits until it is let go."""

    def __init__(self) -> None:
        self.bodies: list[int] = []
        self.is_asked = threading.Event()
        self.may_answer = threading.Event()

    def refuse(self, head: HttpRequest) -> HttpAnswer | None:
        return HttpAnswer(401, b"who are you?\n") if head.target == "/secret" else None

    def answer(self, request: HttpRequest) -> HttpAnswer:
        self.bodies.append(len(request.body))
        if request.target == "/slow":
            self.is_asked.set()
            assert self.may_answer.wait(TIMEOUT_SECONDS)
        return HttpAnswer(200, request.body or b"y" * (64 << 20 if request.target == "/large" else 1))

    def fault(self, status: int, why: str) -> HttpAnswer:
        return HttpAnswer(status, why.encode())


@contextmanager
def serving(site: Echo, limits: Limits = LIMITS) -> Iterator[int]:
    server = HttpServer("127.0.0.1", 0, limits)
    server.start(site)
    try:
        yield server.port
    finally:
        server.end()


@pytest.fixture
def site() -> Echo:
    return Echo()


@pytest.fixture
def port(site: Echo) -> Iterator[int]:
    with serving(site) as port:
        yield port


@contextmanager
def slow_clients(port: int, count: int) -> Iterator[None]:
    """So many that have begun a head and say no more."""
    with ExitStack() as opened:
        for _ in range(count):
            client = opened.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS))
            client.sendall(b"G")
        yield


def pieces_until_hung_up(port: int, piece: bytes) -> int:
    """How many pieces a client can send, one now and then, until nobody is there any more."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as client:
        client.settimeout(PAUSE_SECONDS)
        for number in range(MAX_PIECES):
            try:
                client.sendall(piece)
                if client.recv(1) == b"":
                    return number
            except TimeoutError:
                continue
            except OSError:
                return number
    raise AssertionError("it may send for ever")


@pytest.mark.parametrize("begin", [b"", HEAD + b"Content-Length: 9000\r\n\r\n"], ids=["head", "body"])
def test_a_request_that_comes_byte_by_byte_is_given_up(site: Echo, begin: bytes) -> None:
    with serving(site, msgspec.structs.replace(LIMITS, request_seconds=0.5)) as port:
        assert pieces_until_hung_up(port, begin or b"G") < MAX_PIECES
        assert ask(port, "/x").body == "y"
    assert site.bodies == [0]


def test_who_says_nothing_is_hung_up_on(site: Echo) -> None:
    with serving(site, msgspec.structs.replace(LIMITS, idle_seconds=1)) as port:
        assert send(port) == b""


@pytest.mark.parametrize("count", [48, MAX_CONNECTIONS, 2 * MAX_CONNECTIONS])
def test_slow_clients_keep_no_reader_waiting(port: int, count: int) -> None:
    with slow_clients(port, count):
        for _ in range(3):
            assert ask(port, "/x").body == "y"  # long before the slow ones are given up


def test_one_that_is_answered_makes_no_room(port: int, site: Echo) -> None:
    got: list[str] = []
    thread = threading.Thread(target=lambda: got.append(ask(port, "/slow").body))
    thread.start()
    assert site.is_asked.wait(TIMEOUT_SECONDS)
    with slow_clients(port, 2 * MAX_CONNECTIONS):
        assert ask(port, "/x").body == "y"
        site.may_answer.set()
        thread.join()
    assert got == ["y"]


@pytest.mark.parametrize("head", [HEAD + b"X: ", b"GET /"])
def test_an_endless_head_is_not_kept(port: int, head: bytes) -> None:
    sent = 0
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as client, suppress(OSError):
        client.sendall(head)
        while sent < MAX_SENT_BYTES:
            client.sendall(b"x" * 65_536)
            sent += 65_536
    assert sent < MAX_SENT_BYTES


def test_a_head_of_many_lines_is_refused(port: int) -> None:
    assert send(port, HEAD + b"A:\r\n" * MAX_HEAD_LINES + b"\r\n").startswith(b"HTTP/1.0 400 ")


@pytest.mark.parametrize(
    "length", [b"", b"Content-Length: 3000\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n"]
)
def test_who_is_refused_by_the_head_is_asked_for_no_body(port: int, site: Echo, length: bytes) -> None:
    head = b"POST /secret HTTP/1.1\r\nHost: here\r\n" + length
    body = b"x" * 3000 if b"3000" in length else b""
    said = send(port, head + b"\r\n", body)
    assert said.startswith(b"HTTP/1.1 401 ")
    assert said.endswith(b"who are you?\n")
    assert site.bodies == []


def test_a_refusal_reaches_a_client_that_sends_on(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as client:
        client.sendall(b"POST /secret HTTP/1.1\r\nHost: here\r\nContent-Length: 30\r\n\r\n")
        for _ in range(3):
            time.sleep(0.1)  # were the connection closed by now, the next piece but one could not be sent
            client.sendall(b"x" * 10)
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 401 ")


def test_a_body_has_a_bound(port: int) -> None:
    body = b"x" * LIMITS.body_bytes
    assert ask(port, "/x", body).body == body.decode()
    assert ask(port, "/x", body + b"x").status == 413


def test_who_takes_no_answer_is_hung_up_on(site: Echo) -> None:
    with serving(site, msgspec.structs.replace(LIMITS, answer_seconds=0.5)) as port:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as client:
            client.sendall(HEAD.replace(b"/x", b"/large") + b"\r\n")
            time.sleep(2)  # it takes nothing, four times as long as it may
            taken = 0
            with suppress(OSError):
                while piece := client.recv(1 << 20):
                    taken += len(piece)
        assert 0 < taken < 64 << 20
    with serving(site) as port:
        assert len(ask(port, "/large").body) == 64 << 20


def test_urgent_data_is_no_http(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as client:
        client.send(b"!", socket.MSG_OOB)
        with suppress(ConnectionResetError):  # by what was not read
            assert client.recv(1) == b""
    assert ask(port, "/x").body == "y"


def test_the_end_waits_for_what_is_asked(site: Echo) -> None:
    got: list[str] = []
    with serving(site) as port:
        thread = threading.Thread(target=lambda: got.append(ask(port, "/slow").body))
        thread.start()
        assert site.is_asked.wait(TIMEOUT_SECONDS)
        threading.Timer(0.5, site.may_answer.set).start()
    thread.join()
    assert got == ["y"]
    with pytest.raises(OSError, match="refused"):
        ask(port, "/x")
