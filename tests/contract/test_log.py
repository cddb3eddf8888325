"""What every Log must do, whether it lies in files or in memory: one suite for the adapter and for the fake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Protocol

import pytest

from books.errors import BooksExist, FolderHeld, LockHolder, NoSuchPosition, UnknownEdition
from books.file_port import REAL_FILES, FilePort, RealFiles
from books.files import FileLogWriter, create_books, open_for_reading, open_for_writing, open_part
from books.log import LogReader, LogWriter, PartWriter
from schemas.canonical import EMPTY_DIGEST
from schemas.facts import JournalOpened
from schemas.pages import JournalPage, Reject
from schemas.posting import Posting
from tests.book_samples import OPENED, check_in, page, posting, postings, reject, round_of, second_edition
from tests.fakes.books import MemoryBooks
from tests.fakes.disk import FakeDisk

HOLDER = LockHolder(pid=7, host="till", started_at=0, command="tallybook import")


class Home(Protocol):
    """Where books live: what a folder is to the file adapter."""

    def read(self) -> LogReader: ...

    def write(self) -> LogWriter: ...

    def part(self) -> PartWriter:
        """A part of the present writer."""

    def die(self) -> None:
        """The writing process ends without closing anything."""


class FileHome:
    """Books in files; death may leave any part of the uncommitted work behind."""

    def __init__(self, files: FilePort, folder: Path, on_death: Callable[[FileLogWriter], None]) -> None:
        self.files = files
        self.folder = folder
        self.on_death = on_death
        self.writer: FileLogWriter | None = None
        create_books(folder, OPENED, files=files)

    def read(self) -> LogReader:
        return open_for_reading(self.folder, files=self.files)

    def write(self) -> LogWriter:
        self.writer = open_for_writing(self.folder, HOLDER, files=self.files)
        return self.writer

    def part(self) -> PartWriter:
        return open_part(self.folder, files=self.files)

    def die(self) -> None:
        assert self.writer is not None
        self.on_death(self.writer)


def flush_and_close(writer: FileLogWriter) -> None:
    """As near to a kill as one process comes to another's: all it wrote has reached the files, nothing is committed."""
    for file in writer._appending.values():
        file.flush()
    writer.close()


