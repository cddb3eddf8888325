"""Measurements: each figure in the README and the docs is printed by a command in here."""
