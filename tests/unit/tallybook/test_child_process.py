"""A child process ends with its pipe, is killed if it does not, and is restarted after pauses that grow."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection

import pytest

from tallybook.child_process import SUPERVISED, BackOff, Child, lifeline

SUPERVISED_PROGRAM = """
import time
from tallybook.child_process import stop_with_parent
stop_with_parent()
print("ready", flush=True)
time.sleep(60)
"""


def echo(connection: Connection, greeting: str) -> None:
    """Send a greeting and whatever comes back, until the pipe closes."""
    connection.send_bytes(greeting.encode())
    while True:
        try:
            connection.send_bytes(connection.recv_bytes())
        except EOFError:
            return


def stay(connection: Connection) -> None:
    """Hear nothing."""
    connection.send_bytes(b"ready")
    time.sleep(60)


def test_a_child_ends_when_its_pipe_closes_and_ignores_what_its_parent_answers() -> None:
    child = Child("echo", echo, "hello")
    assert child.connection.recv_bytes() == b"hello"
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(child.pid or 0, number)
    child.connection.send_bytes(b"still there")
    assert child.connection.recv_bytes() == b"still there"
    child.stop(30)
    assert (child.is_alive, child.wait(0)) == (False, 0)


def test_a_child_that_does_not_end_is_killed() -> None:
    child = Child("stay", stay)
    assert child.connection.recv_bytes() == b"ready"
    child.stop(0.1)
    assert (child.is_alive, child.wait(0)) == (False, -signal.SIGKILL)


def test_a_supervised_process_is_asked_to_stop_when_its_lifeline_ends() -> None:
    with lifeline() as descriptor:
        process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISED_PROGRAM],
            stdout=subprocess.PIPE,
            pass_fds=(descriptor,),
            env={**os.environ, SUPERVISED: str(descriptor)},
        )
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.readline() == b"ready\n"
            assert process.poll() is None
    assert process.wait(30) == -signal.SIGTERM


@pytest.mark.parametrize(
    ("back_off", "runs", "pauses"),
    [
        (BackOff(2.0), [0, 0, 0, 0, 0], [2, 4, 8, 16, 32]),
        (BackOff(0.5, 3.0, 60.0), [1, 1, 1, 1, 1], [0.5, 1, 2, 3, 3]),
        (BackOff(0.5, 3.0, 60.0), [1, 1, 61, 1], [0.5, 1, 0.5, 1]),
    ],
)
def test_pauses_grow_and_are_short_again_after_a_steady_run(
    back_off: BackOff, runs: list[float], pauses: list[float]
) -> None:
    assert [back_off.pause_after(ran) for ran in runs] == pauses
