"""The stages as real processes, each begun again under its own name should it end, as an operator's supervisor does."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

import msgspec

from schemas.instants import parse_instant
from tallybook.child_process import SUPERVISED
from tests.chaos.stage import Orders
from tests.support.processes import ended

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PAUSE_SECONDS: Final = 0.5  # before a process is begun again
LOOK_SECONDS: Final = 0.05
STOP_SECONDS: Final = 40.0
COMMAND_SECONDS: Final = 120.0
GOOD_ENDS: Final = frozenset({0, -signal.SIGTERM})  # who is asked while Python starts cannot answer yet
COMMANDS: Final = ("intake", "score", "tick", "project")
_SCORING: Final = re.compile(r"(\d{4}-\S+Z) score (\S+): scoring partitions (.*)$")
_FENCED: Final = re.compile("another process has taken over")


class Stage:
    """One process of a stage under its static name; `ends` are the codes with which its processes have ended."""

    def __init__(self, command: str, number: int, log: Path) -> None:
        self.command = command
        self.name = f"{command}-{number}"
        self.log = log
        self.is_wanted = True
        self.is_frozen = False
        self.restart_at = 0.0
        self.starts = 0
        self.ends: list[int] = []
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def can_be_struck(self) -> bool:
        """Whether it is there and awake."""
        return self.is_wanted and not self.is_frozen and self.process is not None and self.process.poll() is None


class TookOver(msgspec.Struct, frozen=True):
    """A line of a scoring worker's log: at this instant (s since 1970) it began to score these partitions."""

    at: float
    name: str
    partitions: frozenset[int]


