"""Records of several partitions come in one order of arrival, and no partition is waited for without end."""

from hypothesis import given
from hypothesis import strategies as st

from books.kafka.records import Place, Polled, Record
from processors.stream.arrival_order import (
    BEHIND_MS,
    MAX_HELD,
    MAX_HELD_BYTES,
    MAX_TAKEN_BYTES,
    PATIENCE_MS,
    STEP_MS,
    ArrivalOrder,
)

SALES, VISITS = Place("sales", 0), Place("visits", 0)
NOW = 1_700_000_000_000


def record(place: Place, offset: int, timestamp: int) -> Record:
    return Record(*place, offset, timestamp, None, b"", {})


def records(place: Place, *timestamps: int) -> list[Record]:
    return [record(place, offset, timestamp) for offset, timestamp in enumerate(timestamps)]


def arrivals_of(*places: Place) -> ArrivalOrder:
    fresh = ArrivalOrder()
    fresh.assign(places)
    return fresh


def test_two_topics_that_catch_up_are_taken_in_step() -> None:
    merged = arrivals_of(SALES, VISITS)
    old = NOW - 10 * BEHIND_MS
    merged.add(Polled(records(SALES, old, old + 10, old + 20_000), {}), NOW)
    assert merged.take(100, NOW) == []  # the visits are still to come
    merged.add(Polled(records(VISITS, old + 5, old + 30_000), {}), NOW)
    assert [(one.topic, one.timestamp - old) for one in merged.take(100, NOW)] == [
        ("sales", 0), ("visits", 5), ("sales", 10),
    ]  # fmt: skip
    assert [one.timestamp - old for one in merged.take(100, NOW)] == [20_000]


def test_a_partition_at_its_end_is_not_waited_for() -> None:
    merged = arrivals_of(SALES, VISITS)
    merged.add(Polled(records(SALES, NOW - 60_000), {VISITS: 0}), NOW)
    assert len(merged.take(100, NOW)) == 1


def test_a_partition_that_gives_nothing_is_waited_for_only_so_long() -> None:
    merged = arrivals_of(SALES, VISITS)
    merged.add(Polled(records(SALES, NOW - 60_000), {}), NOW)
    assert merged.take(100, NOW) == []
    assert merged.take(100, NOW + PATIENCE_MS - 1) == []
    assert len(merged.take(100, NOW + PATIENCE_MS)) == 1


def test_a_clock_that_goes_back_does_not_lengthen_the_wait_for_ever() -> None:
    merged = arrivals_of(SALES, VISITS)
    merged.add(Polled(records(SALES, NOW), {}), NOW)
    assert merged.take(100, NOW) == []
    assert merged.take(100, NOW - 3_600_000) == []
    assert len(merged.take(100, NOW - 3_600_000 + PATIENCE_MS)) == 1


def test_what_was_fetched_of_a_partition_that_is_taken_away_is_dropped() -> None:
    merged = arrivals_of(SALES, VISITS)
    merged.add(Polled(records(SALES, NOW) + records(VISITS, NOW), {}), NOW)
    merged.revoke([SALES])
    assert [one.topic for one in merged.take(100, NOW)] == ["visits"]


def test_enough_of_a_partition_is_enough() -> None:
    merged = arrivals_of(SALES, VISITS)
    merged.add(Polled(records(SALES, *range(NOW, NOW + MAX_HELD)), {}), NOW)
    assert merged.full() == {SALES}


@given(st.lists(st.lists(st.integers(0, 3 * STEP_MS), max_size=12), min_size=1, max_size=4), st.integers(1, 7))
def test_each_record_comes_once_and_in_the_order_of_its_partition(times: list[list[int]], most: int) -> None:
    places = [Place("topic", number) for number in range(len(times))]
    merged = arrivals_of(*places)
    given_records = [
        record(place, offset, NOW + at)
        for place, ats in zip(places, times, strict=True)
        for offset, at in enumerate(ats)
    ]  # fmt: skip
    merged.add(Polled(given_records, dict.fromkeys(places, 0)), NOW)
    taken: list[Record] = []
    while batch := merged.take(most, NOW):
        assert len(batch) <= most
        taken += batch
    assert sorted(taken) == sorted(given_records)
    for place in places:
        assert [one.offset for one in taken if one.place == place] == list(range(len(times[place.partition])))


def test_a_record_of_the_future_holds_up_nobody() -> None:
    """Neither itself nor the honest ones behind it, however much comes from elsewhere."""
    merged = arrivals_of(SALES, VISITS)
    merged.add(Polled(records(SALES, NOW + 3_600_000, NOW - 1) + records(VISITS, NOW), {}), NOW)
    assert sorted((one.topic, one.timestamp - NOW) for one in merged.take(100, NOW)) == [
        ("sales", -1), ("sales", 3_600_000), ("visits", 0),
    ]  # fmt: skip


def large(place: Place, *timestamps: int) -> list[Record]:
    mega = bytes(1 << 20)
    return [one._replace(value=mega) for one in records(place, *timestamps)]


def test_what_is_held_and_what_is_taken_is_bounded_in_bytes() -> None:
    merged = arrivals_of(SALES, VISITS)
    many = MAX_HELD_BYTES >> 20
    merged.add(Polled(large(SALES, *([NOW - 60_000] * (many - 1))), {}), NOW)
    assert merged.full() == set()
    merged.add(Polled([large(SALES, NOW - 60_000)[0]._replace(offset=many - 1)], {}), NOW)
    assert merged.full() == {SALES}  # the other one is what is waited for
    merged.add(Polled(records(VISITS, NOW), {}), NOW)
    assert merged.full() == {SALES, VISITS}
    taken: list[int] = []
    while batch := merged.take(2_000, NOW):
        assert sum(len(one.value or b"") for one in batch) <= MAX_TAKEN_BYTES
        taken += [one.offset for one in batch if one.topic == "sales"]
    assert taken == list(range(many))
    assert merged.full() == set()
    merged.add(Polled(large(SALES, *([NOW] * many)), {}), NOW)
    merged.revoke([SALES])
    merged.add(Polled(records(VISITS, NOW), {}), NOW)
    assert merged.full() == set()
