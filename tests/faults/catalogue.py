"""Reads `faults.txt`: mistakes of one line that somebody could make in the decider, and that the tests must catch.

Each is four lines: what it breaks, the file, `- ` the line as it stands, `+ ` the line with the mistake. Indentation is
taken from the file; the line must stand in it exactly once, so that a fault says precisely where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LIST = Path(__file__).with_name("faults.txt")


@dataclass(frozen=True)
class Fault:
    """One mistake: `line` of `file` (relative to the repository) becomes `mistake`."""

    breaks: str
    file: str
    line: str
    mistake: str

    def put_into(self, root: Path) -> None:
        """Make the mistake in a copy of the repository.

        Raises:
            ValueError: if the line does not stand in the file exactly once.
        """
        path = root / self.file
        lines = path.read_text("utf-8").splitlines(keepends=True)
        places = [number for number, line in enumerate(lines) if line.strip() == self.line]
        if len(places) != 1:
            raise ValueError(
                f"{self.file} has {len(places)} lines `{self.line}`: bring tests/faults/faults.txt up to date"
            )
        (place,) = places
        indentation = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
        lines[place] = f"{indentation}{self.mistake}\n"
        path.write_text("".join(lines), "utf-8")


def faults() -> list[Fault]:
    """All faults, in the order of the list.

    Raises:
        ValueError: if an item is not of four lines as described above.
    """
    return [_fault(item) for item in LIST.read_text("utf-8").strip().split("\n\n")]


def _fault(item: str) -> Fault:
    breaks, file, line, mistake = item.split("\n")
    if not line.startswith("- ") or not mistake.startswith("+ "):
        raise ValueError(f"{LIST.name}: `{breaks}` has no `- ` line followed by a `+ ` line")
    return Fault(breaks, file, line[2:].strip(), mistake[2:].strip())
