"""What every Log that commits in rounds must do beside being read: one suite for the file adapter and for the fake."""

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from books.errors import BooksExist, FolderHeld, NoSuchPosition, UnknownEdition
from books.files.create import create_books
from books.files.disk import REAL_FILES
from books.log import LogWriter, RecordedDigests
from schemas.canonical import EMPTY_DIGEST
from schemas.pages import JournalPage, Reject
from tests.contract.homes import Home
from tests.support.book_samples import OPENED, check_in, page, posting, postings, reject, round_of, second_edition
from tests.support.whole_books import pages_of, postings_of


def test_creation_is_commit_0(home: Home) -> None:
    committed = home.read().committed()
    assert committed is not None
    assert committed.number == 0
    assert len(set(committed.journal_digests)) == 1  # the opening's own partition is outside the digest
    assert committed.ledger_digests == (EMPTY_DIGEST.hex(),) * 2
    assert list(home.read().commits()) == [committed]


def test_a_commit_says_what_it_covers(home: Home, writer: LogWriter) -> None:
    for number in (1, 2, 3):
        writer.append_page(1, page(number))
    kept = writer.append_rejects([reject(1), reject(2)])
    sealed = writer.commit(round_of(3))
    log = home.read()
    assert [found.page for found in pages_of(log, 1)] == [0, 1, 2, 3]
    assert [found.number for found in kept] == [1, 2]
    assert log.committed() == sealed
    assert (sealed.number, sealed.facts, sealed.rejects, sealed.inputs) == (1, 3, 2, round_of(3).inputs)


def test_the_writer_reads_what_is_committed_as_anybody_does(home: Home, writer: LogWriter) -> None:
    early = home.read()
    writer.append_page(0, page(1))
    writer.append_postings("0001", 0, postings(1, 1))
    writer.open_edition(second_edition())
    for log in (early, home.read(), writer):
        log.refresh()
        assert (len(pages_of(log, 0)), postings_of(log, 0), log.editions()) == (1, [], ("0001",))
    writer.commit(round_of(1))
    early.refresh()
    for log in (early, home.read(), writer):
        assert pages_of(log, 0)[1:] == [page(1)]
        assert postings_of(log, 0) == postings(1, 1)
        assert log.editions() == ("0001", "0002")


def test_numbers_go_on_where_the_last_commit_of_a_dead_writer_left_them(home: Home) -> None:
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
    assert log.edition("0002") == second_edition()


def test_the_position_next_to_the_end_is_refused(home: Home, writer: LogWriter) -> None:
    end = writer.append_page(0, page(1))
    writer.commit(round_of(1))
    with pytest.raises(NoSuchPosition):
        home.read().read_journal(0, end + 1)


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


def test_nobody_writes_to_an_unknown_edition(writer: LogWriter) -> None:
    with pytest.raises(UnknownEdition, match=r"'0009'.*0001"):
        writer.append_postings("0009", 0, postings(1, 1))


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


def test_every_commit_is_kept_and_read_from_its_place_on(home: Home, writer: LogWriter) -> None:
    sealed, places = [home.read().committed()], [writer.last_commit_at()]
    for facts in range(1, 6):
        sealed.append(writer.commit(round_of(facts)))
        places.append(writer.last_commit_at())
    assert [commit.number for commit in sealed] == list(range(6))
    log = home.read()
    assert places == sorted(set(places))
    assert log.last_commit_at() == places[-1]
    every = list(log.commits())
    assert every == sealed == list(writer.commits())
    for number, place in enumerate(places):
        assert list(log.commits(place)) == every[number:]
    assert next(log.commits(log.last_commit_at())) == log.committed()


def test_no_commit_is_read_from_a_position_that_was_never_given_out(home: Home, writer: LogWriter) -> None:
    writer.commit(round_of(1))
    log = home.read()
    for position in (-1, 10**9):
        with pytest.raises(NoSuchPosition):
            log.commits(position)


def test_a_reader_knows_of_no_later_commit_before_it_looks(home: Home, writer: LogWriter) -> None:
    log = home.read()
    before = log.last_commit_at()
    writer.commit(round_of(1))
    assert log.last_commit_at() == before
    log.refresh()
    assert log.last_commit_at() == writer.last_commit_at() > before


def test_the_digests_that_a_commit_recorded_are_found_at_its_place(home: Home, writer: LogWriter) -> None:
    digests = [(f"{number:02x}" * 32, f"{number:02x}" * 32) for number in (1, 2)]
    places = []
    for both in digests:
        writer.commit(msgspec.structs.replace(round_of(1), journal_digests=both, ledger_digests=both))
        places.append(writer.last_commit_at())
    log = home.read()
    for place, both in zip(places, digests, strict=True):
        for partition, digest in enumerate(both):
            assert log.recorded_digests("0001", partition, place) == RecordedDigests(digest, digest)
    assert log.recorded_digests("0001", 1) == RecordedDigests(digests[-1][1], digests[-1][1])
    assert log.recorded_digests("0001", 0, 10**9) is None
    writer.commit(round_of(1))
    assert home.read().recorded_digests("0001", 0) is None
    with pytest.raises(UnknownEdition):
        log.recorded_digests("0009", 0)
