"""Several inputs become one order, however they are held, and what was taken in before is left out."""

import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from processors.intake.door import judge_time
from processors.intake.external_sort import (
    Arrived,
    ExternalSort,
    by_time,
    decode_arrived,
    encode_arrived,
    sort_of_arrivals,
)
from processors.intake.input_files import Input, open_input
from processors.intake.input_records import InputRefused
from processors.intake.merge import RECORDS_PER_REPORT, gather
from schemas.bounds import DAY_MS, EARLIEST_AT
from schemas.pages import InputConsumed
from tests.support.fact_samples import AT_MS, CHECK_IN, EVENTS, json_of


def written(folder: Path, name: str, *events: bytes) -> Input:
    """An input of JSON lines."""
    path = folder / name
    path.write_bytes(b"\n".join(events))
    return open_input(path)


def at(instant: int, **fields: Any) -> bytes:
    """A check-in some milliseconds after the usual instant."""
    return json_of(CHECK_IN, occurred_at=AT_MS + instant, **fields)


def order(inputs: list[Input], **options: Any) -> list[tuple[int, int, int]]:
    """What arrives: (instant after the usual one, index of the input, record)."""
    with gather(inputs, **options) as gathered:
        return [(one.occurred_at - AT_MS, one.input_index, one.record) for one in gathered.arrivals]


def test_inputs_are_merged_by_time_then_identity_then_record(tmp_path: Path) -> None:
    one = written(tmp_path, "one.jsonl", at(3), at(1), at(1, event_id="x"), at(9))
    two = written(tmp_path, "two.jsonl", at(2), at(1), at(10))
    first, second = sorted((0, 1), key=lambda index: (one, two)[index].sha256)
    ties = {0: [(1, 0, 2), (1, 0, 3)], 1: [(1, 1, 2)]}
    expected = [*ties[first], *ties[second], (2, 1, 1), (3, 0, 1), (9, 0, 4), (10, 1, 3)]
    assert order([one, two]) == expected
    assert [(instant, 1 - index, record) for instant, index, record in order([two, one])] == expected


def test_as_is_keeps_the_order_given(tmp_path: Path) -> None:
    one, two = written(tmp_path, "one.jsonl", at(3), at(1)), written(tmp_path, "two.jsonl", at(2))
    assert order([two, one], as_is=True) == [(2, 0, 1), (3, 1, 1), (1, 1, 2)]
    assert order([two, one], as_is=True, held_bytes=0, folder=tmp_path) == [(2, 0, 1), (3, 1, 1), (1, 1, 2)]


def test_a_record_without_instant_takes_that_before_it(tmp_path: Path) -> None:
    one = written(
        tmp_path, "one.jsonl", b"?", b"{}", at(5), at(1), b"??", at(7), b"???", json_of(CHECK_IN, occurred_at=1)
    )
    assert order([one]) == [(1, 0, 4), (1, 0, 5), (5, 0, 1), (5, 0, 2), (5, 0, 3), (7, 0, 6), (7, 0, 7), (7, 0, 8)]
    assert order([written(tmp_path, "two.jsonl", b"?", b"??")]) == [
        (EARLIEST_AT - AT_MS, 0, 1),
        (EARLIEST_AT - AT_MS, 0, 2),
    ]


def test_a_refused_record_that_gives_an_instant_keeps_it(tmp_path: Path) -> None:
    one = written(tmp_path, "one.jsonl", at(5), at(3, member_id=[7]), at(4))
    assert order([one]) == [(3, 0, 2), (4, 0, 3), (5, 0, 1)]


@pytest.mark.parametrize("held_bytes", [0, 300, 2_000, 10**9])
def test_spilling_changes_nothing(tmp_path: Path, held_bytes: int) -> None:
    chance = random.Random(held_bytes)
    inputs = []
    for name in ("one.jsonl", "two.jsonl", "three.jsonl"):
        events = [json_of(chance.choice(EVENTS), occurred_at=AT_MS + chance.randrange(30)) for _ in range(60)]
        events[7], events[20] = b'{"type": "?", "source": "x"}', b"\xff\xfe\x00"
        inputs.append(written(tmp_path, name, *events))
    folder = tmp_path / "runs"
    folder.mkdir()
    with gather(inputs, held_bytes=held_bytes, folder=folder) as gathered:
        found = list(gathered.arrivals)
    with gather(inputs) as gathered:
        assert found == list(gathered.arrivals)
    assert len(found) == 180
    assert [by_time(one) for one in found] == sorted(by_time(one) for one in found)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("max_runs", [1, 2, 7])
