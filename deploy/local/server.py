"""A Java server as a child that can be killed, paused and started again, and that never outlives whoever started it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

LOOPBACK = "127.0.0.1"

START_SECONDS = 90.0
STOP_SECONDS = 30.0
END_SECONDS = 10.0  # of a process that was sent SIGKILL
PAUSE_SECONDS = 0.05
ANSWER_SECONDS = 2.0
LAST_LINES = 20
MAX_LOG_BYTES = 10_000_000

# Below the ports that systems lend to outgoing connections (32768 and up; 49152 on macOS): a client that keeps dialling
# a dead server's port would sooner or later be lent that very port, be connected to itself, and keep the server out.
FIRST_PORT = 20_000
LAST_PORT = 29_999

# A group of its own, so that Ctrl-C reaches whoever started it, who then stops things in order. The server waits for a
# word on its standard input, which comes only when the watcher is there: no instant is left at which the one who starts
# it can die and leave it behind.
_STARTER = 'read -r word && exec "$@"'
# Its input is a pipe that only the starting process holds. It ends when that process does, however it died and on any
# Unix; Linux's PR_SET_PDEATHSIG would also fire when a mere thread ended, and macOS has none.
_WATCHER = 'read -r word; kill -KILL "$1"'


class ServerError(Exception):
    """A local server does not start, answer or end as it should; the message ends with its last log lines."""


class LocalServer(ABC):
    """One Java server on 127.0.0.1, with its data in `folder`.

    `port` 0 takes a free one, once: a server that was killed starts again on the same port with the same data. Not for
    use by several threads at once. A process that was forked off without an exec keeps the server alive.
    """

    def __init__(self, folder: Path, *, name: str, port: int) -> None:
        self.folder = folder.resolve()
        self.name = name
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """The file with what the server says."""
        return self.folder / f"{self.name}.log"

    @property
    def running(self) -> bool:
        """Whether its process is there, paused or not."""
        if self._process is None:
            return False
        if self._process.poll() is None:
            return True
        self._forget()
        return False

    @property
    def pid(self) -> int:
        """The process id. Raises ServerError if it does not run."""
        return self._held().pid

    def start(self) -> None:
        """Starts it and waits until it answers.

        Raises ServerError if it ends or stays silent for START_SECONDS; ArtifactError if Java or the jars are missing.
        """
        if self.running:
            raise ServerError(f"{self.name} runs already, with process id {self.pid}. Stop it first.")
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.port == 0:
            (self.port,) = free_ports(1)
        self._prepare()
        self._refuse_taken_port()
        if self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        command = self._command()
        try:
            self._launch(command)
            self._await_answer()
        except BaseException:
            self._abandon()
            raise

    def stop(self) -> None:
        """Ends it as its operator would (SIGTERM), waking it first if it is paused; does nothing if it does not run.

        Raises ServerError if it had to be killed after STOP_SECONDS.
        """
        if not self.running:
            return
        process = self._held()
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as late:
            self.kill()
            raise ServerError(
                f"{self.name} did not end within {STOP_SECONDS:.0f} s and was killed.{self._told()}"
            ) from late
        self._forget()

    def kill(self) -> None:
        """Ends it on the spot (SIGKILL). Raises ServerError if it does not run."""
        process = self._held()
        process.kill()
        process.wait(END_SECONDS)
        self._forget()

    def suspend(self) -> None:
        """Pauses it (SIGSTOP): connections stay open and nothing answers. Raises ServerError if it does not run."""
        self._held().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a paused one go on (SIGCONT); harmless if it was not. Raises ServerError if it does not run."""
        self._held().send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @abstractmethod
    def _prepare(self) -> None:
        """Makes what the server needs in its folder; called before every start."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """The command that becomes the server, in the foreground."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it serves requests already; within ANSWER_SECONDS."""

    def _abandon(self) -> None:
        if self.running:
            self.kill()

    def _held(self) -> subprocess.Popen[bytes]:
        if not self.running or self._process is None:
            raise ServerError(f"{self.name} does not run. Start it first.{self._told()}")
        return self._process

    def _launch(self, command: Sequence[str]) -> None:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _STARTER, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                process_group=0,
            )
        self._process = process
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHER, "sh", str(process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            process_group=0,
        )
        if process.stdin is None:
            raise AssertionError("the server was started without a standard input")
        process.stdin.write(b"go\n")
        process.stdin.close()

    def _await_answer(self) -> None:
        until = time.monotonic() + START_SECONDS
        pause = threading.Event()
        while not self._answers():
            if not self.running:
                raise ServerError(f"{self.name} ended while starting.{self._told()}")
            if time.monotonic() >= until:
                raise ServerError(f"{self.name} did not answer within {START_SECONDS:.0f} s.{self._told()}")
            pause.wait(PAUSE_SECONDS)

    def _forget(self) -> None:
        """Ends the watcher before its process id can mean another process."""
        watcher, self._watcher, self._process = self._watcher, None, None
        if watcher is not None:
            watcher.kill()
            watcher.wait(END_SECONDS)
            if watcher.stdin is not None:
                watcher.stdin.close()

    def _refuse_taken_port(self) -> None:
        if not is_free(self.port):
            raise ServerError(f"Port {self.port} is taken, so {self.name} cannot listen there. Choose another one.")

    def _told(self) -> str:
        if not self.log.exists():
            return ""
        size = self.log.stat().st_size
        with self.log.open("rb") as file:
            file.seek(max(0, size - 20_000))
            lines = file.read().decode("utf-8", "replace").splitlines()
        return f" The last lines of {self.log}:\n" + "\n".join(lines[-LAST_LINES:])


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of 127.0.0.1; connections that are dying away do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> tuple[int, ...]:
    """`count` different free ports of 127.0.0.1. Raises ServerError if there are not so many."""
    room = LAST_PORT - FIRST_PORT + 1
    found: list[int] = []
    # Processes that start at once look at different places first.
    begin = os.getpid() * 37
    for step in range(room):
        port = FIRST_PORT + (begin + step) % room
        if is_free(port):
            found.append(port)
        if len(found) == count:
            return tuple(found)
    raise ServerError(f"There are no {count} free ports from {FIRST_PORT} to {LAST_PORT} on {LOOPBACK}. Free some.")
