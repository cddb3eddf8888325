"""`status` names the stage that has input and makes no progress, and no stage that is merely busy."""

import pytest

from books.kafka.records import ConsumerInGroup, GroupView, Place
from processors.stream.ticker import HOUR_MS, MAX_HELD_BACK_MS
from tallybook.stream.lag import Waiting
from tallybook.stream.stuck import SCORING, Look, Time, judge_stage, judge_time

PLACES = [Place("shop.journal", number) for number in range(8)]
NOW = 490_000 * HOUR_MS + 60_000
HOUR = 490_000 * HOUR_MS
WORKERS = GroupView(
    is_settled=True,
    consumers=(
        ConsumerInGroup("shop-scoring-1", frozenset(PLACES[:4])),
        ConsumerInGroup("shop-scoring-2", frozenset(PLACES[4:])),
    ),
)
NOBODY = GroupView()


def look(waiting: dict[int, tuple[int, int]], group: GroupView = WORKERS) -> Look:
    """A look at the journal: position and number of what waits, by partition."""
    return Look(group, tuple(Waiting(PLACES[number], *both) for number, both in sorted(waiting.items())))


def test_a_stage_without_input_is_well() -> None:
    found = judge_stage(SCORING, look({0: (5, 0)}), look({0: (5, 0)}), 3)
    assert (found.is_stuck, found.moves, found.waiting, found.processes) == (False, False, 0, 2)
    assert found.verdict == "nothing waits for scoring"


def test_a_stage_that_has_input_and_does_not_move_is_stuck() -> None:
    first = look({0: (9, 0), 3: (5, 1_200), 7: (2, 34)})
    found = judge_stage(SCORING, first, first, 3)
    assert found.is_stuck
    assert found.verdict == (
        "scoring has up to 1,234 pages waiting in journal partitions 3, 7 and none was scored within 3 s: "
        "shop-scoring-1, shop-scoring-2 should do this. See the log there, and /health if it runs with --metrics"
    )


def test_a_stage_without_processes_says_how_to_start_one() -> None:
    first = look({3: (5, 2)}, NOBODY)
    found = judge_stage(SCORING, first, first, 0.5)
    assert found.is_stuck
    assert found.processes == 0
    assert found.verdict.endswith("none was scored within 0.5 s: no process of it runs. Start one: `tallybook score`")


def test_a_stage_that_catches_up_is_not_stuck() -> None:
    found = judge_stage(SCORING, look({0: (5, 90), 3: (5, 90)}), look({0: (9, 86), 3: (5, 90)}), 3)
    assert (found.is_stuck, found.moves) == (False, True)
    assert found.verdict == "scoring is at work: up to 176 pages wait"


def test_a_partition_that_nobody_holds_is_stuck_though_others_move() -> None:
    group = GroupView(is_settled=True, consumers=WORKERS.consumers[:1])
    found = judge_stage(SCORING, look({0: (5, 90), 7: (5, 8)}, group), look({0: (9, 86), 7: (5, 9)}, group), 3)
    assert found.is_stuck
    assert "up to 9 pages waiting in journal partition 7 " in found.verdict


def test_what_came_after_the_first_look_had_no_time() -> None:
    found = judge_stage(SCORING, look({0: (5, 0)}), look({0: (5, 1)}), 3)
    assert not found.is_stuck


def test_partitions_that_change_hands_are_told() -> None:
    group = GroupView(is_settled=False, consumers=WORKERS.consumers)
    first = look({3: (5, 2)}, group)
    assert "change hands" in judge_stage(SCORING, first, first, 3).verdict


def at(last_tick: int, oldest_waiting: int, *, is_published: bool = True) -> Time:
    """How far time has come when it is NOW."""
    return Time(NOW, last_tick, is_published, oldest_waiting)


@pytest.mark.parametrize(
    ("time", "due", "held"),
    [
        (at(HOUR, 0), 0, 0),
        (at(HOUR - HOUR_MS, 0), HOUR, 0),
        (at(0, 0, is_published=False), 0, 0),
        (at(HOUR - HOUR_MS, NOW - 1), HOUR, 0),
        (at(HOUR - HOUR_MS, HOUR - 1), 0, HOUR - HOUR_MS),
        (at(HOUR - 3 * HOUR_MS, HOUR - HOUR_MS - 1), HOUR - 2 * HOUR_MS, HOUR - 2 * HOUR_MS),
        (at(HOUR - 3 * HOUR_MS, NOW - MAX_HELD_BACK_MS - 1), 0, HOUR - MAX_HELD_BACK_MS),
        (at(HOUR - 9 * HOUR_MS, NOW - MAX_HELD_BACK_MS - 1), HOUR - MAX_HELD_BACK_MS, HOUR - MAX_HELD_BACK_MS),
    ],
)
def test_which_tick_is_due(time: Time, due: int, held: int) -> None:
    assert (time.due, time.held_back_until) == (due, held)


def test_a_tick_that_is_due_and_not_written_is_the_ticker_s() -> None:
    time = at(HOUR - HOUR_MS, 0)
    found = judge_time(time, time, NOBODY, 3)
    assert found.is_stuck
    assert "no process of it runs. Start one: `tallybook tick`" in found.verdict
    assert not judge_time(time, at(HOUR, 0), NOBODY, 3).is_stuck


def test_time_that_is_held_back_says_until_when() -> None:
    time = at(HOUR - HOUR_MS, HOUR - 1)
    found = judge_time(time, time, NOBODY, 3)
    assert not found.is_stuck
    assert "held back at" in found.verdict


def test_without_rules_no_time_passes() -> None:
    time = at(0, 0, is_published=False)
    assert "rules publish" in judge_time(time, time, NOBODY, 3).verdict