@pytest.mark.parametrize("is_sorted", [True, False])
def test_many_runs_are_joined_on_the_way(tmp_path: Path, max_runs: int, *, is_sorted: bool) -> None:
    chance = random.Random(max_runs)
    items = [Arrived(chance.randrange(9), 0, n, 0, n, None, None, b"%d" % n, {}) for n in range(50)]
    held = ExternalSort(
        by_time if is_sorted else None,
        encode_arrived,
        decode_arrived,
        held_bytes=10,
        folder=tmp_path,
        max_runs=max_runs,
    )
    for item in items:
        held.add(item, 3)
    assert list(held.drain()) == (sorted(items, key=by_time) if is_sorted else items)
    held.close()


def test_a_record_larger_than_what_is_read_at_once_is_spilt(tmp_path: Path) -> None:
    kept = Arrived(1, 0, 1, 0, 1, None, None, b"x" * 500_000, {"bytes": "500000"})
    held = sort_of_arrivals(by_time, 0, tmp_path)
    held.add(kept, 1)
    held.add(Arrived(0, 0, 2, 0, 2, None, None, b"y", {}), 1)
    assert [one.raw[:1] for one in held.drain()] == [b"y", b"x"]
    held.close()


def test_what_was_taken_in_before_is_left_out(tmp_path: Path) -> None:
    one = written(tmp_path, "one.jsonl", at(3), at(1), at(3, event_id="x"), at(5))
    two = written(tmp_path, "two.jsonl", at(0))

    def after(past: InputConsumed) -> list[tuple[int, int, int]]:
        return order([one, two], consumed=[past])

    assert after(InputConsumed(one.sha256, AT_MS + 3, 1)) == [(0, 1, 1), (3, 0, 3), (5, 0, 4)]
    assert after(InputConsumed(one.sha256, AT_MS + 5, 4)) == [(0, 1, 1)]
    assert after(InputConsumed(one.sha256, 0, 2, as_is=True)) == [(0, 1, 1), (3, 0, 3), (5, 0, 4)]
    assert after(InputConsumed("another", AT_MS + 5, 4)) == order([one, two])
    with gather([one], consumed=[InputConsumed(one.sha256, AT_MS + 3, 1)]) as gathered:
        assert (gathered.survey.already, gathered.survey.records) == (2, 2)


def test_the_same_content_twice_is_taken_once(tmp_path: Path) -> None:
    one, two = written(tmp_path, "one.jsonl", at(1)), written(tmp_path, "copy.jsonl", at(1))
    with gather([one, two]) as gathered:
        assert len(list(gathered.arrivals)) == 1
        assert gathered.survey.repeated == ["copy.jsonl"]


def test_a_survey_counts_what_is_coming(tmp_path: Path) -> None:
    one = written(
        tmp_path, "one.jsonl", *(json_of(event, occurred_at=AT_MS) for event in EVENTS), at(-5), b"{}", at(9, x=1)
    )
    with gather([one], older_than=AT_MS) as gathered:
        survey = gathered.survey
        assert [found.field for found in gathered.unknown.report()] == ["x"]
    assert (survey.records, survey.older) == (8, 1)


def test_progress_is_told_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    one = written(tmp_path, "one.jsonl", *(at(n) for n in range(RECORDS_PER_REPORT + 5)))
    told: list[int] = []
    with gather([one], on_read=told.append):
        assert told == [RECORDS_PER_REPORT, 5]


def test_an_input_that_fails_leaves_no_file_behind(tmp_path: Path) -> None:
    one, two = written(tmp_path, "one.jsonl", at(1), at(2)), written(tmp_path, "two.jsonl", at(3))
    (tmp_path / "two.jsonl").write_bytes(b"changed")
    folder = tmp_path / "runs"
    folder.mkdir()
    with pytest.raises(InputRefused, match="changed"), gather([one, two], held_bytes=0, folder=folder):
        pass
    assert list(folder.iterdir()) == []


def test_what_is_judged_at_the_door_is_kept_as_it_came(tmp_path: Path) -> None:
    judge = partial(judge_time, received_at=AT_MS, last_tick=AT_MS, horizon_ms=DAY_MS, now=AT_MS)
    early, old = at(DAY_MS, event_id="early"), at(-2 * DAY_MS, event_id="old")
    one = written(tmp_path, "one.jsonl", early, at(0), old)
    with gather([one], judge=judge, older_than=AT_MS - DAY_MS) as gathered:
        found = [(item.refusal and item.refusal.reason, item.raw, item.record) for item in gathered.arrivals]
        assert found == [("too_old", old, 3), (None, b"", 2), ("too_early", early, 1)]
        assert gathered.survey.older == 1
