"""Every fed fact is journalled exactly once, whatever the cuts, the clock, the writers and the kills of a follow."""

from pathlib import Path
from random import Random

import pytest

from schemas.facts import PublishedFact
from tests.reference.local_time import HOUR_MS
from tests.support import small_imports as small
from tests.support.follow import NOON, STEP_MS, Stream, journalled, once_each
from tests.support.small_imports import Died, random_facts

MALFORMED = b"{no json %d"
# How far the clock goes: on, by an outage, or back.
JUMPS = (STEP_MS, STEP_MS, 400, 2 * HOUR_MS, -30_000, -2 * HOUR_MS)
ACTIONS = ("put", "put", "put", "step", "step", "step", "jump", "stop", "die at commit", "die at rename")
SEEDS = range(15)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_fact_is_journalled_once(seed: int, tmp_path: Path) -> None:
    rng = Random(seed)
    facts: list[PublishedFact] = random_facts(seed, days=9, a_day=200)
    actions = [rng.choice(ACTIONS) for _ in range(rng.randrange(5, 40))]
    stream = Stream(tmp_path, NOON + 17)
    fed = rejects = 0
    for number, action in enumerate(actions):
        if action == "put":
            amount = rng.randrange(1, 60)
            lines: list[bytes | PublishedFact] = [*facts[fed : fed + amount]]
            fed = min(fed + amount, len(facts))
            if number % 3 == 0:
                lines.insert(len(lines) // 2, MALFORMED % number)
                rejects += 1
            stream.put(f"{number:03d}.jsonl", lines, age_ms=number)
        _act(stream, action, rng)
    stream.start()
    stream.go(10_000, 500)
    stream.drain()
    assert journalled(stream.books) == once_each(facts[:fed])
    assert len(small.rejects_in(stream.books)) == rejects
    assert len(stream.names("taken")) == actions.count("put")
    assert stream.names() == []
    _check_time(stream)
    assert small.verified(stream.books).differences == 0


def _act(stream: Stream, action: str, rng: Random) -> None:
    if action == "jump":
        stream.now += rng.choice(JUMPS)
    elif action == "die at commit":
        stream.start(commits=rng.randrange(3))
    elif action == "die at rename":
        stream.start(renames=rng.randrange(3))
    try:
        if action == "stop":
            stream.follower.finish(stream.now)
            stream.start()
        stream.step(rng.choice((0, STEP_MS, 3 * STEP_MS)))
    except Died:
        stream.start()


def _check_time(stream: Stream) -> None:
    ticks = stream.ticks()
    assert ticks == sorted(set(ticks))
    assert all(tick % HOUR_MS == 0 for tick in ticks)
    for partition in range(small.PARTITIONS):
        received = [line.received_at for line in small.journal(stream.books, partition)]
        assert received == sorted(received)
