"""Answers the read-only part of ClickHouse's HTTP interface, to whoever on this machine has the token."""

import hmac
import json
import secrets
import time
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from projections.serving.http_errors import Refused
from projections.serving.http_request import MAX_BODY_BYTES, read_credentials, read_request, too_large
from projections.serving.http_server import HttpAnswer, HttpRequest, Limits
from projections.serving.running_queries import Running
from projections.serving.served_query import Guarded

LIMITS: Final = Limits(
    head_bytes=1 << 17,  # a query with its parameters may stand in the URL
    body_bytes=MAX_BODY_BYTES,
    request_seconds=10,
    answer_seconds=60,
)
USERS: Final = frozenset({"", "default", "reader"})
_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST"})
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
_SERVER: Final = {"X-ClickHouse-Server-Display-Name": "tallybook", "X-ClickHouse-Timezone": "UTC"}


class ClickHouseSite:
    """Answers queries that only read, at a port of this machine."""

    def __init__(self, guarded: Guarded, running: Running, token: str, port: int) -> None:
        self._guarded = guarded
        self._running = running
        self._token = token
        self._here = {f"{name}:{port}" for name in _NAMES}

    def refuse(self, head: HttpRequest) -> HttpAnswer | None:
        """Refuse what a web page could send through a browser on this machine, and requests without the token."""
        try:
            self._check_origin(head)
            if not _is_greeting(head):
                self._check_token(head)
        except Refused as refused:
            return _refusal(refused)
        return None

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answer a query in the URL, the body or both, or say that the server is there."""
        if _is_greeting(request):
            return HttpAnswer(HTTPStatus.OK, _OK, {"Content-Type": _TEXT, **_SERVER})
        try:
            return self._reply(request)
        except Refused as refused:
            return _refusal(refused)

    def fault(self, status: int, why: str) -> HttpAnswer:
        """Word what the server itself refuses like all other refusals."""
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return _refusal(too_large())
        return _refusal(Refused(36, f"{HTTPStatus(status).phrase}: {why}", status=HTTPStatus(status)))

    def _check_origin(self, head: HttpRequest) -> None:
        if head.method not in _METHODS:
            said = f"Unsupported method ({head.method!r}): this server answers GET and POST"
            raise Refused(36, said, status=HTTPStatus.NOT_IMPLEMENTED)
        host = head.headers.get("host", "")
        if host.lower() not in self._here:
            raise _forbidden(f"the Host header must name one of {', '.join(sorted(self._here))}, not {host!r}")
        if not head.target.startswith("/"):
            raise _forbidden("the request must name a path of this server")
        origin = head.headers.get("origin")
        if origin is not None and origin.lower() not in {f"http://{name}" for name in self._here}:
            raise _forbidden(f"pages of {origin!r} may not ask this server")

    def _check_token(self, head: HttpRequest) -> None:
        path = urlsplit(head.target).path
        if path != "/":
            raise Refused(36, f"there is nothing at {path!r}; queries go to /", status=HTTPStatus.NOT_FOUND)
        user, key = read_credentials(head.target, head.headers)
        if key is None:
            raise Refused(516, _WHO, status=HTTPStatus.UNAUTHORIZED)
        is_right = hmac.compare_digest(key.encode("utf-8", "surrogateescape"), self._token.encode())
        if not is_right or (user or "") not in USERS:
            raise Refused(516, f"{user or 'default'}: Authentication failed: the password is incorrect. {_WHO}")

    def _reply(self, request: HttpRequest) -> HttpAnswer:
        started, mark = time.monotonic(), secrets.token_hex(8)
        asked = read_request(request.target, request.headers, request.body)
        with self._running.query(mark, request.has_hung_up):
            reply = self._guarded.reply(asked, mark)
        answer = reply.answer
        summary = {
            "read_rows": answer.rows_read,
            "read_bytes": answer.bytes_read,
            "written_rows": 0,
            "written_bytes": 0,
            "result_bytes": len(answer.content),
            "elapsed_ns": int((time.monotonic() - started) * 1e9),
        }
        query_id = asked.query_id if asked.query_id.isascii() and asked.query_id.isprintable() else ""
        headers = {
            "Content-Type": content_type(reply.output_format),
            "X-ClickHouse-Query-Id": query_id or mark,
            "X-ClickHouse-Format": reply.output_format,
            "X-ClickHouse-Summary": json.dumps({name: str(value) for name, value in summary.items()}),
        }
        return HttpAnswer(HTTPStatus.OK, answer.content, headers | _SERVER)


def content_type(output_format: str) -> str:
    """The media type of an answer in a format of ClickHouse."""
    return next((kind for start, kind in _TYPES if output_format.startswith(start)), "application/octet-stream")


def _is_greeting(head: HttpRequest) -> bool:
    """Whether a client only wants to know that the server is there, which needs no token."""
    return urlsplit(head.target).path == "/ping" or (head.target == "/" and head.method != "POST")


def _refusal(refused: Refused) -> HttpAnswer:
    headers = {"Content-Type": _TEXT, "X-ClickHouse-Exception-Code": str(refused.code), **_SERVER}
    if refused.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Basic realm="Tallybook"'
    return HttpAnswer(refused.status, f"{refused.body}\n".encode(), headers)


def _forbidden(message: str) -> Refused:
    return Refused(516, message, status=HTTPStatus.FORBIDDEN)
