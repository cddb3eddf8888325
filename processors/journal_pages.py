"""Fills a page of the journal: its lines, the inputs that they came from, and when it is full."""

from typing import Final, Generic, TypeVar

from schemas.pages import MAX_PAGE_LINES

# A page that holds so much is full, so that large events make pages of few lines.
FULL_PAGE_BYTES: Final = 1_000_000

_Line = TypeVar("_Line")


class _Inputs(dict[str, int]):
    """The number by which the lines of a page name an input; one that is new to the page gets the next."""

    def __missing__(self, name: str) -> int:
        number = self[name] = len(self)
        return number


class OpenPage(Generic[_Line]):
    """The lines of the page that is being filled, as structs or as bytes, and the inputs that they came from."""

    __slots__ = ("bytes", "inputs", "lines")

    def __init__(self) -> None:
        self.lines: list[_Line] = []
        self.inputs = _Inputs({"": 0})  # number 0: what Tallybook itself wrote
        self.bytes = 0

    def add(self, line: _Line, size: int) -> bool:
        """Add a line of `size` bytes; whether the page is full by it."""
        self.lines.append(line)
        self.bytes += size
        return len(self.lines) >= MAX_PAGE_LINES or self.bytes >= FULL_PAGE_BYTES
