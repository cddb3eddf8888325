"""Starts victims, kills them at a moment of chance, and sees to it that none of their processes outlives them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from tests.crash.victim import DEAD, MAIN, Orders

ROOT: Final = Path(__file__).resolve().parent.parent.parent
MAX_SECONDS: Final = 300.0  # for one command that takes three; a machine may be busy
POLL_SECONDS: Final = 0.002
ORPHAN_SECONDS: Final = 30.0  # in which a process has to notice that the one which started it is gone
PROC: Final = Path("/proc")


class Ended(msgspec.Struct, frozen=True):
    """How a victim ended: its exit code (negative: the signal), what it said, the seconds from its start to its end.

    `killed` is the role of the process that was killed from outside, empty if none was; `orphans` says which processes
    were still there long after.
    """

    code: int
    said: str
    seconds: float
    killed: str = ""
    orphans: tuple[str, ...] = ()


class Traces:
    """What the processes of one victim noted, by role."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def calls(self) -> dict[str, list[str]]:
        """The lines of each role, in order."""
        found: dict[str, list[str]] = {}
        for file in sorted(self.folder.iterdir()):
            if file.name != DEAD:
                found.setdefault(file.stem, []).extend(file.read_text().splitlines())
        return found

    def began(self) -> bool:
        """Whether the command has been started."""
        return any(file.stat().st_size for file in self.folder.glob(f"{MAIN}.*"))

    def has_died(self) -> bool:
        """Whether a process has died as it was ordered to."""
        return (self.folder / DEAD).exists()

    def role_of(self, pid: int) -> str:
        """What a process calls itself; empty if it has noted nothing (a helper of Python's)."""
        return next((file.stem for file in self.folder.glob(f"*.{pid}")), "")


Beside = Callable[[int, Path], None]
"""Called with a victim's process id and the file of what it has said so far."""


def nothing(_pid: int, _said: Path) -> None:
    """What most commands need beside them."""


def run_victim(
    folder: Path,
    arguments: Sequence[str],
    orders: Orders,
    *,
    kill_after_seconds: float | None = None,
    kill_child: Random | None = None,
    beside: Beside = nothing,
) -> Ended:
    """Run `tallybook -C FOLDER ARGUMENTS` under orders, and wait for its end and that of all that it started.

    `kill_after_seconds` counts from the moment at which the command begins; with `kill_child` one of the processes that
    it has started by then is killed, if there are any, instead of itself. `beside` is called again and again from that
    moment on.
    """
    traces = Traces(Path(orders.trace))
    traces.folder.mkdir(parents=True)
    told = traces.folder.with_suffix(".orders")
    told.write_bytes(msgspec.json.encode(orders))
    said = traces.folder.with_suffix(".said")
    command = [sys.executable, "-m", "tests.crash.victim", str(told), "-C", str(folder), *arguments]
    started, killed = time.monotonic(), ""
    with said.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        deadline = started + MAX_SECONDS
        while not traces.began() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        begun = time.monotonic()
        while process.poll() is None and time.monotonic() < deadline:
            if not killed and kill_after_seconds is not None and time.monotonic() >= begun + kill_after_seconds:
                killed = _kill(process, traces, kill_child)
            beside(process.pid, said)
            time.sleep(POLL_SECONDS)
        code = process.poll()
        seconds = time.monotonic() - started
        orphans = _wait_for_orphans(process.pid)
    finally:
        _end_session(process)
    if killed == MAIN and code != -signal.SIGKILL:
        killed = ""  # it had ended by itself, and nobody had asked for its exit code yet
    if code is None:
        raise AssertionError(f"{' '.join(command)} did not end within {MAX_SECONDS:.0f} seconds:\n{said.read_text()}")
    return Ended(code, said.read_text(errors="replace"), seconds, killed, orphans)


def _kill(process: subprocess.Popen[bytes], traces: Traces, kill_child: Random | None) -> str:
    """Kill the process, or one of its children; the role of the one that was killed."""
    pids = [pid for pid in of_session(process.pid) if pid != process.pid and traces.role_of(pid)]
    pid = process.pid if kill_child is None or not pids else kill_child.choice(pids)
    role = traces.role_of(pid)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # it has just ended by itself
        return ""
    return role


def of_session(session: int) -> list[int]:
    """The living processes of a session (whoever their parent is now); none where there is no /proc to ask."""
    found = []
    for folder in PROC.glob("[0-9]*") if PROC.is_dir() else ():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[3]) == session and fields[0] not in {"Z", "X"}:
            found.append(int(folder.name))
    return sorted(found)


def _wait_for_orphans(session: int) -> tuple[str, ...]:
    deadline = time.monotonic() + ORPHAN_SECONDS
    while (pids := of_session(session)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return tuple(f"{pid} ({_command(pid)})" for pid in pids)


def _command(pid: int) -> str:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "ended by now"


def _end_session(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing behind, whatever was found."""
    for pid in of_session(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if process.poll() is None:
        process.kill()
        process.wait()
