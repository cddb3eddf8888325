"""The stages' HTTP server answers what it is asked, and nobody else's pages."""

import threading
from collections.abc import Iterator
from http import HTTPStatus
from queue import Queue

import pytest

from projections.serving.http_server import HttpAnswer, HttpServer
from tallybook.stream.stages.http import LIMITS, Asked, StageSite, json_answer
from tests.support.http_asking import ask, send
from tests.support.waiting import MAX_WAIT_SECONDS


def respond(asked: Asked) -> HttpAnswer:
    if asked.path == "/broken":
        raise ZeroDivisionError
    return json_answer(HTTPStatus.OK, {"path": asked.path, "query": asked.query, "accept": asked.headers.get("accept")})


@pytest.fixture
def port() -> Iterator[int]:
    server = HttpServer("127.0.0.1", 0, LIMITS)
    server.start(StageSite("127.0.0.1", respond))
    yield server.port
    server.end()


def test_a_request_is_answered(port: int) -> None:
    got = ask(port, "/a%20b?x=1&x=2&y=", headers={"Accept": "text/plain"})
    assert (got.status, got.headers["content-type"]) == (200, "application/json")
    assert got.body == '{"path":"/a%20b","query":{"x":"1"},"accept":"text/plain"}\n'


def test_head_has_no_body(port: int) -> None:
    got = ask(port, "/x", method="HEAD", headers={})
    assert (got.status, got.body) == (200, "")
    assert int(got.headers["content-length"]) > 0


def test_other_methods_are_refused(port: int) -> None:
    assert ask(port, "/x", body="a", method="POST", headers={}).status == 501


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example"])
def test_a_page_of_the_web_is_not_answered(port: int, host: str) -> None:
    assert ask(port, "/x", headers={"Host": host}).status == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1234", "[::1]:80"])
def test_loopback_has_several_names(port: int, host: str) -> None:
    assert ask(port, "/x", headers={"Host": host}).status == 200


def test_too_many_fields_are_refused(port: int) -> None:
    got = ask(port, "/x?" + "&".join(f"a{number}=1" for number in range(100)), headers={})
    assert got.status == 400


def test_an_endless_head_is_refused(port: int) -> None:
    said = send(port, b"GET / HTTP/1.0\r\nX: " + b"x" * LIMITS.head_bytes)
    assert said.startswith(b"HTTP/1.0 431 ")


def test_a_fault_of_ours_is_answered_too(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    told: Queue[threading.ExceptHookArgs] = Queue()
    monkeypatch.setattr(threading, "excepthook", told.put)
    got = ask(port, "/broken", headers={})
    assert (
        told.get(timeout=MAX_WAIT_SECONDS).exc_type is ZeroDivisionError
    )  # it comes from a thread of its own, after the answer
    assert got.status == 500
    assert "log" in got.body
    assert ask(port, "/x", headers={}).status == 200


def test_a_port_that_is_taken_is_refused(port: int) -> None:
    with pytest.raises(OSError, match="in use"):
        HttpServer("127.0.0.1", port, LIMITS)
