"""Gives records of the books as Avro bytes, for readers that take them as they are, such as ClickHouse."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.avro.codecs import encode_page, encode_posting, encode_reject
from schemas.avro.varints import read_long
from schemas.pages import JournalPage, Reject
from schemas.posting import Posting


class EncodedBlock(NamedTuple):
    """Some records of a book: the position after them, how many, and their Avro bodies one after the other.

    The bodies are those of the *present* schema of JournalPage, Posting or Reject (`schemas.avro.codecs.schema_json`),
    whatever schema the book was written under.
    """

    end: int
    records: int
    data: bytes


def encoded_pages(pages: Iterable[tuple[int, JournalPage]]) -> Iterator[EncodedBlock]:
    """Pages with the position after each, as `read_journal` gives them, encoded anew."""
    for end, page in pages:
        yield EncodedBlock(end, 1, encode_page(page))


def encoded_postings(batches: Iterable[tuple[int, Iterable[Posting]]]) -> Iterator[EncodedBlock]:
    """Batches of postings with the position after each, as `read_ledger` gives them, encoded anew."""
    for end, postings in batches:
        bodies = [encode_posting(posting) for posting in postings]
        yield EncodedBlock(end, len(bodies), b"".join(bodies))


def postings_body(postings: Iterable[Posting]) -> bytes:
    """Postings one after the other, as a block of a container holds them."""
    return b"".join([encode_posting(posting) for posting in postings])


def encoded_rejects(batches: Iterable[tuple[int, Iterable[Reject]]]) -> Iterator[EncodedBlock]:
    """Batches of rejects with the position after each, as `read_rejects` gives them, encoded anew."""
    for end, rejects in batches:
        bodies = [encode_reject(reject) for reject in rejects]
        yield EncodedBlock(end, len(bodies), b"".join(bodies))


def lines_of(page: bytes) -> int:
    """How many lines an encoded journal page has, read from its head: the number of the page, then the lines' count.

    Whoever writes the books writes an array as one block, so its first count is that of all (Avro specification,
    "Binary Encoding", complex types). A count below 0 is one whose block's size stands after it.

    Raises:
        IndexError, ValueError: these are not the bytes of a page.
    """
    _, at = read_long(page, 0)
    return abs(read_long(page, at)[0])
