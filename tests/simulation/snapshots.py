"""What happens to snapshots between two lives: deleted, torn, flipped, outdated, or put in the place of another."""

from collections import Counter
from random import Random

from tests.simulation.disk import SimulatedDisk
from tests.simulation.session import SNAPSHOTS


def spoil_snapshots(disk: SimulatedDisk, rng: Random, seen: Counter[str]) -> None:
    """Do something to one of them, now and then; `disk.old` keeps what may come back."""
    names = [name for name in disk.names(SNAPSHOTS) if name.endswith(".snapshot")]
    contents = {name: disk.get(SNAPSHOTS / name) for name in names}
    for name in names:
        path = SNAPSHOTS / name
        data = contents[name]
        old = disk.put_by.setdefault(name, data)
        choice = rng.random()
        if choice < 0.1:
            seen["snapshots outdated"] += old != data
            disk.put(path, old)
        elif choice < 0.15:
            disk.put(path, data[: rng.randrange(len(data) + 1)])
            seen["snapshots torn"] += 1
        elif choice < 0.2:
            at = rng.randrange(len(data)) if data else 0
            disk.put(path, data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :] if data else b"")
            seen["snapshots flipped"] += 1
        elif choice < 0.25:
            disk.put(path, contents[rng.choice(names)])
            seen["snapshots exchanged"] += 1
        elif choice < 0.3:
            disk.put_by[name] = data
            disk.lose(path)
            seen["snapshots deleted"] += 1
