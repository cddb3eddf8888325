"""Runs all stages of a deployment, each in a process of its own that is started again if it dies."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import msgspec

from books.files.disk import REAL_FILES
from books.files.lock import hold, note_of, this_process
from tallybook.child_process import SUPERVISED, BackOff, lifeline
from tallybook.clock import now_ms
from tallybook.exit_codes import Exit
from tallybook.screen import note
from tallybook.stop import Stop, stoppable
from tallybook.stream.open import open_stream
from tallybook.stream.stages.log import StageLog
from tallybook.stream.stages.start import STARTED_BEFORE

UP_LOCK: Final = "up.lock"
LOOK_SECONDS: Final = 0.1
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 10.0
STEADY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
# After this many ends in a row, each soon after the start, all processes are stopped.
MAX_EARLY_ENDS: Final = 10
EARLY_SECONDS: Final = 5.0
# After this many ends in a row because something is refused, all are stopped: that seldom passes by itself.
MAX_REFUSALS: Final = 3
Say = Callable[[str], None]
_START: Final = "from tallybook.cli.main import main; main()"


class Plan(msgspec.Struct, frozen=True):
    """Says how many processes of each stage to run."""

    intakes: int = 1
    tickers: int = 1
    workers: int = 1
    projections: int = 1

    def processes(self) -> Iterator[tuple[str, str]]:
        """Give each process as its command and its name."""
        counts = (("intake", self.intakes), ("tick", self.tickers), ("score", self.workers))
        for command, count in (*counts, ("project", self.projections)):
            for number in range(1, count + 1):
                yield command, str(number)


class _Process:
    """Runs one process of a stage."""

    def __init__(self, root: Path, command: str, name: str, options: list[str], say: Say) -> None:
        self.title = f"{command}-{name}"
        self._command = [
            sys.executable, "-c", _START, "-C", str(root), command, "--instance", name, *options,
        ]  # fmt: skip
        self._back_off = BackOff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, STEADY_SECONDS)
        self._restart_at = 0.0
        self._early_ends = self._refusals = 0
        self._starts = 0
        self._say = say
        self.code = int(Exit.DONE)
        self.process: subprocess.Popen[str] | None = None

    def start(self, descriptor: int) -> None:
        """Start it; `descriptor` is the lifeline that it stops with."""
        self._started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",  # C libraries may write bytes that are no text
            pass_fds=(descriptor,),
            env={**os.environ, SUPERVISED: str(descriptor), STARTED_BEFORE: str(self._starts)},
        )
        self._starts += 1
        if self.process.stdout is not None:
            threading.Thread(target=_relay, args=(self.process.stdout,), daemon=True).start()

    def check(self, descriptor: int) -> bool:
        """Start it again if it died, after a pause; False if it died too often, the last time with `code`."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            self._ended(self.process.returncode, now)
        if self._early_ends >= MAX_EARLY_ENDS or self._refusals >= MAX_REFUSALS:
            self._say(f"{self.title} ends again and again, so all are stopped: its last words are above")
            return False
        if self.process is None and now >= self._restart_at:
            self.start(descriptor)
        return True

    def _ended(self, code: int, now: float) -> None:
        lasted = now - self._started_at
        self.code = code
        self._early_ends = self._early_ends + 1 if lasted < EARLY_SECONDS else 0
        self._refusals = self._refusals + 1 if code == Exit.REFUSED and lasted < STEADY_SECONDS else 0
        pause = self._back_off.pause_after(lasted)
        self._say(f"{self.title} ended with {code}; it is started again in {pause:.1f} s")
        self.process, self._restart_at = None, now + pause


def _relay(said: IO[str]) -> None:
    """Pass on what a process says, line by line, so that lines of several do not mix.

    It reads to the end, even if nobody listens: a full pipe would stop the process.
    """
    with said:
        for line in said:
            with suppress(OSError):  # nobody listens any longer
                sys.stderr.write(line)
                sys.stderr.flush()


def supervise(root: Path, plan: Plan, *, metrics_port: int, as_json: bool) -> None:
    """Run all processes of a plan until asked to stop by SIGINT or SIGTERM.

    Raises:
        StreamRefused: the settings are not usable.
        FolderHeld: this folder's stages run under another supervisor.
        SystemExit: where a process ends again and again, with 3 if it says that something is refused, else with 1.
    """
    open_stream(root)  # the settings are read before anything is started
    with _only_supervisor(root):
        _supervise(root, plan, metrics_port=metrics_port, as_json=as_json)


@contextmanager
def _only_supervisor(root: Path) -> Iterator[None]:
    """Refuse a second supervisor of the folder: its processes would have the same names, and fence each other."""
    root.mkdir(parents=True, exist_ok=True)
    lock = hold(REAL_FILES, root, root / UP_LOCK)
    try:
        lock.write_note(note_of(this_process(now_ms())))
        yield
    finally:
        lock.release()


def _supervise(root: Path, plan: Plan, *, metrics_port: int, as_json: bool) -> None:
    say = StageLog("up", "", as_json=True) if as_json else note
    processes = []
    for at, (command, name) in enumerate(plan.processes()):
        options = ["--metrics", str(metrics_port + at)] if metrics_port else []
        processes.append(_Process(root, command, name, options + (["--json-logs"] if as_json else []), say))
    with stoppable() as stop, lifeline() as descriptor:
        try:
            code = _keep_running(processes, descriptor, stop)
        finally:
            _stop(processes)
    if code:
        raise SystemExit(code)


def _keep_running(processes: list[_Process], descriptor: int, stop: Stop) -> int:
    """Keep them running until asked to stop; gives the exit code."""
    while not stop.is_asked:
        for process in processes:
            if not process.check(descriptor):
                return Exit.REFUSED if process.code == Exit.REFUSED else Exit.FAULT
        time.sleep(LOOK_SECONDS)
    return Exit.DONE


def _stop(processes: list[_Process]) -> None:
    running = [one.process for one in processes if one.process is not None and one.process.poll() is None]
    for process in running:
        process.terminate()
    until = time.monotonic() + STOP_SECONDS
    for process in running:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
