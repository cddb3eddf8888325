"""Counts what a run took into the books and decided: for one commit, and summed up for an import or a follow."""

from __future__ import annotations

import msgspec


class RunCounts(msgspec.Struct):
    """Facts taken in, the journal lines they became, what was posted for them, and records refused.

    `duplicates` and `conflicts` count postings without effect: the same fact, or another of its name, was there before.
    """

    facts: int = 0
    lines: int = 0
    postings: int = 0
    entries: int = 0
    rejects: int = 0
    duplicates: int = 0
    conflicts: int = 0

    def add(self, more: RunCounts) -> None:
        """Add what was counted elsewhere, or since."""
        for name in RunCounts.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(more, name))
