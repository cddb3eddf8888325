"""What differs in order is what the sorted facts make (see late_facts.py; `python -m tests.run late` tells more)."""

from collections import Counter
from collections.abc import Sequence

import pytest

from processors.replay.rescore import late
from processors.replay.rescore.partition_run import BaseDiffers
from processors.replay.rescore.two_worlds import Selection
from schemas.bounds import DAY_MS
from schemas.facts import ClockTicked, JournalFact, JournalOpened, MemberFact
from schemas.pages import Folio, JournalLine
from schemas.posting import Reason
from tests.property import late_facts
from tests.property.histories import History, history_of
from tests.property.late_facts import Told, is_refused
from tests.support.deciders import published
from tests.support.small_folder import at, purchase

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


def test_what_follows_the_last_line_that_is_compared_is_left_out() -> None:
    late_facts = 0
    for seed in range(1, SOME + 1):
        told = Told(history_of(seed))
        half = len(told.lines) // 2
        cut = told.ask(closes_at=Folio(half, 0))
        assert cut == told.ask(pages=half)
        late_facts += cut[0].late.facts
    assert late_facts > 0


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


RULES = """\
programme: corner-shop
version: "1"
timezone: Europe/Berlin
currency: EUR
rules:
  - id: base
    kind: spend
    points: 1
    per_minor: 100
"""

OPENED = JournalOpened("shop", 1, 1, 0, 10 * DAY_MS, 30 * DAY_MS)


def told_of(rules: str, *facts: JournalFact) -> Told:
    """What is said of books with these rules from the beginning, and these facts after them."""
    all_of_them = [published(rules, "Europe/Berlin", version="1", effective_from=0), *facts]
    lines = [JournalLine(fact, 0, getattr(fact, "member_id", None)) for fact in all_of_them]
    return Told(History(0, "by hand", OPENED, (JournalLine(OPENED, 0), *lines)))


def test_a_name_that_was_forgotten_is_new_in_order_too() -> None:
    """In order no tick lies between the two purchases of one name, and yet the books paid both."""
    told = told_of(
        RULES,
        purchase("e1", "11-02T09:00", "anna", 1_000),
        purchase("e2", "11-12T09:00", "anna", 1_000),
        ClockTicked(at("11-13T00:00")),
        purchase("e1", "11-05T09:00", "anna", 2_000),
    )
    assert told.machine.account("anna").balance == 40
    assert told.found.late.facts == 1
    assert told.members == []
    assert told.rows == []


def test_facts_are_decided_in_the_order_in_which_they_happened() -> None:
    """The purchase of nine o'clock came after that of eleven, which had used up the day's limit."""
    told = told_of(
        f"{RULES}    limits: [ten]\nlimits:\n  - {{id: ten, points: 10, per: day}}\n",
        purchase("eleven", "11-02T11:00", "anna", 1_000),
        ClockTicked(at("11-02T12:00")),
        purchase("nine", "11-02T09:00", "anna", 1_000),
    )
    assert told.machine.account("anna").balance == 10
    assert sorted((row.event_id, row.points_before, row.points_after) for row in told.rows) == [
        ("eleven", 10, 0),
        ("nine", 0, 10),
    ]


def test_another_order_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check itself can fail: facts in the order of the journal are not sorted."""

    def as_it_came(placed: tuple[Folio, MemberFact]) -> tuple[int, Folio]:
        return 0, placed[0]

    def told() -> Told:
        return told_of(
            f"{RULES}    limits: [ten]\n    expiry: {{kind: rolling, days: 30}}\n"
            "limits:\n  - {id: ten, points: 10, per: month}\n",
            purchase("second", "11-03T11:00", "anna", 1_000),
            ClockTicked(at("11-04T00:00")),
            purchase("first", "11-02T11:00", "anna", 1_000),
        )

    late_facts.check_told(told(), Counter())
    monkeypatch.setattr(late, "_when", as_it_came)
    with pytest.raises(AssertionError, match="anna would have something else in order"):
        late_facts.check_told(told(), Counter())


def test_a_refused_fact_stays_refused_and_what_was_due_by_then_is_done() -> None:
    """The last fact has a name that was taken, and other content: it earns nothing, but the points expire before it."""
    told = told_of(
        f"{RULES}    expiry: {{kind: rolling, days: 5}}\n",
        purchase("e1", "11-03T11:00", "anna", 1_000),
        ClockTicked(at("11-04T00:00")),
        purchase("late", "11-02T11:00", "anna", 1_000),
        purchase("e1", "11-20T11:00", "anna", 7_000),
    )
    assert [posting.reason for made in told.postings for posting in made][-1] == Reason.CONFLICT
    assert told.machine.account("anna").balance == 0
    assert told.found.late.facts == 1
    assert told.members == []
    assert told.rows == []
