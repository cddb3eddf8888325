"""What every Log must do with its commits: the part of the suite that asks for them from a position on."""

import pytest

from books.errors import NoSuchPosition
from books.log import LogWriter
from tests.contract.homes import Home
from tests.support.book_samples import round_of


def test_commits_are_read_from_the_last_one_on(home: Home, writer: LogWriter) -> None:
    places = [writer.last_commit_at()]
    for facts in range(1, 6):
        writer.commit(round_of(facts))
        places.append(writer.last_commit_at())
    log = home.read()
    assert places == sorted(set(places))
    assert log.last_commit_at() == places[-1]
    every = list(log.commits())
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
