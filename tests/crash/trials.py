"""Lets a command die as planned and then come to its end, and says what is wrong with what it leaves."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from random import Random

import msgspec

from books.errors import BooksError
from tests.crash.kills import MENDING, RANDOM, Kill, Trial
from tests.crash.processes import Ended, run_victim
from tests.crash.scenes import GOOD_ENDS, Scene, differences, left_in
from tests.crash.victim import MAIN, Orders
from tests.small_imports import NOW

MAX_TRIES = 6


class Died(msgspec.Struct, frozen=True):
    """A kill that struck: where it was to, and the process that it struck."""

    kill: Kill
    role: str


class Found(msgspec.Struct):
    """What became of a trial: the kills that struck, what is wrong (nothing, if all is well), and the seconds."""

    died: list[Died] = []
    wrong: list[str] = []


class Runner:
    """Runs trials in folders of its own below `scratch`."""

    def __init__(self, scratch: Path, scenes: dict[str, Scene]) -> None:
        self._scratch = scratch
        self._scenes = scenes
        self._runs = 0

    def run(self, trial: Trial, rng: Random) -> Found:
        """Let a command die as often as planned, then run it once more and compare."""
        scene, found = self._scenes[trial.command], Found([], [])
        folder = self._copy(scene)
        for place, kill in enumerate(trial.kills):
            if not self._kill(scene, folder, kill, rng, found):
                # The command came to its end before: so this one strikes alone, where it certainly comes to pass.
                folder = self._copy(scene)
                alone = trial.kills[:place] if kill.kind in MENDING else ()
                if not all(self._kill(scene, folder, each, rng, found) for each in (*alone, kill)):
                    found.wrong.append(f"never came to {kill}")
        answers = self._scratch / f"{self._runs}.answers"
        ended = self._victim(scene, folder, Orders(self._trace(), answers=str(answers), now=NOW))
        found.wrong += _strange(ended)
        if ended.code not in GOOD_ENDS:
            found.wrong.append(f"after it, the command ended with {ended.code}:\n{ended.said}")
        else:
            found.wrong += _compared(folder, answers, scene)
        shutil.rmtree(folder)
        return found

    def _kill(self, scene: Scene, folder: Path, kill: Kill, rng: Random, found: Found) -> bool:
        """Whether a process died as it was to; what is strange about the others' end is noted."""
        part = kill.part
        for _ in range(MAX_TRIES):
            if kill.kind == RANDOM:
                ended = self._victim(
                    scene, folder, Orders(self._trace(), now=NOW), part * scene.seconds, rng if kill.child else None
                )
                role = ended.killed
                part /= 2
            else:
                orders = Orders(self._trace(), kill.kind, kill.nth, kill.when, kill.role, now=NOW)
                ended = self._victim(scene, folder, orders)
                role = kill.role if self._has_died(orders) else ""
            found.wrong += _strange(ended)
            if role:
                found.died.append(Died(kill, role))
                if role == MAIN and ended.code != -signal.SIGKILL:
                    found.wrong.append(f"killed, it ended with {ended.code}")
                return True
            if ended.code not in GOOD_ENDS:
                found.wrong.append(f"not killed, it ended with {ended.code}:\n{ended.said}")
                return True
            if kill.kind != RANDOM:
                return False
            shutil.rmtree(folder)  # it was quicker than last time: again from the beginning, and sooner
            shutil.copytree(scene.folder, folder)
        return False

    def _has_died(self, orders: Orders) -> bool:
        return any("\ndied" in file.read_text() for file in Path(orders.trace).iterdir())

    def _victim(
        self,
        scene: Scene,
        folder: Path,
        orders: Orders,
        kill_after_seconds: float | None = None,
        kill_child: Random | None = None,
    ) -> Ended:
        return run_victim(folder, scene.arguments, orders, kill_after_seconds=kill_after_seconds, kill_child=kill_child)

    def _copy(self, scene: Scene) -> Path:
        self._runs += 1
        return Path(shutil.copytree(scene.folder, self._scratch / f"folder.{self._runs}"))

    def _trace(self) -> str:
        self._runs += 1
        return str(self._scratch / f"trace.{self._runs}")


def _strange(ended: Ended) -> list[str]:
    wrong = [f"{process} outlived the process that started it" for process in ended.orphans]
    if "Traceback" in ended.said:
        wrong.append(f"it ended with {ended.code} and a traceback:\n{ended.said}")
    return wrong


def _compared(folder: Path, answers: Path, scene: Scene) -> list[str]:
    try:
        left = left_in(folder, answers)
    except (BooksError, AssertionError) as error:
        return [f"after it: {error}"]
    return [f"after it, this is not as undisturbed: {name}" for name in differences(left, scene.left)]
