"""What every Log must do for those who read it, whether it commits in rounds or lies on a real Kafka.

Pages, rejects and positions are numbered by each home in its own way: without gaps in books that commit in rounds, by
offsets on Kafka, where gaps are. So a test asks the writer for the number that is due, and compares with that.
"""

from contextlib import closing

import msgspec
import pytest

from books.encoded_blocks import encoded
from books.errors import NoSuchPosition, UnknownEdition
from schemas.facts import JournalOpened
from schemas.pages import JournalLine, JournalPage
from tests.contract.homes import BookWriter, LogHome
from tests.support.book_samples import OPENED, check_in, page, posting, postings, reject, round_of
from tests.support.whole_books import pages_of, postings_of, rejects_of


def append(writer: BookWriter, partition: int, *lines: JournalLine) -> tuple[int, JournalPage]:
    """Append the page that is due; gives the position after it, and the page."""
    due = page(writer.next_page(partition), *lines)
    return writer.append_page(partition, due), due


def test_new_books_hold_their_opening_and_nothing_else(log_home: LogHome) -> None:
    log = log_home.read()
    assert msgspec.structs.replace(log.opened(), deployment=OPENED.deployment) == OPENED
    assert log.partitions == 2
    assert log.editions() == ("0001",)
    assert (log.edition("0001").layers, log.edition("0001").partitions) == ((), 2)
    assert log.edition("0001").deployment == log.opened().deployment
    for partition in range(2):
        (first,) = pages_of(log, partition)
        (line,) = first.lines
        assert isinstance(line.fact, JournalOpened)
        assert (line.fact.partition, first.page) == (partition, 0)
        assert log.last_page(partition) == first
        assert log.last_posting("0001", partition) is None
        assert not postings_of(log, partition)
    assert not rejects_of(log)


def test_what_is_committed_comes_back_in_order(log_home: LogHome, log_writer: BookWriter) -> None:
    written = [append(log_writer, 1)[1] for _ in range(3)]
    log_writer.append_postings("0001", 1, postings(1, 5))
    log_writer.append_postings("0001", 1, postings(6, 2))
    kept = log_writer.append_rejects([reject(1), reject(2)])
    log_writer.commit(round_of(3))
    log = log_home.read()
    assert pages_of(log, 1)[1:] == written
    assert len(pages_of(log, 0)) == 1
    assert postings_of(log, 1) == postings(1, 7)
    assert rejects_of(log) == list(kept)
    assert log.last_page(1) == written[-1]
    assert log.last_posting("0001", 1) == posting(7, page=7)


def test_batches_stay_together(log_home: LogHome, log_writer: BookWriter) -> None:
    log_writer.append_postings("0001", 0, postings(1, 5))
    log_writer.append_postings("0001", 0, postings(6, 2))
    log_writer.commit(round_of(7))
    assert [len(batch) for _, batch in log_home.read().read_ledger("0001", 0)] == [5, 2]


def test_numbers_rise_over_many_commits(log_home: LogHome, log_writer: BookWriter) -> None:
    written = []
    for number in range(1, 5):
        written.append(append(log_writer, 0)[1])
        log_writer.append_postings("0001", 0, postings(number, 1))
        log_writer.commit(round_of(1))
    log = log_home.read()
    assert pages_of(log, 0)[1:] == written
    numbers = [each.page for each in pages_of(log, 0)]
    assert numbers == sorted(set(numbers))
    assert (postings_of(log, 0), log.last_posting("0001", 0)) == (postings(1, 4), posting(4, page=4))


def test_nothing_is_visible_before_the_commit(log_home: LogHome, log_writer: BookWriter) -> None:
    early = log_home.read()
    _, written = append(log_writer, 0)
    log_writer.append_postings("0001", 0, postings(1, 1))
    (kept,) = log_writer.append_rejects([reject(1)])
    for log in (early, log_home.read()):
        log.refresh()
        assert (len(pages_of(log, 0)), postings_of(log, 0), rejects_of(log)) == (1, [], [])
        assert (log.last_page(0), log.last_posting("0001", 0)) == (pages_of(log, 0)[0], None)
    log_writer.commit(round_of(1))
    assert (len(pages_of(early, 0)), postings_of(early, 0), rejects_of(early)) == (1, [], [])
    early.refresh()  # one reading sees one state until it asks for the next
    for log in (early, log_home.read()):
        assert (pages_of(log, 0)[1:], postings_of(log, 0), rejects_of(log)) == ([written], postings(1, 1), [kept])


def test_two_readers_each_see_the_state_at_which_they_looked(log_home: LogHome, log_writer: BookWriter) -> None:
    first = log_home.read()
    append(log_writer, 0)
    log_writer.commit(round_of(1))
    second = log_home.read()
    slow = first.read_journal(0)
    next(slow)
    append(log_writer, 0)
    log_writer.commit(round_of(1))
    assert [len(pages_of(log, 0)) for log in (first, second, log_home.read())] == [1, 2, 3]
    assert list(slow) == []
    assert [log.last_page(0) for log in (first, second)] == [pages_of(log_home.read(), 0)[at] for at in (0, 1)]


