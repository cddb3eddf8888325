"""Brings the scorers of partitions to the end of the books: from a snapshot if one fits, else from the first page."""

from collections.abc import Callable
from typing import Final

import msgspec

from books.errors import BooksDamaged
from books.log import LogReader
from books.snapshots.store import SnapshotHeader, SnapshotStore
from books.walk import BEGINNING, BookPlace, walk
from processors.decider.partition_state import SEMANTICS
from processors.partition_scorer import PartitionScorer
from schemas.facts import JournalOpened, RulesetPublished
from schemas.posting import RuleLayer

# The version of a snapshot's payload; increased when the fields of Account change.
PAYLOAD_LAYOUT: Final = 5


class _Payload(msgspec.Struct):
    layout: int
    opened: JournalOpened
    layers: tuple[RuleLayer, ...]
    publications: list[RulesetPublished]
    members: list[str]
    accounts: list[bytes]
    due_work: list[tuple[int, list[int]]]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Payload)


def save_snapshot(
    store: SnapshotStore, log: LogReader, edition: str, scorer: PartitionScorer, place: BookPlace, *, commit_at: int
) -> None:
    """Save a snapshot of a scorer that stands at `place`, the end of the committed books.

    `commit_at` is where the commit stands that left the books so.

    Raises:
        OSError: the cache cannot be written.
    """
    machine = scorer.machine
    payload = _Payload(
        PAYLOAD_LAYOUT,
        log.opened(),
        log.edition(edition).layers,
        machine.partition.publications,
        members=list(machine.accounts.members()),
        accounts=list(machine.accounts.packed()),
        due_work=machine.due_work(),
    )
    header = SnapshotHeader(
        edition=edition,
        partition=scorer.partition,
        semantics=SEMANTICS,
        number=place.number,
        folio=place.folio,
        journal_position=place.journal,
        ledger_position=place.ledger,
        journal_digest=scorer.journal_digest.hex(),
        ledger_digest=scorer.ledger_digest.hex(),
        last_tick=scorer.last_tick,
        commit_at=commit_at,
    )
    store.save(edition, scorer.partition, _encoder.encode(payload), header)


def recover_partition(
    log: LogReader,
    edition: str,
    scorer: PartitionScorer,
    snapshots: SnapshotStore | None = None,
    on_line: Callable[[], object] = lambda: None,
) -> BookPlace:
    """Bring a new scorer to where the ledger ends; its place there. Raises BooksDamaged if the books do not match."""
    place = BEGINNING if snapshots is None else _restore(log, edition, scorer, snapshots)
    walking = walk(log, edition, scorer.partition, place, complete=True)
    for item in walking:
        try:
            scorer.recover(item.line, list(item.postings))
        except AssertionError as impossible:
            # These postings were read from the books, not just decided, so the books are at fault, not this program.
            where = f"page {item.folio.page}, line {item.folio.line} of the journal's partition {scorer.partition}"
            raise BooksDamaged(
                f"ledger.{edition}/{scorer.partition:02d}.avro", None, f"at {where}: {impossible}"
            ) from impossible
        scorer.page = item.folio.page
        on_line()
    return walking.place()


def _restore(log: LogReader, edition: str, scorer: PartitionScorer, snapshots: SnapshotStore) -> BookPlace:
    """Restore the scorer from a snapshot of these books, if there is one; its place, else the beginning."""
    kept = snapshots.load(edition, scorer.partition)
    if kept is None or kept[0].folio is None or not _is_made_by(log, kept[0]):
        return BEGINNING
    header, payload = kept
    try:
        state = _decoder.decode(payload)
    except msgspec.MsgspecError:
        return BEGINNING  # of another version of this program: the books are read instead
    if state.layout != PAYLOAD_LAYOUT or header.semantics != SEMANTICS:
        return BEGINNING
    # Books made again may hold the same on other pages, where this place does not exist.
    if state.opened != log.opened() or state.layers != log.edition(edition).layers:
        return BEGINNING
    scorer.page, scorer.number = header.folio.page if header.folio else -1, header.number
    scorer.journal_digest = bytes.fromhex(header.journal_digest)
    scorer.ledger_digest = bytes.fromhex(header.ledger_digest)
    scorer.machine.restore(
        state.members, state.accounts, state.due_work, last_tick=header.last_tick, publications=state.publications
    )
    return header.place()


def _is_made_by(log: LogReader, header: SnapshotHeader) -> bool:
    """Whether the commit that the snapshot names left the partition as the snapshot has it."""
    try:
        recorded = log.recorded_digests(header.edition, header.partition, header.commit_at)
    except BooksDamaged:
        return False  # reading the books will report the damage
    return recorded == (header.journal_digest, header.ledger_digest)
