"""The simulation of a folder by seeds: what `python -m tests.run simulate` runs."""

from collections import Counter

from tests.run.seeds import Seeded
from tests.simulation.events import MUST_HAPPEN
from tests.simulation.run import SeedBroken, run_seed


def holds(seed: int, seen: Counter[str]) -> bool:
    """Whether all laws held in the run of a seed."""
    try:
        run_seed(seed, seen)
    except SeedBroken:
        return False
    return True


def story(seed: int) -> str:
    """What happens in the run of a seed, and the law that it breaks, if it does."""
    try:
        lines = [f"seed {seed}:", *run_seed(seed, Counter()).story]
    except SeedBroken as broken:
        lines = [f"seed {seed} broke a law: {broken.law}", *broken.run.story]
    return "\n  ".join(lines)


SEEDED = Seeded(holds, story, MUST_HAPPEN, enough=4_000)