def test_what_was_not_committed_dies_with_its_process(log_home: LogHome) -> None:
    first = log_home.write()
    _, before = append(first, 0)
    first.append_postings("0001", 0, postings(1, 3))
    (kept_before,) = first.append_rejects([reject(1)])
    first.commit(round_of(1))
    append(first, 0, *(check_in("bob", n) for n in range(50)))
    first.append_postings("0001", 0, postings(4, 300))
    first.append_rejects([reject(2)])
    log_home.die()
    assert pages_of(log_home.read(), 0)[1:] == [before]
    with closing(log_home.write()) as second:
        log = log_home.read()
        assert pages_of(log, 0)[1:] == [before]
        assert (postings_of(log, 0), rejects_of(log)) == (postings(1, 3), [kept_before])
        assert (log.last_page(0), log.last_posting("0001", 0)) == (before, posting(3, page=3))
        assert second.next_number("0001", 0) == 4
        _, after = append(second, 0)
        second.append_postings("0001", 0, postings(4, 1))
        (kept_after,) = second.append_rejects([reject(3)])
        second.commit(round_of(2))
    log = log_home.read()
    assert pages_of(log, 0)[1:] == [before, after]
    assert postings_of(log, 0) == postings(1, 4)
    assert rejects_of(log) == [kept_before, kept_after]


def test_every_position_is_a_place_to_go_on_from(log_home: LogHome, log_writer: BookWriter) -> None:
    appended = [append(log_writer, 0)[0] for _ in range(3)]
    ends = [log_writer.append_postings("0001", 0, postings(first, 2)) for first in (1, 3, 5)]
    log_writer.append_rejects([reject(1), reject(2)])
    log_writer.commit(round_of(3))
    log = log_home.read()
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


def test_positions_outlive_the_writer(log_home: LogHome) -> None:
    with closing(log_home.write()) as writer:
        position, _ = append(writer, 0)
        writer.commit(round_of(1))
    with closing(log_home.write()) as writer:
        _, later = append(writer, 0)
        writer.commit(round_of(1))
    assert pages_of(log_home.read(), 0, position) == [later]


def test_a_position_beyond_the_book_is_refused(log_home: LogHome, log_writer: BookWriter) -> None:
    end, _ = append(log_writer, 0)
    with pytest.raises(NoSuchPosition):
        log_home.read().read_journal(0, end)
    log_writer.commit(round_of(1))
    assert not pages_of(log_home.read(), 0, end)
    for beyond in (-1, end + 1_000_000):
        with pytest.raises(NoSuchPosition):
            log_home.read().read_journal(0, beyond)
        with pytest.raises(NoSuchPosition):
            log_home.read().read_ledger("0001", 0, beyond)
        with pytest.raises(NoSuchPosition):
            log_home.read().read_rejects(beyond)


def test_partitions_count_on_their_own(log_home: LogHome, log_writer: BookWriter) -> None:
    append(log_writer, 0)
    append(log_writer, 1)
    log_writer.append_postings("0001", 1, postings(1, 2))
    log_writer.commit(round_of(2))
    log = log_home.read()
    assert (postings_of(log, 0), postings_of(log, 1)) == ([], postings(1, 2))
    assert (log.last_posting("0001", 0), log.last_posting("0001", 1)) == (None, posting(2, page=2))
    for partition in (-1, 2):
        for call in (log.read_journal, log.last_page, log.journal_blocks):
            with pytest.raises(ValueError, match="partition"):
                call(partition)
        for of_edition in (log.read_ledger, log.last_posting, log.ledger_blocks):
            with pytest.raises(ValueError, match="partition"):
                of_edition("0001", partition)


def test_an_unknown_edition_is_named(log_home: LogHome, log_writer: BookWriter) -> None:
    log_writer.append_postings("0001", 0, postings(1, 2))
    log_writer.commit(round_of(1))
    log = log_home.read()
    with pytest.raises(UnknownEdition, match=r"'0009'.*0001"):
        log.edition("0009")
    for call in (log.read_ledger, log.last_posting, log.ledger_blocks):
        with pytest.raises(UnknownEdition):
            call("0009", 0)


def test_blocks_hold_the_very_records(log_home: LogHome, log_writer: BookWriter) -> None:
    starts = [append(log_writer, 0, check_in("ann", n), check_in("bob", n))[0] for n in (1, 2)]
    ends = [log_writer.append_postings("0001", 0, postings(first, 2)) for first in (1, 3)]
    log_writer.append_rejects([reject(1), reject(2)])
    log_writer.commit(round_of(4))
    log = log_home.read()
    for start in (0, *starts):
        assert list(log.journal_blocks(0, start)) == list(
            encoded((end, [page]) for end, page in log.read_journal(0, start))
        )
    for start in (0, *ends):
        assert list(log.ledger_blocks("0001", 0, start)) == list(encoded(log.read_ledger("0001", 0, start)))
    assert list(log.reject_blocks()) == list(encoded(log.read_rejects()))
    assert sum(block.records for block in log.reject_blocks()) == 2
