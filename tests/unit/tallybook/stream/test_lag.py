"""What waits is counted in records that are there: markers of transactions are nothing, and are looked at once."""

from collections.abc import Iterable, Mapping

from books.kafka.records import Place, Record
from tallybook.stream.lag import FEW_OFFSETS, Lag, Waiting

PLACE = Place("shop.journal", 0)
OTHER = Place("shop.journal", 1)


class FakeTopic:
    """Offsets at which records are; all others are markers."""

    def __init__(self, ends: dict[Place, int], records: Mapping[Place, list[int]]) -> None:
        self.at = ends
        self.records = dict(records)
        self.asked: list[Mapping[Place, int]] = []

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        return {place: self.at[place] for place in places}

    def first(self, positions: Mapping[Place, int]) -> dict[Place, Record]:
        self.asked.append(dict(positions))
        found = {}
        for place, position in positions.items():
            offset = min((one for one in self.records.get(place, []) if one >= position), default=None)
            if offset is not None:
                found[place] = Record(*place, offset, 1_000 + offset, None, b"", {})
        return found

    def lag(self, *, with_age: bool = False) -> Lag:
        return Lag(self.ends, self.first, with_age=with_age)


def test_nothing_behind_the_position_is_not_asked_for() -> None:
    topic = FakeTopic({PLACE: 5}, {PLACE: [4]})
    assert topic.lag().look({PLACE: 5}) == (Waiting(PLACE, 5, 0),)
    assert not topic.asked


def test_a_marker_alone_is_nothing_and_is_looked_at_once() -> None:
    topic = FakeTopic({PLACE: 6, OTHER: 9}, {PLACE: [4], OTHER: [7]})
    lag = topic.lag()
    expected = (Waiting(PLACE, 5, 0), Waiting(OTHER, 6, 2, 1_007))
    assert lag.look({PLACE: 5, OTHER: 6}) == expected
    assert lag.look({PLACE: 5, OTHER: 6}) == expected
    assert topic.asked == [{PLACE: 5, OTHER: 6}]
    topic.at[PLACE], topic.records[PLACE] = 8, [4, 6]
    assert lag.look({PLACE: 5, OTHER: 6}) == (Waiting(PLACE, 5, 2, 1_006), expected[1])
    assert topic.asked[1:] == [{PLACE: 5}]


def test_many_offsets_are_believed_until_they_stand() -> None:
    end = 10 + FEW_OFFSETS + 1
    topic = FakeTopic({PLACE: end}, {})
    lag = topic.lag()
    assert lag.look({PLACE: 10}) == (Waiting(PLACE, 10, end - 10),)
    assert not topic.asked
    assert lag.look({PLACE: 10}) == (Waiting(PLACE, 10, 0),)
    assert topic.asked == [{PLACE: 10}]


def test_the_age_is_that_of_the_first_record() -> None:
    end = 10 + 2 * FEW_OFFSETS
    topic = FakeTopic({PLACE: end}, {PLACE: [12, 13]})
    lag = topic.lag(with_age=True)
    assert lag.look({PLACE: 10}) == (Waiting(PLACE, 10, end - 12, 1_012),)
    assert lag.look({PLACE: 13}) == (Waiting(PLACE, 13, end - 13, 1_013),)


def test_a_partition_that_was_taken_away_is_forgotten() -> None:
    topic = FakeTopic({PLACE: 6, OTHER: 9}, {PLACE: [5], OTHER: [8]})
    lag = topic.lag()
    lag.look({PLACE: 5, OTHER: 8})
    assert lag.look({OTHER: 8}) == (Waiting(OTHER, 8, 1, 1_008),)
    assert lag.look({PLACE: 5}) == (Waiting(PLACE, 5, 1, 1_005),)
