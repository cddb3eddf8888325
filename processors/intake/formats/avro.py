"""Reads Avro object container files: each record is an event, its kind the name of the record's schema."""

import os
from collections.abc import Iterator
from typing import BinaryIO, Final

from processors.intake.door import Door, without_nulls
from processors.intake.input_records import MAX_KEPT_BYTES, InputRefused, Read, as_json, refused
from processors.intake.refusal import Refusal
from schemas.avro.codecs import read_container
from schemas.avro.containers import ContainerDamaged

RECORD_BYTES: Final = 200
LINE_BYTES: Final = 80


def check_container(stream: BinaryIO, name: str) -> None:
    """Raises InputRefused if a file opened at its beginning has no header that can be read."""
    try:
        next(read_container(stream), None)
    except ContainerDamaged as damage:
        if damage.record_number == 0:
            raise _unreadable(name, damage) from damage


def read_avro_container(stream: BinaryIO, name: str, door: Door) -> Iterator[Read]:
    """The records of a file opened for bytes at its beginning; where it is damaged, its rest is one refused record.

    Fields that are null are left out. Raises InputRefused where not even the header can be read.
    """
    record, block_start, block_end = 0, 0, 0
    records = read_container(stream)
    while True:
        try:
            kind, fields = next(records)
        except StopIteration:
            return
        except ContainerDamaged as damage:
            if damage.record_number == 0:
                raise _unreadable(name, damage) from damage
            is_within_block = stream.tell() == block_end
            yield _damaged(stream, record + 1, damage, block_start if is_within_block else block_end)
            return
        record += 1
        here = stream.tell()
        if here != block_end:
            block_start, block_end = block_end, here
        event = without_nulls(fields)
        event.setdefault("type", kind)
        admitted = door.admit(event)
        if isinstance(admitted, Refusal):
            yield refused(record, record, admitted, as_json(event))
        else:
            size = RECORD_BYTES + LINE_BYTES * len(event.get("lines", ()))
            yield Read(record, record, admitted, None, b"", size)


def _unreadable(name: str, damage: ContainerDamaged) -> InputRefused:
    message = f"this is no Avro container that can be read: {damage.message}"
    return InputRefused(name, 0, message, "Write the file again as an Avro object container")


def _damaged(stream: BinaryIO, record: int, damage: ContainerDamaged, offset: int) -> Read:
    """The rest of a file from its first damaged block on (of which records may have been read already)."""
    stream.seek(offset)
    kept = stream.read(MAX_KEPT_BYTES)
    size = stream.seek(0, os.SEEK_END) - offset
    message = (
        f"the file is damaged from record {damage.record_number} on ({damage.message}): the records before it are "
        "taken, none after it; write the file again and import it"
    )
    return refused(record, record, Refusal("damaged", message), kept, headers={"offset": str(offset)}, size=size)
