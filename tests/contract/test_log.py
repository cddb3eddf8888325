"""What every Log must do, whether it lies in files or in memory: one suite for the adapter and for the fake."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from books.errors import BooksExist, FolderHeld, NoSuchPosition, UnknownEdition
from books.file_port import REAL_FILES
from books.files import create_books
from books.log import LogReader, LogWriter
from schemas.canonical import EMPTY_DIGEST
from schemas.facts import JournalOpened
from schemas.pages import JournalPage, Reject
from schemas.posting import Posting
from tests.book_samples import OPENED, check_in, page, posting, postings, reject, round_of, second_edition
from tests.contract.homes import Home, pages_of


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
