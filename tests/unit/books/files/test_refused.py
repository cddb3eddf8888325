"""Folders that are refused: what the message names, and that the attempt changes nothing."""

import io
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import fastavro
import msgspec
import pytest

from books.errors import BooksDamaged, BooksError, BooksForeign
from books.files.reader import FileLogReader
from books.files.writer import FileLogWriter
from schemas.avro.containers import encode_header, read_header
from tests.fakes.books import HOLDER
from tests.support.book_folders import add_round, bytes_of, copied, make_books, read_back
from tests.support.book_samples import OPENED, postings

ALL_FILES = [
    "journal/00.avro",
    "journal/01.avro",
    "ledger.0001/00.avro",
    "ledger.0001/01.avro",
    "ledger.0001/opened.avro",
    "rejects.avro",
    "rounds.avro",
]


@pytest.fixture
def shop(two_rounds: Path, tmp_path: Path) -> Path:
    return copied(two_rounds, tmp_path / "shop")


def refused(folder: Path, kind: type[BooksError]) -> str:
    """The message with which a folder is refused by reader and writer alike, byte for byte as it was."""
    before = bytes_of(folder)
    with pytest.raises(kind) as reading:
        FileLogReader(folder)
    with pytest.raises(kind) as writing:
        FileLogWriter(folder, HOLDER)
    assert bytes_of(folder) == before
    assert str(reading.value) == str(writing.value)
    assert str(reading.value).endswith("Nothing was changed.")
    return str(reading.value)


