"""Brings scoring desks back to the end of the books: from a snapshot if one fits, else from the first page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from books.log import LogReader
from books.walk import BEGINNING, Place, walk
from processors.decider.account import Account
from processors.desk import PartitionDesk
from schemas.facts import RulesetPublished

SNAPSHOT_LAYOUT: Final = 1


class DeskSnapshot(msgspec.Struct):
    """The whole state of one partition of one edition, and the place in both books that it stands for."""

    layout: int
    place: Place
    page: int
    number: int
    journal_digest: bytes
    ledger_digest: bytes
    last_tick: int
    publications: list[RulesetPublished]
    accounts: list[Account]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(DeskSnapshot)


def snapshot_of(desk: PartitionDesk, place: Place) -> bytes:
    """The desk as bytes; the same state gives the same bytes."""
    return _encoder.encode(
        DeskSnapshot(
            SNAPSHOT_LAYOUT,
            place,
            desk.page,
            desk.number,
            desk.journal_digest,
            desk.ledger_digest,
            desk.last_tick,
            desk.machine.partition.publications,
            list(desk.machine.accounts.values()),
        )
    )


def recover_desk(
    log: LogReader,
    edition: str,
    desk: PartitionDesk,
    snapshot: bytes | None = None,
    on_line: Callable[[], None] | None = None,
) -> Place:
    """Bring a fresh desk to the end of the committed books and give its place there.

    Raises:
        BooksDamaged: the two books do not belong together.
    """
    place = _restore(desk, snapshot)
    walking = walk(log, edition, desk.partition, place, complete=True)
    for item in walking:
        desk.recover(item.line, list(item.postings))
        desk.page = item.folio.page
        if on_line is not None:
            on_line()
    return walking.place()


def _restore(desk: PartitionDesk, snapshot: bytes | None) -> Place:
    if snapshot is None:
        return BEGINNING
    try:
        kept = _decoder.decode(snapshot)
    except msgspec.MsgspecError:
        return BEGINNING  # a cache of another make: the books say the same, more slowly
    if kept.layout != SNAPSHOT_LAYOUT:
        return BEGINNING
    desk.page, desk.number = kept.page, kept.number
    desk.journal_digest, desk.ledger_digest = kept.journal_digest, kept.ledger_digest
    desk.machine.restore(kept.accounts, kept.last_tick, kept.publications)
    return kept.place
