"""The fake disk as a simulation needs it: any effect may be the last, may fail, or may find somebody else at work."""

import errno
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fakes.disk import DiedError, FakeDisk


class EffectFailed(OSError):
    """The disk refused an effect; the process lives on."""


class SimulatedDisk(FakeDisk):
    """Counts effects of the present life in `count`; says in `seen` before which kind of effect something happened."""

    def __init__(self, rng: Random, seen: Counter[str]) -> None:
        super().__init__()
        self.rng = rng
        self.seen = seen
        self.count = 0
        self.fails_at: int | None = None
        self.meets_at: int | None = None
        self._meeting: Callable[[], object] | None = None
        self._busy = False
        self.put_by: dict[str, bytes] = {}

    def lose(self, path: Path) -> None:
        """A file is gone, and the disk knows it."""
        folder = self._folder(path.parent)
        folder.live.pop(path.name, None)
        folder.durable.pop(path.name, None)

    def calm(self) -> None:
        """Nothing more is planned for this life."""
        self.die_at = self.fails_at = self.meets_at = None

    def dies_in(self, effects: int) -> None:
        """Plan the death before the effect after so many more."""
        self.die_at = self.count + effects

    def fails_in(self, effects: int) -> None:
        """Plan the failure of the effect after so many more."""
        self.fails_at = self.count + effects

    def meets_in(self, effects: int, meeting: Callable[[], object]) -> None:
        """Plan that somebody else does something before the effect after so many more."""
        self.meets_at, self._meeting = self.count + effects, meeting

    def kill(self) -> None:
        """See FakeDisk; the plans die too."""
        super().kill()
        self.count = 0
        self.calm()

    def effect(self, kind: str) -> None:
        """See FakeDisk."""
        if self._busy:
            return  # what others do is not counted
        self.count += 1
        if self.count == self.meets_at and self._meeting is not None:
            self._busy = True
            try:
                self._meeting()
            finally:
                self._busy = False
        if self.count == self.fails_at:
            self.seen[f"effect failed: {kind}"] += 1
            raise EffectFailed(errno.ENOSPC, f"no space left for {kind}")
        if self._dead or self.count == self.die_at:
            if not self._dead:
                self.seen[f"crash before {kind}"] += 1
            self._dead = True
            raise DiedError(kind)
