"""Runs simulated deployments by seed: `python -m tests.stream_simulation --count 1000 --seed 1 --processes 2`."""

from __future__ import annotations

import argparse
import sys
import time
from multiprocessing import get_context

import msgspec

from tests.stream_simulation.run import Told
from tests.stream_simulation.some_seeds import run_some

SEEDS_AT_A_TIME = 20


def main() -> int:
    """Read the arguments, run the seeds, report; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="how many seeds (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the first one (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=1, help="how many at a time (default: %(default)s)")
    arguments = parser.parse_args()
    seeds = range(arguments.seed, arguments.seed + arguments.count)
    pieces = [seeds[at : at + SEEDS_AT_A_TIME] for at in range(0, len(seeds), SEEDS_AT_A_TIME)]
    total, broken, started = Told(), "", time.monotonic()
    with get_context("spawn").Pool(arguments.processes) as pool:
        for told, story in pool.imap(run_some, pieces):
            for name in Told.__struct_fields__:
                setattr(total, name, getattr(total, name) + getattr(told, name))
            if story:
                broken = story
                break
    seconds = time.monotonic() - started
    counted = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in msgspec.structs.asdict(total).items())
    print(f"{arguments.count:,} deployments from seed {arguments.seed} in {seconds:.1f} s: {counted}")
    if broken:
        print(
            f"BROKEN: {broken}\n"
            f"Again: python -m tests.stream_simulation --count 1 --seed {broken.split()[1].rstrip(':')}"
        )
        return 1
    print("all laws held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
