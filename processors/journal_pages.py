"""Decides where a fact stands in the journal: in which partition, and when its page is full."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from schemas.facts import JournalFact, PurchaseRecorded
from schemas.pages import MAX_PAGE_LINES
from schemas.partitions import partition_of

# A page that holds so much is full, so that large events make pages of few lines.
FULL_PAGE_BYTES: Final = 1_000_000

_Line = TypeVar("_Line")


class OpenPage(Generic[_Line]):
    """The lines of the page that is being filled, as structs or as bytes, and the inputs that they came from."""

    __slots__ = ("bytes", "inputs", "lines")

    def __init__(self) -> None:
        self.lines: list[_Line] = []
        self.inputs: dict[str, int] = {"": 0}  # number 0: what Tallybook itself wrote
        self.bytes = 0

    def input_number(self, name: str) -> int:
        """The number by which lines of this page name an input."""
        inputs = self.inputs
        return inputs[name] if name in inputs else inputs.setdefault(name, len(inputs))

    def add(self, line: _Line, size: int) -> bool:
        """Add a line of `size` bytes; whether the page is full by it."""
        self.lines.append(line)
        self.bytes += size
        return len(self.lines) >= MAX_PAGE_LINES or self.bytes >= FULL_PAGE_BYTES


def partition_of_line(fact: JournalFact, member_id: str | None, partitions: int) -> int:
    """The partition of a fact in a member's account, or of a guest's purchase."""
    return partition_of(guest_key(fact) if member_id is None else member_id, partitions)


def guest_key(fact: JournalFact) -> str:
    """The order id of a guest's purchase, which decides its partition in place of a member."""
    if isinstance(fact, PurchaseRecorded):
        return fact.order_id
    raise AssertionError(f"a {type(fact).__name__} has a member")
