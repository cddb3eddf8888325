"""Book files as others see them: plain Avro, byte-identical for the same facts, cut back to what was committed."""

from pathlib import Path
from typing import Any

import fastavro
import msgspec
import pytest

from books.errors import NoSuchPosition
from books.files.create import create_books
from books.files.reader import FileLogReader
from books.files.writer import FileLogWriter
from schemas.avro.codecs import encode_record
from schemas.avro.contracts import schema_json
from tests.fakes.books import HOLDER
from tests.support.book_folders import add_round, append_round, bytes_of, copied, make_books, read_back
from tests.support.book_samples import OPENED, page, posting, postings, reject, round_of, second_edition

FILES = [
    "journal/00.avro",
    "journal/01.avro",
    "ledger.0001/00.avro",
    "ledger.0001/01.avro",
    "ledger.0001/opened.avro",
    "rejects.avro",
]
SCHEMAS = {"journal": "JournalPage", "ledger": "Posting", "rejects": "Reject", "rounds": "RoundCommitted"}


@pytest.fixture
def shop(two_rounds: Path, tmp_path: Path) -> Path:
    return copied(two_rounds, tmp_path / "shop")


def test_the_layout_is_the_documented_one(shop: Path) -> None:
    names = [name for name in bytes_of(shop / "books") if not name.endswith("/")]
    assert sorted(names) == sorted([*FILES, "LOCK", "rounds.avro"])
    assert [length.file for length in FileLogReader(shop).committed().lengths] == FILES


@pytest.mark.parametrize("name", [*FILES, "rounds.avro"])
def test_any_avro_tool_reads_every_file(shop: Path, name: str) -> None:
    with (shop / "books" / name).open("rb") as file:
        reader = fastavro.reader(file)
        records: list[Any] = list(reader)
        metadata = dict(reader.metadata)
    kind = "EditionOpened" if name.endswith("opened.avro") else SCHEMAS[name.replace(".", "/").partition("/")[0]]
    assert metadata["avro.schema"] == schema_json(kind)
    assert metadata["avro.codec"] == "null"
    assert metadata["tallybook.deployment"] == OPENED.deployment
    assert metadata["tallybook.file"] == name
    assert records
    if kind == "Posting":
        assert [record["number"] for record in records] == [1, 2, 3, 4]
        assert records[0]["entries"][0]["points"] == 5
    if kind == "RoundCommitted":
        assert [record["number"] for record in records] == [0, 1, 2]


def test_the_same_facts_give_the_same_bytes(tmp_path: Path, shop: Path) -> None:
    make_books(tmp_path / "again")
    assert bytes_of(tmp_path / "again") == bytes_of(shop)


def test_they_do_so_when_the_writer_came_and_went(tmp_path: Path, shop: Path) -> None:
    create_books(tmp_path / "again", OPENED)
    for number in (1, 2):
        with FileLogWriter(tmp_path / "again", HOLDER) as writer:
            append_round(writer, number, "somebody else")  # and lost
        with FileLogWriter(tmp_path / "again", HOLDER) as writer:
            add_round(writer, number)
    assert bytes_of(tmp_path / "again") == bytes_of(shop)


def test_books_of_another_opening_have_other_markers(tmp_path: Path, shop: Path) -> None:
    opened = msgspec.structs.replace(OPENED, opened_at=OPENED.opened_at + 1)
    other = make_books(tmp_path / "other", opened=opened)
    for name in [*FILES, "rounds.avro"]:
        assert (other / name).read_bytes()[-16:] != (shop / "books" / name).read_bytes()[-16:]


@pytest.mark.parametrize("name", ["journal/00.avro", "ledger.0001/01.avro", "rejects.avro", "ledger.0001/opened.avro"])
def test_a_torn_tail_is_cut_at_every_byte(tmp_path: Path, shop: Path, name: str) -> None:
    before, clean = read_back(shop), bytes_of(shop)
    longer = copied(shop, tmp_path / "longer")
    with FileLogWriter(longer, HOLDER) as writer:
        add_round(writer, 3)
    grown = (longer / "books" / name).read_bytes()
    committed = (shop / "books" / name).read_bytes()
    tail = grown[len(committed) :] or b"\x02\x08tail"
    for cut in range(1, len(tail) + 1):
        for garbage in (b"", b"\x00\xff garbage"):
            (shop / "books" / name).write_bytes(committed + tail[:cut] + garbage)
            assert read_back(shop) == before  # a reader stops at the committed length, and changes nothing
            assert (shop / "books" / name).read_bytes() != committed
            with FileLogWriter(shop, HOLDER) as writer:
                assert writer.cut_bytes == cut + len(garbage)
            assert bytes_of(shop) == clean


def test_a_torn_commit_does_not_count_at_every_byte(tmp_path: Path, shop: Path) -> None:
    before, clean = read_back(shop), bytes_of(shop)
    longer = copied(shop, tmp_path / "longer")
    with FileLogWriter(longer, HOLDER) as writer:
        add_round(writer, 3)
    after = read_back(longer)
    whole = bytes_of(longer)
    rounds = whole["books/rounds.avro"]
    start = len(clean["books/rounds.avro"])
    for cut in range(start + 1, len(rounds)):
        (longer / "books/rounds.avro").write_bytes(rounds[:cut] + b"\xfe garbage"[: cut % 9])
        assert read_back(longer) == before
    (longer / "books/rounds.avro").write_bytes(rounds + b"garbage")
    assert read_back(longer) == after
    for cut in range(start + 1, len(rounds), 97):
        torn = copied(shop, tmp_path / f"torn-{cut}")
        for name, data in whole.items():
            if name.endswith(".avro"):
                (torn / name).write_bytes(data)
        (torn / "books/rounds.avro").write_bytes(rounds[:cut])
        with FileLogWriter(torn, HOLDER) as writer:
            assert bytes_of(torn) | {"books/LOCK": b""} == clean
            add_round(writer, 3)
        assert bytes_of(torn) == whole


