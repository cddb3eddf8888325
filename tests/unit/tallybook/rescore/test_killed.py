"""A re-scoring that is killed or stopped half way goes on with the same words, and finds the same in the end."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from processors.embedded.rounds import Taken
from processors.ruleset.parse import parse_ruleset
from schemas.bounds import DAY_MS
from schemas.facts import CheckedIn, PublishedFact, PurchaseLine, PurchaseRecorded
from schemas.pages import InputConsumed
from tallybook.exit_codes import Exit
from tallybook.folder.folder import Folder, load_published
from tallybook.folder.publish_rules import publish_ruleset
from tallybook.rescore.runs import Run, Runs
from tests.support.processes import MAIN, MAX_SECONDS, tallybook
from tests.support.small_imports import RULES, START, rounds_of
from tests.support.waiting import wait_for

pytestmark = pytest.mark.long

PARTITIONS = 24
KILLED_UP_TO = 10  # so many finished partitions: the rest is enough for a kill that comes late
DAYS = 10
FACTS_A_DAY = 1_200
LOOK_SECONDS = 0.002  # each partition takes some 15 ms
LARGEST_FILE = 20_000
INPUT = "ab" * 32
TRIED = RULES.replace('version: "1"', 'version: "2"').replace("points: 40", "points: 15").replace("days: 3", "days: 2")


def facts_of(day: int) -> list[PublishedFact]:
    """Purchases and check-ins of 200 members."""
    found: list[PublishedFact] = []
    for number in range(FACTS_A_DAY):
        name, at = f"{day}-{number}", START + day * DAY_MS + number * DAY_MS // FACTS_A_DAY
        member = f"member-{number % 200}"
        if number % 3:
            lines = (PurchaseLine("A", 97 * (number % 90)),)
            found.append(PurchaseRecorded("pos", name, at, f"o-{name}", "EUR", lines, member))
        else:
            found.append(CheckedIn("app", name, at, member))
    return found


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of some thousand facts in many partitions, and beside it the rules to be tried."""
    root = tmp_path_factory.mktemp("killed") / "shop"
    folder = Folder(root)
    folder.create("imports", PARTITIONS, 90, START)
    (root / "tried.yaml").write_text(TRIED, encoding="utf-8")
    with folder.writing(START) as log:
        rounds = rounds_of(log, load=load_published)
        publish_ruleset(rounds, RULES, parse_ruleset(RULES, "1.yaml")[0], effective_from=None, now=START)
        for day in range(DAYS):
            taken = [Taken(fact, INPUT, day * FACTS_A_DAY + n) for n, fact in enumerate(facts_of(day), start=1)]
            ends_at = START + (day + 1) * DAY_MS
            rounds.take(taken, ends_at, ends_at)
        rounds.commit([InputConsumed(INPUT, rounds.last_tick, DAYS * FACTS_A_DAY, name="facts.jsonl")])
    return root


@pytest.fixture
def root(books: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(books, tmp_path / "shop"))


@contextmanager
def started(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`tallybook rescore run` in a session of its own; whatever is left of that is ended."""
    words = ["-C", str(root), "rescore", "run", "--rules", str(root / "tried.yaml"), "--from", "2026-03-26"]
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *words, "--processes", "1"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=MAX_SECONDS)


def to_the_end(root: Path) -> Run:
    """Run it and wait for its end; the run."""
    with started(root) as process:
        out, err = process.communicate(timeout=MAX_SECONDS)
        assert process.returncode == Exit.FOUND, err
        assert b"the base is proven by its digest" in out
    return Runs(Folder(root)).find("last")


def wait_until(process: subprocess.Popen[bytes], what: str, place: Path, partitions: int) -> None:
    """Look, very often, until so many partitions are finished (0: rows are begun, -1: the plan is there)."""

    def has_come() -> bool:
        if partitions > 0:
            return len(list(place.glob("[0-9]*.json"))) >= partitions
        if partitions < 0:
            return (place / "plan.json").exists()
        # Unlike Path.rglob, os.walk passes over a folder that goes while it looks: what a killed run left is removed.
        return any(".lines.jsonl" in name for _, _, names in os.walk(place) for name in names)

    wait_for(what, lambda: has_come() or process.poll() is not None, look_seconds=LOOK_SECONDS)


def files_of(run: Run) -> dict[str, bytes]:
    return {str(file.relative_to(run.place)): file.read_bytes() for file in run.place.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def undisturbed(books: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a run that nobody disturbed."""
    root = Path(shutil.copytree(books, tmp_path_factory.mktemp("undisturbed") / "shop"))
    return files_of(to_the_end(root))


def test_killed_ten_times_it_goes_on_from_there(root: Path, undisturbed: dict[str, bytes]) -> None:
    """It is killed when its plan is written, when it begins to write rows, and whenever one more is finished."""
    place = root / "rescores" / "0001"
    finished = 0
    for kill in range(10):
        awaited = kill - 1 if kill < 2 else min(finished + 1, KILLED_UP_TO)
        with started(root) as process:
            wait_until(process, f"kill {kill + 1}", place, awaited)
            process.kill()
            assert process.wait(MAX_SECONDS) == -signal.SIGKILL, kill
        before, finished = finished, len(list(place.glob("[0-9]*.json")))
        assert before <= finished < PARTITIONS
    run = to_the_end(root)
    assert run.number == "0001"
    assert files_of(run) == undisturbed


def test_stopped_with_ctrl_c_it_keeps_what_is_finished(root: Path, undisturbed: dict[str, bytes]) -> None:
    place = root / "rescores" / "0001"
    with started(root) as process:
        wait_until(process, "two are finished", place, 2)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=MAX_SECONDS)
    assert process.returncode == Exit.INTERRUPTED, err
    assert b"run 0001 is stopped: the same command goes on from there" in err
    assert b"Traceback" not in err
    kept = {name: content for name, content in files_of(Runs(Folder(root)).find("1")).items() if ".tmp" not in name}
    assert 2 <= len(Runs(Folder(root)).find("1").finished()) < PARTITIONS
    assert kept.items() <= undisturbed.items()
    assert [event.what for event in Runs(Folder(root)).events()] == ["opened"]
    assert files_of(to_the_end(root)) == undisturbed


def test_a_full_disk_is_told_with_what_to_do(root: Path, undisturbed: dict[str, bytes]) -> None:
    """No file may grow beyond that size, which is what a full disk is to one file; Python ignores the signal for it."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, resource.RLIM_INFINITY))

    words = ("rescore", "run", "--rules", str(root / "tried.yaml"), "--from", "2026-03-26", "--processes", "2")
    done = tallybook(root, *words, preexec_fn=limit)
    assert done.returncode == Exit.FAULT
    assert "Traceback" not in done.stderr
    assert str(root / "rescores" / "0001") in done.stderr
    assert "Make room, then run it again." in done.stderr
    assert files_of(to_the_end(root)) == undisturbed
