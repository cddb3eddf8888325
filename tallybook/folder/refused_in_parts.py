"""Knows the refused orders whose rows lay in several files: mended, such an order comes with all its files again."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from books.files.consumed import Past
from books.log import CommittedRounds
from processors.intake.door import refusal_of
from processors.intake.external_sort import Arrived
from processors.intake.refusal import FILES_HEADER, ROWS_HEADER, Problem, Refusal, quoted
from schemas.facts import PublishedFact, PurchaseRecorded
from schemas.pages import Reject

# Orders that are remembered; of older ones a part could come in, which the reject that is kept still shows.
MAX_ORDERS: Final = 100_000
MAX_NAMES_SHOWN: Final = 3


class _Refused(NamedTuple):
    """A refused order: the number of its reject, how many rows it had, and the names of their files."""

    number: int
    rows: int
    files: tuple[str, ...]


class RefusedInParts:
    """Refuses an order that comes with fewer rows than it was refused with, and without some of their files.

    The rejects are read when the first order comes.
    """

    def __init__(self, log: CommittedRounds, past: Past) -> None:
        self._log = log
        self._mended = past.mended
        self._orders: dict[tuple[str, str], _Refused] | None = None

    def refusal_of(self, item: Arrived, names: Iterable[str]) -> Refusal | None:
        """Why an order is not taken from a command that is given files of these names; None if it may be."""
        fact = item.fact
        if not item.is_order or not isinstance(fact, PurchaseRecorded):
            return None
        before = self._before(fact.source, fact.event_id)
        if before is None or len(fact.lines) >= before.rows:
            return None
        missing = sorted(set(before.files).difference(Path(name).name for name in names))
        if not missing:
            return None
        shown = ", ".join(quoted(name) for name in missing[:MAX_NAMES_SHOWN])
        more = ", …" if len(missing) > MAX_NAMES_SHOWN else ""
        message = (
            f"this order was refused before with {before.rows:,} rows in {len(before.files):,} files (reject "
            f"{before.number}), and has {len(fact.lines):,} here, without those in {shown}{more}: give all these files "
            "in one command, the mended ones under their old names"
        )
        problem = Problem("duplicate_row", message)
        return refusal_of(problem, msgspec.structs.asdict(fact) | {"type": type(fact).__name__})

    def is_awaited(self, source: str, event_id: str) -> bool:
        """Whether an order was refused with rows in several files, and has not come in since."""
        return self._before(source, event_id) is not None

    def reject_of(self, item: Arrived) -> int:
        """The number of the reject that waits for an order; 0 if there is none."""
        said = item.refusal if item.fact is None else item.fact
        before = None if said is None or not item.is_order else self._before(said.source, said.event_id)
        return 0 if before is None else before.number

    def _before(self, source: str, event_id: str) -> _Refused | None:
        if self._orders is None:
            self._orders = dict(self._refused())
        before = self._orders.get((source, event_id)) if self._orders else None
        return None if before is None or before.number in self._mended else before

    def _refused(self) -> Iterator[tuple[tuple[str, str], _Refused]]:
        left = MAX_ORDERS
        for _, batch in self._log.read_rejects() if self._log.committed().rejects else ():
            for reject in batch:
                if left and FILES_HEADER in reject.headers and reject.number not in self._mended:
                    left -= 1
                    yield (reject.source, reject.event_id), _of(reject)


def read_with_another(fact: PublishedFact, name: str) -> Refusal:
    """Why an order is not taken that goes on in a file whose first rows name no order, and were read before."""
    message = (
        f"this order goes on in {quoted(name)}, whose first rows name no order. They came before, below the rows of "
        "another file, and count there: give the file of this order without that one"
    )
    return refusal_of(Problem("duplicate_row", message), msgspec.structs.asdict(fact) | {"type": type(fact).__name__})


def _of(reject: Reject) -> _Refused:
    files = msgspec.json.decode(reject.headers[FILES_HEADER], type=tuple[str, ...])
    return _Refused(reject.number, int(reject.headers[ROWS_HEADER]), files)