def test_the_last_commit_is_found_before_any_amount_of_garbage(shop: Path) -> None:
    before, path = read_back(shop), shop / "books/rounds.avro"
    rounds = path.read_bytes()
    for size in (1, 60_000, 70_000, 300_000):
        path.write_bytes(rounds + bytes(size))
        assert read_back(shop) == before
    with FileLogWriter(shop, HOLDER) as writer:
        assert writer.cut_bytes == size
        sealed = [writer.commit(round_of(number)) for number in range(3, 300)]
    assert len(path.read_bytes()) > 1 << 16
    assert FileLogReader(shop).committed() == sealed[-1]
    assert list(FileLogReader(shop).commits())[3:] == sealed


def test_a_position_inside_a_record_is_refused(shop: Path) -> None:
    log = FileLogReader(shop)
    places = [position for position, _ in log.read_journal(0)]
    for position in (*range(1, 100), *range(places[0] + 1, places[-1])):
        if position not in places:
            with pytest.raises(NoSuchPosition):
                log.read_journal(0, position)


def test_a_commit_with_any_byte_changed_does_not_count(tmp_path: Path, shop: Path) -> None:
    longer = copied(shop, tmp_path / "longer")
    with FileLogWriter(longer, HOLDER) as writer:
        add_round(writer, 3)
    start = (shop / "books/rounds.avro").stat().st_size
    rounds = (longer / "books/rounds.avro").read_bytes()
    for at in range(start, len(rounds)):
        changed = bytearray(rounds)
        changed[at] ^= 1 << at % 8
        (longer / "books/rounds.avro").write_bytes(changed)
        assert FileLogReader(longer).committed().number == 2


def test_what_no_commit_knows_is_removed_and_strangers_stay(shop: Path) -> None:
    clean = bytes_of(shop)
    books = shop / "books"
    with FileLogWriter(shop, HOLDER) as writer:
        writer.open_edition(second_edition())
        writer.append_postings("0002", 0, postings(1, 2))
        for file in writer._appending.values():
            file.flush()
    (books / "journal/02.avro").write_bytes(b"of a partition that is not")
    (books / "notes.txt").write_text("keep me")
    (books / "ledger.0001/notes.txt").write_text("me too")
    (books / "ledger.old").mkdir()
    with FileLogWriter(shop, HOLDER) as writer:
        assert writer.cut_bytes > 0
    strangers = {"books/notes.txt": b"keep me", "books/ledger.0001/notes.txt": b"me too", "books/ledger.old/": b""}
    assert bytes_of(shop) == clean | strangers


def test_a_large_batch_is_written_in_several_blocks(tmp_path: Path) -> None:
    create_books(tmp_path, OPENED)
    size = len(encode_record(posting(1)))
    many = postings(1, 3 * (1 << 20) // size)
    with FileLogWriter(tmp_path, HOLDER) as writer:
        writer.append_postings("0001", 0, many)
        writer.commit(round_of(1))
        batches = [batch for _, batch in writer.read_ledger("0001", 0)]
    assert 3 <= len(batches) <= 4
    assert [posting for batch in batches for posting in batch] == many
    assert FileLogReader(tmp_path).last_posting("0001", 0) == many[-1]


def test_what_cannot_be_encoded_leaves_the_writer_sound(shop: Path) -> None:
    with FileLogWriter(shop, HOLDER) as writer:
        unencodable = posting(5)
        unencodable.balance = 1 << 70
        with pytest.raises(OverflowError):
            writer.append_postings("0001", 0, [unencodable])
        writer.append_postings("0001", 0, postings(5, 1))
        writer.append_page(0, page(3))
        writer.append_rejects([reject(3)])
        assert writer.commit(round_of(1)).number == 3
    assert read_back(shop)[0] == 3


def test_a_reject_that_imitates_a_block_is_only_a_reject(shop: Path) -> None:
    clean = (shop / "books/rejects.avro").read_bytes()
    forged = clean[-200:] + clean[-16:]
    with FileLogWriter(shop, HOLDER) as writer:
        (kept,) = writer.append_rejects([msgspec.structs.replace(reject(3), raw=forged)])
        writer.commit(round_of(1))
    with FileLogWriter(shop, HOLDER) as writer:
        (following,) = writer.append_rejects([reject(4)])
        writer.commit(round_of(1))
    assert (kept.number, following.number) == (3, 4)
    assert [found.raw for _, batch in FileLogReader(shop).read_rejects() for found in batch][2] == forged


@pytest.mark.parametrize("change", [{"partition": 1}, {"partitions": 0}, {"partitions": 10_001}, {"deployment": ""}])
def test_books_that_cannot_be_are_not_created(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no book"):
        create_books(tmp_path / "shop", msgspec.structs.replace(OPENED, **change))
    assert not (tmp_path / "shop").exists()


def test_what_a_killed_creation_left_is_cleared(tmp_path: Path, shop: Path) -> None:
    for name in ("books.creating/journal/07.avro", "books.creating/ledger.0001/00.avro", "books.creating/rejects.avro"):
        (tmp_path / "again" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "again" / name).write_bytes(b"half")
    make_books(tmp_path / "again")
    assert bytes_of(tmp_path / "again") == bytes_of(shop)
