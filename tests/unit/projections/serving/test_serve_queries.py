"""The HTTP part of ClickHouse, over sessions without an engine: what may be asked, and how it is answered."""

import gzip
import http.client
import json

import pytest

from projections.serving.http_request import MAX_BODY_BYTES
from tests.support.http_asking import KEY, TIMEOUT_SECONDS, Kept, ask, head, send


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/?query=SELECT+7", None),
        ("/", "SELECT 7"),
        ("/", "SELECT 7;\n"),
        ("/?query=SELECT", "7"),
        ("/?query=SELECT+7", ""),
    ],
)
def test_a_query_stands_in_the_url_the_body_or_both(port: int, target: str, body: str | None) -> None:
    got = ask(port, target, body)
    assert got[::2] == (200, "7\n")
    assert got.headers["content-type"] == "text/tab-separated-values; charset=UTF-8"
    assert got.headers["x-clickhouse-format"] == "TabSeparated"
    assert set(json.loads(got.headers["x-clickhouse-summary"])) >= {"read_rows", "read_bytes", "elapsed_ns"}
    assert got.headers["x-clickhouse-query-id"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("INSERT INTO tallybook_rows.ticks VALUES (1)", "INSERT"),
        ("DROP TABLE tallybook_rows.ledger", "DROP"),
        ("SET readonly = 0", "SET"),
        ("SELECT * FROM file('/etc/passwd')", "file"),
        ("SELECT * FROM url('http://127.0.0.1:1/')", "url"),
        ("SELECT 1 INTO OUTFILE 'x'", "OUTFILE"),
        ("SELECT 1 SETTINGS readonly = 0", "readonly"),
        ("SELECT 1 SETTINGS max_execution_time = 100000", "max_execution_time"),
        ("SELECT 1 SETTINGS max_memory_usage = 0", "max_memory_usage"),
        ("SELECT 1 SETTINGS max_threads = 'auto(64)'", "max_threads"),
        ("SELECT 1 SETTINGS max_block_size = {a:UInt64}, allow_ddl = 1", "max_block_size"),
        ("SELECT 1 SETTINGS max_block_size = 1.5, allow_ddl = 1", "max_block_size"),
        ("SELECT 1 SETTINGS max_block_size = 1, allow.ddl = 1", "max_block_size"),
    ],
)
def test_what_does_more_than_read_is_refused(port: int, kept: Kept, query: str, named: str) -> None:
    got = ask(port, "/", query)
    assert (got.status, got.headers["x-clickhouse-exception-code"]) == (403, "164")
    assert named in got.body
    assert kept.asks.asked == []


@pytest.mark.parametrize(
    ("setting", "status"),
    [
        ("readonly=0", 403),
        ("allow_ddl=1", 403),
        ("output_format_schema=/tmp/x", 403),
        ("format_schema=x", 403),
        ("max_execution_time=soon", 400),
        ("readonly=2", 200),
        ("session_id=a&wait_end_of_query=1&query_id=b&client_protocol_version=54405&enable_http_compression=1", 200),
        ("output_format_json_quote_64bit_integers=0&date_time_output_format=iso", 200),
        ("compress=1", 501),
    ],
)
def test_settings_in_the_url_are_the_harmless_ones(port: int, setting: str, status: int) -> None:
    assert ask(port, f"/?query=SELECT+7&{setting}").status == status


def test_limits_are_cut_to_those_of_the_server(port: int, kept: Kept) -> None:
    ask(port, "/?query=SELECT+7&max_execution_time=100000&max_memory_usage=0&max_result_bytes=10")
    settings = kept.asks.asked[0][1]
    assert (settings["max_execution_time"], settings["max_result_bytes"]) == ("60", "10")
    assert int(settings["max_memory_usage"]) > 0


@pytest.mark.parametrize(
    ("asked", "used"), [("", "tallybook"), ("default", "tallybook"), ("system", "system"), ("tallybook", "tallybook")]
)
def test_the_views_are_where_a_client_begins(port: int, kept: Kept, asked: str, used: str) -> None:
    ask(port, f"/?query=SELECT+7&database={asked}")
    ask(port, "/?query=SELECT+7", headers=KEY | {"X-ClickHouse-Database": asked})
    assert [database for _, _, database in kept.asks.asked] == [used, used]


