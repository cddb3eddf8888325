"""The whole embedded path in a process of its own: a JSON lines file into committed books, and these into tables.

    python -m benchmarks.whole_path FILE      prints one line of JSON: CPU seconds of the import, of opening a fresh
                                              ClickHouse, of the projection, and how many postings there were

CPU is that of all threads and child processes. What is loaded once (libraries, the first ClickHouse of a process) is
outside the import's and the projection's figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.demo_books import import_year
from benchmarks.timing import cpu_seconds
from projections.projector import project
from schemas.posting import FIRST_EDITION
from tallybook.garbage_collection import collect_seldom

Figures = dict[str, Any]


def measure(file: Path, place: Path) -> Figures:
    """Import `file` into a fresh folder in `place` and project it, in this process."""
    started = cpu_seconds()
    folder, done = import_year(place / "folder", file)
    imported = cpu_seconds()
    with folder.reading() as log, folder.store() as store:
        opened = cpu_seconds()
        projected = project(log, store, FIRST_EDITION)
        ended = cpu_seconds()
    return {
        "import_seconds": imported - started,
        "open_seconds": opened - imported,
        "project_seconds": ended - opened,
        "facts": done.facts,
        "postings": projected.postings,
    }


def measure_apart(file: Path) -> Figures:
    """The same in a process of its own, because chDB keeps what it once opened, and memory has its own past."""
    command = [sys.executable, "-m", "benchmarks.whole_path", str(file)]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: Figures = json.loads(ran.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Measure once and print."""
    collect_seldom()  # as the command line does
    with tempfile.TemporaryDirectory(prefix="tallybook-bench-") as scratch:
        print(json.dumps(measure(Path(sys.argv[1]), Path(scratch))))


if __name__ == "__main__":
    main()
