"""Two books held in lists, for tests of those who read books: the reading half of the Log port, nothing on disk."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeVar

from books.encoded_blocks import EncodedBlock, encoded
from schemas.facts import JournalOpened
from schemas.pages import JournalPage, Reject
from schemas.posting import Posting

_T = TypeVar("_T")


class ListBooks:
    """Committed books whose records lie in lists; a position is the number of records before it."""

    def __init__(self, partitions: int, deployment: str = "test", opened_at: int = 0) -> None:
        self.pages: list[list[JournalPage]] = [[] for _ in range(partitions)]
        self.blocks: dict[str, list[list[list[Posting]]]] = {"0001": [[] for _ in range(partitions)]}
        self.rejected: list[list[Reject]] = []
        self._opened = JournalOpened(deployment, 1, partitions, 0, 90 * 86_400_000, 30 * 86_400_000, opened_at)

    @property
    def partitions(self) -> int:
        return len(self.pages)

    def opened(self) -> JournalOpened:
        return self._opened

    def read_journal(self, partition: int, start: int = 0) -> Iterator[tuple[int, JournalPage]]:
        return _from(self.pages[partition], start)

    def read_ledger(self, edition: str, partition: int, start: int = 0) -> Iterator[tuple[int, list[Posting]]]:
        return _from(self.blocks[edition][partition], start)

    def read_rejects(self, start: int = 0) -> Iterator[tuple[int, list[Reject]]]:
        return _from(self.rejected, start)

    def journal_blocks(self, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        return encoded((end, [page]) for end, page in self.read_journal(partition, start))

    def ledger_blocks(self, edition: str, partition: int, start: int = 0) -> Iterator[EncodedBlock]:
        return encoded(self.read_ledger(edition, partition, start))

    def reject_blocks(self, start: int = 0) -> Iterator[EncodedBlock]:
        return encoded(self.read_rejects(start))


def _from(records: Sequence[_T], start: int) -> Iterator[tuple[int, _T]]:
    return enumerate(islice(records, start, None), start=start + 1)
