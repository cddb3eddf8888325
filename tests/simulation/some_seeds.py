"""Some seeds run in a row, by whichever process: a module that a spawned process can import."""

from __future__ import annotations

from collections import Counter

from tests.simulation.run import SeedBroken, run_seed


def run_chunk(seeds: range) -> tuple[Counter[str], str | None]:
    """Run some seeds; what happened in them, and the story of the first that broke a law."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        try:
            run_seed(seed, seen)
        except SeedBroken as broken:
            return seen, told(broken)
        seen["(seeds)"] += 1
    return seen, None


def told(broken: SeedBroken) -> str:
    """What a person needs in order to see what went wrong."""
    lines = [f"seed {broken.run.plan.seed} broke a law: {broken.law}", ""]
    lines += [f"  {line}" for line in broken.run.story]
    lines += ["", f"again: python -m tests.simulation --count 1 --seed {broken.run.plan.seed}"]
    return "\n".join(lines)
