"""Reads what a client of ClickHouse's HTTP interface asks for from its request, with everything bounded.

The interface is described in ClickHouse's documentation under "HTTP interface": the query in the URL, in the body or in
both, `param_name` for `{name:Type}`, every other name in the URL a setting, user and key in headers or in the URL.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping
from email.parser import BytesParser
from email.policy import HTTP
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from projections.serving.http_errors import Refused

MAX_BODY_BYTES: Final = 1 << 20
MAX_FIELDS: Final = 1_000
_BAD: Final = 36
_TOO_LARGE: Final = 307
_PARAMETER: Final = "param_"
_DEFLATED: Final = {"gzip": 31, "deflate": 15}  # zlib's window sizes: with gzip's header, with zlib's
# What a server over the network needs and a process on the same machine does not; none of it changes an answer.
_IGNORED: Final = frozenset({
    "buffer_size", "cancel_http_readonly_queries_on_client_close",
    "enable_http_compression", "http_headers_progress_interval_ms", "http_zlib_compression_level", "log_queries",
    "quota_key", "role", "send_progress_in_http_headers", "session_check", "session_id", "session_timeout",
    "stacktrace", "wait_end_of_query", "http_write_exception_in_output_format", "http_response_buffer_size",
})  # fmt: skip


class Request(msgspec.Struct, frozen=True):
    """One query as it was asked; what was not given is empty."""

    query: str
    parameters: dict[str, str]
    settings: dict[str, str]
    database: str
    default_format: str
    query_id: str
    protocol: int = 0  # of the Native format; 0 is the oldest


def read_credentials(target: str, headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    """User and key of a request, from the first place that has a key: ClickHouse's headers, Authorization, the URL.

    Raises:
        Refused: the Authorization header cannot be read.
    """
    fields = _fields(target)
    if "x-clickhouse-key" in headers or "x-clickhouse-user" in headers:
        return headers.get("x-clickhouse-user"), headers.get("x-clickhouse-key")
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return None, value.strip()
    if scheme.lower() == "basic":
        try:
            user, _, key = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Refused(516, "the Authorization header is not `Basic` and base64 of user:key") from error
        return user, key
    return fields.get("user"), fields.get("password")


def read_request(target: str, headers: Mapping[str, str], body: bytes) -> Request:
    """The query of a request with this URL, headers and body; raises Refused if it is unreadable or too large."""
    fields = _fields(target)
    asked, form = _asked(headers, body)
    fields |= form
    # A query may be in the URL and in the body: then the body goes on where the URL ends.
    query = "\n".join(part for part in (fields.pop("query", ""), asked) if part.strip())
    if fields.pop("compress", "0") not in {"0", "false"} or fields.pop("decompress", "0") not in {"0", "false"}:
        raise Refused(
            48, "compress and decompress ask for ClickHouse's own blocks: turn compression off, no network is crossed"
        )
    settings = {
        name: value
        for name, value in fields.items()
        if not name.startswith(_PARAMETER) and name not in _IGNORED | {"user", "password"}
    }
    protocol = settings.pop("client_protocol_version", "0")
    if not (protocol.isascii() and protocol.isdigit()):
        raise Refused(_BAD, f"client_protocol_version is no number: {protocol!r}")
    given = settings.pop("default_format", "") or headers.get("x-clickhouse-format", "")
    return Request(
        query=query.strip().removesuffix(";"),
        parameters={name[len(_PARAMETER) :]: value for name, value in fields.items() if name.startswith(_PARAMETER)},
        settings={name: value for name, value in settings.items() if name not in {"database", "query_id"}},
        database=str(settings.get("database") or headers.get("x-clickhouse-database", "")),
        default_format=given,
        query_id=settings.get("query_id", ""),
        protocol=int(protocol),
    )


def _fields(target: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(urlsplit(target).query, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:  # UnicodeDecodeError is one
        raise Refused(_BAD, f"the URL cannot be read: {error}") from error
    return dict(pairs)


def _asked(headers: Mapping[str, str], body: bytes) -> tuple[str, dict[str, str]]:
    """The body as text, or the fields of a form."""
    content = _decoded(body, headers.get("content-encoding", "identity").strip().lower())
    kind = headers.get("content-type", "")
    try:
        if kind.lower().startswith("multipart/form-data"):
            return "", _form(kind, content)
        return content.decode("utf-8"), {}
    except UnicodeDecodeError as error:
        raise Refused(_BAD, f"the query is not UTF-8: {error}") from error


def _decoded(content: bytes, encoding: str) -> bytes:
    if encoding in {"", "identity"}:
        return content
    if encoding not in _DEFLATED:
        # Clients send what they insert in other encodings, but hardly ever a query.
        known = ", ".join(_DEFLATED)
        raise Refused(
            164,
            f"a body with Content-Encoding {encoding!r} is not read ({known} are): the tables are readonly here, and "
            "a query needs no compression",
        )
    inflate = zlib.decompressobj(_DEFLATED[encoding])
    try:
        plain = inflate.decompress(content, MAX_BODY_BYTES)
    except zlib.error as error:
        raise Refused(_BAD, f"the body is not {encoding}: {error}") from error
    if inflate.unconsumed_tail:
        raise too_large()
    return plain


def _form(kind: str, content: bytes) -> dict[str, str]:
    """The fields of a form, as clients send long parameters; files with data of one's own are refused."""
    whole = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode("latin-1") + b"\r\n\r\n" + content)
    found: dict[str, str] = {}
    for part in whole.iter_parts():
        if part.get_filename() is not None:
            raise Refused(164, "tables of one's own cannot be sent with a query: it reads what is here")
        name = part.get_param("name", header="Content-Disposition")
        value = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(value, bytes):
            raise Refused(_BAD, "a field of the form has no name")
        found[name] = value.decode("utf-8")
    return found


def too_large() -> Refused:
    """The refusal of a request whose body is too large."""
    said = f"a query has at most {MAX_BODY_BYTES:,} bytes"
    return Refused(_TOO_LARGE, said, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