@pytest.mark.parametrize(
    ("target", "headers", "query", "kind"),
    [
        ("/", {}, "SELECT 7 FORMAT JSON", "application/json; charset=UTF-8"),
        ("/?default_format=CSV", {}, "SELECT 7", "text/csv; charset=UTF-8; header=absent"),
        ("/?default_format=CSV", {}, "SELECT 7 FORMAT JSONEachRow", "application/x-ndjson; charset=UTF-8"),
        ("/", {"X-ClickHouse-Format": "CSVWithNames"}, "SELECT 7", "text/csv; charset=UTF-8; header=present"),
        ("/?default_format=Native", {}, "SELECT 7", "application/octet-stream"),
    ],
)
def test_the_format_is_the_query_s_or_the_request_s(
    port: int, target: str, headers: dict[str, str], query: str, kind: str
) -> None:
    assert ask(port, target, query, KEY | headers).headers["content-type"] == kind


def test_parameters_come_in_the_url_and_in_forms(port: int) -> None:
    assert ask(port, "/?param_x=a%5Ctb", "SELECT {x:String}").body == "a\\tb\n"
    lines = ("--cut", 'Content-Disposition: form-data; name="{}"', "", "{}")
    form = "\r\n".join(line for line in lines).format("query", "SELECT {x:String}")
    form += "\r\n" + "\r\n".join(lines).format("param_x", "é" * 10) + "\r\n--cut--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=cut"}
    assert ask(port, "/", form.encode(), KEY | kind).body == "é" * 10 + "\n"
    file = form.replace('name="query"', 'name="query"; filename="a"')
    assert ask(port, "/", file.encode(), KEY | kind).status == 403


@pytest.mark.parametrize(
    ("query", "status", "code"), [("SELECT nix", 404, "47"), ("SELEC 1", 400, "62"), (" ", 400, "62")]
)
def test_refusals_of_the_engine_have_their_status(port: int, query: str, status: int, code: str) -> None:
    got = ask(port, "/", query)
    assert (got.status, got.headers["x-clickhouse-exception-code"]) == (status, code)
    assert got.body.startswith(f"Code: {code}. DB::Exception: ")


def test_a_body_may_be_compressed_and_come_in_chunks(port: int) -> None:
    assert ask(port, "/", gzip.compress(b"SELECT 7"), KEY | {"Content-Encoding": "gzip"}).body == "7\n"
    assert ask(port, "/", b"SELECT 7", KEY | {"Content-Encoding": "gzip"}).status == 400
    chunked = head(port, "Connection: close", "Transfer-Encoding: chunked")
    assert send(port, chunked + b"4\r\nSELE\r\n4;x=y\r\nCT 7\r\n0\r\n\r\n").endswith(b"\r\n\r\n7\n")
    assert send(port, chunked + b"-1\r\n").startswith(b"HTTP/1.1 400")
    assert send(port, chunked + b"fffffff\r\n").startswith(b"HTTP/1.1 413")
    assert send(port, head(port, "Transfer-Encoding: chunked", length=1)).startswith(b"HTTP/1.1 400")
    assert send(port, head(port, length=-1)).startswith(b"HTTP/1.1 400")


def test_a_body_that_is_too_large_is_refused_unread(port: int) -> None:
    said = send(port, head(port, length=MAX_BODY_BYTES + 1))
    assert said.startswith(b"HTTP/1.1 413")
    assert b"Code: 307. DB::Exception: a query has at most 1,048,576 bytes" in said
    bomb = gzip.compress(b" " * (MAX_BODY_BYTES + 1))
    assert ask(port, "/", bomb, KEY | {"Content-Encoding": "gzip"}).status == 413
    assert ask(port, "/", "SELECT 7" + " " * (MAX_BODY_BYTES - 8)).status == 200


def test_a_connection_is_used_again(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    for number in range(3):
        connection.request("POST", "/", f"SELECT {number}", KEY)
        assert connection.getresponse().read() == f"{number}\n".encode()
    connection.close()
