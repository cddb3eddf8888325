"""Time in a stream: our own outage expires nobody's points early, and however many tick, the journal has one clock."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from books.kafka.create import TICKER
from books.kafka.errors import Fenced
from books.kafka.messages import page_message
from books.kafka.records import Place
from books.kafka.tick_state import TickState, read_tick_state
from processors.stream.intake import StreamIntake
from processors.stream.ticker import HOUR_MS, MAX_HELD_BACK_MS, Ticker
from schemas.facts import ClockTicked, PublishedFact, PurchaseLine, PurchaseRecorded, RulesetPublished
from schemas.instants import format_instant
from schemas.pages import JournalLine
from schemas.posting import EntryType
from tests.integration.small_stream import DAY_MS, SmallStream, member_in

MAX_STEPS = 600
SECOND_MS = 1_000
MEMBER = member_in(0)

RULES = """\
programme: corner-shop
version: "%s"
timezone: %s
currency: EUR
expiry: {kind: rolling, days: 1}
rules:
  - {id: base, kind: spend, points: 1, per_minor: 100}
"""


class SimulatedClock:
    """The time as this test will have it; it begins with the broker's, by which records are stamped."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


class Scene:
    """A stream and the stages that this test has opened on it."""

    def __init__(self, stream: SmallStream, held: ExitStack) -> None:
        self.stream = stream
        self.began_at = stream.pages(0)[0].timestamp
        self.clock = SimulatedClock(self.began_at)
        self.said: list[str] = []
        self._held = held

    def publish_rules(self, version: str = "1", zone: str = "Etc/GMT") -> None:
        self.stream.publish_rules(RULES % (version, zone))

    def publish(self, *facts: PublishedFact) -> int:
        """Publish facts of purchases, and give the instant at which the broker took in the last of them."""
        self.stream.publish(facts)
        (topic,) = (name for name, kind in self.stream.topics.facts.items() if kind == "PurchaseRecorded")
        return self.stream.records(Place(topic, 0))[-1].timestamp

    def ticker(self, instance: str) -> Ticker:
        stream = self.stream
        ticker = Ticker(
            stream.cluster,
            stream.topics,
            stream.opened.partitions,
            instance=instance,
            now=self.clock,
            say=self.said.append,
        )
        ticker.open()
        self._held.callback(ticker.close)
        return ticker

    def intake(self) -> StreamIntake:
        stream = self.stream
        schemas = stream.stream.writer_schemas()
        intake = StreamIntake(
            stream.cluster, stream.topics, stream.opened, schemas, instance="test", now=self.clock, say=self.said.append
        )
        intake.open()
        return intake

    def take_in(self, facts: int) -> None:
        """An intake comes, takes in so many facts, and goes."""
        intake = self.intake()
        step_until(lambda: intake.counts.facts == facts, intake.step)
        intake.close()
        assert not intake.counts.rejects

    def score(self) -> None:
        """Score all that is in the journal."""
        for partition in range(self.stream.opened.partitions):
            self.stream.score_all(self.stream.scorer(partition))

    def one_clock(self) -> list[int]:
        """The ticks, which are the same in all partitions and rise."""
        first, *others = self.stream.ticks()
        assert others == [first] * len(others)
        assert first == sorted(set(first))
        return first


