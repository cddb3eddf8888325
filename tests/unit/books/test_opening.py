"""Books say in which form they are written; those of a form that is not known are refused by name, with the way out."""

from pathlib import Path

import msgspec
import pytest

from books.errors import NOTHING_CHANGED
from books.files.create import create_books
from books.files.reader import FileLogReader
from books.files.writer import FileLogWriter
from books.opening import BooksOfOtherVersion, readable
from schemas.canonical import EMPTY_DIGEST, next_journal_digest
from schemas.facts import BOOKS_VERSION, JournalOpened
from tallybook.folder.folder import Folder
from tests.fakes.books import HOLDER
from tests.support.book_folders import bytes_of
from tests.support.book_samples import OPENED


def of_version(version: int) -> JournalOpened:
    return msgspec.structs.replace(OPENED, books_version=version)


def test_new_folders_say_the_version_of_their_books(tmp_path: Path) -> None:
    Folder(tmp_path).create("shop", 3, 30, 1_000)
    assert FileLogReader(tmp_path).opened().books_version == BOOKS_VERSION == 1


@pytest.mark.parametrize("version", [0, BOOKS_VERSION])
def test_books_that_name_no_version_are_read_and_written_as_those_that_do(tmp_path: Path, version: int) -> None:
    create_books(tmp_path, of_version(version))
    with FileLogWriter(tmp_path, HOLDER) as writer:
        assert writer.opened() == of_version(version)


@pytest.mark.parametrize("version", [BOOKS_VERSION + 1, -1, 1 << 40])
def test_books_of_another_version_are_refused_by_name(tmp_path: Path, version: int) -> None:
    create_books(tmp_path, of_version(version))
    before = bytes_of(tmp_path)
    for opened in (FileLogReader, lambda folder: FileLogWriter(folder, HOLDER)):
        with pytest.raises(BooksOfOtherVersion) as refused:
            opened(tmp_path)
        told = str(refused.value)
        assert told.startswith(f"{tmp_path}: the books of {OPENED.deployment!r} have version {version}")
        assert "this program reads versions 0 to 1" in told
        assert "`tallybook books export FILE`" in told
        assert told.endswith(NOTHING_CHANGED)
    assert bytes_of(tmp_path) == before


def test_books_on_a_broker_are_refused_with_its_name() -> None:
    with pytest.raises(BooksOfOtherVersion, match=r"^kafka:9092: the books of"):
        readable(of_version(2), "kafka:9092")


def test_the_version_is_outside_the_digest() -> None:
    digests = {next_journal_digest(EMPTY_DIGEST, None, of_version(version)) for version in range(3)}
    assert len(digests) == 1
