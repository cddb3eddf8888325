"""Writes the report of a finished run into a file, and refuses what would be half a report or write over another."""

from __future__ import annotations

from pathlib import Path

import msgspec

from books.files.disk import REAL_FILES, replace_file
from tallybook.folder.folder import Folder
from tallybook.open_books import open_books
from tallybook.rescore.plan import RescoreRefused
from tallybook.rescore.present import present_rules
from tallybook.rescore.report.figures import read_figures
from tallybook.rescore.report.page import render_page
from tallybook.rescore.runs import Runs
from tallybook.screen import progress


class Written(msgspec.Struct, frozen=True):
    """What was written: how many bytes, for which run and draft; `others` are the drafts that it leaves out."""

    run: str
    draft: str
    size: int
    others: tuple[str, ...]


def write_report(folder: Folder, number: str, draft_name: str, output: Path, *, may_replace: bool) -> Written:
    """Write the report of one draft (default: the first) of a run (default: the last).

    Raises:
        RescoreRefused: there is no such run or draft, it is not finished, the books are others, or the file may not be
            written.
        BooksError: the books cannot be read.
    """
    _require_place(output, may_replace=may_replace)
    runs = Runs(folder)
    run = runs.find(number)
    runs.require_finished(run)
    plan, draft = run.plan(), run.draft(draft_name)
    with open_books(folder) as log:
        present = present_rules(log, plan, draft)
    totals = next(
        total for total, each in zip(run.totals().drafts, plan.drafts, strict=True) if each.name == draft.name
    )
    with progress("reading the differences", totals.lines + totals.members) as tick:
        figures = read_figures(run, draft, tick)
    opened_at = next(event.at for event in runs.events() if (event.run, event.what) == (run.number, "opened"))
    page = render_page(plan, draft, present, figures, opened_at).encode()
    replace_file(REAL_FILES, output, (page,))
    return Written(run.number, draft.name, len(page), tuple(each.name for each in plan.drafts if each != draft))


def _require_place(output: Path, *, may_replace: bool) -> None:
    if not output.parent.is_dir():
        raise RescoreRefused(f"{output}: there is no folder {output.parent}: make it, or name another file")
    if output.is_dir():
        raise RescoreRefused(f"{output} is a folder: name a file in it, such as {output / 'report.html'}")
    if output.exists() and not may_replace:
        raise RescoreRefused(f"{output} is there already: name a new file, or write over it with --force")
