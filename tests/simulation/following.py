"""The real follower over an inbox in memory, whose files come one after another and outlive every process."""

from pathlib import Path
from typing import Final

from books.files.consumed import NO_CACHE
from books.log import LogWriter
from processors.embedded.rounds import Rounds
from tallybook.folder.refusals import Refusals
from tallybook.follow.follower import Follower, received_until
from tallybook.follow.inbox import Inbox, Waiting
from tests.simulation.disk import EffectFailed, SimulatedDisk
from tests.simulation.inputs import BytesInput
from tests.simulation.plan import Follow

STEP_MS: Final = 90
RESTART_MS: Final = 130  # passes between two processes, so that the second cuts other rounds
MAX_STEPS: Final = 1_000
FOLDER: Final = Path("/shop/inbox")


def silent(_: str) -> None:
    """Nobody reads what a simulated follow says."""


class MemoryInbox(Inbox):
    """Files by name, each there from an instant on (UTC ms) until it is put away."""

    def __init__(self, disk: SimulatedDisk, act: Follow) -> None:
        super().__init__(FOLDER, disk, silent)
        self.disk = disk
        self.files: dict[str, BytesInput] = {}
        self.arrivals: dict[str, int] = {}
        self.processes = 0
        self._now = 0
        self._out: set[str] = set()
        self.deliver(act)

    def deliver(self, act: Follow) -> None:
        """The files of an act come (again)."""
        for number, one in enumerate(act.files):
            self.files[one.name], self.arrivals[one.name] = one, act.now + number * act.gap_ms

    def forget_process(self) -> None:
        """A new process finds whatever was not put away."""
        self._out.clear()
        self.processes += 1

    @property
    def ready(self) -> int:
        """How many files can be read now."""
        return len(self._ready_names())

    def scan(self, now: int, since: int) -> None:
        """See Inbox."""
        self._now = max(now, since)

    def next(self) -> Waiting | None:
        """See Inbox."""
        names = self._ready_names()
        if not names:
            return None
        self._out.add(names[0])
        at = self.arrivals[names[0]]
        return Waiting(names[0], (0, 0, 0), at, 0, at, at, ends_whole=True)

    def holds(self, hour: int, now: int) -> bool:
        """See Inbox."""
        return any(self.arrivals[name] < min(hour, now) for name in self._ready_names())

    def keep_taken(self, name: str, now: int) -> None:
        """See Inbox; putting a file away is an effect before which one can die."""
        try:
            self.disk.effect("putting away")
        except EffectFailed:
            return  # it stays where it is, and comes again with the next process
        assert self.arrivals[name] <= now
        del self.files[name]
        self._out.discard(name)

    def _ready_names(self) -> list[str]:
        there = (name for name in self.files if name not in self._out and self.arrivals[name] <= self._now)
        return sorted(there, key=lambda name: self.arrivals[name])


class MemoryFollower(Follower):
    """A follower that opens what lies in memory."""

    def _open_next(self) -> bool:
        assert isinstance(self._inbox, MemoryInbox)
        found = self._inbox.next()
        if found is None:
            return False
        opened = self._inbox.files[found.name]
        self._reading = self._reading_of(found, opened)
        return True


def follow(log: LogWriter, rounds: Rounds, act: Follow, inbox: MemoryInbox) -> None:
    """Follow until the inbox is empty, by a clock that starts when the first file comes."""
    follower = MemoryFollower(
        rounds,
        inbox,
        horizon_ms=log.opened().horizon_ms,
        consumed=NO_CACHE.consumed(log),
        received_until=received_until(log),
        say=silent,
        refusals=Refusals(log, NO_CACHE.past(log)),
    )
    now = act.now + inbox.processes * RESTART_MS
    end = now + len(act.files) * act.gap_ms + STEP_MS
    for _ in range(MAX_STEPS):
        worked = follower.step(now)
        if now > end and not worked and follower.is_idle:
            break
        now += STEP_MS
    else:
        raise AssertionError("a follow does not come to its end")
    follower.finish(now)
