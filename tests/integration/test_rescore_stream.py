"""A stream on a real Kafka is re-scored while it runs: up to the last tick that all partitions have passed."""

from pathlib import Path

import pytest

from processors.replay.rescore.two_worlds import EVERYBODY
from schemas.facts import ClockTicked
from schemas.posting import FIRST_EDITION
from tallybook.folder.folder import Folder
from tallybook.rescore.carry_out import carry_out
from tallybook.rescore.cuts import make_cuts
from tallybook.rescore.plan import Asked, make_plan
from tallybook.rescore.summary import summarise
from tests.integration.small_stream import DAY_MS, OPENED_AT, SmallStream, check_in, member_in

RULES = """\
programme: stream
version: "1"
timezone: Europe/Berlin
currency: EUR
rules:
  - {id: visits, kind: streak, daily: 10}
"""
TICKS = [OPENED_AT + day * DAY_MS for day in (1, 2, 3)]
ANN, BOB = member_in(0), member_in(1)


@pytest.fixture
def stream(bootstrap: str, deployment: str, tmp_path: Path) -> SmallStream:
    """Both partitions have two ticks; the first one is a day and a fact further."""
    made = SmallStream(bootstrap, deployment, tmp_path)
    made.publish_rules(RULES)
    for partition, member in enumerate((ANN, BOB)):
        made.write_page(partition, [check_in("first", member, OPENED_AT + 1), ClockTicked(TICKS[0])])
        made.write_page(partition, [check_in("second", member, TICKS[0] + 1), ClockTicked(TICKS[1])])
    made.write_page(0, [check_in("third", ANN, TICKS[1] + 1), ClockTicked(TICKS[2])])
    for partition in range(2):
        made.score_all(made.scorer(partition))
    made.write_page(1, [check_in("not scored", BOB, TICKS[1] + 1), ClockTicked(TICKS[2])])
    made.settle()
    return made


def write(root: Path, version: str, daily: int) -> Path:
    file = root / f"{version}.yaml"
    file.write_text(RULES.replace('"1"', f'"{version}"').replace("daily: 10", f"daily: {daily}"), encoding="utf-8")
    return file


def test_a_stream_is_cut_at_the_last_tick_of_all_partitions(stream: SmallStream) -> None:
    cuts, last_tick = make_cuts(stream.stream.log(), FIRST_EDITION)
    assert last_tick == TICKS[1]
    assert [cut.postings for cut in cuts] == [3, 2]
    assert all(cut.closes_at is not None and cut.closes_at.line == 1 for cut in cuts)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_running_stream_is_re_scored(stream: SmallStream, processes: int) -> None:
    folder = Folder(stream.root)
    drafts = [
        (name, [Asked(write(stream.root, name, daily), "2026-01-01", "never")])
        for name, daily in (("same", 10), ("half", 5))
    ]
    plan = make_plan(stream.stream.log(), drafts, EVERYBODY)
    run = carry_out(folder, plan, processes)
    same, half = (summarise(run, name) for name in ("same", "half"))
    assert (same.is_proven, same.members, same.lines) == (True, 0, 0)
    assert (half.is_proven, half.members, half.points_down) == (True, 2, 20)
    assert half.balance_before == 40  # the third day of the first partition is beyond the cut
    assert [line.event_id for _, line in run.lines("half")] == ["first", "second"] * 2