class Stages:
    """All processes of a deployment. Safe to be used by one thread beside the supervisor's own."""

    def __init__(self, folder: Path, orders: Orders, scratch: Path) -> None:
        self.every: dict[str, Stage] = {}
        self.orders = orders
        self.last_words: list[str] = []
        self._folder = folder
        self._told = scratch / "orders.json"
        self._told.write_bytes(msgspec.json.encode(orders))
        self._logs = scratch / "logs"
        self._logs.mkdir()
        self._lock = threading.RLock()
        self._reading, self._writing = os.pipe()
        self._must_end = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def start(self, **counts: int) -> None:
        """Start so many processes of each command, and look after them from now on."""
        for command, count in counts.items():
            for _ in range(count):
                self.join(command)
        self._thread.start()

    def join(self, command: str) -> Stage:
        """One process more of a command: the first name that nobody has now."""
        with self._lock:
            taken = {name for name, stage in self.every.items() if stage.is_wanted}
            number = next(number for number in range(1, len(taken) + 2) if f"{command}-{number}" not in taken)
            before = self.every.get(f"{command}-{number}")
            stage = before or Stage(command, number, self._logs / f"{command}-{number}.log")
            stage.is_wanted, stage.restart_at = True, 0.0
            self.every[stage.name] = stage
            return stage

    def awake(self, command: str) -> list[Stage]:
        """The processes of a command that can be struck, by name."""
        with self._lock:
            return [self.every[name] for name in sorted(self.every) if self._is_awake(name, command)]

    def signal(self, stage: Stage, number: int) -> None:
        """Send a signal to the process, if it is there."""
        with self._lock:
            if stage.process is not None and stage.process.poll() is None:
                stage.process.send_signal(number)

    def freeze(self, stage: Stage) -> None:
        """Have it do nothing, with all its connections open."""
        with self._lock:
            stage.is_frozen = True
            self.signal(stage, signal.SIGSTOP)

    def thaw(self, stage: Stage) -> None:
        """Have it go on."""
        with self._lock:
            stage.is_frozen = False
            self.signal(stage, signal.SIGCONT)

    def leave(self, stage: Stage) -> None:
        """Ask it to stop, for good."""
        with self._lock:
            stage.is_wanted = False
            self.thaw(stage)
            self.signal(stage, signal.SIGTERM)

    def end(self) -> list[str]:
        """Ask all to stop, and begin none again; who did not stop well, in words."""
        self._must_end.set()
        self._thread.join()
        with self._lock:
            for stage in self.every.values():
                self.leave(stage)
            ending = [(stage.name, stage.process) for stage in self.every.values() if stage.process is not None]
        wrong = []
        give_up_at = time.monotonic() + STOP_SECONDS
        for name, process in ending:
            try:
                code = process.wait(max(0.1, give_up_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGUSR1)  # its stacks come into its log
                wrong.append(f"{name} did not stop within {STOP_SECONDS:.0f} s of SIGTERM")
                continue
            if code not in GOOD_ENDS:
                wrong.append(f"{name}, asked to stop, ended with {code}")
        return wrong

    def tell_stacks(self) -> None:
        """Have all of them write into their logs what they are doing."""
        for stage in self.every.values():
            self.signal(stage, signal.SIGUSR1)
        time.sleep(PAUSE_SECONDS)

    def close(self) -> None:
        """Leave no process behind."""
        self._must_end.set()
        if self._thread.is_alive():
            self._thread.join()
        for stage in self.every.values():
            if stage.process is not None and stage.process.poll() is None:
                stage.process.kill()
                stage.process.wait()
        os.close(self._reading)
        os.close(self._writing)

    def run(self, *arguments: str) -> str:
        """Run a command to its end in the deployment's folder; what it said. Raises AssertionError where it fails."""
        done = ended(*self._command(*arguments), cwd=ROOT, timeout=COMMAND_SECONDS)
        if done.returncode:
            raise AssertionError(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return str(done.stdout)

    def restarts(self) -> int:
        """How often a process was begun again."""
        return sum(max(0, stage.starts - 1) for stage in self.every.values())

    def fenced(self) -> int:
        """How often a process was told that another one has its place."""
        logs = [stage.log.read_text(errors="replace") for stage in self.every.values() if stage.log.exists()]
        return sum(len(_FENCED.findall(log)) for log in logs)

    def tracebacks(self) -> list[str]:
        """The last line of every traceback in the logs, with the name of its process."""
        found = []
        for name, stage in sorted(self.every.items()):
            lines = stage.log.read_text(errors="replace").splitlines() if stage.log.exists() else []
            for at, line in enumerate(lines):
                if line.startswith("Traceback"):
                    rest = (later for later in lines[at + 1 :] if later and not later.startswith(" "))
                    found.append(f"{name}: {next(rest, 'cut off')}")
        return found

    def take_overs(self) -> list[TookOver]:
        """What the scoring workers said of their partitions, in order of time."""
        found = []
        for stage in self.every.values():
            if stage.command != "score" or not stage.log.exists():
                continue
            for line in stage.log.read_text(errors="replace").splitlines():
                match = _SCORING.search(line)
                if match:
                    numbers = frozenset(int(number) for number in match[3].split(", "))
                    found.append(TookOver(self.orders.machine_seconds(parse_instant(match[1])), match[2], numbers))
        return sorted(found, key=lambda one: one.at)

    def _is_awake(self, name: str, command: str) -> bool:
        return self.every[name].command == command and self.every[name].can_be_struck

    def _supervise(self) -> None:
        while not self._must_end.wait(LOOK_SECONDS):
            with self._lock:
                for stage in self.every.values():
                    self._tend(stage)

    def _tend(self, stage: Stage) -> None:
        now = time.monotonic()
        if stage.process is not None and stage.process.poll() is not None:
            stage.ends.append(stage.process.returncode)
            if stage.process.returncode > 0:
                lines = stage.log.read_text(errors="replace").splitlines()
                self.last_words.append(
                    f"{stage.name} ended with {stage.process.returncode}: {lines[-1] if lines else ''}"
                )
            stage.process, stage.is_frozen, stage.restart_at = None, False, now + PAUSE_SECONDS
        if stage.process is None and stage.is_wanted and now >= stage.restart_at:
            stage.starts += 1
            with stage.log.open("ab") as log:
                stage.process = subprocess.Popen(
                    self._command(stage.command, "--instance", stage.name),
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=(self._reading,),
                    process_group=0,
                    env={**os.environ, SUPERVISED: str(self._reading)},
                )

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tests.chaos.stage", str(self._told), "-C", str(self._folder), *arguments]
