"""Words and numbers refusals as ClickHouse does over HTTP, so that its clients show ours well."""

import re
from http import HTTPStatus
from typing import Final

_CODE: Final = re.compile(r"Code: (\d+)\.")
# Numbers and names: ClickHouse, src/Common/ErrorCodes.cpp.
UNEXPECTED: Final = 1002
_NAMES: Final = {
    36: "BAD_ARGUMENTS", 48: "NOT_IMPLEMENTED", 62: "SYNTAX_ERROR", 164: "READONLY",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES", 307: "TOO_MANY_BYTES", 516: "AUTHENTICATION_FAILED",
    UNEXPECTED: "UNKNOWN_EXCEPTION",
}  # fmt: skip
# What each means over HTTP: ClickHouse, src/Server/HTTP/exceptionCodeToHTTPStatus.cpp; READONLY is an error of the
# server's there, and one of the client's here.
_STATUSES: Final = (
    (HTTPStatus.BAD_REQUEST, {6, 25, 26, 27, 36, 38, 41, 53, 62, 70, 72, 117, 386, 456, 457}),
    (HTTPStatus.NOT_FOUND, {46, 47, 50, 60, 63, 73, 81, 115}),
    (HTTPStatus.FORBIDDEN, {164, 192, 193, 497, 516}),
    (HTTPStatus.REQUEST_TIMEOUT, {159}),
    (HTTPStatus.NOT_IMPLEMENTED, {48}),
    (HTTPStatus.SERVICE_UNAVAILABLE, {202, 209}),
)


class Refused(Exception):
    """A request that is not answered: ClickHouse's number for it, the message, the HTTP status."""

    def __init__(self, code: int, message: str, status: HTTPStatus | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status_of(code) if status is None else status

    @property
    def body(self) -> str:
        """The message as ClickHouse writes it."""
        message = str(self)
        return message if _CODE.match(message) else f"Code: {self.code}. DB::Exception: {message} ({_NAMES[self.code]})"


def refused_by_engine(message: str) -> Refused:
    """The engine's own message (`Code: 60. DB::Exception: …`) as a refusal."""
    found = _CODE.match(message)
    return Refused(int(found[1]) if found else UNEXPECTED, message)


def status_of(code: int) -> HTTPStatus:
    """The HTTP status of one of ClickHouse's error codes."""
    return next((status for status, codes in _STATUSES if code in codes), HTTPStatus.INTERNAL_SERVER_ERROR)
