"""A stage that waits is alive and not ready; only one in which nothing moves any more is not alive."""

import pytest

from books.kafka.records import ConsumerInGroup, GroupView, Place
from tallybook.stream.stages.health import ALIVE_SECONDS, FRESH_SECONDS, STEPPING_SECONDS, Pulse, Watched, judge

OWN = "shop-scoring-1"
NOW = 1_000.0
PLACES = frozenset({Place("shop.journal", 0), Place("shop.journal", 1)})
WELL = Pulse(0.0, 0.1)
SETTLED = GroupView(is_settled=True, consumers=(ConsumerInGroup(OWN, PLACES),))
SEEN = Watched(NOW - 1, SETTLED)


@pytest.mark.parametrize(
    ("pulse", "watched", "reason"),
    [
        (Pulse(), SEEN, "it is starting"),
        (Pulse(0.0, None, "Kafka at k:1 does not answer"), SEEN, "waits for this to pass: Kafka at k:1"),
        (Pulse(0.0, STEPPING_SECONDS + 1), SEEN, "its last step was 31 s ago"),
        (WELL, Watched(), "Kafka was not asked yet"),
        (WELL, Watched(error="Kafka at k:1 does not answer"), "Kafka at k:1 does not answer"),
        (WELL, Watched(NOW - FRESH_SECONDS - 5, SETTLED), "Kafka was last asked 35 s ago"),
        (WELL, Watched(NOW, GroupView()), f"its group has no member {OWN}"),
        (WELL, Watched(NOW, GroupView(is_settled=False, consumers=SETTLED.consumers)), "partitions change hands"),
        (Pulse(0.0, 0.1, held=frozenset()), SEEN, "it is taking over the partitions"),
    ],
)
def test_alive_and_not_ready(pulse: Pulse, watched: Watched, reason: str) -> None:
    health = judge(pulse, watched, OWN, NOW)
    assert (health.alive, health.ready) == (True, False)
    assert any(reason in one for one in health.reasons), health.reasons


@pytest.mark.parametrize("pulse", [WELL, Pulse(0.0, 0.1, held=PLACES)])
def test_ready(pulse: Pulse) -> None:
    health = judge(pulse, SEEN, OWN, NOW)
    assert (health.alive, health.ready) == (True, True)
    assert health.reasons == ("works on 2 partitions",)


def test_a_spare_is_ready() -> None:
    group = GroupView(is_settled=True, consumers=(ConsumerInGroup(OWN, frozenset()), ConsumerInGroup("other", PLACES)))
    health = judge(WELL, Watched(NOW, group), OWN, NOW)
    assert health.ready
    assert health.reasons == ("joined and idle: others hold everything",)


def test_where_nothing_moves_it_is_not_alive() -> None:
    health = judge(Pulse(ALIVE_SECONDS + 1, 0.0), SEEN, OWN, NOW)
    assert (health.alive, health.ready) == (False, False)
    assert "restart it" in health.reasons[0]


def test_a_worker_that_never_takes_over_what_it_was_given_is_not_alive() -> None:
    """However well its loop turns: only a restart helps."""
    still, no_longer = (
        judge(Pulse(0.0, 0.1, held=frozenset(), differs_seconds=seconds), SEEN, OWN, NOW)
        for seconds in (ALIVE_SECONDS, ALIVE_SECONDS + 1)
    )
    assert (still.alive, still.ready) == (True, False)
    assert (no_longer.alive, no_longer.ready) == (False, False)
    assert "has not taken them over: restart it" in no_longer.reasons[0]
