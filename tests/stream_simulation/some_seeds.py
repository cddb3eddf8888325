"""Some seeds, one after the other, in a process of their own."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

from tallybook.garbage import collect_seldom
from tests.simulation.laws import LawBroken
from tests.stream_simulation.run import Told, run_seed


def run_some(seeds: Sequence[int]) -> tuple[Told, str]:
    """Run seeds until one breaks a law; what happened, and the story of that one."""
    collect_seldom()
    total = Told()
    for seed in seeds:
        try:
            told = run_seed(seed)
        except LawBroken as broken:
            return total, f"seed {seed}: {broken}"
        except Exception:  # noqa: BLE001 - whatever a seed raises is its story, and ends the run
            return total, f"seed {seed}:\n{traceback.format_exc()}"
        for name in Told.__struct_fields__:
            setattr(total, name, getattr(total, name) + getattr(told, name))
    return total, ""
