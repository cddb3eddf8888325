"""Recovers some partitions of a folder in this process: their scorers stand at the end of the books, ready to go on."""

from collections.abc import Callable, Iterable, Sequence

from books.log import Appender, LogReader
from processors.decider.partition_machine import Load
from processors.embedded.partition_group import LocalPartitionGroup
from processors.partition_scorer import PartitionScorer
from processors.replay.recovery import recover_partition, save_snapshot
from tallybook.folder.folder import Folder, load_published


class RecoveredPartitions:
    """Holds partitions that this process decides, brought to the end of the books."""

    def __init__(
        self, folder: Folder, log: Appender, partitions: Sequence[int], on_line: Callable[[], object] = lambda: None
    ) -> None:
        self._snapshots = folder.snapshot_store()
        self._log = log
        self._edition = edition = log.current_edition()
        scorers = new_scorers(log, load_published, partitions)
        places = [recover_partition(log, edition, scorer, self._snapshots, on_line) for scorer in scorers]
        self.group = LocalPartitionGroup(log, scorers, edition, places)

    def keep_snapshots(self) -> None:
        """Keep the state of these scorers, right after a commit. Raises OSError."""
        self._log.refresh()
        commit_at = self._log.last_commit_at()
        for scorer, place in zip(self.group.scorers, self.group.places(), strict=True):
            save_snapshot(self._snapshots, self._log, self._edition, scorer, place, commit_at=commit_at)


def new_scorers(log: LogReader, load: Load, partitions: Iterable[int] | None = None) -> list[PartitionScorer]:
    """Make a scorer for every partition of the books (or for those given), still to be recovered."""
    opened, layers = log.opened(), log.edition(log.current_edition()).layers
    chosen = range(opened.partitions) if partitions is None else partitions
    return [PartitionScorer(partition, opened, layers, load) for partition in chosen]
