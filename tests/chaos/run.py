"""Strikes a running deployment on a real Kafka, again and again, and proves that nothing was lost and nothing doubled.

The seed chooses the events and the blows; when exactly a blow falls, the machine does. If a law was broken, the folder
with books, tables and logs is left to be looked at.
"""

import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from deploy.local.artifacts import KAFKA
from tests.chaos.blows import DECK, Blow, Striker, plan
from tests.chaos.laws import Checked, check
from tests.chaos.processes import TookOver
from tests.chaos.world import World
from tests.integration.brokers import NoServerError, require_local
from tests.run.given import Given, say

SESSION_SECONDS: Final = 10.0  # the product's own
SHORT_SESSION_SECONDS: Final = 4.0
FEW_BLOWS: Final = 12  # too few to be worth waiting for long sessions
MAX_SAID: Final = 250  # of a process's last words
WARM_SECONDS: Final = 6.0


def run(given: Given) -> list[str]:
    """Strike and print the table; the laws that were broken."""
    try:
        require_local(KAFKA, "this test kills its own broker, so that TALLYBOOK_TEST_BOOTSTRAP")
    except NoServerError as missing:
        say(f"skipped: {missing}")
        return []
    if unknown := set(given.only) - set(DECK):
        return [f"no blow is called {', '.join(unknown)}; there are {', '.join(DECK)}"]
    blows = plan(given.count, given.seed, given.only)
    signal.signal(signal.SIGTERM, _interrupt)
    scratch = Path(tempfile.mkdtemp(prefix="tallybook-chaos-"))
    try:
        wrong = _strike_all(scratch, blows, given)
    except AssertionError as broken:
        wrong = [str(broken)]
    if wrong:
        return [*wrong, f"look at {scratch}", given.again()]
    shutil.rmtree(scratch)
    return []


def _strike_all(scratch: Path, blows: Iterator[Blow], given: Given) -> list[str]:
    """Build the deployment, strike, drain, check, and print what was found; what is wrong."""
    began = time.monotonic()
    world = World(scratch, given.seed, SHORT_SESSION_SECONDS if given.count <= FEW_BLOWS else SESSION_SECONDS, say)
    try:
        striker = Striker(world)
        world.publishing.start()
        striker.wait(WARM_SECONDS)
        say(f"      all stages are started after {time.monotonic() - began:.0f} s")
        striking = time.monotonic()
        for blow in blows:
            if len(striker.struck) >= given.count:
                break
            if given.seconds and time.monotonic() - striking > given.seconds:
                say(f"      {given.seconds:g} seconds are over")
                break
            struck = striker.strike(blow)
            if struck.name:
                say(f"{len(striker.struck):>4} of {given.count}  {struck.kind:<20} {struck.name}")
        striker.settle()
        seconds = time.monotonic() - striking
        world.publishing.end()
        for ticker in [stage for stage in world.stages.every.values() if stage.command == "tick"]:
            world.stages.leave(ticker)
        drained = world.drain()
        unwell = world.stages.end()
        checked = check(world)
        wrong = [*striker.wrong, *unwell, *checked.wrong]
        for line in table(world, striker, checked, seconds, drained):
            say(line)
        return wrong
    finally:
        world.close()


def table(world: World, striker: Striker, checked: Checked, seconds: float, drained: float) -> list[str]:
    """What was struck and what came of it."""
    kinds = Counter(struck.kind for struck in striker.struck)
    lines = [f"{'blows':<28}{'number':>8}"]
    lines += [f"  {kind:<26}{count:>8}" for kind, count in sorted(kinds.items())]
    took = world.stages.take_overs()
    ends = Counter(code for stage in world.stages.every.values() for code in stage.ends)
    rate = checked.records / max(1.0, world.publishing.seconds)
    facts = {
        "all blows": str(kinds.total()),
        "seconds of striking": f"{seconds:.0f}",
        "seconds of draining": f"{drained:.1f}",
        "records published": f"{checked.records:,} ({rate:.0f} a second)",
        "journal lines": f"{checked.lines:,}",
        "postings": f"{checked.postings:,}",
        "rejects": f"{checked.rejects:,}",
        "ticks in each partition": f"{checked.ticks:,}",
        "lots that expired": f"{checked.expiries:,}",
        "processes begun again": str(world.stages.restarts()),
        "ended with": ", ".join(f"{code}: {count}" for code, count in sorted(ends.items())),
        "zombies and rivals fenced": str(world.stages.fenced()),
        "scoring rebalances": str(len(took)),
        "taken over, it came back": _shown(_waits(striker, took, ("kill -9", "SIGTERM"))),
        "taken over by others": _shown(_waits(striker, took, ("freeze", "leave"))),
        "tracebacks": ", ".join(f"{n}× {text}" for text, n in Counter(world.stages.tracebacks()).items()) or "none",
        "journal digest": checked.digests[0],
        "ledger digest": checked.digests[1],
        "lost": str(checked.lost),
        "doubled": str(checked.doubled),
        "laws broken": str(len(checked.wrong) + len(striker.wrong)),
    }
    lines += [f"{name:<28}{value:>8}" for name, value in facts.items()]
    lines += [f"  {said[:MAX_SAID]}" for said in world.stages.last_words]
    return lines


def _shown(waits: Sequence[float]) -> str:
    waits = sorted(waits)
    return (
        f"median {waits[len(waits) // 2]:.1f} s, longest {waits[-1]:.1f} s (of {len(waits)})" if waits else "none seen"
    )


def _waits(striker: Striker, took: Sequence[TookOver], kinds: Sequence[str]) -> list[float]:
    """The seconds from each blow at a scoring worker until all its partitions were scored again by whomever."""
    found = []
    for struck in striker.struck:
        if not struck.name.startswith("score") or struck.kind not in kinds:
            continue
        held = next((one.partitions for one in reversed(took) if one.name == struck.name and one.at < struck.at), None)
        left = set(held or ())
        for one in took:
            if left and one.at > struck.at:
                left -= one.partitions
                if not left:
                    found.append(one.at - struck.at)
    return found


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
