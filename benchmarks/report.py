"""What every benchmark prints the same way: the machine, the versions, a table, and its block in docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
LIBRARIES: Final = ("fastavro", "msgspec", "pyarrow", "chdb-core", "clickhouse-connect")
_CPU_INFO: Final = Path("/proc/cpuinfo")


def versions() -> str:
    """One line: Python, the machine, its processors, and the libraries that the figures depend on."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"Tallybook {version('tallybook')}, {platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs{_model()}; {libraries}"
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns stand in line on a terminal; the first column is words, the others are figures."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    rule = ["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])]
    return [_line(heads, widths), f"|{'|'.join(rule)}|", *(_line(row, widths) for row in rows)]


def write_block(name: str, lines: Sequence[str], page: Path = PAGE) -> None:
    """Put `lines` between `<!-- NAME: begin -->` and `<!-- NAME: end -->` of a page.

    Raises:
        ValueError: the page has no such block, or two of them.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    if text.count(begin) != 1 or text.count(end) != 1 or not rest:
        raise ValueError(f"{page} needs one line {begin} and behind it one line {end}")
    page.write_text("\n".join([before + begin, *lines, end]) + after, encoding="utf-8")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = cells
    padded = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
    return f"| {' | '.join(padded)} |"


def _model() -> str:
    """The processor's name where the system tells it, such as " (Xeon ...)"."""
    if not _CPU_INFO.exists():
        return f" ({platform.processor()})" if platform.processor() else ""
    for line in _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return f" ({' '.join(value.split())})"
    return ""
