"""What ClickHouse makes of the books' Avro is what the reference makes of the records: the same rows in every table."""

from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec import inspect as mi

from books.encoded_blocks import EncodedBlock, encoded
from books.files.reader import FileLogReader
from books.log import LogReader
from projections.clickhouse.client import ClickHouse
from projections.clickhouse.staging import fact_types, insert_statement
from projections.projector import project
from projections.sql_files import sql_files
from projections.store import JOURNAL, LEDGER, REJECTS, TABLES, Pieces, QueryFailed
from schemas.avro.codecs import decode_postings, encode_record
from schemas.facts import JournalFact
from schemas.pages import JournalLine, JournalPage, Reject
from schemas.partitions import partition_of
from schemas.posting import FIRST_EDITION, EntryType, Posting
from tests.fakes.list_books import ListBooks
from tests.reference.rows import plain_rows
from tests.support.older_books import make_older
from tests.support.small_folder import REJECTS as REFUSED
from tests.support.small_folder import build_folder

PARTITIONS = 3
EDITION = "0007"
LAST_DAY = 120_529  # 2299-12-31, the end of ClickHouse's calendar
TEXTS = ("", "a", "é", "日本", "🎈", "a'b\"\\", "tab\t", "x" * 300)


def some(kind: mi.Type, rng: Random, name: str = "") -> Any:  # noqa: PLR0911 - one return for each kind of type
    """A random value of a field's type, within what a table holds."""
    match kind:
        case mi.IntType():
            return some_int(rng, name)
        case mi.StrType():
            return rng.choice(TEXTS)
        case mi.BytesType():
            return rng.choice(TEXTS).encode()
        case mi.BoolType():
            return rng.random() < 0.5
        case mi.NoneType():
            return None
        case mi.DictType():
            return {text: rng.choice(TEXTS) for text in rng.sample(TEXTS, rng.randrange(3))}
        case mi.VarTupleType():
            return tuple(some(kind.item_type, rng) for _ in range(rng.randrange(4)))
        case mi.UnionType():
            return some(rng.choice(kind.types), rng, name)
        case mi.StructType():
            return some_struct(kind.cls, rng)
    raise TypeError(f"no values of {kind}")


def some_int(rng: Random, name: str) -> int:
    if name.endswith(("_at", "_from")) or name == "at":
        return rng.choice((0, 1, 999, rng.randrange((LAST_DAY + 1) * 86_400_000), (LAST_DAY + 1) * 86_400_000 - 1))
    if name.endswith("day"):
        return rng.choice((0, LAST_DAY, rng.randrange(LAST_DAY)))
    if name in {"points", "balance", "rounded", "paid", "basis"}:
        return rng.choice((0, 2**50, -(2**50), rng.randrange(-1000, 1000)))
    return rng.randrange(11) if name == "rating" else rng.choice((0, 1, 2**31 - 1, rng.randrange(1000)))


def some_struct(kind: type[msgspec.Struct], rng: Random) -> Any:
    described = mi.type_info(kind)
    assert isinstance(described, mi.StructType)
    fields = {field.name: some(field.type, rng, field.name) for field in described.fields}
    if "points" in fields:
        fields["type"] = rng.choice(list(EntryType)).value
    return kind(**fields)


