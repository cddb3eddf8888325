"""The simulation of deployments by seeds: what `python -m tests.run streams` runs."""

import traceback
from collections import Counter

import msgspec

from tests.run.seeds import Seeded
from tests.stream_simulation.run import Told, run_seed


def holds(seed: int, seen: Counter[str]) -> bool:
    """Whether all laws held in the deployment of a seed."""
    try:
        told = run_seed(seed)
    except Exception:  # noqa: BLE001 whatever a seed raises breaks a law; its story shows it
        return False
    seen.update({name.replace("_", " "): value for name, value in msgspec.structs.asdict(told).items()})
    return True


def story(seed: int) -> str:
    """What happened in the deployment of a seed, or how it broke a law."""
    try:
        return f"seed {seed}: {run_seed(seed)}"
    except Exception:  # noqa: BLE001 as above
        return f"seed {seed}:\n{traceback.format_exc()}"


SEEDED = Seeded(holds, story, [name.replace("_", " ") for name in Told.__struct_fields__], enough=200)
