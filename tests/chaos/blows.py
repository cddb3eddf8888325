"""The blows of a run, drawn from its seed, and how each is struck: at processes, broker, ClickHouse and files."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

import msgspec

from tests.chaos.processes import COMMANDS, Stage
from tests.chaos.world import World

# How many of each there are in a deck, which is shuffled: what is frozen outlives its session, and wakes as a zombie.
DECK: Final = {
    "kill -9": 22,
    "SIGTERM": 12,
    "freeze": 18,
    "nap": 4,
    "join": 8,
    "leave": 8,
    "broker kill -9": 5,
    "broker stop": 4,
    "broker freeze": 5,
    "ClickHouse kill -9": 6,
    "snapshots deleted": 3,
    "zombie projector": 3,
    "rules published": 2,
}
# Whatever the seed, a short run has some of each sort.
FIRST: Final = ("kill -9", "freeze", "broker kill -9", "ClickHouse kill -9", "freeze", "join")
ROLES: Final = ("score", "score", "intake", "intake", "project", "tick")
GAP_SECONDS: Final = (0.5, 4.0)
LONGER_THAN_SESSION_SECONDS: Final = (1.0, 4.0)
NAP_SECONDS: Final = (0.5, 3.0)
DOWN_SECONDS: Final = (0.0, 5.0)
MOST_OF_A_KIND: Final = 4  # processes of a command
LEAST_OF_A_KIND: Final = 1
LOOK_SECONDS: Final = 0.1
MAX_DECKS: Final = 1_000
WAKING_SECONDS: Final = 4.0  # in which a zombie has said what it had to say


class Blow(msgspec.Struct, frozen=True):
    """One blow: its kind, the command whose process it strikes and which, how long it lasts, the gap after it."""

    kind: str
    role: str
    pick: float
    part: float
    gap_seconds: float

    def seconds(self, least: float, most: float) -> float:
        """A time between two, as it was drawn."""
        return least + self.part * (most - least)


class Struck(msgspec.Struct):
    """A blow that was struck: when (s since 1970), and whom."""

    kind: str
    at: float
    name: str = ""


def plan(number: int, seed: str, only: Sequence[str] = ()) -> Iterator[Blow]:
    """Blows of all kinds, or `only` of some, one deck after the other; `number` says how many are to be struck."""
    rng = Random(f"blows {seed}")
    kinds: list[str] = list(FIRST) if number <= len(FIRST) and not only else []
    rng.shuffle(kinds)
    for _ in range(MAX_DECKS):
        for kind in kinds:
            yield Blow(kind, rng.choice(ROLES), rng.random(), rng.random(), rng.uniform(*GAP_SECONDS))
        kinds = [kind for kind, count in DECK.items() for _ in range(count) if not only or kind in only]
        rng.shuffle(kinds)


class Striker:
    """Strikes one blow after the other; what a blow began ends while later ones are struck."""

    def __init__(self, world: World) -> None:
        self.struck: list[Struck] = []
        self.wrong: list[str] = []
        self._world = world
        self._stages = world.stages
        self._later: list[tuple[float, str, Callable[[], None]]] = []
        self._session = world.orders.session_seconds
        self._ways: dict[str, Callable[[Blow], str]] = {
            "kill -9": lambda blow: self._signal(blow, signal.SIGKILL),
            "SIGTERM": lambda blow: self._signal(blow, signal.SIGTERM),
            "freeze": self._freeze,
            "nap": self._nap,
            "join": self._join,
            "leave": self._leave,
            "broker kill -9": self._broker_kill,
            "broker stop": self._broker_stop,
            "broker freeze": self._broker_freeze,
            "ClickHouse kill -9": self._clickhouse_kill,
            "snapshots deleted": self._forget_snapshots,
            "zombie projector": self._zombie_projector,
            "rules published": self._publish_rules,
        }

    def strike(self, blow: Blow) -> Struck:
        """Strike, and let the gap after it pass; without a name where nobody was there to be struck."""
        struck = Struck(blow.kind, time.time())
        struck.name = self._ways[blow.kind](blow)
        if struck.name:
            self.struck.append(struck)
            self.wait(blow.gap_seconds)
        return struck

    def wait(self, seconds: float) -> None:
        """Let time pass, in which what is due ends."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.end_what_is_due()
            time.sleep(LOOK_SECONDS)

    def end_what_is_due(self) -> None:
        """Wake and start what has been away for as long as it was to be."""
        now = time.monotonic()
        for item in [item for item in self._later if item[0] <= now]:
            self._later.remove(item)
            item[2]()

    def settle(self) -> None:
        """Wait until all is awake and there again."""
        while self._later:
            self.wait(LOOK_SECONDS)

    def _at(self, seconds: float, what: str, action: Callable[[], None]) -> None:
        self._later.append((time.monotonic() + seconds, what, action))

    def _is_away(self, what: str) -> bool:
        return any(each[1] == what for each in self._later)

    def _chosen(self, blow: Blow, roles: tuple[str, ...] = ()) -> Stage | None:
        """The process that a blow is for; of another command where the one meant has none awake."""
        for role in roles or (blow.role, *COMMANDS):
            awake = self._stages.awake(role)
            if awake:
                return awake[int(blow.pick * len(awake))]
        return None

    def _signal(self, blow: Blow, number: int) -> str:
        stage = self._chosen(blow)
        if stage is None:
            return ""
        self._stages.signal(stage, number)
        return stage.name

    def _freeze(self, blow: Blow) -> str:
        return self._still(blow, self._session + blow.seconds(*LONGER_THAN_SESSION_SECONDS))

    def _nap(self, blow: Blow) -> str:
        return self._still(blow, blow.seconds(*NAP_SECONDS))

    def _still(self, blow: Blow, seconds: float) -> str:
        stage = self._chosen(blow)
        if stage is None:
            return ""
        self._stages.freeze(stage)
        self._at(seconds, stage.name, lambda: self._stages.thaw(stage))
        return stage.name

    def _join(self, blow: Blow) -> str:
        wanted = [stage for stage in self._stages.every.values() if stage.command == blow.role and stage.is_wanted]
        return self._stages.join(blow.role).name if len(wanted) < MOST_OF_A_KIND else ""

    def _leave(self, blow: Blow) -> str:
        wanted = [stage for stage in self._stages.every.values() if stage.command == blow.role and stage.is_wanted]
        stage = self._chosen(blow, (blow.role,))
        if stage is None or len(wanted) <= LEAST_OF_A_KIND:
            return ""
        self._stages.leave(stage)
        return stage.name

    def _broker_kill(self, blow: Blow) -> str:
        return self._broker_down(blow, self._world.kafka.kill)

    def _broker_stop(self, blow: Blow) -> str:
        return self._broker_down(blow, self._world.kafka.stop)

    def _broker_down(self, blow: Blow, end: Callable[[], None]) -> str:
        if self._is_away("broker"):
            return ""
        end()
        self._at(blow.seconds(*DOWN_SECONDS), "broker", self._world.kafka.start)
        return "broker"

    def _broker_freeze(self, blow: Blow) -> str:
        if self._is_away("broker"):
            return ""
        self._world.kafka.suspend()
        self._at(blow.seconds(1.0, self._session), "broker", self._world.kafka.resume)
        return "broker"

    def _clickhouse_kill(self, blow: Blow) -> str:
        if self._is_away("ClickHouse"):
            return ""
        self._world.clickhouse.kill()
        self._at(blow.seconds(*DOWN_SECONDS), "ClickHouse", self._world.clickhouse.start)
        return "ClickHouse"

    def _forget_snapshots(self, _: Blow) -> str:
        snapshots = self._world.folder / "snapshots"
        if not snapshots.exists():
            return ""
        shutil.rmtree(snapshots, ignore_errors=True)  # a worker may be writing one
        return "snapshots"

    def _publish_rules(self, _: Blow) -> str:
        self.settle()
        self._world.publish_rules()
        return f"version {self._world.versions}"

    def _zombie_projector(self, blow: Blow) -> str:
        """A projector wakes whose partitions were projected on by others: no answer of any view changes."""
        self.settle()
        world, stages = self._world, self._stages
        while len(stages.awake("project")) <= LEAST_OF_A_KIND:
            stages.join("project")
            self.wait(LOOK_SECONDS)
        zombie = self._chosen(blow, ("project",))
        if zombie is None:
            return ""
        stages.freeze(zombie)
        self.wait(self._session + LONGER_THAN_SESSION_SECONDS[0])
        world.publishing.pause()
        tickers = stages.awake("tick")
        for ticker in tickers:
            stages.freeze(ticker)
        world.drain()
        before = world.answers()
        stages.thaw(zombie)
        self.wait(WAKING_SECONDS)
        after = world.answers()
        changed = [view for view in before if before[view] != after[view]]
        self.wrong += [f"{zombie.name} woke as a zombie and changed the answer of view {view}" for view in changed]
        for ticker in tickers:
            stages.thaw(ticker)
        world.publishing.resume()
        return zombie.name
