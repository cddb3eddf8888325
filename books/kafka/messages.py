"""Encodes and decodes the records of the books' topics, which are Avro single-object messages.

Several processes append pages to one partition, so that none can number them: a page is written as page 0, and its
number is the offset at which the broker put it.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from books.encoded_blocks import EncodedBlock, bodies_of
from books.errors import BooksDamaged
from books.kafka.records import Record
from schemas.avro.codecs import BodyDamaged, Written, decode_record, encode_record
from schemas.avro.codecs import Record as AvroRecord
from schemas.avro.single_object import NotFramed, UnknownFingerprint, frame, unframe
from schemas.avro.varints import long_bytes, read_long
from schemas.facts import JournalOpened
from schemas.pages import JournalLine, JournalPage, Reject
from schemas.posting import EditionOpened, PostingBatch

_RESTORE: Final = "Restore the topic from a backup, or make a new deployment and publish its facts again."


def message_of(record: AvroRecord) -> bytes:
    """A record of one of the books' topics, to be sent; the number in it is not looked at, but where it will stand."""
    return frame(type(record).__name__, encode_record(record))


def page_message(lines: Iterable[JournalLine], inputs: Iterable[str] = ("",)) -> bytes:
    """A page of the journal, to be sent; its number is where it will stand."""
    return message_of(JournalPage(0, tuple(lines), tuple(inputs)))


def page_of(record: Record) -> JournalPage:
    """The page of a record. Raises BooksDamaged."""
    page = _decoded(record, JournalPage)
    return JournalPage(record.offset, page.lines, page.inputs)


def batch_of(record: Record) -> PostingBatch | None:
    """The batch of a record of the ledger; None for the edition's opening. Raises BooksDamaged."""
    return None if _name(record) == "EditionOpened" else _decoded(record, PostingBatch)


def reject_of(record: Record) -> Reject:
    """The reject of a record, with its number. Raises BooksDamaged."""
    return msgspec.structs.replace(_decoded(record, Reject), number=record.offset + 1)


def edition_of(record: Record) -> EditionOpened | None:
    """The edition's opening; None for another record of the ledger. Raises BooksDamaged."""
    return _decoded(record, EditionOpened) if _name(record) == "EditionOpened" else None


def opening_of(record: Record) -> JournalOpened | None:
    """The constants in a partition's first record; None if it is another one. Raises BooksDamaged."""
    lines = page_of(record).lines
    fact = lines[0].fact if lines else None
    return fact if isinstance(fact, JournalOpened) else None


def page_block(record: Record) -> EncodedBlock:
    """A page as bytes of the present schema, its number in them."""
    body, writer_schema = _body(record, "JournalPage")
    if writer_schema is not None:
        body = encode_record(page_of(record))
    else:
        _, after = read_long(body, 0)  # the number it was written with, which is none
        body = long_bytes(record.offset) + body[after:]
    return EncodedBlock(record.offset + 1, 1, body)


def batch_block(record: Record, batch: PostingBatch) -> EncodedBlock:
    """The postings of a record as bytes of the present schema."""
    return EncodedBlock(record.offset + 1, len(batch.postings), bodies_of(batch.postings))


def reject_block(record: Record) -> EncodedBlock:
    """A reject as bytes of the present schema, its number in them."""
    return EncodedBlock(record.offset + 1, 1, encode_record(reject_of(record)))


def _decoded(record: Record, kind: type[Written]) -> Written:
    """What a record holds, which must be of this type. Raises BooksDamaged."""
    body, writer_schema = _body(record, kind.__name__)
    try:
        return decode_record(kind, body, writer_schema)
    except BodyDamaged as error:
        raise _damaged(record, f"a record cannot be read ({error})") from error


def _name(record: Record) -> str:
    return _unframed(record)[0]


def _body(record: Record, expected: str) -> tuple[bytes, str | None]:
    name, writer_schema, body = _unframed(record)
    if name != expected:
        raise _damaged(record, f"a {name} stands where a {expected} is due")
    return body, writer_schema


def _unframed(record: Record) -> tuple[str, str | None, bytes]:
    try:
        return unframe(record.value or b"")
    except UnknownFingerprint as error:
        what = f"a record was written by another version of Tallybook ({error})"
        raise BooksDamaged(_where(record), None, what, "Use the version that wrote it, or a later one.") from error
    except NotFramed as error:
        raise _damaged(record, "a record is not one of Tallybook's: somebody else has written to this topic") from error


def _where(record: Record) -> str:
    return f"{record.topic}/{record.partition} at offset {record.offset}"


def _damaged(record: Record, what: str) -> BooksDamaged:
    return BooksDamaged(_where(record), None, what, _RESTORE)
