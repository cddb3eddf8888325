"""Inputs that lie in memory, read by the real intake as files are."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from processors.intake.door import Door
from processors.intake.input_files import Input
from processors.intake.input_records import Read
from schemas.facts import PublishedFact
from tests.support.whole_books import Coordinate


class BytesInput(Input):
    """JSON lines in memory; `expected` holds what each record is, as the door reads it without a clock."""

    def __init__(self, name: str, data: bytes) -> None:
        self.path = Path(name)
        self.name = self.shown = name
        self.format = "json-lines"
        self.mapping = None
        self.size = len(data)
        self.sha256 = sha256(data).hexdigest()
        self.data = data
        self._expected: list[Read] | None = None

    def records_at(self, door: Door) -> Iterator[Read]:
        """See Input."""
        return self._records(BytesIO(self.data), door)

    @property
    def expected(self) -> list[Read]:
        """The records, read once."""
        if self._expected is None:
            self._expected = list(self.records())
        return self._expected


def records_of(inputs: Iterable[BytesInput]) -> Iterator[tuple[Coordinate, PublishedFact | None]]:
    """Every record of some inputs, and the fact if it is one."""
    return (((one.sha256, read.record), read.fact) for one in inputs for read in one.expected)
