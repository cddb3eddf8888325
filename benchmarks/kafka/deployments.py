"""A deployment of our own for a benchmark, made by the commands that a user would give, and its processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.kafka.purchases import delete_topics

ROOT: Final = Path(__file__).resolve().parent.parent.parent
TALLYBOOK: Final = (sys.executable, "-c", "from tallybook.cli.main import main; main()")
PROGRAMMES: Final = {"coffee-chain": "2026.1.yaml", "online-shop": "2026.1.yaml"}
DEFAULT_PROGRAMME: Final = "coffee-chain"
# The benchmark's purchases are of a past year, and nothing of them may be too old.
HORIZON_DAYS: Final = 1_500
COMMAND_SECONDS: Final = 1_200.0
STOP_SECONDS: Final = 30.0
MAX_SAID_SHOWN: Final = 3_000


class Deployment(NamedTuple):
    """A deployment: its folder, its name (which all its topics begin with) and its brokers."""

    root: Path
    name: str
    bootstrap: str

    @property
    def purchases(self) -> str:
        """The topic of its purchases."""
        return f"{self.name}.facts.purchases"


def tallybook(folder: Path, *words: str) -> str:
    """What a command prints.

    Raises:
        RuntimeError: it ended with another code than 0; the message holds what it said.
    """
    done = subprocess.run(
        [*TALLYBOOK, "-C", str(folder), *words],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        said = (done.stdout + done.stderr)[-MAX_SAID_SHOWN:]
        raise RuntimeError(f"tallybook {' '.join(words)} ended with {done.returncode}:\n{said}")
    return done.stdout


def environment() -> dict[str, str]:
    """This process's environment without what would go over the deployment's own settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TALLYBOOK_")}


@contextmanager
def deployed(
    bootstrap: str, root: Path, name: str, partitions: int, programme: str = DEFAULT_PROGRAMME
) -> Iterator[Deployment]:
    """A new deployment with its topics, its books opened and a shipped programme's rules published.

    When the body ends, its topics are deleted.

    Raises:
        RuntimeError: a command failed.
    """
    root.mkdir(parents=True)
    try:
        create = ["--bootstrap", bootstrap, "--deployment", name, "--programme", programme]
        counts = ["--partitions", str(partitions), "--fact-partitions", str(partitions)]
        tallybook(root, "topics", "create", *create, *counts, "--horizon", str(HORIZON_DAYS))
        tallybook(root, "rules", "publish", str(root / "rulesets" / programme / PROGRAMMES[programme]))
        yield Deployment(root, name, bootstrap)
    finally:
        delete_topics(bootstrap, f"{name}.")


@contextmanager
def running(deployment: Deployment, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A command that runs while the body does, and the file that takes what it says; then it is asked to stop."""
    log = deployment.root / f"{'-'.join(word for word in words if word[0] != '-')}.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*TALLYBOOK, "-C", str(deployment.root), *words],
            cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
        try:
            yield process, log
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