@pytest.fixture(params=["memory", "files", "killed", "power cut"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    if request.param == "memory":
        return MemoryBooks(OPENED)
    if request.param == "files":
        return FileHome(RealFiles(), tmp_path, flush_and_close)
    disk = FakeDisk()
    disk.make_folder(Path("/shop"))
    disk.sync_folder(Path("/"))
    if request.param == "killed":
        return FileHome(disk, Path("/shop"), lambda _: disk.kill())
    return FileHome(disk, Path("/shop"), lambda _: disk.cut_power(Random(1)))


@pytest.fixture
def writer(home: Home) -> Iterator[LogWriter]:
    with closing(home.write()) as opened:
        yield opened


def pages_of(log: LogReader, partition: int, start: int = 0) -> list[JournalPage]:
    return [page for _, page in log.read_journal(partition, start)]


def postings_of(log: LogReader, partition: int, edition: str = "0001", start: int = 0) -> list[Posting]:
    return [posting for _, batch in log.read_ledger(edition, partition, start) for posting in batch]


def rejects_of(log: LogReader, start: int = 0) -> list[Reject]:
    return [reject for _, batch in log.read_rejects(start) for reject in batch]


def test_new_books_hold_their_opening_and_nothing_else(home: Home) -> None:
    log = home.read()
    assert log.opened() == OPENED
    assert log.partitions == 2
    assert log.editions() == ("0001",)
    assert (log.edition("0001").timeline, log.edition("0001").partitions) == ((), 2)
    for partition in range(2):
        (first,) = pages_of(log, partition)
        (line,) = first.lines
        assert isinstance(line.fact, JournalOpened)
        assert line.fact.partition == partition
        assert log.last_page(partition) == first
        assert log.last_posting("0001", partition) is None
    assert not postings_of(log, 0)
    assert not rejects_of(log)


def test_creation_is_commit_0(home: Home) -> None:
    committed = home.read().committed()
    assert committed is not None
    assert committed.number == 0
    assert len(set(committed.journal_digests)) == 1  # the opening's own partition is outside the digest
    assert committed.ledger_digests == (EMPTY_DIGEST.hex(),) * 2
    assert list(home.read().commits()) == [committed]


def test_what_is_committed_comes_back_in_order(home: Home, writer: LogWriter) -> None:
    for number in (1, 2, 3):
        writer.append_page(1, page(number))
    writer.append_postings("0001", 1, postings(1, 5))
    writer.append_postings("0001", 1, postings(6, 2))
    kept = writer.append_rejects([reject(1), reject(2)])
    sealed = writer.commit(round_of(3))
    log = home.read()
    assert pages_of(log, 1)[1:] == [page(1), page(2), page(3)]
    assert len(pages_of(log, 0)) == 1
    assert postings_of(log, 1) == postings(1, 7)
    assert [reject.number for reject in kept] == [1, 2]
    assert rejects_of(log) == list(kept)
    assert log.committed() == sealed
    assert (sealed.number, sealed.facts, sealed.rejects, sealed.inputs) == (1, 3, 2, round_of(3).inputs)
    assert log.last_page(1) == page(3)
    assert log.last_posting("0001", 1) == posting(7, page=7)


def test_batches_stay_together(home: Home, writer: LogWriter) -> None:
    writer.append_postings("0001", 0, postings(1, 5))
    writer.append_postings("0001", 0, postings(6, 2))
    writer.commit(round_of(7))
    assert [len(batch) for _, batch in home.read().read_ledger("0001", 0)] == [5, 2]


def test_nothing_is_visible_before_the_commit(home: Home, writer: LogWriter) -> None:
    early = home.read()
    writer.append_page(0, page(1))
    writer.append_postings("0001", 0, postings(1, 1))
    writer.append_rejects([reject(1)])
    writer.open_edition(second_edition())
    for log in (early, home.read(), writer):
        log.refresh()
        assert len(pages_of(log, 0)) == 1
        assert not postings_of(log, 0)
        assert not rejects_of(log)
        assert log.editions() == ("0001",)
    writer.commit(round_of(1))
    assert len(pages_of(early, 0)) == 1  # one reading sees one state until it asks for the next
    early.refresh()
    for log in (early, home.read(), writer):
        assert pages_of(log, 0)[1:] == [page(1)]
        assert postings_of(log, 0) == postings(1, 1)
        assert len(rejects_of(log)) == 1
        assert log.editions() == ("0001", "0002")


def test_what_was_not_committed_dies_with_its_process(home: Home) -> None:
    first = home.write()
    first.append_page(0, page(1))
    first.append_postings("0001", 0, postings(1, 3))
    first.append_rejects([reject(1)])
    first.commit(round_of(1))
    first.append_page(0, page(2, *(check_in("bob", n) for n in range(50))))
    first.append_postings("0001", 0, postings(4, 300))
    first.append_rejects([reject(2)])
    first.open_edition(second_edition())
    home.die()
    with closing(home.write()) as second:
        assert pages_of(second, 0)[1:] == [page(1)]
        assert postings_of(second, 0) == postings(1, 3)
        assert second.editions() == ("0001",)
        assert (second.next_page(0), second.next_number("0001", 0)) == (2, 4)
        second.append_page(0, page(2))
        second.append_postings("0001", 0, postings(4, 1))
        (kept,) = second.append_rejects([reject(3)])
        second.open_edition(second_edition())
        assert second.commit(round_of(2)).number == 2
    log = home.read()
    assert pages_of(log, 0)[1:] == [page(1), page(2)]
    assert postings_of(log, 0) == postings(1, 4)
    assert kept.number == 2
    assert [found.record for found in rejects_of(log)] == [1, 3]
    assert log.edition("0002") == second_edition()


def test_every_position_is_a_place_to_go_on_from(home: Home, writer: LogWriter) -> None:
    appended = [writer.append_page(0, page(number)) for number in (1, 2, 3)]
    ends = [writer.append_postings("0001", 0, postings(first, 2)) for first in (1, 3, 5)]
    writer.append_rejects([reject(1), reject(2)])
    writer.commit(round_of(3))
    log = home.read()
    positions = [position for position, _ in log.read_journal(0)]
    assert positions[1:] == appended
    assert positions == sorted(set(positions))
    for n, position in enumerate(positions):
        assert pages_of(log, 0, position) == pages_of(log, 0)[n + 1 :]
    assert [position for position, _ in log.read_ledger("0001", 0)] == ends
    for n, position in enumerate(ends):
        assert postings_of(log, 0, start=position) == postings(1, 6)[2 * n + 2 :]
    for n, (position, _) in enumerate(list(log.read_rejects())):
        assert len(rejects_of(log, position)) < 2 - n


def test_positions_outlive_the_writer(home: Home) -> None:
    with closing(home.write()) as writer:
        position = writer.append_page(0, page(1))
        writer.commit(round_of(1))
    with closing(home.write()) as writer:
        writer.append_page(0, page(2))
        writer.commit(round_of(1))
    assert pages_of(home.read(), 0, position) == [page(2)]


def test_a_position_beyond_the_book_is_refused(home: Home, writer: LogWriter) -> None:
    end = writer.append_page(0, page(1))
    with pytest.raises(NoSuchPosition):
        home.read().read_journal(0, end)
    writer.commit(round_of(1))
    assert not pages_of(home.read(), 0, end)
    with pytest.raises(NoSuchPosition):
        home.read().read_journal(0, end + 1)
    with pytest.raises(NoSuchPosition):
        home.read().read_ledger("0001", 0, end + 1_000_000)


def test_numbers_have_no_gap(writer: LogWriter) -> None:
    for wrong in (0, 2, 7):
        with pytest.raises(ValueError, match="page"):
            writer.append_page(0, page(wrong))
    with pytest.raises(ValueError, match="posting"):
        writer.append_postings("0001", 0, postings(2, 1))
    with pytest.raises(ValueError, match="posting"):
        writer.append_postings("0001", 0, [posting(1), posting(3)])
    with pytest.raises(ValueError, match="reject"):
        writer.append_rejects([Reject("malformed", "", b"", number=2)])
    with pytest.raises(ValueError, match="commit"):
        writer.commit(round_of(1).__class__(5, ()))
    writer.append_page(0, page(1))
    writer.append_postings("0001", 0, [posting(1), posting(2)])
    assert (writer.next_page(0), writer.next_number("0001", 0)) == (2, 3)
    assert writer.commit(round_of(1)).number == 1


def test_a_page_without_lines_and_one_with_too_many_are_refused(writer: LogWriter) -> None:
    with pytest.raises(ValueError, match="page"):
        writer.append_page(0, JournalPage(1, ()))
    with pytest.raises(ValueError, match="page"):
        writer.append_page(0, JournalPage(1, (check_in("ann", 1),) * 501))


def test_partitions_count_on_their_own(home: Home, writer: LogWriter) -> None:
    writer.append_page(0, page(1))
    writer.append_page(1, page(1))
    writer.append_postings("0001", 1, postings(1, 2))
    writer.commit(round_of(2))
    assert postings_of(home.read(), 1) == postings(1, 2)
    assert not postings_of(home.read(), 0)
    for call in (home.read().read_journal, home.read().last_page):
        for partition in (-1, 2):
            with pytest.raises(ValueError, match="partition"):
                call(partition)


def test_editions_are_apart(home: Home, writer: LogWriter) -> None:
    writer.append_postings("0001", 0, postings(1, 2))
    writer.open_edition(second_edition())
    writer.append_postings("0002", 0, postings(1, 1))
    writer.commit(round_of(1))
    writer.append_postings("0002", 0, postings(2, 1))
    writer.commit(round_of(1))
    log = home.read()
    assert log.editions() == ("0001", "0002")
    assert postings_of(log, 0, "0002") == postings(1, 2)
    assert log.edition("0002") == second_edition()
    assert not postings_of(log, 1, "0002")


def test_an_edition_is_opened_once_and_for_its_own_book(writer: LogWriter) -> None:
    strangers = [
        second_edition("0001"),
        second_edition("two"),
        second_edition().__class__("0002", "other", 1, 2),
        second_edition().__class__("0002", OPENED.deployment, 2, 2),
        second_edition().__class__("0002", OPENED.deployment, 1, 3),
    ]
    for stranger in strangers:
        with pytest.raises(ValueError, match="edition"):
            writer.open_edition(stranger)
    writer.open_edition(second_edition())
    with pytest.raises(ValueError, match="edition"):
        writer.open_edition(second_edition())


def test_an_unknown_edition_is_named(home: Home, writer: LogWriter) -> None:
    log = home.read()
    with pytest.raises(UnknownEdition, match=r"'0009'.*0001"):
        log.edition("0009")
    with pytest.raises(UnknownEdition):
        log.read_ledger("0009", 0)
    with pytest.raises(UnknownEdition):
        writer.append_postings("0009", 0, postings(1, 1))


def test_every_commit_is_kept(home: Home, writer: LogWriter) -> None:
    sealed = [writer.commit(round_of(facts)) for facts in range(1, 6)]
    assert [commit.number for commit in sealed] == [1, 2, 3, 4, 5]
    assert list(home.read().commits())[1:] == sealed
    assert list(writer.commits()) == list(home.read().commits())


def test_appending_nothing_changes_nothing(home: Home, writer: LogWriter) -> None:
    end = writer.append_postings("0001", 0, postings(1, 1))
    assert writer.append_postings("0001", 0, []) == end
    assert writer.append_rejects([]) == ()
    writer.commit(round_of(1))
    assert postings_of(home.read(), 0) == postings(1, 1)


def test_a_posting_changed_after_it_was_appended_stays_as_it_was(home: Home, writer: LogWriter) -> None:
    mine = posting(1)
    writer.append_postings("0001", 0, [mine])
    mine.number = 99
    writer.commit(round_of(1))
    assert postings_of(home.read(), 0) == [posting(1)]


def test_what_a_part_seals_is_visible_with_the_writers_commit(home: Home, writer: LogWriter) -> None:
    part = home.part()
    position = part.append_page(1, page(1, check_in("ann", 1)))
    part.append_postings("0001", 1, postings(1, 2))
    writer.append_page(0, page(1, check_in("bob", 2)))
    reader = home.read()
    lengths = part.seal()
    reader.refresh()
    assert (reader.last_posting("0001", 1), len(pages_of(reader, 1))) == (None, 1)
    writer.commit(round_of(1), lengths)
    reader.refresh()
    assert [len(pages_of(reader, partition)) for partition in (0, 1)] == [2, 2]
    assert list(reader.read_journal(1, position)) == []
    assert [posting.number for _, batch in reader.read_ledger("0001", 1) for posting in batch] == [1, 2]


def test_a_part_goes_on_after_a_commit(home: Home, writer: LogWriter) -> None:
    part = home.part()
    for number in (1, 2, 3):
        part.append_page(1, page(number, check_in("ann", number)))
        writer.commit(round_of(1), part.seal())
    assert part.seal() == ()
    assert [each.page for each in pages_of(home.read(), 1)] == [0, 1, 2, 3]
    assert (part.next_page(1), writer.next_page(1)) == (4, 4)


def test_what_a_part_sealed_and_nobody_committed_dies_with_the_writer(home: Home) -> None:
    with closing(home.write()):
        part = home.part()
        part.append_page(1, page(1, check_in("ann", 1)))
        part.seal()
        home.die()
    with closing(home.write()) as writer:
        assert len(pages_of(home.read(), 1)) == 1
        assert writer.next_page(1) == 1
        again = home.part()
        again.append_page(1, page(1, check_in("bob", 2)))
        writer.commit(round_of(1), again.seal())
    assert len(pages_of(home.read(), 1)) == 2


def test_a_partition_does_not_grow_in_two_hands(home: Home, writer: LogWriter) -> None:
    part = home.part()
    part.append_page(1, page(1, check_in("ann", 1)))
    writer.append_page(1, page(1, check_in("bob", 2)))
    with pytest.raises(ValueError, match="two hands"):
        writer.commit(round_of(1), part.seal())


def test_there_is_one_writer(home: Home, writer: LogWriter) -> None:
    with pytest.raises(FolderHeld):
        home.write()
    writer.append_page(0, page(1))
    writer.commit(round_of(1))
    writer.close()
    with pytest.raises(RuntimeError, match="open them again"):
        writer.append_page(0, page(2))
    with closing(home.write()) as second:
        assert second.next_page(0) == 2


def test_a_closed_writer_may_be_closed_again(home: Home) -> None:
    first = home.write()
    first.close()
    with closing(home.write()) as second:
        first.close()
        second.append_page(0, page(1))
        second.commit(round_of(1))


def test_books_are_created_once(tmp_path: Path) -> None:
    create_books(tmp_path, OPENED)
    with pytest.raises(BooksExist, match="has books already"):
        create_books(tmp_path, OPENED)
    assert REAL_FILES.names(tmp_path) == ["books"]
