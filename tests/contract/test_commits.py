"""What every Log must do with its commits: the part of the suite that asks for them from a position on."""

import msgspec
import pytest

from books.errors import NoSuchPosition, UnknownEdition
from books.log import LogWriter, RecordedDigests
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
