"""What a stage of the stream has done since it started: plain counters that whoever measures may read."""

from __future__ import annotations

from collections import Counter

import msgspec


class StageCounts(msgspec.Struct):
    """Counters of one process, which only grow; seconds are those of the process's own clock.

    `records` came in, `facts` were taken in or decided, `rejects` counts refusals by reason. `committing_seconds` is
    what transactions took. `take_overs` counts partitions taken over, `take_over_seconds` what that took.
    """

    records: int = 0
    facts: int = 0
    postings: int = 0
    transactions: int = 0
    committing_seconds: float = 0.0
    longest_commit_seconds: float = 0.0
    take_overs: int = 0
    take_over_seconds: float = 0.0
    restarts: int = 0
    ticks: int = 0
    held_back_until: int = 0
    rejects: Counter[str] = msgspec.field(default_factory=Counter)

    def committed(self, seconds: float) -> None:
        """Note one transaction."""
        self.transactions += 1
        self.committing_seconds += seconds
        self.longest_commit_seconds = max(self.longest_commit_seconds, seconds)
