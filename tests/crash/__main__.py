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
from concurrent.futures import ThreadPoolExecutor
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
FEW_KILLS = 24  # too few to be worth an undisturbed run of every command
SOME = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, kill, print the table; 1 if something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--kills", type=int, default=12, help="how many, about: a kill that needs another first adds it"
    )
    parser.add_argument("--seed", default=None, help="a text that chooses them (default: the commit)")
    parser.add_argument("--only", type=int, default=None, help="replay this row of kills alone (they count from 1)")
    parser.add_argument(
        "--commands", nargs="+", choices=COMMANDS, help="which commands to kill (default: all; of few kills some)"
    )
    parser.add_argument("--processes", type=int, default=1, help="how many rows of kills are under way at a time")
    given = parser.parse_args(arguments)
    seed = given.seed or commit() or "1"
    commands = given.commands or (Random(seed).sample(COMMANDS, SOME) if given.kills <= FEW_KILLS else COMMANDS)
    say(f"seed {seed}, {given.kills} kills")
    if not PROC.is_dir():
        say("this system has no /proc: whether processes outlive the one that started them is not looked at")
    with tempfile.TemporaryDirectory(prefix="tallybook-crash-") as scratch:
        return run(Path(scratch), given.kills, seed, given.only, commands, at_a_time=given.processes)


def run(scratch: Path, kills: int, seed: str, only: int | None, commands: Sequence[str], *, at_a_time: int) -> int:
    """Build the scenes, run the trials, print what was found."""
    scenes: dict[str, Scene] = {}
    for command in commands:
        (scratch / command).mkdir()
        here = scratch / command
        scenes[command] = (
            build_follow_scene(here, SCENE_SEED) if command == FOLLOW else build_scene(command, here, SCENE_SEED)
        )
    trials = plan(kills, Random(seed), {command: scene.calls for command, scene in scenes.items()})
    rows = [(number, trial) for number, trial in enumerate(trials, 1) if only in {None, number}]
    runner = Runner(scratch, scenes)
    died: list[tuple[str, Died]] = []
    ran = wrong = 0
    with ThreadPoolExecutor(at_a_time) as pool:
        results = [pool.submit(runner.run, number, trial, Random(f"{seed}/{number}")) for number, trial in rows]
        try:
            for (number, trial), result in zip(rows, results, strict=True):
                found = result.result()
                died += [(trial.command, each) for each in found.died]
                ran, wrong = ran + 1, wrong + bool(found.wrong)
                missed = "".join(f"; nothing was left for {kill}" for kill in found.missed)
                say(f"{number:>4} of {len(trials)}  {'WRONG' if found.wrong else 'well '}  {trial}{missed}")
                again = [f"again: python -m tests.crash --kills {kills} --seed {seed} --only {number}"]
                for line in (*found.wrong, *again) if found.wrong else ():
                    say(f"      {line}")
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            say("stopped before the end")
    for line in table(died):
        say(line)
    well = ran - wrong
    say(f"{len(died)} kills in {ran} rows: after {well} of them everything was as undisturbed, after {wrong} not")
    return 1 if wrong or ran < len(rows) or not rows else 0


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
