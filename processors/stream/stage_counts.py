"""Counts what a stage of the stream has done since it started, for metrics and health checks."""

import threading
from bisect import bisect_left
from collections import Counter
from typing import Final

import msgspec

# The upper bounds, in seconds, of the buckets in which transactions are counted; a last bucket takes longer ones.
COMMIT_BOUNDS_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
# Several threads commit and take over partitions, and `+=` alone could lose counts.
_ADDING: Final = threading.Lock()


class StageCounts(msgspec.Struct):
    """Counters of one process, which only grow; seconds are those of the process's own clock.

    `records` came in, `facts` were taken in or decided, `rejects` counts refusals by reason, `refused_again` those of
    which no second reject was kept, `conflicts` postings without effect because another fact of the same source and
    event id was there before. `committing_seconds` is
    what transactions took, `commit_buckets` how many took up to each of COMMIT_BOUNDS_SECONDS and longer.
    `take_overs` counts partitions taken over, `take_over_seconds` what that took. `held_back_until` (UTC ms, 0: not)
    is how far time may go on for now. By `time.monotonic`, `alive_at` is when the stage was last seen at work or
    waiting, `stepped_at` when a step of it last succeeded; 0: never. `trouble` is what it waits to pass, if anything.
    """

    records: int = 0
    facts: int = 0
    postings: int = 0
    transactions: int = 0
    committing_seconds: float = 0.0
    longest_commit_seconds: float = 0.0
    commit_buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(COMMIT_BOUNDS_SECONDS) + 1))
    take_overs: int = 0
    take_over_seconds: float = 0.0
    restarts: int = 0
    ticks: int = 0
    held_back_until: int = 0
    conflicts: int = 0
    refused_again: int = 0
    rejects: Counter[str] = msgspec.field(default_factory=Counter)
    alive_at: float = 0.0
    stepped_at: float = 0.0
    trouble: str = ""

    def committed(self, seconds: float, postings: int = 0, conflicts: int = 0) -> None:
        """Note one transaction, the postings in it, and how many of them are conflicts; for any thread."""
        with _ADDING:
            self.transactions += 1
            self.postings += postings
            self.conflicts += conflicts
            self.committing_seconds += seconds
            self.longest_commit_seconds = max(self.longest_commit_seconds, seconds)
            self.commit_buckets[bisect_left(COMMIT_BOUNDS_SECONDS, seconds)] += 1

    def took_over(self, seconds: float) -> None:
        """Note one partition taken over; for any thread."""
        with _ADDING:
            self.take_overs += 1
            self.take_over_seconds += seconds
