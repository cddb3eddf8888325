"""Makes the books of a folder as a version before this one could have written them: some fields are missing.

These stand last in their records. What they said is forgotten first, so that each is its default, whose encoding is
known; then the bodies are simply cut: no other Avro library takes part.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zlib import crc32

from msgspec.structs import replace

from books.files.book_file import TAIL_BYTES, BookFile, blocks_of, open_book_file
from books.files.commits import encode_commit, read_last_round, seal
from books.files.disk import REAL_FILES
from books.files.layout import BOOKS, ROUNDS, schema_of
from books.files.reader import identity_in_folder
from schemas.avro.codecs import decode_postings, decode_record, encode_record
from schemas.avro.containers import encode_block, encode_header
from schemas.pages import BookLength, JournalPage, Reject

# Fields that stand last in their records, and the bytes of their defaults.
MISSING: Final = {
    "Posting": (("store_id", "order_id"), b"\0\0"),
    "JournalPage": (("inputs",), b"\2\0\0"),
    "Reject": (("resubmit_of",), b"\0"),
}


def make_older(folder: Path) -> None:
    """Rewrite journal, ledgers and rejects of a folder under schemas without the MISSING fields."""
    books = folder / BOOKS
    identity = identity_in_folder(REAL_FILES, folder)
    rounds = open_book_file(REAL_FILES, books, ROUNDS, identity)
    committed = read_last_round(REAL_FILES, rounds).committed
    lengths = []
    for length in committed.lengths:
        book = open_book_file(REAL_FILES, books, length.file, identity)
        if schema_of(book.name) in MISSING:
            content = _older(book, length.bytes)
            book.path.write_bytes(content)
            lengths.append(BookLength(length.file, len(content), crc32(content[-TAIL_BYTES:])))
        else:
            lengths.append(length)
    sealed = seal(replace(committed, number=0, lengths=tuple(lengths)))
    rounds.path.write_bytes(rounds.path.read_bytes()[: rounds.first] + encode_commit(sealed, rounds.sync))


def _older(book: BookFile, end: int) -> bytes:
    fields, tail = MISSING[schema_of(book.name)]
    schema = json.loads(book.header.metadata["avro.schema"])
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in fields]
    metadata = book.header.metadata | {"avro.schema": json.dumps(schema).encode()}
    pieces = [encode_header(metadata, book.sync)]
    for count, bodies in _bodies(book, end):
        cut = [body[: -len(tail)] for body in bodies]
        pieces.append(encode_block(count, b"".join(cut), book.sync))
    return b"".join(pieces)


def _bodies(book: BookFile, end: int) -> Iterator[tuple[int, list[bytes]]]:
    """The records of each block, encoded one by one, with nothing in the MISSING fields."""
    for block in blocks_of(REAL_FILES, book, 0, end):
        if schema_of(book.name) == "Posting":
            postings = decode_postings(block.data, block.records)
            bodies = [encode_record(replace(posting, store_id="", order_id="")) for posting in postings]
        elif schema_of(book.name) == "JournalPage":
            page = decode_record(JournalPage, block.data)
            lines = tuple(replace(line, input=0) for line in page.lines)
            bodies = [encode_record(JournalPage(page.page, lines))]
        else:
            bodies = [encode_record(replace(decode_record(Reject, block.data), resubmit_of=0))]
        yield block.records, bodies
