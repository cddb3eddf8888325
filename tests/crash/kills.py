"""Chooses where victims die: at every kind of call about as often, at first and last calls, at moments of chance."""

from collections.abc import Sequence
from random import Random
from typing import Final

import msgspec

from tests.crash.victim import KINDS, MAIN

RANDOM: Final = "random"
MAX_IN_A_ROW: Final = 3
# These come to pass only where something is mended: before them a first process has to die in the midst of a round.
MENDING: Final = {"truncate": ("append", "half"), "remove": ("rename", "before")}
WHENS: Final = ("before", "half", "after")


class Kill(msgspec.Struct, frozen=True):
    """One death: at call `nth` of `kind` in the process called `role`, or (RANDOM) at a part of the usual time.

    `part` says where in an undisturbed run this is, from 0 to 1. A kill at random with `child` strikes one of the
    processes that the command has started, if there are any by then.
    """

    kind: str
    part: float
    role: str = MAIN
    nth: int = 0
    when: str = "before"
    child: bool = False

    def __str__(self) -> str:
        if self.kind == RANDOM:
            return f"{RANDOM} {self.part:.2f}{' of a child' if self.child else ''}"
        role = "" if self.role == MAIN else f" of {self.role}"
        return f"{self.when} {self.kind} {self.nth}{role}"


class Trial(msgspec.Struct, frozen=True):
    """Deaths of one command, one after the other on the same folder, before it may come to its end."""

    command: str
    kills: tuple[Kill, ...]

    def __str__(self) -> str:
        return f"{self.command}: {', then '.join(map(str, self.kills))}"


Calls = dict[str, dict[str, list[str]]]
"""The calls of an undisturbed run, in order, by command and role."""


def plan(number: int, rng: Random, calls: Calls) -> list[Trial]:
    """At least `number` deaths: half at counted calls, of every kind about as many, half at moments of chance."""
    commands = list(calls)
    possible = [kind for kind in KINDS if any(_has(MENDING.get(kind, (kind,))[0], calls[command]) for command in calls)]
    counted = _kinds(number // 2, possible, rng)
    trials = [_mending(kind, rng, calls) for kind in counted if kind in MENDING]
    # The death that goes before one of these is one at a counted call too.
    kinds = [kind for kind in counted if kind not in MENDING]
    for trial in trials:
        if trial.kills[0].kind in kinds:
            kinds.remove(trial.kills[0].kind)
    chosen: dict[str, list[Kill]] = {command: [] for command in commands}
    for kind in kinds:
        command = rng.choice([command for command in commands if _has(kind, calls[command])])
        chosen[command].append(_counted(kind, rng, calls[command]))
    for turn in range(number - number // 2):
        chosen[commands[turn % len(commands)]].append(Kill(RANDOM, rng.random(), child=rng.random() < 0.5))
    for command in commands:
        trials += _in_rows(command, chosen[command], rng)
    rng.shuffle(trials)
    return trials


def _kinds(number: int, possible: Sequence[str], rng: Random) -> list[str]:
    kinds: list[str] = []
    while len(kinds) < number:
        kinds += rng.sample(possible, len(possible))
    return kinds[:number]


def _has(kind: str, roles: dict[str, list[str]]) -> bool:
    return any(kind in lines for lines in roles.values())


def _counted(kind: str, rng: Random, roles: dict[str, list[str]], before: str = "", when: str = "") -> Kill:
    """One of the calls of a kind; with `before` one that comes before the first call of that kind."""
    places = []
    for role, lines in roles.items():
        end = lines.index(before) if before in lines else len(lines)
        at = [place for place, line in enumerate(lines[:end]) if line == kind]
        places += [(role, nth, place / len(lines)) for nth, place in enumerate(at, 1)]
    # The first and the last call are where programs are wrong, so they are chosen more often than the others.
    ends = [places[0], places[-1]]
    role, nth, part = rng.choice(ends if rng.random() < 0.25 else places)
    return Kill(kind, part, role, nth, when or rng.choice(WHENS))


def _mending(kind: str, rng: Random, calls: Calls) -> Trial:
    """A death that leaves something to be mended, and one while it is mended."""
    first, when = MENDING[kind]
    command = rng.choice([command for command, roles in calls.items() if _has(first, roles)])
    # Of the books only what comes before the first snapshot is unfinished; of a snapshot, what is not yet renamed.
    before = "" if first == "rename" else "rename"
    kill = _counted(first, rng, calls[command], before, when)
    role = kill.role if first == "rename" else MAIN  # whoever left a snapshot unfinished; the holder of the lock cuts
    return Trial(command, (kill, Kill(kind, kill.part, role, 1, rng.choice(("before", "after")))))


def _in_rows(command: str, kills: Sequence[Kill], rng: Random) -> list[Trial]:
    """One to three deaths in a row, the later ones further on: what was reached once is not done again."""
    shuffled = rng.sample(kills, len(kills))
    trials = []
    while shuffled:
        row = [shuffled.pop() for _ in range(min(rng.randint(1, MAX_IN_A_ROW), len(shuffled)))]
        trials.append(Trial(command, tuple(sorted(row, key=lambda kill: kill.part))))
    return trials
