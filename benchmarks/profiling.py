"""Where the time goes inside the embedded path, by file: so that the next step is chosen and not guessed."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.demo_books import import_year, read_books, write_inbox
from benchmarks.passes import fold, ready
from benchmarks.report import table, versions
from projections.projector import project
from schemas.avro.codecs import decode_record
from schemas.pages import JournalPage
from schemas.posting import FIRST_EDITION
from tests.support.deciders import decider_feed

ROOT: Final = Path(__file__).resolve().parent.parent
FILES_SHOWN: Final = 14
FUNCTIONS_SHOWN: Final = 12


def profile_lines(place: Path, facts: int) -> list[str]:
    """Profile decide + apply, the import and the projection over a demo year; shares by file and by function."""
    file = write_inbox(place, facts)
    folder, _ = import_year(place / "first", file)  # whatever is compiled or loaded once is compiled and loaded now
    books = read_books(folder)
    pages = [[decode_record(JournalPage, body) for body in part] for part in books.pages]
    feeds, lines = ready(pages, books, decider_feed)
    deciding = _profiled(lambda: [fold(feed, part) for feed, part in zip(feeds, lines, strict=True)])
    importing = _profiled(lambda: import_year(place / "second", file))
    with folder.reading() as log, folder.store() as store:
        projecting = _profiled(lambda: project(log, store, FIRST_EDITION))
    parts = (("decide + apply", deciding), ("import", importing), ("projection", projecting))
    text = [f"cProfile over {facts:,} events of the demo's year: shares, not costs, as it makes calls look dear."]
    for name, found in parts:
        text += ["", f"**{name}**", "", *_by_file(found), "", *_by_function(found)]
    return [*text, "", versions()]


def _profiled(body: Callable[[], Any]) -> dict[Any, Any]:
    profile = cProfile.Profile(time.process_time)
    profile.runcall(body)
    stats: dict[Any, Any] = vars(pstats.Stats(profile))["stats"]
    return stats


def _by_file(stats: dict[Any, Any]) -> list[str]:
    own: dict[str, float] = defaultdict(float)
    for (file, _, name), (_, _, seconds, _, _) in stats.items():
        own[_named(file, name)] += seconds
    total = sum(own.values())
    found = sorted(own.items(), key=lambda item: -item[1])[:FILES_SHOWN]
    return table(("in", "share"), [(name, f"{seconds / total:.1%}") for name, seconds in found])


def _by_function(stats: dict[Any, Any]) -> list[str]:
    total = sum(seconds for _, _, seconds, _, _ in stats.values())
    found = sorted(stats.items(), key=lambda item: -item[1][2])[:FUNCTIONS_SHOWN]
    rows = [
        (f"{_named(file, '')} `{name}`".strip(), f"{calls:,}", f"{seconds / total:.1%}")
        for (file, _, name), (_, calls, seconds, _, _) in found
    ]
    return table(("function itself", "calls", "share"), rows)


def _named(file: str, name: str) -> str:
    """A file of ours by its path, another by its package, C code by its own name; as code, for some have angles."""
    if file == "~":
        return f"`{name}`" if name else ""
    return f"`{_place(Path(file))}`"


def _place(path: Path) -> str:
    if path.is_relative_to(ROOT) and ".venv" not in path.parts:
        return path.relative_to(ROOT).as_posix()
    parts = path.parts
    return parts[parts.index("site-packages") + 1] if "site-packages" in parts else path.name
