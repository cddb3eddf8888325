"""Reads the lists of faults: mistakes that somebody could make in decider or plumbing, and that tests must catch.

Each is a few lines: what it breaks, the file, and then, as often as needed, `- ` a line as it stands and `+ ` the line
with the mistake. Indentation is taken from the file; the line must stand in it exactly once, so that a fault says
precisely where it is.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent.parent
DECIDER: Final = Path(__file__).with_name("decider.txt")
PLUMBING: Final = Path(__file__).with_name("plumbing.txt")
STREAMING: Final = Path(__file__).with_name("streaming.txt")
RESCORING: Final = Path(__file__).with_name("rescoring.txt")


@dataclass(frozen=True)
class Fault:
    """One mistake: lines of `file` (relative to the repository) become others."""

    breaks: str
    file: str
    changes: tuple[tuple[str, str], ...]
    list: str

    def put_into(self, root: Path) -> None:
        """Make the mistake in a copy of the repository.

        Raises:
            ValueError: if a line does not stand in the file exactly once.
        """
        path = root / self.file
        lines = path.read_text("utf-8").splitlines(keepends=True)
        for line, mistake in self.changes:
            places = [number for number, there in enumerate(lines) if there.strip() == line]
            if len(places) != 1:
                raise ValueError(
                    f"{self.file} has {len(places)} lines `{line}`: bring tests/faults/{self.list} up to date"
                )
            (place,) = places
            indentation = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
            lines[place] = f"{indentation}{mistake}\n"
        path.write_text("".join(lines), "utf-8")


def faults(listed: Path = DECIDER) -> list[Fault]:
    """All faults of a list, in its order.

    Raises:
        ValueError: if an item is not as described above.
    """
    return [_fault(item, listed.name) for item in listed.read_text("utf-8").strip().split("\n\n")]


def _fault(item: str, name: str) -> Fault:
    breaks, file, *lines = item.split("\n")
    pairs = list(zip(lines[::2], lines[1::2], strict=False))
    if not pairs or len(lines) % 2 or not all(old.startswith("- ") and new.startswith("+ ") for old, new in pairs):
        raise ValueError(f"{name}: `{breaks}` has no `- ` line followed by a `+ ` line")
    return Fault(breaks, file, tuple((old[2:].strip(), new[2:].strip()) for old, new in pairs), name)
