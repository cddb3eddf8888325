"""Folders of books to be spoilt: written once, compared byte by byte."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from books.files.create import create_books
from books.files.reader import FileLogReader
from books.files.writer import FileLogWriter
from schemas.facts import JournalOpened
from schemas.pages import JournalPage, RoundCommitted
from schemas.posting import Posting
from tests.fakes.books import HOLDER
from tests.support.book_samples import OPENED, check_in, page, postings, reject, round_of, tick
from tests.support.whole_books import pages_of, postings_of, rejects_of


def add_round(writer: FileLogWriter, number: int, member_id: str = "ann") -> RoundCommitted:
    """Append what commit `number` is made of to both partitions, and commit it."""
    append_round(writer, number, member_id)
    return writer.commit(round_of(number))


def append_round(writer: FileLogWriter, number: int, member_id: str = "ann") -> None:
    for partition in range(writer.partitions):
        writer.append_page(partition, page(number, check_in(member_id, number), tick(number)))
        writer.append_postings("0001", partition, postings(2 * number - 1, 2))
    writer.append_rejects([reject(number)])


def make_books(folder: Path, rounds: int = 2, opened: JournalOpened = OPENED, member_id: str = "ann") -> Path:
    """Books of some rounds in `folder`; the folder of the book files."""
    create_books(folder, opened)
    with FileLogWriter(folder, HOLDER) as writer:
        for number in range(1, rounds + 1):
            add_round(writer, number, member_id)
    return folder / "books"


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, by its relative path; empty folders too, with a slash behind."""
    return {
        str(path.relative_to(folder)) + ("/" if path.is_dir() else ""): b"" if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def read_back(folder: Path) -> tuple[int, Sequence[JournalPage], Sequence[Posting], int]:
    """All that a reader finds: the last commit's number, pages, postings, and how many rejects."""
    log = FileLogReader(folder)
    every = range(log.partitions)
    pages = [found for partition in every for found in pages_of(log, partition)]
    found = [one for edition in log.editions() for partition in every for one in postings_of(log, partition, edition)]
    assert [commit.number for commit in log.commits()] == list(range(log.committed().number + 1))
    return log.committed().number, pages, found, len(rejects_of(log))


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to))