@pytest.fixture
def scene(bootstrap: str, deployment: str, tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as held:
        yield Scene(SmallStream(bootstrap, deployment, tmp_path), held)


def step_until(condition: Callable[[], object], *steps: Callable[[], object]) -> None:
    for _ in range(MAX_STEPS):
        if condition():
            return
        for step in steps:
            step()
    raise AssertionError(f"not within {MAX_STEPS} steps")


def purchase(event_id: str, occurred_at: int) -> PurchaseRecorded:
    return PurchaseRecorded("pos", event_id, occurred_at, event_id, "EUR", (PurchaseLine("tea", 500),), MEMBER)


def hour_of(at: int) -> int:
    return at // HOUR_MS * HOUR_MS


def zone_with_midnight_at(hour: int) -> str:
    """A zone in which a day begins at that full hour (UTC ms); such names count to the west."""
    west = hour // HOUR_MS % 24
    return f"Etc/GMT{west if west <= 12 else west - 24:+d}"


def test_an_intake_that_is_down_for_three_hours_expires_nobody_early(scene: Scene) -> None:
    midnight = hour_of(scene.began_at) + 2 * HOUR_MS
    scene.publish_rules(zone=zone_with_midnight_at(midnight))
    scene.publish(purchase("earned", midnight - DAY_MS - HOUR_MS // 2))
    scene.take_in(1)
    scene.score()
    (earned,) = scene.stream.postings(0)
    assert [(entry.type, entry.expires_at) for entry in earned.entries] == [(EntryType.POINTS_AWARDED, midnight)]

    waits_since = scene.publish(purchase("waiting", scene.began_at))
    scene.clock.at = waits_since
    ticker = scene.ticker("1")
    step_until(lambda: ticker.is_owner, ticker.step)
    for hours in (1, 2, 3):
        scene.clock.at = waits_since + hours * HOUR_MS
        ticker.step()
        assert ticker.counts.held_back_until == hour_of(waits_since)
    assert scene.one_clock() == [hour_of(waits_since)]
    scene.score()
    assert scene.stream.postings(0) == [earned]
    assert scene.said == []

    scene.take_in(1)
    scene.clock.at += SECOND_MS
    assert ticker.step()
    assert ticker.counts.held_back_until == 0
    assert scene.one_clock() == [hour_of(waits_since), hour_of(waits_since + 3 * HOUR_MS)]
    scene.score()
    _, waited, due = scene.stream.postings(0)
    assert (waited.event_id, [entry.type for entry in waited.entries]) == ("waiting", [EntryType.POINTS_AWARDED])
    assert waited.balance == 10
    expired = [(entry.type, entry.points, entry.effective_at) for entry in due.entries]
    assert expired == [(EntryType.POINTS_EXPIRED, -5, midnight)]
    assert due.balance == 5


def test_time_is_held_back_for_six_hours_at_most_and_then_goes_on_with_an_alert(scene: Scene) -> None:
    scene.publish_rules()
    waits_since = scene.publish(purchase("never-taken-in", scene.began_at))
    scene.clock.at = waits_since + MAX_HELD_BACK_MS
    ticker = scene.ticker("1")
    step_until(lambda: ticker.counts.ticks, ticker.step)
    scene.clock.at -= SECOND_MS  # a clock that goes back brings no time back
    assert not ticker.step()
    assert (scene.one_clock(), scene.said) == ([hour_of(waits_since)], [])

    scene.clock.at = waits_since + MAX_HELD_BACK_MS + SECOND_MS
    ticker.step()
    (alert,) = scene.said
    came = f"ALERT: a fact that came at {format_instant(waits_since)}"
    assert alert.startswith(f"{came} has not been taken in for 6 hours")
    for _ in range(2):
        scene.clock.at += HOUR_MS
        assert ticker.step()
    assert scene.said == [alert]  # said once for one fact
    # From then on time goes on, so many hours behind the clock.
    passed = {0, SECOND_MS, SECOND_MS + HOUR_MS, SECOND_MS + 2 * HOUR_MS}
    assert scene.one_clock() == sorted({hour_of(waits_since + each) for each in passed})


def has_ticked(tickers: Sequence[Ticker], times: int) -> bool:
    return sum(ticker.counts.ticks for ticker in tickers) == times


def test_of_two_tickers_one_writes(scene: Scene) -> None:
    scene.publish_rules()
    tickers = [scene.ticker(instance) for instance in ("1", "2")]
    steps = [ticker.step for ticker in tickers]
    # Each has its part of the group's partitions: until then partition 0 may pass from one to the other.
    step_until(lambda: all(ticker._member._consumer.assignment() for ticker in tickers), *steps)
    for hours in range(3):
        scene.clock.at = scene.began_at + hours * HOUR_MS
        step_until(partial(has_ticked, tickers, hours + 1), *steps)
        for step in steps * 2:
            scene.clock.at += SECOND_MS
            assert not step()
        assert [ticker.is_owner for ticker in tickers].count(True) == 1
    assert scene.one_clock() == [hour_of(scene.began_at) + hours * HOUR_MS for hours in range(3)]


def book_facts(scene: Scene) -> list[list[str | int]]:
    """What was ticked and published, in order, for each partition."""
    found: list[list[str | int]] = []
    for partition in range(scene.stream.opened.partitions):
        told: list[str | int] = []
        for fact in scene.stream.facts(partition):
            if isinstance(fact, ClockTicked):
                told.append(fact.at)
            elif isinstance(fact, RulesetPublished):
                told.append(fact.version)
        found.append(told)
    return found


def test_a_publication_fences_the_ticker_which_comes_back(scene: Scene) -> None:
    ticker = scene.ticker("1")
    step_until(lambda: ticker.is_owner, ticker.step)
    scene.clock.at += SECOND_MS
    assert not ticker.step()
    assert scene.one_clock() == []  # no time passes before there are rules
    first = hour_of(scene.clock.at)
    for at, version in ((first, "1"), (first + HOUR_MS, "2")):
        scene.publish_rules(version)
        scene.clock.at = at + HOUR_MS - SECOND_MS * 10
        assert not ticker.step()
        assert "another process has taken over" in scene.said[-1]
        scene.clock.at += SECOND_MS
        assert ticker.step()
    assert book_facts(scene) == [["1", first, "2", first + HOUR_MS]] * scene.stream.opened.partitions
    assert len(scene.said) == 2


def test_a_publication_sees_what_another_transaction_hides(scene: Scene) -> None:
    """An intake that was killed has a page open; behind it the ticker has written an hour already."""
    scene.publish_rules("1")
    topics, first = scene.stream.topics, hour_of(scene.clock.at)
    hanging = scene.stream.producer("test-hanging")
    hanging.begin()
    scene.stream.send_page(hanging, 0, [ClockTicked(0)])
    ticker = scene.ticker("1")
    step_until(lambda: ticker.counts.ticks, ticker.step)
    scene.publish_rules("2")
    assert read_tick_state(scene.stream.cluster, topics) == TickState(first, is_published=True)
    assert scene.one_clock() == [first]
    assert [fact.version for fact in scene.stream.facts(0) if isinstance(fact, RulesetPublished)] == ["1", "2"]
    hanging.close()


def test_a_ticker_that_was_replaced_while_it_slept_writes_nothing(scene: Scene) -> None:
    scene.publish_rules()
    sleeper = scene.ticker("1")
    step_until(lambda: sleeper.counts.ticks, sleeper.step)
    first = hour_of(scene.clock.at)
    scene.clock.at += HOUR_MS

    successor = scene.ticker("1")
    step_until(lambda: successor.counts.ticks, successor.step)
    scene.clock.at += HOUR_MS
    assert sleeper.is_owner  # as it believes
    with pytest.raises(Fenced):
        sleeper._tick_if_due(scene.clock.at)
    assert scene.one_clock() == [first, first + HOUR_MS]
    with pytest.raises(Fenced):
        step_until(lambda: False, sleeper.step)  # its place in the group is another's, too
    assert successor.step()
    assert scene.one_clock() == [first, first + HOUR_MS, first + 2 * HOUR_MS]
    assert sleeper.counts.ticks == 1


def test_a_tick_that_was_on_its_way_when_another_ticker_came_is_none(scene: Scene) -> None:
    scene.publish_rules()
    topics = scene.stream.topics
    zombie = scene.stream.cluster.producer(topics.transactional_id(TICKER))
    zombie.open()
    zombie.begin()
    far = scene.began_at + 100 * HOUR_MS
    for partition in range(scene.stream.opened.partitions):
        zombie.send(topics.journal, page_message((JournalLine(ClockTicked(far), far),)), partition=partition)
    zombie.flush()
    ticker = scene.ticker("1")
    step_until(lambda: ticker.counts.ticks, ticker.step)
    with pytest.raises(Fenced):
        zombie.commit()
    zombie.close()
    assert scene.one_clock() == [hour_of(scene.clock.at)]


def test_nothing_is_taken_in_before_there_are_rules(scene: Scene) -> None:
    """What was journalled before the first publication would never be worth anything."""
    at = scene.began_at - SECOND_MS
    scene.publish(purchase("early", at))
    intake = scene.intake()
    for _ in range(30):
        intake.step()
        scene.clock.at += 100
    assert scene.stream.facts(0)[1:] == []
    assert scene.said == ["waits for rules, and keeps what comes waiting: `tallybook rules publish FILE`"]
    scene.publish_rules()

    def step() -> None:
        intake.step()
        scene.clock.at += 100

    step_until(lambda: intake.counts.facts == 1, step)
    intake.close()
    assert scene.said[1:] == ["rules are published: goes on"]
    scene.score()
    assert [posting.balance for posting in scene.stream.postings(0)] == [5]
