"""Gives the demo's size and seed where the command line names no others."""

from typing import Final

FACTS: Final = 60_000
MEMBERS: Final = 2_000
SEED: Final = 7
