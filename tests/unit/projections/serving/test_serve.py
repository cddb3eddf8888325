"""The HTTP part of ClickHouse, over sessions without an engine: who is let in, and for how long."""

import base64
import socket
import threading

import pytest

from projections.serving.http_server import MAX_CONNECTIONS
from projections.serving.serve import serving
from tests.fakes.sessions import ENDLESS
from tests.support.http_asking import KEY, TIMEOUT_SECONDS, TOKEN, Got, Kept, ask, head, send


@pytest.mark.parametrize("target", ["/ping", "/"])
def test_it_says_that_it_is_there_without_a_token(port: int, target: str) -> None:
    assert ask(port, target, headers={})[::2] == (200, "Ok.\n")


@pytest.mark.parametrize(
    "headers",
    [
        KEY,
        {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": TOKEN},
        {"Authorization": "Basic " + base64.b64encode(f"default:{TOKEN}".encode()).decode()},
        {"Authorization": f"Bearer {TOKEN}"},
    ],
)
def test_the_token_opens_in_every_place_that_clients_use(port: int, headers: dict[str, str]) -> None:
    assert ask(port, "/?query=SELECT+7", headers=headers).status == 200
    assert ask(port, f"/?query=SELECT+7&user=reader&password={TOKEN}", headers={}).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-ClickHouse-User": "reader"}, 401),
        ({"X-ClickHouse-Key": "another-token"}, 403),
        ({"X-ClickHouse-Key": ""}, 403),
        ({"X-ClickHouse-Key": "é"}, 403),
        ({"X-ClickHouse-User": "root", "X-ClickHouse-Key": TOKEN}, 403),
        ({"Authorization": "Basic " + base64.b64encode(b"reader:no").decode()}, 403),
        ({"Authorization": "Basic ???"}, 403),
        ({"Authorization": "Digest abc"}, 401),
    ],
)
def test_a_missing_or_wrong_token_is_refused(port: int, kept: Kept, headers: dict[str, str], status: int) -> None:
    got = ask(port, "/?query=SELECT+7", headers=headers)
    assert (got.status, got.headers["x-clickhouse-exception-code"]) == (status, "516")
    assert got.body.startswith("Code: 516. DB::Exception: ")
    assert ("www-authenticate" in got.headers) == (status == 401)
    assert TOKEN not in got.body
    assert kept.asks.asked == []


@pytest.mark.parametrize("host", ["localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}", "LOCALHOST:{port}"])
def test_this_machine_has_three_names(port: int, host: str) -> None:
    assert ask(port, "/?query=SELECT+7", headers=KEY | {"Host": host.format(port=port)}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "localhost.:{port}"]
)
def test_a_foreign_host_is_refused(port: int, kept: Kept, host: str) -> None:
    for target in ("/?query=SELECT+7", "/ping"):
        got = ask(port, target, headers=KEY | {"Host": host.format(port=port)})
        assert got.status == 403
        assert "Host header" in got.body
    assert kept.asks.asked == []


def test_no_host_two_hosts_and_a_whole_url_are_refused(port: int) -> None:
    key = f"X-ClickHouse-Key: {TOKEN}\r\n".encode()
    host = f"Host: 127.0.0.1:{port}\r\n".encode()
    line = b"GET /?query=SELECT+7 HTTP/1.1\r\n"
    assert send(port, line + key + b"\r\n").startswith(b"HTTP/1.1 403")
    assert send(port, line + key + host + host + b"\r\n").startswith(b"HTTP/1.1 403")
    whole = f"GET http://127.0.0.1:{port}/?query=SELECT+7 HTTP/1.1\r\n".encode()
    assert send(port, whole + key + host + b"\r\n").startswith(b"HTTP/1.1 403")


def test_pages_of_others_are_refused_and_nothing_allows_them(port: int) -> None:
    got = ask(port, "/?query=SELECT+7", headers=KEY | {"Origin": "https://evil.example"})
    assert got.status == 403
    preflight = ask(
        port, "/", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}, method="OPTIONS"
    )
    assert preflight.status == 501
    for answer in (got, preflight, ask(port, "/?query=SELECT+7")):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert ask(port, "/?query=SELECT+7", headers=KEY | {"Origin": f"http://localhost:{port}"}).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods_are_refused(port: int, method: str) -> None:
    assert ask(port, "/?query=SELECT+7", method=method).status == 501


def test_other_paths_are_not_there(port: int) -> None:
    assert ask(port, "/play").status == 404


def test_there_is_room_for_so_many_connections(port: int) -> None:
    waiting = [socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS) for _ in range(MAX_CONNECTIONS)]
    for connection in waiting:  # each has its thread once it has been answered
        connection.sendall(f"GET /ping HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
    assert ask(port, "/?query=SELECT+7").body == "7\n"  # one that was idle made room
    for connection in waiting:
        connection.close()


def test_a_query_ends_when_its_client_hangs_up(port: int, kept: Kept) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(head(port, length=len(ENDLESS)) + ENDLESS.encode())
        assert kept.asks.wait_until_running(1)
        assert ask(port, "/?query=SELECT+7").body == "7\n"
    assert kept.asks.wait_until_running(0)


def test_the_end_ends_what_runs_and_is_announced(kept: Kept) -> None:
    got: list[Got] = []
    with serving(kept) as address:
        key = {"X-ClickHouse-Key": address.token}
        thread = threading.Thread(target=lambda: got.append(ask(address.port, "/", ENDLESS, key)))
        thread.start()
        assert kept.asks.wait_until_running(1)
    thread.join()
    assert (got[0].status, got[0].headers["x-clickhouse-exception-code"]) == (500, "394")
    assert kept.announced == [address, None]
    assert len(address.token) >= 43
    with pytest.raises(ConnectionRefusedError):
        ask(address.port, "/ping")
    with serving(Kept()) as another:
        assert another.token != address.token
