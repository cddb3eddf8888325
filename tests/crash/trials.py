"""Lets a command die as planned and then come to its end, and says what is wrong with what it leaves."""

import shutil
import signal
import time
from pathlib import Path
from random import Random

import msgspec

from books.errors import BooksError
from tallybook.folder.folder import FolderRefused
from tests.crash.follow_scene import feed, orders_of, wrong_in
from tests.crash.kills import MENDING, RANDOM, Kill, Trial
from tests.crash.processes import Ended, Traces, nothing, run_victim
from tests.crash.scenes import FOLLOW, GOOD_ENDS, Scene, differences, left_in
from tests.crash.victim import MAIN, Orders
from tests.support.small_imports import NOW

MAX_TRIES = 6
# What a command may end with where one of its children was killed: it goes on without, or says what happened.
ENDS_OF_PARENTS = GOOD_ENDS | {1}


class Died(msgspec.Struct, frozen=True):
    """A kill that struck: where it was to, and the process that it struck."""

    kill: Kill
    role: str


class Found(msgspec.Struct):
    """What became of a trial: the kills that struck, and what is wrong (nothing, if all is well).

    `missed` are kills among the mending of what the kill before left torn, where that had left nothing to be mended.
    """

    died: list[Died] = []
    wrong: list[str] = []
    missed: list[Kill] = []


class Runner:
    """Runs trials in folders of its own below `scratch`."""

    def __init__(self, scratch: Path, scenes: dict[str, Scene]) -> None:
        self._scratch = scratch
        self._scenes = scenes

    def run(self, number: int, trial: Trial, rng: Random) -> Found:
        """Let a command die as often as planned, then run it once more and compare; several may be under way."""
        here = self._scratch / f"trial.{number}"
        here.mkdir()
        running = _Running(here, self._scenes[trial.command], rng)
        for place, kill in enumerate(trial.kills):
            if not running.kill(kill):
                # The command came to its end before: so this one strikes alone, where it certainly comes to pass.
                running.start_afresh()
                alone = trial.kills[:place] if kill.kind in MENDING else ()
                if not all(running.kill(each) for each in (*alone, kill)):
                    if kill.kind in MENDING:
                        running.found.missed.append(kill)
                    else:
                        running.found.wrong.append(f"never came to {kill}")
        running.finish()
        shutil.rmtree(here)
        return running.found


class _Running:
    """One trial under way."""

    def __init__(self, here: Path, scene: Scene, rng: Random) -> None:
        self._here = here
        self._scene = scene
        self._rng = rng
        self._runs = 0
        self._epoch = time.time_ns() // 1_000_000
        self._folder = here / "folder"
        self.found = Found([], [])
        shutil.copytree(scene.folder, self._folder)

    def start_afresh(self) -> None:
        """Forget the folder, and begin with another copy."""
        shutil.rmtree(self._folder)
        shutil.copytree(self._scene.folder, self._folder)

    def kill(self, kill: Kill) -> bool:
        """Whether a process died as it was to; what is strange about the others' end is noted."""
        part, nth = kill.part, kill.nth
        for _ in range(MAX_TRIES):
            role, ended = self._kill(msgspec.structs.replace(kill, part=part, nth=nth))
            self._note_strange(ended)
            if role:
                self.found.died.append(Died(kill, role))
                expected = {-signal.SIGKILL} if role == MAIN else ENDS_OF_PARENTS
                if ended.code not in expected or not (ended.said or ended.code != 1):
                    self.found.wrong.append(f"after the death of {role} it ended with {ended.code}:\n{ended.said}")
                return True
            if ended.code not in GOOD_ENDS:
                self.found.wrong.append(f"not killed, it ended with {ended.code}:\n{ended.said}")
                return True
            # A child has as many calls as it was given partitions, which is not the same in every run.
            is_certain = kill.role == MAIN or kill.kind in MENDING
            if kill.kind != RANDOM and self._scene.command != FOLLOW and is_certain:
                return False
            # It was quicker, or had less to do, than when nobody disturbed it: again from the beginning, and sooner.
            part, nth = part / 2, max(1, nth // 2)
            self.start_afresh()
        return False

    def finish(self) -> None:
        """Run the command once more, and compare what it leaves."""
        answers = self._here / "answers"
        ended = self._victim(self._orders(answers=str(answers)))
        self._note_strange(ended)
        if ended.code not in GOOD_ENDS:
            self.found.wrong.append(f"after it, the command ended with {ended.code}:\n{ended.said}")
            return
        try:
            if self._scene.command == FOLLOW:
                wrong = wrong_in(self._folder, self._scene.fed, answers, self._here)
            else:
                wrong = differences(left_in(self._folder, answers), self._scene.left)
        except (BooksError, FolderRefused, AssertionError) as error:
            wrong = [str(error)]
        self.found.wrong += [f"after it, this is not as undisturbed: {what}" for what in wrong]

    def _kill(self, kill: Kill) -> tuple[str, Ended]:
        """The role of the process that died, empty if none did."""
        if kill.kind == RANDOM:
            seconds = kill.part * self._scene.seconds
            ended = self._victim(self._orders(), seconds, self._rng if kill.child else None)
            return ended.killed, ended
        orders = self._orders(kind=kill.kind, nth=kill.nth, when=kill.when, role=kill.role)
        ended = self._victim(orders)
        return kill.role if Traces(Path(orders.trace)).has_died() else "", ended

    def _orders(self, **more: object) -> Orders:
        self._runs += 1
        trace = str(self._here / f"trace.{self._runs}")
        if self._scene.command == FOLLOW:
            return orders_of(trace, self._epoch, **more)
        return msgspec.structs.replace(Orders(trace, now=NOW), **more)

    def _victim(
        self, orders: Orders, kill_after_seconds: float | None = None, kill_child: Random | None = None
    ) -> Ended:
        beside = feed(self._folder, self._scene.fed) if self._scene.command == FOLLOW else nothing
        return run_victim(
            self._folder,
            self._scene.arguments,
            orders,
            kill_after_seconds=kill_after_seconds,
            kill_child=kill_child,
            beside=beside,
        )

    def _note_strange(self, ended: Ended) -> None:
        self.found.wrong += [f"{process} outlived the process that started it" for process in ended.orphans]
        # Of a child that was just being started when its parent was killed, Python itself says so much.
        is_pythons = ended.code == -signal.SIGKILL and ended.said.rstrip().endswith("EOFError: Ran out of input")
        if "Traceback" in ended.said and not is_pythons:
            self.found.wrong.append(f"it ended with {ended.code} and a traceback:\n{ended.said}")
