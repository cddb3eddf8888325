"""Reads the lines of a text file; one longer than an event may be is cut while it is read, never held in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from processors.intake.input_records import MAX_KEPT_BYTES
from schemas.bounds import MAX_EVENT_BYTES

BOM: Final = b"\xef\xbb\xbf"
_LONGEST: Final = MAX_EVENT_BYTES + len(BOM) + len(b"\r\n")
_CHUNK: Final = 1 << 20


class Line(NamedTuple):
    """A line without its end: `number` from 1; `size` in bytes is more than len(content) where it was cut."""

    number: int
    content: bytes
    size: int


def text_lines(stream: BinaryIO) -> Iterator[Line]:
    """The lines of a file opened at its beginning; LF and CRLF end a line, a byte order mark at its head is left out.

    A line of more than MAX_EVENT_BYTES is given with its first MAX_KEPT_BYTES alone.
    """
    number = 0
    readline = stream.readline
    while read := readline(_LONGEST):
        number += 1
        if read.endswith(b"\n"):
            content = read[:-2] if read.endswith(b"\r\n") else read[:-1]
        elif len(read) < _LONGEST:
            content = read[:-1] if read.endswith(b"\r") else read
        else:
            yield Line(number, read[:MAX_KEPT_BYTES], _size_of_line(stream, read))
            continue
        content = content.removeprefix(BOM)
        if len(content) > MAX_EVENT_BYTES:
            yield Line(number, content[:MAX_KEPT_BYTES], len(content))
        else:
            yield Line(number, content, len(content))


def _size_of_line(stream: BinaryIO, begun: bytes) -> int:
    """Skips to the next line; the size of the whole line, of which `begun` was read, without its end."""
    size, tail = len(begun), begun[-1:]
    while not tail.endswith(b"\n") and (read := stream.readline(_CHUNK)):
        size += len(read)
        tail = (tail + read)[-2:]
    return size - len(tail) + len(tail.removesuffix(b"\n").removesuffix(b"\r"))
