"""Answers GET and HEAD requests about a stage over HTTP, in JSON or as text."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from projections.serving.http_server import HttpAnswer, HttpRequest, Limits

LIMITS: Final = Limits(head_bytes=16_384, body_bytes=16_384, request_seconds=5, answer_seconds=10)
MAX_QUERY_FIELDS: Final = 16
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
JSON: Final = "application/json"


class Asked(msgspec.Struct, frozen=True):
    """Holds a request: the path as sent, the first value of each field of its query, its headers in lower case."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """Answer with a value as JSON."""
    return HttpAnswer(status, msgspec.json.encode(value) + b"\n", {"Content-Type": JSON, **(headers or {})})


Respond = Callable[[Asked], HttpAnswer]


class StageSite:
    """Answers GET and HEAD at the address `host`, by `respond`."""

    def __init__(self, host: str, respond: Respond) -> None:
        self._respond = respond
        self._is_local = host in LOOPBACK

    def refuse(self, head: HttpRequest) -> HttpAnswer | None:
        """Refuse what a web page could send through a browser on this machine, and what is not GET or HEAD."""
        if head.method not in {"GET", "HEAD"}:
            return self.fault(HTTPStatus.NOT_IMPLEMENTED, "this server answers GET and HEAD")
        if self._is_local and _host(head) not in LOOPBACK:
            return self.fault(HTTPStatus.FORBIDDEN, "the Host header must name this machine's loopback")
        return None

    def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answer a question."""
        try:
            split = urlsplit(request.target)
            fields = parse_qs(split.query, max_num_fields=MAX_QUERY_FIELDS)
        except ValueError as error:
            return self.fault(HTTPStatus.BAD_REQUEST, f"the path cannot be read: {error}")
        query = {name: values[0] for name, values in fields.items()}
        return self._respond(Asked(split.path, query, request.headers))

    def fault(self, status: int, why: str) -> HttpAnswer:
        """Say why there is no answer."""
        return json_answer(status, {"error": why})


def _host(head: HttpRequest) -> str:
    host = head.headers.get("host", "").lower()
    name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    return name.strip("[]")
