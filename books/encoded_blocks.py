"""Gives records of the books as Avro bytes, for readers that take them as they are, such as ClickHouse."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from schemas.avro.codecs import Record, encode_record
from schemas.avro.varints import read_long


class EncodedBlock(NamedTuple):
    """Some records of a book: the position after them, how many, and their Avro bodies one after the other.

    The bodies are those of the *present* schema of JournalPage, Posting or Reject (`schemas.avro.codecs.schema_json`),
    whatever schema the book was written under.
    """

    end: int
    records: int
    data: bytes


def encoded(batches: Iterable[tuple[int, Sequence[Record]]]) -> Iterator[EncodedBlock]:
    """Batches of records with the position after each, as a log's `read_…` gives them, encoded anew."""
    for end, records in batches:
        yield EncodedBlock(end, len(records), bodies_of(records))


def bodies_of(records: Iterable[Record]) -> bytes:
    """Records one after the other, as a block of a container holds them."""
    return b"".join([encode_record(record) for record in records])


def lines_of(page: bytes) -> int:
    """How many lines an encoded journal page has, read from its head: the number of the page, then the lines' count.

    Whoever writes the books writes an array as one block, so its first count is that of all (Avro specification,
    "Binary Encoding", complex types). A count below 0 is one whose block's size stands after it.

    Raises:
        IndexError, ValueError: these are not the bytes of a page.
    """
    _, at = read_long(page, 0)
    return abs(read_long(page, at)[0])
