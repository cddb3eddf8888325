"""Rounds without worker processes, for tests that import small histories."""

from __future__ import annotations

from collections.abc import Sequence

from books.log import LogWriter
from books.walk import Place
from processors.desk import PartitionDesk
from processors.embedded.rounds import Rounds
from processors.embedded.shares import DeskShare


def rounds_here(log: LogWriter, desks: Sequence[PartitionDesk], edition: str, places: Sequence[Place]) -> Rounds:
    """Rounds that are decided in this very process, by one recovered desk per partition and its place in the books."""
    share = DeskShare(log, desks, edition, places)
    return Rounds(log, [share], share.last_tick, share.publications)
