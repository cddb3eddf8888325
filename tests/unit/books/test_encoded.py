"""Records as bytes are the records, also from files of an older version, whose records have fewer fields."""

from pathlib import Path

import pytest

from books.encoded_blocks import lines_of
from books.errors import NoSuchPosition
from books.files.create import create_books
from books.files.reader import FileLogReader
from books.files.writer import FileLogWriter
from books.log import LogReader, LogWriter
from schemas.avro.codecs import decode_postings, decode_record, encode_record
from schemas.pages import JournalPage
from tests.fakes.books import HOLDER
from tests.support.book_samples import OPENED, check_in, postings, reject, round_of
from tests.support.older_books import make_older


def fill(writer: LogWriter) -> None:
    for number, lines in enumerate((1, 2, 100, 1), start=1):
        page = JournalPage(number, tuple(check_in("ann", n) for n in range(lines)))
        writer.append_page(1, page)
    writer.append_postings("0001", 1, postings(1, 5))
    writer.append_postings("0001", 1, postings(6, 2))
    writer.append_rejects([reject(1), reject(2)])
    writer.commit(round_of(3))
    writer.close()


@pytest.fixture
def log(tmp_path: Path) -> LogReader:
    create_books(tmp_path, OPENED)
    fill(FileLogWriter(tmp_path, HOLDER))
    make_older(tmp_path)
    return FileLogReader(tmp_path)


@pytest.mark.usefixtures("log")
def test_older_files_are_older(tmp_path: Path) -> None:
    heads = [path.read_bytes()[:20_000] for path in sorted((tmp_path / "books").rglob("0*.avro"))]
    assert len(heads) == 4
    assert not [head for head in heads if b'"order_id"' in head and b'"claim_paid"' in head]
    assert not [head for head in heads if b'"inputs"' in head]


def test_blocks_are_the_same_records_as_bytes(log: LogReader) -> None:
    pages, batches = list(log.read_journal(1)), list(log.read_ledger("0001", 1))
    assert [(block.end, decode_record(JournalPage, block.data)) for block in log.journal_blocks(1)] == pages
    assert {block.records for block in log.journal_blocks(1)} == {1}
    assert [
        (block.end, decode_postings(block.data, block.records)) for block in log.ledger_blocks("0001", 1)
    ] == batches
    rejects = [each for _, batch in log.read_rejects() for each in batch]
    assert b"".join(block.data for block in log.reject_blocks()) == b"".join(map(encode_record, rejects))
    assert sum(block.records for block in log.reject_blocks()) == len(rejects) == 2


def test_the_lines_of_a_page_are_counted_without_reading_them(log: LogReader) -> None:
    assert [lines_of(block.data) for block in log.journal_blocks(1)] == [1, 1, 2, 100, 1]
    assert lines_of(b"\x06" + b"\x03\x10") == 2  # a count below 0, and the size of the block behind it
    assert lines_of(b"\x06\x00") == 0


def test_blocks_go_on_from_any_position(log: LogReader) -> None:
    pages, blocks = list(log.journal_blocks(1)), list(log.ledger_blocks("0001", 1))
    for n, block in enumerate(pages, start=1):
        assert list(log.journal_blocks(1, block.end)) == pages[n:]
    for n, block in enumerate(blocks, start=1):
        assert list(log.ledger_blocks("0001", 1, block.end)) == blocks[n:]
    ends = [block.end for block in log.reject_blocks()]
    assert list(log.reject_blocks(ends[-1])) == []
    with pytest.raises(NoSuchPosition):
        log.ledger_blocks("0001", 0, 10**9)
