"""Reads JSON lines: one event, or one CloudEvents envelope, on each line of a UTF-8 file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from processors.intake.door import Door
from processors.intake.formats.text_lines import text_lines
from processors.intake.input_records import Read, refused
from processors.intake.refusal import Refusal
from schemas.bounds import MAX_EVENT_BYTES


def read_json_lines(stream: BinaryIO, door: Door) -> Iterator[Read]:
    """The records of a file opened for bytes at its beginning.

    Blank lines are no records; the last line may lack its end.
    """
    record = 0
    for number, content, size in text_lines(stream):
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