def with_head(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Rewrite the head of a file, its blocks as they are."""
    data = path.read_bytes()
    header = read_header(io.BytesIO(path.read_bytes()))
    change(header.metadata)
    path.write_bytes(encode_header(header.metadata, header.sync) + data[header.length :])


# -- folders of somebody else


def test_an_empty_folder_is_not_a_tallybook_folder(tmp_path: Path) -> None:
    assert "no books of Tallybook" in refused(tmp_path, BooksForeign)


def test_a_folder_that_is_missing_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(BooksForeign, match="tallybook init"):
        FileLogWriter(tmp_path / "typo", HOLDER)
    assert not (tmp_path / "typo").exists()


def test_a_folder_of_other_books_is_foreign(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books/moby-dick.txt").write_text("Call me Ishmael.")
    assert "no books of Tallybook" in refused(tmp_path, BooksForeign)
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema("string"), ["Call me Ishmael."])
    (tmp_path / "books/rounds.avro").write_bytes(out.getvalue())
    assert "not one of Tallybook's" in refused(tmp_path, BooksForeign)


def test_a_head_with_nonsense_in_it_is_foreign(shop: Path) -> None:
    for key, value in (("generation", b"two"), ("generation", b""), ("book", b"")):
        with_head(shop / "books/rounds.avro", lambda m, k=key, v=value: m.update({f"tallybook.{k}": v}))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults
        assert "not one of Tallybook's" in refused(shop, BooksForeign)


def test_a_schema_in_other_words_is_the_same_schema(shop: Path) -> None:
    before = read_back(shop)

    def reword(metadata: dict[str, bytes]) -> None:
        schema = msgspec.json.decode(metadata["avro.schema"])
        schema["doc"] = "Other words change nothing."
        metadata["avro.schema"] = msgspec.json.encode(schema)

    with_head(shop / "books/rounds.avro", reword)
    with FileLogWriter(shop, HOLDER):
        assert read_back(shop) == before


@pytest.mark.parametrize("name", ["journal/01.avro", "ledger.0001/00.avro"])
def test_records_of_another_version_may_be_read_and_not_written(shop: Path, name: str) -> None:
    before = read_back(shop)
    path = shop / "books" / name
    path.write_bytes(path.read_bytes().replace(b'"type":"long"', b'"type":"int" ', 1))
    assert read_back(shop) == before
    files = bytes_of(shop)
    with pytest.raises(BooksForeign, match=f"{name}.*whose records have other fields"):
        FileLogWriter(shop, HOLDER)
    assert bytes_of(shop) == files


@pytest.mark.parametrize("name", ALL_FILES)
@pytest.mark.parametrize(("there", "instead"), [(b'{"', b"{!"), (b'"name":"', b'"name";"'), (b'"long"', b'"lonf"')])
def test_a_byte_flipped_in_the_schema_of_a_head_is_damage(shop: Path, name: str, there: bytes, instead: bytes) -> None:
    path = shop / "books" / name
    before = path.read_bytes()
    assert there in before[: read_header(io.BytesIO(path.read_bytes())).length]
    path.write_bytes(before.replace(there, instead, 1))
    assert f"{name}: its head is damaged" in refused(shop, BooksDamaged)


# -- parts of two runs in one folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"deployment": "head-office"}, "deployment 'head-office', generation 1, and not to 'corner-shop'"),
        ({"generation": 2}, "'corner-shop', generation 2, and not to 'corner-shop', generation 1"),
        ({"opened_at": 5}, "another book of deployment 'corner-shop', opened apart"),
        ({"horizon_ms": 5}, "another book of deployment 'corner-shop', opened apart"),
    ],
)
@pytest.mark.parametrize("name", ALL_FILES)
def test_a_file_of_another_run_is_refused(
    tmp_path: Path, shop: Path, name: str, change: dict[str, object], message: str
) -> None:
    other = make_books(tmp_path / "other", opened=msgspec.structs.replace(OPENED, **change))
    shutil.copy(other / name, shop / "books" / name)
    found = refused(shop, BooksForeign)
    # With the commits of the other run, it is all the other files that do not belong.
    assert name == "rounds.avro" or (message in found and name in found)


@pytest.mark.parametrize("name", ["journal/00.avro", "journal/01.avro"])
def test_a_file_of_a_twin_is_refused_by_its_end(tmp_path: Path, shop: Path, name: str) -> None:
    """The same constants and the same length, but other facts."""
    other = make_books(tmp_path / "other", member_id="bob")
    assert (other / name).stat().st_size == (shop / "books" / name).stat().st_size
    shutil.copy(other / name, shop / "books" / name)
    message = refused(shop, BooksDamaged)
    assert name in message
    assert "are not those that were committed" in message


def test_a_file_of_a_twin_that_is_longer_is_refused(tmp_path: Path, shop: Path) -> None:
    other = make_books(tmp_path / "other", rounds=5, member_id="a longer name")
    shutil.copy(other / "journal/01.avro", shop / "books/journal/01.avro")
    assert re.search(r"journal/01.avro at byte [\d,]+: no record ends at", refused(shop, BooksDamaged))


def test_two_files_that_changed_places_are_refused(shop: Path) -> None:
    first, second = (shop / "books/ledger.0001" / name for name in ("00.avro", "01.avro"))
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    assert "is 'ledger.0001/01.avro' under another name" in refused(shop, BooksForeign)


def test_older_commits_with_newer_books_count_as_a_torn_round(shop: Path) -> None:
    """A backup of the commits alone is a prefix of the truth: the books are cut back to it."""
    before, clean = read_back(shop), bytes_of(shop)
    with FileLogWriter(shop, HOLDER) as writer:
        add_round(writer, 3)
    (shop / "books/rounds.avro").write_bytes(clean["books/rounds.avro"])
    assert read_back(shop) == before


def test_newer_commits_with_older_books_are_refused(tmp_path: Path, shop: Path) -> None:
    newer = copied(shop, tmp_path / "newer")
    with FileLogWriter(newer, HOLDER) as writer:
        add_round(writer, 3)
    shutil.copy(newer / "books/rounds.avro", shop / "books/rounds.avro")
    assert re.search(
        r"journal/00.avro at byte .*: the file has [\d,]+ bytes, and [\d,]+ are committed", refused(shop, BooksDamaged)
    )


# -- damage


@pytest.mark.parametrize("name", [name for name in ALL_FILES if name != "rounds.avro"])
def test_a_file_shorter_than_committed_is_refused(shop: Path, name: str) -> None:
    path = shop / "books" / name
    data = path.read_bytes()
    for length in (*range(0, len(data), 199), *range(len(data) - 40, len(data))):
        path.write_bytes(data[:length])
        with pytest.raises(BooksDamaged) as caught:
            FileLogReader(shop)
        assert caught.value.file == name
    path.write_bytes(b"")
    assert f"{name} at byte 0: the file ends inside its header" in refused(shop, BooksDamaged)


def test_commits_without_a_whole_one_are_refused(shop: Path) -> None:
    path = shop / "books/rounds.avro"
    head = read_header(io.BytesIO(path.read_bytes())).length
    data = path.read_bytes()
    for rest in (b"", b"garbage", data[head:][:50]):
        path.write_bytes(data[:head] + rest)
        assert "there is no whole commit in it" in refused(shop, BooksDamaged)


def test_a_damaged_commit_before_a_whole_one_is_refused(shop: Path) -> None:
    """A torn record is the last one; to pass over this one would be to lose what was committed."""
    path = shop / "books/rounds.avro"
    data = path.read_bytes()
    ends = _ends(data, path)
    for record in range(2):
        at = (ends[record] + ends[record + 1]) // 2
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert "damaged" in refused(shop, BooksDamaged)
    path.write_bytes(data[: ends[1]] + data[ends[2] :])
    assert "a record before that of commit 2 is damaged" in refused(shop, BooksDamaged)


def _ends(data: bytes, path: Path) -> list[int]:
    sync = read_header(io.BytesIO(path.read_bytes())).sync
    return [match.end() for match in re.finditer(re.escape(sync), data)]


def damage_in(folder: Path) -> BooksDamaged | None:
    try:
        read_back(folder)
    except BooksDamaged as error:
        return error
    return None


@pytest.mark.parametrize("name", ["journal/00.avro", "ledger.0001/00.avro", "rejects.avro"])
def test_damage_in_the_middle_is_found_by_who_reads_there(tmp_path: Path, name: str) -> None:
    """The frame, numbers and lengths of records are seen at once; what only changes a value, by the digests."""
    shop = tmp_path / "shop"
    make_books(shop, rounds=30)
    path = shop / "books" / name
    data = path.read_bytes()
    ends = _ends(data, path)
    before = read_back(shop)
    for at in range(ends[1], ends[2]):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x80]) + data[at + 1 :])
        FileLogReader(shop)  # head and end are right
        found = damage_in(shop)
        assert found is None or (found.file == name and found.offset in ends)
        assert found is not None or name == "rejects.avro" or read_back(shop) != before
    path.write_bytes(data[: ends[1]] + data[ends[2] :] + data[ends[1] : ends[2]])
    with pytest.raises(BooksDamaged):
        read_back(shop)


def test_pages_and_postings_out_of_order_are_refused(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    make_books(shop, rounds=40)
    for name, what in (
        ("journal/00.avro", r"page 2 stands where page 1 is due"),
        ("ledger.0001/00.avro", r"posting 5 stands where posting 3 is due"),
        ("rejects.avro", r"reject 3 stands where reject 2 is due"),
    ):
        path = shop / "books" / name
        data = path.read_bytes()
        ends = _ends(data, path)
        a, b, c = ends[1], ends[2], ends[3]
        path.write_bytes(data[:a] + data[b:c] + data[a:b] + data[c:])
        with pytest.raises(BooksDamaged, match=what) as caught:
            read_back(shop)
        assert caught.value.offset == a
        path.write_bytes(data)


def test_a_reader_is_not_troubled_by_a_writer_at_work(shop: Path) -> None:
    log = FileLogReader(shop)
    before = read_back(shop)
    with FileLogWriter(shop, HOLDER) as writer:
        writer.append_postings("0001", 0, postings(5, 100))
        for file in writer._appending.values():
            file.flush()
        assert read_back(shop) == before
        log.refresh()
        assert log.committed().number == before[0]
