"""Runs the long tests, each with its seeds, counts and processes given in the same way.

    python -m tests.run COMMAND [--seed S] [--count N] [--processes N] [--seconds S]     `--help` says which it has

Ends with 1 if something is wrong, and prints the command that shows the same again.
"""

import argparse
import dataclasses
import importlib
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import SystemRandom
from typing import Final, NamedTuple

from tests.run.given import Given, say
from tests.run.seeds import run_seeds

ROOT: Final = Path(__file__).resolve().parents[2]


class Command(NamedTuple):
    """What a command does, and its options with their defaults.

    `module` has a SEEDED, whose seeds are numbers, or else a function `run` that takes what was given and gives what is
    wrong. A `seed` that is empty is the commit, or for what is never done twice alike another number each time.
    """

    module: str
    does: str
    options: dict[str, object]
    is_seeded: bool = False


COMMANDS: Final = {
    "histories": Command(
        "tests.property.histories",
        "tell COUNT random histories to the decider and to the reference ledger, which must agree",
        {"seed": "1", "count": 1_000, "processes": 1, "brief": False},
        is_seeded=True,
    ),
    "rescore": Command(
        "tests.property.two_worlds",
        "re-score COUNT random histories by random drafts: as two whole runs, and as the reference ledger",
        {"seed": "1", "count": 1_000, "processes": 1, "brief": False},
        is_seeded=True,
    ),
    "late": Command(
        "tests.property.late_facts",
        "decide the late facts of COUNT random histories in order: as the reference ledger decides the sorted facts",
        {"seed": "1", "count": 1_000, "processes": 1, "brief": False},
        is_seeded=True,
    ),
    "exports": Command(
        "tests.exports.run",
        "import COUNT exports of known orders, in every dialect and cut at random: the same ledger each time",
        {"seed": "1", "count": 1_000, "processes": 1, "brief": False},
        is_seeded=True,
    ),
    "simulate": Command(
        "tests.simulation.run",
        "run the intake, scoring and projection of a folder COUNT times, with all going wrong that can",
        {"seed": "0", "count": 1_000, "processes": 1, "brief": False},
        is_seeded=True,
    ),
    "streams": Command(
        "tests.stream_simulation.run",
        "run COUNT whole deployments on a Kafka in memory, with processes that die and come back",
        {"seed": "1", "count": 1_000, "processes": 1, "brief": False},
        is_seeded=True,
    ),
    "fuzz": Command(
        "tests.fuzz.door",
        "throw spoilt input at the door COUNT times (0: for SECONDS); all of it gets a typed outcome",
        {"seed": "", "count": 0, "processes": 1, "seconds": 60.0},
        is_seeded=True,
    ),
    "faults": Command(
        "tests.faults.run",
        "put known faults into copies of the code; each must be caught. SEED draws COUNT of them (0: all)",
        {"seed": "", "count": 0, "processes": 1, "only": ("decider", "plumbing", "streaming", "rescoring")},
    ),
    "crash": Command(
        "tests.crash.run",
        "kill the real commands with SIGKILL about COUNT times; what they leave must be as if undisturbed",
        {
            "seed": "",
            "count": 12,
            "processes": 1,
            "only": ("import", "workers", "run", "projection", "rescore", "follow"),
        },
    ),
    "chaos": Command(
        "tests.chaos.run",
        "strike a deployment on a real Kafka COUNT times (or for SECONDS): nothing lost, nothing doubled",
        {"seed": "", "count": 6, "seconds": 0.0, "only": "a kind of blow"},
    ),
    "outages": Command(
        "tests.integration.outages",
        "take Kafka and ClickHouse away from a deployment for SECONDS each; it must recover without a hand",
        {"seconds": 60.0},
    ),
}
WORDS: Final = {
    "seed": "decides what happens",
    "count": "how many",
    "processes": "how many are under way at a time",
    "seconds": "for how long",
    "brief": "print no table, and of a broken law the seed alone",
    "only": "leave out all but these",
}


def read(arguments: Sequence[str] | None = None) -> Given:
    """What is given on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.run", description=(__doc__ or "").splitlines()[0])
    below = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        each = below.add_parser(name, help=command.does, description=f"{command.does[0].upper()}{command.does[1:]}.")
        for option, default in command.options.items():
            _add_option(each, option, default)
    given = vars(parser.parse_args(arguments))
    return Given(**given | {"only": tuple(given.get("only", ()))})


def _add_option(parser: argparse.ArgumentParser, option: str, default: object) -> None:
    words = WORDS[option]
    if option == "brief":
        parser.add_argument("--brief", action="store_true", help=words)
    elif option == "only":
        choices = default if isinstance(default, tuple) else None
        parser.add_argument("--only", nargs="+", choices=choices, default=(), help=words)
    else:
        words += " (default: %(default)s)" if default != "" else " (default: another each time, or with each commit)"
        parser.add_argument(f"--{option}", type=type(default), default=default, help=words)


def commit() -> str:
    """The commit that is checked out; empty outside of a repository."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and say how it ended; 1 if something is wrong."""
    given = read(arguments)
    command = COMMANDS[given.command]
    if not given.seed:
        another = str(SystemRandom().randrange(10**9)) if command.is_seeded else commit() or "1"
        given = dataclasses.replace(given, seed=another)
    if "seed" in command.options:
        say(f"seed {given.seed}")
    began = time.monotonic()
    if command.is_seeded:
        wrong = run_seeds(command.module, given)
    else:
        wrong = importlib.import_module(command.module).run(given)
    for line in wrong:
        say(f"WRONG  {line}")
    verdict = "something is WRONG, see above" if wrong else "nothing is wrong"
    say(f"{given.command}: {verdict} ({time.monotonic() - began:.0f} s)")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
