"""Kills the real commands with SIGKILL, again and again, and compares what they leave with an undisturbed run.

Half of the kills fall at counted calls of the ports, half at random.
"""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.crash.follow_scene import build_follow_scene
from tests.crash.kills import RANDOM, Trial, plan
from tests.crash.processes import PROC
from tests.crash.scenes import COMMANDS, FOLLOW, Scene, build_scene
from tests.crash.trials import Died, Found, Runner
from tests.crash.victim import KINDS, MAIN
from tests.run.given import Given, say
from tests.run.seeds import over_threads

SCENE_SEED = 1  # the inputs are the same in every run: the seed chooses the kills
CHILD = "child"
FEW_KILLS = 24  # too few to be worth an undisturbed run of every command
SOME = 3


def run(given: Given) -> list[str]:
    """Build the scenes, run the trials, print where the kills fell; what was lost, doubled or left behind."""
    commands = given.only or (Random(given.seed).sample(COMMANDS, SOME) if given.count <= FEW_KILLS else COMMANDS)
    if not PROC.is_dir():
        say("this system has no /proc: whether processes outlive the one that started them is not looked at")
    with tempfile.TemporaryDirectory(prefix="tallybook-crash-") as scratch:
        return _run(given, commands, Path(scratch))


def _run(given: Given, commands: Sequence[str], scratch: Path) -> list[str]:
    scenes = {command: _scene(command, scratch / command) for command in commands}
    trials = plan(given.count, Random(given.seed), {command: scene.calls for command, scene in scenes.items()})
    runner = Runner(scratch, scenes)
    died: list[tuple[str, Died]] = []
    wrong = []

    def run_row(row: tuple[int, Trial]) -> Found:
        return runner.run(*row, Random(f"{given.seed}/{row[0]}"))

    for (number, trial), found in over_threads(run_row, enumerate(trials, 1), given.processes):
        died += [(trial.command, each) for each in found.died]
        missed = "".join(f"; nothing was left for {kill}" for kill in found.missed)
        say(f"{number:>4} of {len(trials)}  {'WRONG' if found.wrong else 'well '}  {trial}{missed}")
        wrong += [f"row {number}: {line}" for line in found.wrong]
    for line in table(died):
        say(line)
    say(f"{len(died)} kills in {len(trials)} rows")
    return [*wrong, given.again()] if wrong else [] if trials else ["nothing was killed"]


def _scene(command: str, here: Path) -> Scene:
    here.mkdir()
    return build_follow_scene(here, SCENE_SEED) if command == FOLLOW else build_scene(command, here, SCENE_SEED)


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
