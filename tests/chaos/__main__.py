"""Strikes a running deployment on a real Kafka, again and again, and proves that nothing was lost and nothing doubled.

    python -m tests.chaos --blows 100 --seed 1                a deployment of real processes, and a hundred blows
    python -m tests.chaos --blows 100 --seed 1 --minutes 10   the same blows, as many as fall into ten minutes

The seed chooses the events and the blows; when exactly a blow falls, the machine does. Ends with 1 if a law was broken,
and leaves the folder with books, tables and logs to be looked at.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
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
from tests.faults.__main__ import commit
from tests.integration.brokers import NoServerError, require_local

SESSION_SECONDS: Final = 10.0  # the product's own
SHORT_SESSION_SECONDS: Final = 4.0
FEW_BLOWS: Final = 12  # too few to be worth waiting for long sessions
MAX_SAID: Final = 250  # of a process's last words
WARM_SECONDS: Final = 6.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the arguments, strike, print the table; 1 if a law was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--blows", type=int, default=6, help="how many")
    parser.add_argument("--seed", default=None, help="a text that chooses events and blows (default: the commit)")
    parser.add_argument("--minutes", type=float, default=0.0, help="strike for so long at most (0: all blows)")
    parser.add_argument("--session", type=float, default=0.0, help="seconds until a silent member is given up")
    parser.add_argument("--only", nargs="+", choices=sorted(DECK), default=(), help="strike only blows of these kinds")
    given = parser.parse_args(arguments)
    seed = given.seed or commit() or "1"
    session = given.session or (SHORT_SESSION_SECONDS if given.blows <= FEW_BLOWS else SESSION_SECONDS)
    say(f"seed {seed}, {given.blows} blows; again: python -m tests.chaos --blows {given.blows} --seed {seed}")
    try:
        require_local(KAFKA, "this test kills its own broker, so that TALLYBOOK_TEST_BOOTSTRAP")
    except NoServerError as missing:
        say(f"skipped: {missing}")
        return 0
    signal.signal(signal.SIGTERM, _interrupt)
    scratch = Path(tempfile.mkdtemp(prefix="tallybook-chaos-"))
    wrong = ["it did not come to its end"]
    try:
        blows = plan(given.blows, seed, given.only)
        wrong = run(scratch, blows, given.blows, seed, session=session, minutes=given.minutes)
    except AssertionError as broken:
        wrong = [str(broken)]
    finally:
        for line in wrong:
            say(f"WRONG  {line}")
        if wrong:
            say(f"look at {scratch}; again: python -m tests.chaos --blows {given.blows} --seed {seed}")
        else:
            shutil.rmtree(scratch)
    return 1 if wrong else 0


def run(scratch: Path, blows: Iterator[Blow], number: int, seed: str, *, session: float, minutes: float) -> list[str]:
    """Build the deployment, strike `number` blows, drain, check, and print what was found; what is wrong."""
    began = time.monotonic()
    world = World(scratch, seed, session, say)
    try:
        striker = Striker(world)
        world.publishing.start()
        striker.wait(WARM_SECONDS)
        say(f"      all stages are started after {time.monotonic() - began:.0f} s")
        striking = time.monotonic()
        for blow in blows:
            if len(striker.struck) >= number:
                break
            if minutes and time.monotonic() - striking > minutes * 60:
                say(f"      {minutes:g} minutes are over")
                break
            struck = striker.strike(blow)
            if struck.name:
                say(f"{len(striker.struck):>4} of {number}  {struck.kind:<20} {struck.name}")
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
        say(f"seed {seed}: {time.monotonic() - began:.0f} s in all")
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


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
