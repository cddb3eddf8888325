"""Rounds without worker processes, for tests that import small histories."""

from collections.abc import Sequence

from books.log import LogWriter
from books.walk import BookPlace
from processors.embedded.partition_group import LocalPartitionGroup
from processors.embedded.rounds import Rounds
from processors.partition_scorer import PartitionScorer


def rounds_here(
    log: LogWriter, scorers: Sequence[PartitionScorer], edition: str, places: Sequence[BookPlace]
) -> Rounds:
    """Rounds that are decided in this very process, by a recovered scorer for each partition, and its place."""
    group = LocalPartitionGroup(log, scorers, edition, places)
    return Rounds(log, [group], group.last_tick, group.publications)
