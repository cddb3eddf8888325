"""Reads JSON lines: one event, or one CloudEvents envelope, on each line of a UTF-8 file; and the lines of any text.

A line longer than an event may be is cut while it is read, never held in memory.
"""

from collections.abc import Iterator
from typing import BinaryIO, Final

import msgspec

from processors.intake.door import Door
from processors.intake.input_records import MAX_KEPT_BYTES, Read, refused
from processors.intake.refusal import Refusal
from schemas.bounds import MAX_EVENT_BYTES

BOM: Final = b"\xef\xbb\xbf"
_LONGEST: Final = MAX_EVENT_BYTES + len(BOM) + len(b"\r\n")
_CHUNK: Final = 1 << 20


class Line(msgspec.Struct, gc=False):
    """A line without its end: `number` from 1; `size` in bytes is more than len(content) where it was cut."""

    number: int
    content: bytes
    size: int


def read_json_lines(stream: BinaryIO, door: Door) -> Iterator[Read]:
    """The records of a file opened for bytes at its beginning.

    Blank lines are no records; the last line may lack its end.
    """
    record = 0
    for line in text_lines(stream):
        number, content, size = line.number, line.content, line.size
        if size > MAX_EVENT_BYTES:
            record += 1
            message = f"the line has {size:,} bytes: an event has at most {MAX_EVENT_BYTES:,}"
            yield refused(record, number, Refusal("too_large", message), content, size=size)
            continue
        if not content or content.isspace():
            continue
        record += 1
        admitted = door.admit_json(content)
        if isinstance(admitted, Refusal):
            yield refused(record, number, admitted, content)
        else:
            yield Read(record, number, admitted, None, b"", size)


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
