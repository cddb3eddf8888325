"""What differs in order is what the sorted facts make (see late_facts.py; `python -m tests.run late` tells more)."""

from collections import Counter
from collections.abc import Sequence

import pytest

from processors.replay.rescore import late
from processors.replay.rescore.partition_run import BaseDiffers
from processors.replay.rescore.two_worlds import Selection
from schemas.facts import MemberFact
from schemas.pages import Folio
from tests.property import late_facts
from tests.property.histories import history_of
from tests.property.late_facts import Told, is_refused

COUNT = 120
SOME = 60


def test_what_differs_in_order_is_what_sorted_facts_make() -> None:
    seen: Counter[str] = Counter()
    for seed in range(1, COUNT + 1):
        late_facts.check(seed, seen)
    assert seen["without late facts"] > 0
    assert seen["members who would have more"] > 0
    assert seen["members who would have less"] > 0
    assert seen["too old"] > 0
    assert seen["decided before their rules"] > 0


def test_a_sample_is_the_whole_restricted_to_its_members() -> None:
    half = Selection(per_million=500_000)
    found = 0
    for seed in range(1, SOME + 1):
        whole, sample = Told(history_of(seed)), Told(history_of(seed), half)
        assert sample.rows == [row for row in whole.rows if half.takes(row.member_id)]
        assert sample.members == [member for member in whole.members if half.takes(member.member_id)]
        found += len(sample.members)
    assert found > 0


def test_another_order_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check itself can fail: facts in the order of the journal are not sorted."""

    def as_it_came(placed: tuple[Folio, MemberFact]) -> tuple[int, Folio]:
        return 0, placed[0]

    monkeypatch.setattr(late, "_when", as_it_came)
    assert any(not late_facts.holds(seed, Counter()) for seed in range(1, COUNT + 1))


def test_another_last_tick_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check itself can fail: the journal's last tick is not that which the fact would have met."""

    def after_all(ticks: Sequence[int], _: int) -> int:
        return len(ticks)

    monkeypatch.setattr(late, "bisect_right", after_all)
    assert any(not late_facts.holds(seed, Counter()) for seed in range(1, COUNT + 1))


def test_marks_that_the_rules_do_not_make_are_refused() -> None:
    seed = next(seed for seed in range(1, COUNT) if Told(history_of(seed)).found.late.facts)
    told = Told(history_of(seed))
    (on_time,) = next(made for made in told.postings if made and not (made[0].late or is_refused(made[0])))
    on_time.late = True
    with pytest.raises(BaseDiffers, match=r"it marks [0-9,]+ facts as late, and its rules [0-9,]+"):
        told.ask()
