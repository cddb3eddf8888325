"""Asks the books who would have something else had everything come in order, and adds it up; writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from books.log import LogReader
from processors.replay.rescore.late import LateFound, TooMuchLate, rescore_late
from processors.replay.rescore.two_worlds import Selection
from tallybook.folder.folder import load_published
from tallybook.rescore.cuts import make_cuts
from tallybook.rescore.plan import RescoreRefused
from tallybook.rescore.summary import Adding, Summary
from tallybook.rules.timeline import published_in

IN_ORDER: Final = "in order"


class LateReport(msgspec.Struct):
    """What differs for members with late facts; `found` counts what was read, `summary` adds up the differences."""

    found: LateFound
    summary: Summary
    edition: str
    horizon_ms: int

    def as_json(self) -> dict[str, Any]:
        """The same as plain data."""
        changes: dict[str, Any] = msgspec.to_builtins(self.summary)
        for name in ("run", "draft", "is_proven", "point_value"):
            del changes[name]
        found: dict[str, Any] = msgspec.to_builtins(self.found)
        return {"edition": self.edition} | found | {"changes": changes}


def report_late(
    log: LogReader, selection: Selection, most: int, on_read: Callable[[int], object] = lambda _: None
) -> LateReport:
    """Look through all partitions, one after the other; `most` winners and losers are named.

    Raises:
        RescoreRefused: there is too much history of members with late facts to be kept in memory.
        BooksError: the books cannot be read, or the ledger marks other facts as late than its rules do.
    """
    edition = log.current_edition()
    cuts, last_tick = make_cuts(log, edition)
    published = [each.fact for each in published_in(log)]
    adding, total = Adding(most), LateFound()
    for cut in cuts:
        try:
            total.add(
                rescore_late(
                    log,
                    edition,
                    cut,
                    published,
                    load_published,
                    on_line=adding.line,
                    on_member=adding.member,
                    selection=selection,
                    on_read=on_read,
                )
            )
        except TooMuchLate as too_much:
            raise RescoreRefused(f"{too_much}: look at some of them, such as --sample 10%") from too_much
    summary = Summary("", IN_ORDER, last_tick, total.late.members, balance_before=total.balance)
    return LateReport(total, adding.into(summary), edition, log.opened().horizon_ms)
