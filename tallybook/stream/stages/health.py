"""Judges whether a stage is alive (or has to be restarted) and whether it is ready, by what it does and Kafka says.

A stage that waits for Kafka is alive and not ready: a restart would not help.
"""

import threading
import traceback
from collections.abc import Callable
from typing import Final

import msgspec

from books.errors import BooksError
from books.kafka.records import GroupView, Place
from tallybook.stream.lag import Waiting
from tallybook.stream.stages.log import ERROR, StageLog

# How long one piece of work may take; by then the group has given the partitions to other processes.
ALIVE_SECONDS: Final = 300.0
STEPPING_SECONDS: Final = 30.0
# What was seen of Kafka is not relied on for longer than this.
FRESH_SECONDS: Final = 30.0
WATCH_SECONDS: Final = 5.0
# While the stage is new, or partitions change hands, something may wait for it to be ready.
UNSETTLED_SECONDS: Final = 1.0
END_SECONDS: Final = 5.0


class Watched(msgspec.Struct, frozen=True):
    """Says what was last seen of Kafka: who is in the stage's group, and what waits; `error` says why nothing was.

    `looked_at` is by `time.monotonic`; 0 before the first look.
    """

    looked_at: float = 0.0
    group: GroupView = GroupView()
    waiting: tuple[Waiting, ...] = ()
    error: str = ""


Look = Callable[[], Watched]


class Pulse(msgspec.Struct, frozen=True):
    """Says how the stage itself is: seconds since it was seen at work or waiting, and since a step succeeded.

    None: it was never seen so. `trouble` is the error that it waits to pass. `held` are the places that it works on,
    where it says so itself, and `differs_seconds` says for how long its group has been seen to give it others.
    """

    alive_seconds: float | None = None
    step_seconds: float | None = None
    trouble: str = ""
    held: frozenset[Place] | None = None
    differs_seconds: float = 0.0


class Health(msgspec.Struct, frozen=True):
    """Says whether a stage is alive and ready; `reasons` say why not, or what it does."""

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


class StageWatch:
    """Asks Kafka every WATCH_SECONDS how the stage stands, in a thread, so that no measure costs the stage anything.

    It asks sooner while nothing is settled; `latest` is what was last seen.
    """

    def __init__(self, look: Look, say: StageLog) -> None:
        self.latest = Watched()
        self._look = look
        self._say = say
        self._woken = threading.Event()
        self._is_ended = False
        self._thread = threading.Thread(target=self._run, name="tallybook-watch", daemon=True)

    def start(self) -> None:
        """Start the thread, which looks for the first time at once."""
        self._thread.start()

    def wake(self) -> None:
        """Look again now: something has changed."""
        self._woken.set()

    def end(self) -> None:
        """End the thread."""
        self._is_ended = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        try:
            while not self._is_ended:
                self._woken.clear()
                try:
                    self.latest = self._look()
                except BooksError as error:
                    # The stage itself meets the same error and reports it; here it is shown as long as it lasts.
                    self.latest = Watched(error=str(error))
                is_settled = self.latest.group.is_settled and not self.latest.error
                self._woken.wait(WATCH_SECONDS if is_settled else UNSETTLED_SECONDS)
        except Exception:  # noqa: BLE001 - the stage goes on without this thread; it says so, and is not ready
            self.latest = Watched(error="the thread that watches this stage has ended: see its log, and restart it")
            self._say(traceback.format_exc().rstrip(), level=ERROR)
