"""Reads the .sql files of a folder: the statement of each, and the comment at its head."""

from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

_HERE: Final = Path(__file__).parent


class SqlFile(msgspec.Struct, frozen=True):
    """One statement: its name (the file's, without .sql), the comment at its head, and the text to run."""

    name: str
    comment: str
    statement: str

    @property
    def sha256(self) -> str:
        """The hash of the statement as hex; its comment may be mended without changing it."""
        return sha256(self.statement.encode()).hexdigest()


def sql_files(folder: str) -> list[SqlFile]:
    """All files of a folder of this package, by name; AssertionError where it was installed without its data."""
    found = sorted((_HERE / folder).glob("*.sql"))
    if not found:
        raise AssertionError(f"no .sql file in {_HERE / folder}: the package is not installed as a whole")
    return [parse(path.stem, path.read_text("utf-8")) for path in found]


def sql_file(folder: str, name: str) -> SqlFile:
    """One file of a folder by name."""
    return parse(name, (_HERE / folder / f"{name}.sql").read_text("utf-8"))


def parse(name: str, text: str) -> SqlFile:
    """Split a file into the `--` lines at its head (without the dashes) and the statement after them."""
    lines = text.splitlines()
    head = 0
    while head < len(lines) and lines[head].startswith("--"):
        head += 1
    comment = "\n".join(line.removeprefix("--").removeprefix(" ").rstrip() for line in lines[:head])
    return SqlFile(name, comment, "\n".join(lines[head:]).strip().removesuffix(";"))
