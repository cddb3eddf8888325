"""Kills the real commands with SIGKILL, again and again, and compares what they leave with an undisturbed run.

    python -m tests.crash --kills 200 --seed 1      about 200 kills: half at counted calls of the ports, half at random
    python -m tests.crash --kills 200 --seed 1 --only 17     the 17th row of kills of that run again, its folder kept

Ends with 1 if anything was lost, doubled or left behind.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.crash.follow_scene import build_follow_scene
from tests.crash.kills import RANDOM, plan
from tests.crash.processes import PROC
from tests.crash.scenes import COMMANDS, FOLLOW, Scene, build_scene
from tests.crash.trials import Died, Runner
from tests.crash.victim import KINDS, MAIN
from tests.faults.__main__ import commit

SCENE_SEED = 1  # the inputs are the same in every run: the seed chooses the kills
CHILD = "child"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, kill, print the table; 1 if something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--kills", type=int, default=12, help="how many, about: a kill that needs another first adds it"
    )
    parser.add_argument("--seed", default=None, help="a text that chooses them (default: the commit)")
    parser.add_argument("--only", type=int, default=None, help="replay this row of kills alone (they count from 1)")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=COMMANDS, help="which commands to kill")
    given = parser.parse_args(arguments)
    seed = given.seed or commit() or "1"
    say(f"seed {seed}, {given.kills} kills")
    if not PROC.is_dir():
        say("this system has no /proc: whether processes outlive the one that started them is not looked at")
    with tempfile.TemporaryDirectory(prefix="tallybook-crash-") as scratch:
        return run(Path(scratch), given.kills, seed, given.only, given.commands)


def run(scratch: Path, kills: int, seed: str, only: int | None, commands: Sequence[str]) -> int:
    """Build the scenes, run the trials, print what was found."""
    scenes: dict[str, Scene] = {}
    for command in commands:
        (scratch / command).mkdir()
        here = scratch / command
        scenes[command] = (
            build_follow_scene(here, SCENE_SEED) if command == FOLLOW else build_scene(command, here, SCENE_SEED)
        )
    trials = plan(kills, Random(seed), {command: scene.calls for command, scene in scenes.items()})
    runner, died, wrong = Runner(scratch, scenes), [], 0
    for number, trial in enumerate(trials, 1):
        if only not in {None, number}:
            continue
        found = runner.run(trial, Random(f"{seed}/{number}"))
        died += [(trial.command, each) for each in found.died]
        wrong += bool(found.wrong)
        say(f"{number:>4} of {len(trials)}  {'WRONG' if found.wrong else 'well '}  {trial}")
        for line in found.wrong:
            say(f"      {line}")
        if found.wrong:
            say(f"      again: python -m tests.crash --kills {kills} --seed {seed} --only {number}")
    for line in table(died):
        say(line)
    ran = len(trials) if only is None else 1
    say(
        f"{len(died)} kills in {ran} rows: after {ran - wrong} of them everything was as undisturbed, after {wrong} not"
    )
    return 1 if wrong or not ran else 0


def table(died: Sequence[tuple[str, Died]]) -> list[str]:
    """Where the kills fell: a line for each kind of call, a column for each command."""
    counts = Counter((_row(each), command) for command, each in died)
    commands = [command for command in COMMANDS if any(command == key[1] for key in counts)]
    lines = [f"{'killed at':<22}" + "".join(f"{command:>12}" for command in commands) + f"{'all':>12}"]
    for row in (*KINDS, f"{RANDOM}, {MAIN}", f"{RANDOM}, {CHILD}"):
        numbers = [counts[row, command] for command in commands]
        lines.append(f"{row:<22}" + "".join(f"{number:>12}" for number in (*numbers, sum(numbers))))
    return lines


def _row(died: Died) -> str:
    if died.kill.kind != RANDOM:
        return died.kill.kind
    return f"{RANDOM}, {MAIN if died.role == MAIN else CHILD}"


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
