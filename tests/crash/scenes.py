"""The folders in which victims die, and what an undisturbed run of the same command leaves in them."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from books.files.reader import FileLogReader
from processors.replay.verify import verify_books
from schemas.bounds import DAY_MS
from schemas.facts import PublishedFact, PurchaseRecorded, ReferralMade
from schemas.pages import Reject
from schemas.posting import FIRST_EDITION
from tallybook.folder.folder import Folder, load_published
from tallybook.rescore.runs import Runs
from tests.crash.processes import Ended, Traces, run_victim
from tests.crash.victim import MAIN, SECONDS, Orders
from tests.support.small_imports import NOW, PARTITIONS, RULES, START, random_facts, write_lines
from tests.support.whole_books import printed_digests, rejects_of, without_positions

FILES: Final = 3
DAYS: Final = 24
FACTS_A_DAY: Final = 60  # at most
REFERRING: Final = 0.1  # of the facts with a referrer, those that keep it: each owes further facts
FOLLOW: Final = "follow"
RESCORE: Final = "rescore"
COMMANDS: Final = ("import", "workers", "run", "projection", RESCORE, FOLLOW)
TRIED: Final = (
    RULES.replace('version: "1"', 'version: "2"').replace("points: 40", "points: 15").replace("days: 3", "days: 2")
)
TRIED_FROM: Final = "2026-03-30"
GOOD_ENDS: Final = frozenset({0, 4})


class Left(msgspec.Struct):
    """What a command has left: both digests, the rejects, the answers of every view, and what a re-scoring found."""

    journal_digest: str
    ledger_digest: str
    rejects: list[Reject]
    answers: dict[str, list[str]]
    found: dict[str, str] = {}


class Scene(msgspec.Struct):
    """A command, the folder it finds, the calls it makes when nobody disturbs it, how long it takes, what it leaves.

    `fed` is the folder of what a follow is fed while it runs.
    """

    command: str
    arguments: tuple[str, ...]
    folder: Path
    calls: dict[str, list[str]]
    seconds: float
    left: Left
    fed: Path = Path()


def build_scene(command: str, scratch: Path, seed: int) -> Scene:
    """Make the folder of a command and run it once without disturbing it."""
    folder = scratch / f"{command}.before"
    files = new_folder(folder, seed)
    arguments: tuple[str, ...] = ("run",)
    if command in {"import", "workers"}:
        processes = ("--processes", "2") if command == "workers" else ()
        arguments = ("import", *processes, *(str(file) for file in files))
    elif command in {"projection", RESCORE}:
        ran = run_victim(folder, ("import", "--no-project", *map(str, files)), Orders(str(scratch / "books"), now=NOW))
        must_be_well(ran)
        arguments = ("leaderboard",) if command == "projection" else _trying(scratch)
    copy = Path(shutil.copytree(folder, scratch / f"{command}.after"))
    answers = scratch / f"{command}.answers"
    orders = Orders(str(scratch / command), answers=str(answers), now=NOW)
    ran = run_victim(copy, arguments, orders)
    must_be_well(ran)
    calls = Traces(Path(orders.trace)).calls()
    return Scene(command, arguments, folder, calls, seconds_of(calls), left_in(copy, answers))


def _trying(scratch: Path) -> tuple[str, ...]:
    """The words that try other rules from the middle of the history on, in two processes."""
    file = scratch / "tried.yaml"
    file.write_text(TRIED, encoding="utf-8")
    return ("rescore", "run", "--rules", str(file), "--from", TRIED_FROM, "--processes", "2")


def left_in(folder: Path, answers: Path) -> Left:
    """What is in a folder now; `answers` is the file into which a victim put those of the views.

    Raises:
        BooksError: the books are not well.
    """
    log = FileLogReader(folder)
    verified = verify_books(log, FIRST_EDITION, load_published)
    if verified.differences:
        raise AssertionError(f"the books are not what the rules make of them: {verified.shown}")
    last = log.committed()
    digests = printed_digests(last.journal_digests, last.ledger_digests)
    if digests != (verified.journal_digest, verified.ledger_digest):
        raise AssertionError("the last commit has other digests than its books")
    return Left(*digests, rejects_of(log), json.loads(answers.read_text()), _found_in(folder))


def _found_in(folder: Path) -> dict[str, str]:
    """The files of the last re-scoring, which is finished and has left nothing half written; none without one."""
    runs = Runs(Folder(folder))
    kept = runs.there()
    if not kept:
        return {}
    for run in kept:
        runs.require_finished(run)
    files = {str(file.relative_to(kept[-1].place)): file for file in kept[-1].place.rglob("*") if file.is_file()}
    return {name: file.read_text("utf-8") for name, file in sorted(files.items())}


def differences(left: Left, expected: Left) -> list[str]:
    """What differs, by name; positions of `progress` are where blocks end, which a restart may cut elsewhere.

    A re-scoring that was killed when it was finished is one more run, which has found the same.
    """
    names = ("journal_digest", "ledger_digest", "rejects", "found")
    found = [name for name in names if _differs(name, left, expected)]
    views = sorted(left.answers.keys() | expected.answers.keys())
    for view in views:
        ours, theirs = (_comparable(view, each.answers.get(view, [])) for each in (left, expected))
        if ours != theirs:
            found.append(f"view {view} ({len(ours)} rows, {len(theirs)} expected)")
    return found


def _differs(name: str, left: Left, expected: Left) -> bool:
    return bool(getattr(left, name) != getattr(expected, name))


def _comparable(view: str, rows: Sequence[str]) -> Sequence[str | bytes]:
    if view.startswith(RESCORE):
        return sorted({json.dumps({**json.loads(row), "run": ""}) for row in rows})
    return without_positions(view, rows)


def new_folder(root: Path, seed: int) -> list[Path]:
    """Empty books, rules, and an inbox of files with facts that are mixed up, doubled, in conflict and broken."""
    folder = Folder(root)
    folder.create("crash", PARTITIONS, 90, START)
    (folder.rulesets / "imports").mkdir()
    (folder.rulesets / "imports" / "1.yaml").write_text(RULES, encoding="utf-8")
    rng = Random(seed)
    lines: list[list[bytes | PublishedFact]] = [[] for _ in range(FILES)]
    for drawn in random_facts(seed, days=DAYS, a_day=FACTS_A_DAY):
        fact = drawn
        if rng.random() > REFERRING:
            if isinstance(drawn, ReferralMade):
                continue
            if isinstance(drawn, PurchaseRecorded):
                fact = msgspec.structs.replace(drawn, referrer_id=None)
        rng.choice(lines).append(fact)
        kind = rng.random()
        if kind < 0.02:
            rng.choice(lines).append(fact)
        elif kind < 0.04:
            rng.choice(lines).append(b'{"type":"CheckedIn","source":"app","event_id":"%d"}' % len(lines[0]))
        elif kind < 0.05:
            rng.choice(lines).append(rng.randbytes(20).replace(b"\n", b""))
        elif kind < 0.06 and isinstance(fact, PurchaseRecorded):
            rng.choice(lines).append(msgspec.structs.replace(fact, order_id="another"))
        elif kind < 0.07:
            rng.choice(lines).append(msgspec.structs.replace(fact, occurred_at=NOW + DAY_MS, event_id=f"e{kind}"))
    return [write_lines(folder.inbox / f"{n}.jsonl", chosen) for n, chosen in enumerate(lines)]


def must_be_well(ran: Ended) -> None:
    if ran.code not in GOOD_ENDS or ran.orphans:
        raise AssertionError(f"undisturbed, it ended with {ran.code} {ran.orphans}:\n{ran.said}")


def seconds_of(calls: dict[str, list[str]]) -> float:
    """How long the command worked, without the start of Python and the answering of views."""
    return next(float(line.split()[1]) for line in calls[MAIN] if line.startswith(SECONDS))