def some_postings(rng: Random, count: int) -> Pieces:
    members = [f"{rng.choice(TEXTS)}{number}" for number in range(1 + count // 3)]
    postings = [
        msgspec.structs.replace(some_struct(Posting, rng), member_id=rng.choice(members), seq=seq)
        for seq in range(1, count + 1)
    ]
    return [
        (partition, block)
        for partition in range(PARTITIONS)
        if (own := [each for each in postings if partition_of(each.member_id, PARTITIONS) == partition])
        for block in encoded([(1, own[: len(own) // 2]), (2, own[len(own) // 2 :])])
        if block.records
    ]


def some_pages(rng: Random, count: int) -> Pieces:
    kinds = mi.multi_type_info([JournalFact])[0]
    assert isinstance(kinds, mi.UnionType)
    made = []
    for number in range(count):
        lines = tuple(
            JournalLine(
                some(rng.choice(kinds.types), rng),
                some_int(rng, "received_at"),
                rng.choice((None, "ann")),
                rng.randrange(2),
                rng.randrange(1000),
            )
            for _ in range(rng.randrange(8))
        )
        made.append((number % PARTITIONS, JournalPage(number, lines, ("", "ab" * 32))))
    return [(partition, block) for partition, page in made for block in encoded([(1, [page])])]


def some_rejects(rng: Random, count: int) -> Pieces:
    rejects = [msgspec.structs.replace(some_struct(Reject, rng), number=number) for number in range(count)]
    return [(0, block) for block in encoded((1, [reject]) for reject in rejects)]


def rows_of(store: ClickHouse, book: str) -> dict[str, list[str]]:
    """The rows of a book's tables in no order of their own; the tables are empty afterwards."""
    found = {}
    for table in TABLES[book]:
        found[table] = sorted(repr(row) for row in store.rows(f"SELECT * FROM tallybook_rows.{table}"))
        store.command(f"TRUNCATE TABLE tallybook_rows.{table}")
    return found


def told_by_reference(store: ClickHouse, book: str, pieces: Pieces, edition: str = EDITION) -> dict[str, list[str]]:
    for table, rows in plain_rows(book, pieces, edition).items():
        columns: dict[str, Any] = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
        if "raw" in columns:
            columns["raw"] = [raw.decode() for raw in columns["raw"]]
        if rows:
            store.insert(table, columns)  # which refuses columns that the table has not
    return rows_of(store, book)


def told_by_clickhouse(store: ClickHouse, book: str, pieces: Pieces) -> dict[str, list[str]]:
    staged = store.stage(book, pieces)
    for table in TABLES[book]:
        store.insert_staged(staged, table, EDITION, PARTITIONS)
    store.unstage(staged)
    return rows_of(store, book)


@pytest.mark.parametrize(("book", "make"), [(LEDGER, some_postings), (JOURNAL, some_pages), (REJECTS, some_rejects)])
def test_random_records_make_the_same_rows_both_ways(store: ClickHouse, book: str, make: Any) -> None:
    seen = 0
    for seed, count in enumerate((1, 7, 200)):
        pieces = make(Random(seed), count)
        expected = told_by_reference(store, book, pieces)
        assert told_by_clickhouse(store, book, pieces) == expected, f"seed {seed}"
        seen += sum(map(len, expected.values()))
    assert seen > 200
    assert told_by_clickhouse(store, book, []) == {table: [] for table in TABLES[book]}


def test_every_table_has_its_insert_and_every_insert_its_table() -> None:
    assert {file.name for file in sql_files("inserts")} == {table for tables in TABLES.values() for table in tables}
    for file in sql_files("inserts"):
        assert file.statement.startswith(f"INSERT INTO tallybook_rows.{file.name}\n") or file.statement.startswith(
            f"INSERT INTO tallybook_rows.{file.name} ("
        )


def test_every_kind_of_fact_goes_somewhere() -> None:
    types = fact_types()
    everything = frozenset(types.values())
    text = "".join(insert_statement(table, everything) or "" for table in TABLES[JOURNAL])
    assert [kind for kind in types if f"= '{types[kind]}'" not in text] == ["JournalOpened"]


def test_an_unknown_type_of_entry_ends_the_projection(store: ClickHouse) -> None:
    books = ListBooks(1)
    posting = some_struct(Posting, Random(1))
    entries = (msgspec.structs.replace(some_entry(), type="PointsLost"),)
    books.blocks["0001"][0] = [[msgspec.structs.replace(posting, entries=entries)]]
    with pytest.raises(QueryFailed, match="an entry has a type that no table knows"):
        project(books, store, FIRST_EDITION)
    assert store.rows("SELECT 1 FROM tallybook_rows.progress") == []
    assert store.rows("SELECT name FROM system.tables WHERE is_temporary") == []


def some_entry() -> Any:
    (entries,) = (field.type for field in mi.type_info(Posting).fields if field.name == "entries")  # type: ignore[attr-defined]  # a posting is a struct
    return some_struct(entries.item_type.cls, Random(2))


def test_books_of_an_older_version_are_projected_as_what_they_say(store: ClickHouse, tmp_path: Path) -> None:
    folder = build_folder(tmp_path, rejects=REFUSED[:1])  # the other one holds no text
    make_older(folder.root)
    log = FileLogReader(folder.root)
    done = project(log, store, FIRST_EDITION)
    assert done.postings > 10
    found = {book: rows_of(store, book) for book in TABLES}
    for book, blocks in blocks_of(log).items():
        assert told_by_reference(store, book, blocks, "0001") == found[book]


def blocks_of(log: LogReader) -> dict[str, Pieces]:
    """All that books hold, decoded and encoded again by the present version."""
    partitions = range(log.partitions)
    ledger = [(n, block) for n in partitions for block in encoded(log.read_ledger("0001", n))]
    journal = [(n, block) for n in partitions for block in encoded((end, [page]) for end, page in log.read_journal(n))]
    return {LEDGER: ledger, JOURNAL: journal, REJECTS: [(0, block) for block in encoded(log.read_rejects())]}


def test_blocks_of_one_record_or_many_are_the_same(store: ClickHouse) -> None:
    pieces = some_postings(Random(5), 40)
    one_by_one = [(partition, EncodedBlock(1, 1, data)) for partition, block in pieces for data in apart(block)]
    assert told_by_clickhouse(store, LEDGER, one_by_one) == told_by_clickhouse(store, LEDGER, pieces)


def apart(block: EncodedBlock) -> list[bytes]:
    return [encode_record(posting) for posting in decode_postings(block.data, block.records)]
