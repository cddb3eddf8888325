"""Whether a stage is alive and whether it is ready, told apart: one is for who restarts it, one for who waits for it.

A stage that waits for Kafka is alive and not ready; to restart it would help nobody.
"""

from __future__ import annotations

from typing import Final

import msgspec

from books.kafka.groups import GroupView
from books.kafka.records import Place
from tallybook.stream.lag import Waiting

# So long one piece of work may take; the group has given the partitions to others by then.
ALIVE_SECONDS: Final = 300.0
STEPPING_SECONDS: Final = 30.0
# What was seen of Kafka is no longer to be relied on after this.
FRESH_SECONDS: Final = 30.0


class Watched(msgspec.Struct, frozen=True):
    """What was last seen of Kafka: who is in the stage's group, and what waits; `error` says why nothing was seen.

    `looked_at` is by `time.monotonic`; 0 before the first look.
    """

    looked_at: float = 0.0
    group: GroupView = GroupView()
    waiting: tuple[Waiting, ...] = ()
    error: str = ""


class Pulse(msgspec.Struct, frozen=True):
    """How the stage itself is: seconds since it was seen at work or waiting, and since a step of it succeeded.

    None: it was never seen so. `trouble` is what it waits to pass. `held` are the places that it works on, where it
    says so itself, and `differs_seconds` says for how long its group has been seen to give it others.
    """

    alive_seconds: float | None = None
    step_seconds: float | None = None
    trouble: str = ""
    held: frozenset[Place] | None = None
    differs_seconds: float = 0.0


class Health(msgspec.Struct, frozen=True):
    """The verdict; `reasons` say why it is not alive or not ready, or what it does if it is."""

    alive: bool
    ready: bool
    reasons: tuple[str, ...]


def judge(pulse: Pulse, watched: Watched, instance: str, now: float) -> Health:
    """Judge a stage that is `instance` in its group; `now` by `time.monotonic`."""
    alive = pulse.alive_seconds is None or pulse.alive_seconds <= ALIVE_SECONDS
    if not alive:
        return Health(False, False, (f"nothing has moved for {pulse.alive_seconds:.0f} s: restart it",))
    if pulse.differs_seconds > ALIVE_SECONDS:
        differs = f"its group gave it partitions {pulse.differs_seconds:.0f} s ago, and it has not taken them over"
        return Health(False, False, (f"{differs}: restart it",))
    missing = [*_of_itself(pulse), *_of_group(pulse, watched, instance, now)]
    if missing:
        return Health(True, False, tuple(missing))
    member = watched.group.consumer(instance)
    held = len(member.places) if member is not None else 0
    return Health(True, True, (f"works on {held} partitions" if held else "joined and idle: others hold everything",))


def _of_itself(pulse: Pulse) -> list[str]:
    if pulse.trouble:
        return [f"waits for this to pass: {pulse.trouble}"]
    if pulse.step_seconds is None:
        return ["it is starting"]
    if pulse.step_seconds > STEPPING_SECONDS:
        return [f"its last step was {pulse.step_seconds:.0f} s ago"]
    return []


def _of_group(pulse: Pulse, watched: Watched, instance: str, now: float) -> list[str]:
    if watched.error or not watched.looked_at:
        return [watched.error or "Kafka was not asked yet"]
    if now - watched.looked_at > FRESH_SECONDS:
        return [f"Kafka was last asked {now - watched.looked_at:.0f} s ago"]
    member = watched.group.consumer(instance)
    if member is None:
        return [f"its group has no member {instance}"]
    if not watched.group.is_settled:
        return ["partitions change hands just now"]
    if pulse.held is not None and member.places != pulse.held:
        return ["it is taking over the partitions that it was given"]
    return []
