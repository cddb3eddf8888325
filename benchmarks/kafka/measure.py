"""CPU from one mark to another, so that the start of a process counts for nobody: not for us and not for a peer.

A process under measurement prints a mark when it has handled WARM_EVENTS events (by then it is assigned, its caches are
warm and its imports paid), one when it has handled the last one, and one when it has committed everything and stopped.
Each mark carries the CPU that the process has used by then, user and system, all threads and its children that have
ended, as the kernel counts it for that process (getrusage), and an instant of a steady clock. CPU per event is what was
used between `warm` and `done`, divided by the events in between; the end belongs to it because an outstanding commit,
flush or transaction is work for these events. Events per second are between `warm` and `last`, because how long a
client waits to leave its group says nothing about its speed.

The runner reads the marks as they come, and at each of them the CPU that the broker has used (/proc, on Linux only:
elsewhere the broker's column stays empty). A process that prints no marks can be watched from outside by
`tree_seconds`.

Only the standard library is imported: the peers import this file in their own virtual environments.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import threading
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Final, NamedTuple

WARM_EVENTS: Final = 1_000
WARM_SHARE: Final = 10  # of a short run, a tenth is enough to be warm
MAX_LINES_PRINTED: Final = 100_000
MAX_LOG_SHOWN_CHARS: Final = 3_000
_SIGN: Final = "MARK "
_OUTPUT: Final = 1
_PROC: Final = Path("/proc")


class Mark(NamedTuple):
    """How far a process was, and what it had used: CPU seconds, and seconds of a steady clock."""

    name: str
    events: int
    cpu_seconds: float
    clock_seconds: float


class Spent(NamedTuple):
    """What a process took between its marks; the broker's seconds are None where they cannot be read."""

    events: int
    cpu_seconds: float
    clock_seconds: float
    broker_seconds: float | None

    @property
    def cpu_micros(self) -> float:
        """Microseconds of CPU per event, the process alone."""
        return self.cpu_seconds / self.events * 1_000_000

    @property
    def broker_micros(self) -> float | None:
        """Microseconds of CPU per event in the broker, or None."""
        return None if self.broker_seconds is None else self.broker_seconds / self.events * 1_000_000

    @property
    def per_second(self) -> float:
        """Events per second of the wall clock: information only."""
        return self.events / self.clock_seconds


class RunFailed(RuntimeError):
    """A process under measurement ended badly, was too slow, or left out a mark; the message holds its last words."""


# -------------------------------------------------------------------------------- inside a process under measurement


class Marks:
    """Counts the events of this process, and prints the marks on the way to `facts` of them."""

    def __init__(self, facts: int) -> None:
        self.facts = facts
        self.events = 0
        self._warm = warm_events(facts)

    def handled(self) -> bool:
        """Count one event; True for the one that completes them."""
        self.events += 1
        if self.events == self._warm:
            self._say("warm")
        if self.events != self.facts:
            return False
        self._say("last")
        return True

    def done(self) -> None:
        """Say that everything is committed and nothing more will be done."""
        self._say("done")

    def _say(self, name: str) -> None:
        mark = Mark(name, self.events, _own_seconds(), time.perf_counter())
        # To the pipe itself: a Faust worker turns what is printed into lines of its log.
        os.write(_OUTPUT, f"{_SIGN}{json.dumps(mark._asdict())}\n".encode())


def warm_events(facts: int) -> int:
    """How many events of a run of so many come before what is measured."""
    return max(1, min(WARM_EVENTS, facts // WARM_SHARE))


def _own_seconds() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


# ------------------------------------------------------------------------------------------------------ from outside


def measured(
    command: Sequence[str],
    *,
    cwd: Path,
    log: Path,
    wait_seconds: float,
    broker_pid: int | None = None,
    env: dict[str, str] | None = None,
) -> Spent:
    """Run a process that prints marks to its end, and give what it took; all it says else goes to `log`.

    Raises:
        RunFailed: it ended with another code than 0, took longer than `wait_seconds`, or printed no full set of marks.
    """
    marks: dict[str, tuple[Mark, float | None]] = {}
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            command, cwd=cwd, env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
        )
        too_slow = threading.Timer(wait_seconds, process.kill)
        too_slow.start()
        try:
            _read_marks(process, marks, said, broker_pid)
            code = process.wait()
        finally:
            too_slow.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()
    if code or {"warm", "last", "done"} - marks.keys():
        raise RunFailed(
            f"{' '.join(command)}\nended with {code} after the marks {sorted(marks) or 'none'} "
            f"(killed after {wait_seconds:g} s if it had not ended). Its last words:\n"
            f"{log.read_text(encoding='utf-8')[-MAX_LOG_SHOWN_CHARS:]}"
        )
    return spent_between(marks["warm"], marks["last"], marks["done"])


def spent_between(
    warm: tuple[Mark, float | None], last: tuple[Mark, float | None], done: tuple[Mark, float | None]
) -> Spent:
    """What lies between three marks, each given with the broker's CPU seconds at that instant."""
    broker = None if warm[1] is None or done[1] is None else done[1] - warm[1]
    return Spent(
        events=last[0].events - warm[0].events,
        cpu_seconds=done[0].cpu_seconds - warm[0].cpu_seconds,
        clock_seconds=last[0].clock_seconds - warm[0].clock_seconds,
        broker_seconds=broker,
    )


def tree_seconds(pid: int | None) -> float | None:
    """CPU seconds, user and system, of a process and all below it, ended children included; None if it cannot be told.

    By /proc, in steps of the kernel's clock tick (10 ms).
    """
    if pid is None or not (_PROC / str(pid) / "stat").exists():
        return None
    parents = {int(entry.name): _stat(entry) for entry in _PROC.iterdir() if entry.name.isdigit()}
    wanted = {pid}
    for _ in range(len(parents)):
        grown = wanted | {child for child, (parent, _) in parents.items() if parent in wanted}
        if grown == wanted:
            break
        wanted = grown
    return sum(parents[each][1] for each in wanted if each in parents) / os.sysconf("SC_CLK_TCK")


def _stat(entry: Path) -> tuple[int, int]:
    """The parent's pid and the clock ticks used; nothing of a process that has just gone."""
    try:
        text = (entry / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0  # ended between the listing and now
    after_name = text.rpartition(")")[2].split()
    return int(after_name[1]), sum(map(int, after_name[11:15]))


def _read_marks(
    process: subprocess.Popen[str], marks: dict[str, tuple[Mark, float | None]], said: IO[str], broker_pid: int | None
) -> None:
    """Read what the process prints until it closes its output."""
    if process.stdout is None:
        raise AssertionError("the process was started with a pipe")
    for line in islice(process.stdout, MAX_LINES_PRINTED):
        if line.startswith(_SIGN):
            mark = Mark(**json.loads(line.removeprefix(_SIGN)))
            marks[mark.name] = mark, tree_seconds(broker_pid)
        else:
            said.write(line)
            said.flush()  # the process writes to the same file
