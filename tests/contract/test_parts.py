"""A part of the one writer: what it appends is durable when it has sealed, and visible with the next commit."""

from contextlib import closing

import pytest

from books.log import LogWriter
from tests.contract.homes import Home
from tests.support.book_samples import check_in, page, postings, round_of
from tests.support.whole_books import pages_of, postings_of


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
    assert [posting.number for posting in postings_of(reader, 1)] == [1, 2]


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
