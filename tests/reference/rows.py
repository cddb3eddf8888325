"""The rows that staged records must make in each table: for differential tests and for fake stores."""

from projections.store import JOURNAL, LEDGER, Columns, Pieces
from schemas.avro.codecs import decode_page, decode_postings, decode_reject
from tests.reference.fact_rows import JournalRows
from tests.reference.posting_rows import posting_rows
from tests.reference.reject_rows import reject_rows


def plain_rows(book: str, pieces: Pieces, edition: str) -> dict[str, Columns]:
    """The rows of a book's blocks by table, in the order of the tables; instants in UTC ms, dates in days since 1970.

    A block of rejects must hold one.
    """
    if book == LEDGER:
        postings = [decode_postings(block.data, block.records) for _, block in pieces]
        partitions = [
            partition for (partition, block), _ in zip(pieces, postings, strict=True) for _ in range(block.records)
        ]
        return posting_rows(edition, partitions, [posting for batch in postings for posting in batch])
    if book == JOURNAL:
        rows = JournalRows()
        for partition, block in pieces:
            rows.add(partition, decode_page(block.data))
        return rows.take()
    return reject_rows([decode_reject(block.data) for _, block in pieces])
