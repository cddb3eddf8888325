"""Has Python look for garbage seldom, because we make much plain data that stays in use."""

import atexit
import gc
from typing import Final

# Accounts and postings are millions of small objects without cycles. Looking through the young ones at every 700 new
# objects, as Python does by default, took a tenth of an import.
YOUNG_OBJECTS: Final = 200_000
YOUNG_ROUNDS: Final = 20
MIDDLE_ROUNDS: Final = 100


def collect_seldom() -> None:
    """Set the collector for this process; every process of ours calls it once when it starts."""
    atexit.register(gc.freeze)  # Python would look through all that is alive once more before it ends
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_ROUNDS, MIDDLE_ROUNDS)
