"""Two worlds in one pass equal two whole runs (see two_worlds.py, of which `python -m tests.run rescore` runs more)."""

from collections import Counter

import pytest

from processors.replay.rescore.two_worlds import EVERYBODY, Selection
from tests.property import two_worlds

COUNT = 40


def test_two_worlds_are_two_whole_runs() -> None:
    seen: Counter[str] = Counter()
    for seed in range(1, COUNT + 1):
        two_worlds.check(seed, seen)
    assert seen["members changed"] > COUNT


def test_a_difference_that_is_not_told_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check itself can fail: effects compared by points alone are not enough."""
    monkeypatch.setattr(
        "processors.replay.rescore.two_worlds._effects", lambda posting: sum(entry.points for entry in posting.entries)
    )
    wrong = [seed for seed in range(1, 60) if not two_worlds.holds(seed, Counter())]
    assert wrong


def test_a_member_is_drawn_alike_everywhere() -> None:
    half = Selection(per_million=500_000)
    drawn = [half.takes(f"member-{number}") for number in range(1_000)]
    assert 400 < sum(drawn) < 600
    assert not any(Selection(per_million=0).takes(f"member-{number}") for number in range(100))
    assert Selection(members=frozenset({"a"})).takes("a")
    assert not Selection(members=frozenset({"a"})).takes("b")
    assert [EVERYBODY.is_everybody, half.is_everybody] == [True, False]
