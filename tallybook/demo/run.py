"""Runs the demo: takes a year of a coffee chain through every stage, shows it, re-scores it, says what to type next."""

import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from projections.store import Store
from tallybook.clock import now_ms
from tallybook.demo.rescored import show_rescoring
from tallybook.demo.year import DEMO_YEAR_STARTS_AT, DemoYear, write_demo_year
from tallybook.explain.explain import explain_what
from tallybook.folder.defaults import DEFAULT_HORIZON_DAYS, DEFAULT_PARTITIONS
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.folder.import_files import import_files
from tallybook.screen import progress, say, show_table
from tallybook.tables.catch_up import caught_up, project_folder
from tallybook.tables.filler import filling_tables
from tallybook.tables.reports import print_leaderboard, print_statement

MARKER: Final = ".tallybook-demo"
PROGRAMME: Final = "coffee-chain"


class _Stages:
    """Notes seconds and items of each stage, for the table of rates."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []

    @contextmanager
    def stage(self, name: str, unit: str) -> Iterator[list[int]]:
        """Times a stage; the body appends how many items it handled."""
        started = time.perf_counter()
        counted: list[int] = []
        yield counted
        self.add(name, sum(counted), unit, time.perf_counter() - started)

    def add(self, name: str, count: int, unit: str, seconds: float) -> None:
        """Note a stage that was timed elsewhere."""
        rate = int(count / seconds) if seconds else 0
        self.rows.append(
            {"stage": name, "count": count, "unit": unit, "seconds": round(seconds, 2), "per second": rate}
        )


def run_demo(root: Path, *, facts: int, members: int, seed: int) -> None:
    """Make the demo's folder afresh and take a year through it; raises FolderRefused for a folder of something else."""
    folder = _fresh_folder(root)
    stages = _Stages()
    say(f"A year of a coffee chain: {facts:,} events of {members:,} members, seed {seed}, in {root}")
    with stages.stage("generate", "events") as count, progress("generating events", facts) as tick:
        files = write_demo_year(folder.inbox, DemoYear(facts, members, seed), tick)
        count.append(facts)
    folder.create("demo", DEFAULT_PARTITIONS, DEFAULT_HORIZON_DAYS, DEMO_YEAR_STARTS_AT)
    folder.copy_ruleset(PROGRAMME)
    with filling_tables(root) as filler, stages.stage("validate, journal, score", "facts") as count:
        done = import_files(folder, [str(file) for file in files], None, now=now_ms())
        count.append(done.facts)
    stages.add("project into ClickHouse, beside it", filler.last.postings, "postings", filler.last.seconds)
    project_folder(folder)
    for line in done.report():
        say(line)
    show_table("Rates", stages.rows)
    with caught_up(folder) as store:
        member, event = _interesting(store)
        print_leaderboard(store, period="all", at=None, store_id="", limit=10)
        print_statement(store, member, limit=8)
    say("")
    explain_what(folder, event, "", "", 1, only_events=True).show()
    loser = show_rescoring(folder)
    _say_next(root, member, event, loser)


def _fresh_folder(root: Path) -> Folder:
    if root.exists():
        if not (root / MARKER).exists() and any(root.iterdir()):
            raise FolderRefused(f"{root} is there already and is no demo: name another one with --folder")
        shutil.rmtree(root)
    root.mkdir(parents=True)
    (root / MARKER).write_text("Made by `tallybook demo`, which deletes and makes it again.\n", encoding="utf-8")
    folder = Folder(root)
    folder.inbox.mkdir()
    return folder


def _interesting(store: Store) -> tuple[str, str]:
    """Find the leader, and one of its events that a multiplier made worth more."""
    (leader,) = store.rows(
        "SELECT member_id FROM tallybook.leaderboard WHERE period = 'ever' AND store_id = '' AND rank = 1"
    )
    (event,) = store.rows(
        "SELECT event_id FROM tallybook.ledger WHERE member_id = {member:String} AND fact_type = 'PurchaseRecorded' "
        "AND seq = (SELECT max(seq) FROM tallybook.workings WHERE member_id = {member:String} AND notEmpty(factors)) "
        "LIMIT 1",
        {"member": leader["member_id"]},
    )
    return str(leader["member_id"]), str(event["event_id"])


def _say_next(root: Path, member: str, event: str, loser: str) -> None:
    program = _program()
    place = f"-C {shlex.quote(str(root))}"
    say("")
    say("Next, each line as it is:")
    for rest in (
        f"explain {event}",
        f"statement {member} --limit 20",
        f"rescore why 1 {loser}",
        "leaderboard --period month --at 2025-11-01 --store mitte",
        "rejects list",
        "verify",
        "audit",
        "sql 'SELECT rule_id, sum(points) AS points FROM tallybook.ledger GROUP BY rule_id ORDER BY points DESC'",
    ):
        say(f"  {program} {place} {rest}")


def _program() -> str:
    """Find how this program is called from the reader's shell."""
    called = Path(sys.argv[0])
    on_path = shutil.which("tallybook")
    if on_path and Path(on_path).resolve() == called.resolve():
        return "tallybook"
    try:
        return shlex.quote(str(called.resolve().relative_to(Path.cwd())))
    except ValueError:
        return shlex.quote(str(called))
