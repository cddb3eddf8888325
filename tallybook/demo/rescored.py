"""Ends the demo with a change of rules: what half of the base rate would have cost since July, for whom and why."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from processors.replay.rescore.two_worlds import EVERYBODY
from tallybook.folder.folder import Folder
from tallybook.folder.session import cores
from tallybook.rescore.carry_out import carry_out
from tallybook.rescore.fill_tables import bring_in_runs
from tallybook.rescore.plan import NEVER, Asked, make_plan
from tallybook.rescore.print_summary import print_plan, print_summary
from tallybook.rescore.print_why import print_why
from tallybook.rescore.summary import summarise
from tallybook.rescore.why import explain_member
from tallybook.screen import say

TRIED: Final = "half-the-base-rate.yaml"
TRIED_FROM: Final = "2025-07-01"
POINT_VALUE: Final = "0.01 EUR"
REPORT: Final = "report.html"
_RATE: Final = ("per_minor: 10}", "per_minor: 20}")
_REPORT_LIBRARIES: Final = ("pygal", "jinja2")


def show_rescoring(folder: Folder) -> str:
    """Re-score the year under half of the base rate, and show what changes; gives who loses most."""
    file = _write_tried(folder)
    say("")
    say("What if the base rate had been half since July? All is decided again; the books are not touched.")
    with folder.reading() as log:
        plan = make_plan(log, [("half", [Asked(file, TRIED_FROM, NEVER)])], EVERYBODY, POINT_VALUE)
    print_plan(plan)
    run = carry_out(folder, plan, cores())
    bring_in_runs(folder)
    found = summarise(run, "half")
    print_summary(found)
    member = found.losers[0].member_id
    say("")
    with folder.reading() as log:
        print_why(explain_member(log, plan, plan.drafts[0], member, "", lambda: None), 1)
    say("")
    say(_report(folder))
    return member


def _write_tried(folder: Folder) -> Path:
    """The rules that are tried: those of the folder with another rate, under a version of their own."""
    (rules,) = folder.ruleset_files()
    text = rules.read_text(encoding="utf-8")
    version = f'version: "{rules.stem}"'
    if text.count(_RATE[0]) != 1 or text.count(version) != 1:
        raise AssertionError(f"{rules} no longer says {_RATE[0]!r} and {version!r} once each")
    file = folder.root / TRIED
    file.write_text(text.replace(*_RATE).replace(version, 'version: "half"'), encoding="utf-8")
    return file


def _report(folder: Folder) -> str:
    """Write the page for a manager, and say where; or what its libraries need."""
    if any(find_spec(name) is None for name in _REPORT_LIBRARIES):
        return "A page for a manager needs two libraries more: pip install 'tallybook[report]', then rescore report"
    from tallybook.rescore.report.write_report import write_report  # needs the extra `report`

    output = folder.root / REPORT
    write_report(folder, "last", "half", output, may_replace=True)
    return f"A page for a manager: {output}"
