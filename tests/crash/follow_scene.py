"""A follow that dies: its order and ticks come from the clock, so its books are held against what it was fed."""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Final

import msgspec

from books.files.reader import FileLogReader
from processors.replay.verify import verify_books
from schemas.bounds import DAY_MS
from schemas.posting import FIRST_EDITION
from tallybook.folder.folder import Folder, load_published
from tests.crash.processes import Beside, Ended, Traces, run_victim
from tests.crash.scenes import DAYS, FOLLOW, GOOD_ENDS, Left, Scene, must_be_well, new_folder, seconds_of
from tests.crash.victim import Orders
from tests.simulation.inputs import BytesInput, records_of
from tests.support.small_imports import START
from tests.support.whole_books import LawBroken, every_record_once, reference_agrees

ARGUMENTS: Final = ("run", "--follow")
SPEED: Final = 3_600  # an hour a second, so that there are ticks
PIECES: Final = 2  # into which each file is cut
FED_SECONDS: Final = 0.2  # between two files
BEGINS_AT: Final = START + (DAYS + 1) * DAY_MS
TAKEN: Final = "taken"
FOLLOWING: Final = b"following "


class Feeder:
    """Puts files into the inbox of a follow, one after the other; asks it to stop once all are taken."""

    def __init__(self, folder: Path, files: list[Path]) -> None:
        self._inbox = Folder(folder).inbox
        self._files = files
        self._fed_at = 0.0
        self._has_asked = False

    def __call__(self, pid: int, said: Path) -> None:
        """Do what is due."""
        if FOLLOWING not in said.read_bytes():
            return  # it would not yet know how to stop
        left = [file for file in self._files if not self._is_there(file.name)]
        if left and time.monotonic() >= self._fed_at + FED_SECONDS:
            part = self._inbox / f"{left[0].name}.part"
            shutil.copy(left[0], part)
            part.rename(self._inbox / left[0].name)
            self._fed_at = time.monotonic()
        elif not left and not self._has_asked and not any(self._inbox.glob("*.jsonl")):
            self._has_asked = True
            os.kill(pid, signal.SIGTERM)  # it has not been waited for, so the number is its own

    def _is_there(self, name: str) -> bool:
        return (self._inbox / name).exists() or (self._inbox / TAKEN / name).exists()


def orders_of(trace: str, epoch: int, **more: object) -> Orders:
    """Orders with the clock of a follow, which began at `epoch` (UTC ms on the machine's clock)."""
    return msgspec.structs.replace(Orders(trace, now=BEGINS_AT, speed=SPEED, epoch=epoch), **more)


def build_follow_scene(scratch: Path, seed: int) -> Scene:
    """Make the folder of a follow, and run it once without disturbing it."""
    folder = scratch / f"{FOLLOW}.before"
    fed = scratch / "fed"
    fed.mkdir()
    for file in new_folder(folder, seed):
        _cut(file, fed)
        file.unlink()
    copy = Path(shutil.copytree(folder, scratch / f"{FOLLOW}.after"))
    trace, answers = scratch / "trace", scratch / "answers"
    ended = run_victim(
        copy,
        ARGUMENTS,
        orders_of(str(trace), time.time_ns() // 1_000_000, answers=str(answers)),
        beside=feed(copy, fed),
    )
    must_be_well(ended)
    wrong = wrong_in(copy, fed, answers, scratch)
    if wrong:
        raise AssertionError(f"undisturbed, a follow left what is wrong: {wrong}\n{ended.said}")
    calls = Traces(trace).calls()
    return Scene(FOLLOW, ARGUMENTS, folder, calls, seconds_of(calls), Left("", "", [], {}), fed)


def feed(folder: Path, fed: Path) -> Beside:
    """What feeds a follow in `folder` from the files in `fed`, as far as they are not in its inbox yet."""
    return Feeder(folder, sorted(fed.iterdir()))


def wrong_in(folder: Path, fed: Path, answers: Path, scratch: Path) -> list[str]:
    """What is wrong with the books and tables that a follow has left: nothing, if all is well."""
    log = FileLogReader(folder)
    wrong = [f"verify: {difference}" for difference in verify_books(log, FIRST_EDITION, load_published).shown]
    try:
        every_record_once(log, records_of(BytesInput(file.name, file.read_bytes()) for file in sorted(fed.iterdir())))
        reference_agrees(log)
    except LawBroken as broken:
        wrong.append(str(broken))
    return wrong + _not_as_a_fresh_projection(folder, answers, scratch)


def _cut(file: Path, fed: Path) -> None:
    lines = [line + b"\n" for line in file.read_bytes().removesuffix(b"\n").split(b"\n")]
    size = -(-len(lines) // PIECES)
    for number in range(PIECES):
        (fed / f"{number}-{file.name}").write_bytes(b"".join(lines[number * size : (number + 1) * size]))


def _not_as_a_fresh_projection(folder: Path, answers: Path, scratch: Path) -> list[str]:
    copy = Path(shutil.copytree(folder, scratch / "fresh", ignore=shutil.ignore_patterns("clickhouse", "snapshots")))
    fresh, trace = scratch / "fresh.answers", scratch / "fresh.trace"
    ended: Ended = run_victim(copy, ("leaderboard",), Orders(str(trace), answers=str(fresh), now=BEGINS_AT))
    if ended.code not in GOOD_ENDS:
        return [f"a fresh projection ended with {ended.code}:\n{ended.said}"]
    views = (json.loads(file.read_text()) for file in (answers, fresh))
    ours, theirs = views
    for left in (copy, trace):
        shutil.rmtree(left)
    return [f"view {view} is not that of a fresh projection" for view in theirs if ours[view] != theirs[view]]
