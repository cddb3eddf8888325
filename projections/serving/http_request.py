"""What a client of ClickHouse's HTTP interface asks, read from its request with everything bounded.

The interface is described in ClickHouse's documentation under "HTTP interface": the query in the URL, in the body or in
both, `param_name` for `{name:Type}`, every other name in the URL a setting, user and key in headers or in the URL.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from http import HTTPStatus
from typing import Final, Protocol
from urllib.parse import parse_qsl, urlsplit

import msgspec

from projections.serving.http_errors import Refused

MAX_BODY_BYTES: Final = 1 << 20
MAX_FIELDS: Final = 1_000
MAX_CHUNKS: Final = 10_000
_MAX_CHUNK_LINE: Final = 256
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


class Readable(Protocol):
    """The part of a stream that a body is read from."""

    def read(self, size: int, /) -> bytes:
        """So many bytes, or fewer at the end."""

    def readline(self, size: int, /) -> bytes:
        """Until the end of the line, at most so many bytes."""


class Request(msgspec.Struct, frozen=True):
    """One query as it was asked; what was not given is empty."""

    query: str
    parameters: dict[str, str]
    settings: dict[str, str]
    database: str
    default_format: str
    query_id: str
    protocol: int = 0  # of the Native format; 0 is the oldest


def read_credentials(target: str, headers: Message) -> tuple[str | None, str | None]:
    """User and key of a request, from the first place that has a key: ClickHouse's headers, Authorization, the URL.

    Raises:
        Refused: the Authorization header cannot be read.
    """
    fields = _fields(target)
    if "X-ClickHouse-Key" in headers or "X-ClickHouse-User" in headers:
        return headers.get("X-ClickHouse-User"), headers.get("X-ClickHouse-Key")
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return None, value.strip()
    if scheme.lower() == "basic":
        try:
            user, _, key = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Refused(516, "the Authorization header is not `Basic` and base64 of user:key") from error
        return user, key
    return fields.get("user"), fields.get("password")


def read_request(target: str, headers: Message, body: bytes) -> Request:
    """The query of a request with this URL, these headers and this body.

    Raises:
        Refused: it cannot be read, or is too large.
    """
    fields = _fields(target)
    asked, form = _asked(headers, body)
    fields |= form
    # In the URL and in the body: the one goes on where the other ends.
    query = "\n".join(part for part in (fields.pop("query", ""), asked) if part.strip())
    if fields.pop("compress", "0") not in {"0", "false"} or fields.pop("decompress", "0") not in {"0", "false"}:
        raise Refused(
            48, "compress and decompress ask for ClickHouse's own blocks: turn compression off, there is no net here"
        )
    settings = {
        name: value
        for name, value in fields.items()
        if not name.startswith(_PARAMETER) and name not in _IGNORED | {"user", "password"}
    }
    protocol = settings.pop("client_protocol_version", "0")
    if not (protocol.isascii() and protocol.isdigit()):
        raise Refused(_BAD, f"client_protocol_version is no number: {protocol!r}")
    given = settings.pop("default_format", "") or headers.get("X-ClickHouse-Format", "")
    return Request(
        query=query.strip().removesuffix(";"),
        parameters={name[len(_PARAMETER) :]: value for name, value in fields.items() if name.startswith(_PARAMETER)},
        settings={name: value for name, value in settings.items() if name not in {"database", "query_id"}},
        database=str(settings.get("database") or headers.get("X-ClickHouse-Database", "")),
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


def _asked(headers: Message, body: bytes) -> tuple[str, dict[str, str]]:
    """The body as text, or the fields of a form."""
    content = _decoded(body, headers.get("Content-Encoding", "identity").strip().lower())
    kind = headers.get("Content-Type", "")
    try:
        if kind.lower().startswith("multipart/form-data"):
            return "", _form(kind, content)
        return content.decode("utf-8"), {}
    except UnicodeDecodeError as error:
        raise Refused(_BAD, f"the query is not UTF-8: {error}") from error


def read_body(headers: Message, body: Readable, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The body of a request as it was sent, of at most so many bytes.

    Raises:
        Refused: its length is not clear, or too much.
    """
    encoding, length = headers.get("Transfer-Encoding"), headers.get("Content-Length")
    if encoding is not None:
        if encoding.strip().lower() != "chunked" or length is not None:
            raise Refused(_BAD, "the length of the body is not clear: give Content-Length, or chunks alone")
        return _chunks(body, max_bytes)
    if length is None:
        return b""
    if not (length.isascii() and length.isdigit()):
        raise Refused(_BAD, f"Content-Length is no number: {length!r}")
    size = int(length)
    if size > max_bytes:
        raise _too_large(max_bytes)
    content = body.read(size)
    if len(content) != size:
        raise Refused(_BAD, f"the body ends after {len(content)} of {size} bytes")
    return content


def _chunks(body: Readable, max_bytes: int) -> bytes:
    """A body that comes in chunks, each with its length in hexadecimal before it (RFC 9112, section 7.1)."""
    content = bytearray()
    for _ in range(MAX_CHUNKS):
        line = body.readline(_MAX_CHUNK_LINE)
        digits = line.partition(b";")[0].strip()
        try:
            size = int(digits, 16) if digits.isalnum() else -1
        except ValueError:
            size = -1
        if size < 0 or not line.endswith(b"\n"):
            raise Refused(_BAD, "a chunk of the body does not begin with its length")
        if size == 0:
            for _ in range(MAX_FIELDS):
                if body.readline(_MAX_CHUNK_LINE) in {b"\r\n", b"\n", b""}:
                    return bytes(content)
            break
        if len(content) + size > max_bytes:
            raise _too_large(max_bytes)
        content += body.read(size)
        body.readline(_MAX_CHUNK_LINE)
    raise Refused(_BAD, f"the body comes in more than {MAX_CHUNKS:,} chunks")


def _decoded(content: bytes, encoding: str) -> bytes:
    if encoding in {"", "identity"}:
        return content
    if encoding not in _DEFLATED:
        # Clients compress so what they want to insert; of queries hardly any does.
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
        raise _too_large(MAX_BODY_BYTES)
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


def _too_large(max_bytes: int) -> Refused:
    return Refused(_TOO_LARGE, f"a query has at most {max_bytes:,} bytes", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
