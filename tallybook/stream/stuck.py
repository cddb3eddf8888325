"""Judges from two looks at a stream, some seconds apart, which of its stages has input and makes no progress."""

from collections.abc import Iterable
from itertools import groupby
from typing import Final

import msgspec

from books.kafka.records import GroupView, Place
from processors.stream.ticker import HOUR_MS, MAX_HELD_BACK_MS
from schemas.instants import format_instant
from tallybook.stream.lag import Waiting

MAX_PARTITIONS_SHOWN: Final = 12


class Work(msgspec.Struct, frozen=True):
    """Describes a stage in words: its command, what waits for it, and what it does with that."""

    stage: str
    command: str
    things: str
    done: str


INTAKE: Final = Work("intake", "intake", "facts", "taken in")
SCORING: Final = Work("scoring", "score", "pages", "scored")
PROJECTION: Final = Work("projection", "project", "batches", "projected")
TICKER: Final = Work("ticker", "tick", "ticks", "written")


class Look(msgspec.Struct, frozen=True):
    """Holds one look at a stage: who is in its group, and its input."""

    group: GroupView
    waiting: tuple[Waiting, ...]


class Progress(msgspec.Struct, frozen=True):
    """Says what two looks at a stage show. `waiting` counts offsets, so it is never less than the number of records."""

    stage: str
    processes: int
    waiting: int
    partitions: tuple[str, ...]
    moves: bool
    is_stuck: bool
    verdict: str


def judge_stage(work: Work, first: Look, second: Look, seconds: float) -> Progress:
    """Judge a stage by two looks that lie `seconds` apart.

    It is stuck if what waited at the first look still waits and no partition moved, or if no process holds a partition
    that did not move. A stage that catches up moves some partitions while others wait their turn.
    """
    before = {one.place: one for one in first.waiting}
    moved = {one.place for one in second.waiting if one.place in before and one.position > before[one.place].position}
    waits = [one for one in second.waiting if one.waiting]
    stands = [
        one.place for one in waits if one.place in before and before[one.place].waiting and one.place not in moved
    ]
    unheld = [place for place in stands if place not in second.group.held]
    stuck = stands if not moved else unheld
    total = sum(one.waiting for one in waits)
    if stuck:
        verdict = _stuck(work, sum(one.waiting for one in waits if one.place in stuck), stuck, second.group, seconds)
    elif waits:
        verdict = f"{work.stage} is at work: up to {total:,} {work.things} wait"
    else:
        verdict = f"nothing waits for {work.stage}"
    return Progress(
        work.stage,
        len(second.group.consumers),
        total,
        _named([one.place for one in waits]),
        bool(moved),
        bool(stuck),
        verdict,
    )


def _stuck(work: Work, waiting: int, places: list[Place], group: GroupView, seconds: float) -> str:
    where = "; ".join(_named(places)[:MAX_PARTITIONS_SHOWN])
    more = len(_named(places)) - MAX_PARTITIONS_SHOWN
    said = (
        f"{work.stage} has up to {waiting:,} {work.things} waiting in {where}{f' and {more} more' if more > 0 else ''}"
    )
    return f"{said} and none was {work.done} within {seconds:g} s: {_advice(work, group)}"


def _advice(work: Work, group: GroupView) -> str:
    if not group.consumers:
        return f"no process of it runs. Start one: `tallybook {work.command}`"
    names = ", ".join(sorted(member.instance for member in group.consumers)[:MAX_PARTITIONS_SHOWN])
    if not group.is_settled:
        return f"the partitions change hands among {names}; look again in 15 s"
    return f"{names} should do this. See the log there, and /health if it runs with --metrics"


def _named(places: Iterable[Place]) -> tuple[str, ...]:
    """Name the partitions of each topic together, such as `journal partitions 0, 3`."""
    found = []
    for topic, those in groupby(sorted(places), key=lambda place: place.topic):
        numbers = [str(place.partition) for place in those]
        short = topic.partition(".")[2] or topic
        found.append(f"{short} partition{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}")
    return tuple(found)


class Time(msgspec.Struct, frozen=True):
    """Says how far time has come, in UTC ms: the last tick (0: none), the oldest fact not taken in (0: none waits)."""

    now: int
    last_tick: int
    is_published: bool
    oldest_waiting: int

    @property
    def held_back_until(self) -> int:
        """The instant beyond which the oldest waiting fact lets no tick be written (see the ticker); 0 for none."""
        hour = self.now // HOUR_MS * HOUR_MS
        is_holding = 0 < self.oldest_waiting < hour and hour > self.last_tick
        return max(self.oldest_waiting, self.now - MAX_HELD_BACK_MS) // HOUR_MS * HOUR_MS if is_holding else 0

    @property
    def due(self) -> int:
        """The tick that should be written now; 0 for none."""
        if not self.is_published:
            return 0
        at = self.held_back_until or self.now // HOUR_MS * HOUR_MS
        return at if at > self.last_tick else 0


def judge_time(first: Time, second: Time, group: GroupView, seconds: float) -> Progress:
    """Judge the ticker by two looks that lie `seconds` apart: stuck, if a tick was due at both and is not written."""
    moves = second.last_tick > first.last_tick
    is_stuck = bool(first.due and second.due) and not moves
    if is_stuck:
        said = f"ticker has the tick of {format_instant(second.due)} to write and did not within {seconds:g} s"
        verdict = f"{said}: {_advice(TICKER, group)}"
    elif second.held_back_until:
        verdict = f"ticks are held back at {format_instant(second.held_back_until)}, by a fact that is not taken in yet"
    elif not second.is_published:
        verdict = "no tick is written before rules are published: `tallybook rules publish FILE`"
    else:
        verdict = "nothing waits for ticker"
    return Progress(TICKER.stage, len(group.consumers), int(bool(second.due)), (), moves, is_stuck, verdict)
