"""Re-scores one partition of the books, up to a cut, and proves on the way that the ledger is what the base decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from books.errors import BooksDamaged
from books.log import LogReader
from processors.decider.partition_machine import Load
from processors.replay.rescore.differences import LineDifference, MemberDifference
from processors.replay.rescore.two_worlds import EVERYBODY, Selection, TwoWorlds
from schemas.facts import JournalOpened
from schemas.pages import Folio, JournalLine
from schemas.posting import EditionOpened, RuleLayer

POSTINGS_TOLD: Final = 500


class Cut(msgspec.Struct, frozen=True):
    """How far a re-scoring reads one partition: its last page, with what the ledger recorded there.

    `page` is -1 where nothing is scored yet; `ledger_digest` (hex) is empty where the books recorded none; `postings`
    counts those up to there. `closes_at` is the last line that is compared (None: the last one of the page); what
    follows is decided for the digest alone.
    """

    partition: int
    page: int
    postings: int
    ledger_digest: str
    closes_at: Folio | None = None


class DraftTotals(msgspec.Struct):
    """What one draft changes in one partition, or in all. Points; `parted` counts accounts that were decided apart."""

    lines: int = 0
    members: int = 0
    parted: int = 0
    balance_change: int = 0


class PartitionRescored(msgspec.Struct):
    """What a pass over one partition came to.

    `lines` counts journal lines, `postings` those of the base, `decided` all decisions, `accounts` the members that
    have one, `balance` is the sum of their points in the base. `members` are the members asked for that have an
    account.
    """

    partition: int
    lines: int = 0
    postings: int = 0
    decided: int = 0
    accounts: int = 0
    balance: int = 0
    last_tick: int = 0
    is_proven: bool = False
    members: list[str] = []
    drafts: list[DraftTotals] = []


class Kept(msgspec.Struct, frozen=True):
    """Where the differences of one draft go as they are found."""

    layers: Sequence[RuleLayer]
    on_line: Callable[[LineDifference], object]
    on_member: Callable[[MemberDifference], object]


class BaseDiffers(BooksDamaged):
    """The ledger is not what its rules make of the journal, so nothing can be compared with it."""


def rescore_partition(
    log: LogReader,
    edition: str,
    cut: Cut,
    drafts: Sequence[Kept],
    load: Load,
    *,
    selection: Selection = EVERYBODY,
    on_postings: Callable[[int], object] = lambda _: None,
) -> PartitionRescored:
    """Decide one partition under the rules of an edition and of the drafts, up to the cut.

    `on_postings` is told how many postings more the base made.

    Raises:
        BaseDiffers: the ledger up to the cut is not what the edition's rules make.
        BooksDamaged: the journal cannot be read.
    """
    return rescore_lines(
        _lines(log, cut),
        log.opened(),
        log.edition(edition),
        cut,
        drafts,
        load=load,
        selection=selection,
        on_postings=on_postings,
    )


def rescore_lines(
    lines: Iterable[tuple[Folio, JournalLine]],
    opened: JournalOpened,
    edition: EditionOpened,
    cut: Cut,
    drafts: Sequence[Kept],
    *,
    load: Load,
    selection: Selection = EVERYBODY,
    on_postings: Callable[[int], object] = lambda _: None,
) -> PartitionRescored:
    """Decide these lines of a partition as `rescore_partition` does; those of members not selected may be missing."""
    totals = [DraftTotals() for _ in drafts]
    told = [(kept.layers, _counted(kept.on_line, total)) for kept, total in zip(drafts, totals, strict=True)]
    worlds = TwoWorlds(opened, edition.layers, told, load, selection)
    result = PartitionRescored(cut.partition, drafts=totals)
    is_open, closes_at = True, cut.closes_at
    for place, line in lines:
        worlds.feed(line, place)
        if place == closes_at:
            _close(worlds, drafts, selection, result)
            is_open = False
        result.lines += 1
        if worlds.postings - result.postings >= POSTINGS_TOLD:
            on_postings(worlds.postings - result.postings)
            result.postings = worlds.postings
    on_postings(worlds.postings - result.postings)
    if is_open:
        _close(worlds, drafts, selection, result)
    result.is_proven = _is_proven(worlds, cut, edition.edition, selection)
    result.postings, result.decided = worlds.postings, worlds.decided
    return result


def _lines(log: LogReader, cut: Cut) -> Iterator[tuple[Folio, JournalLine]]:
    """The lines of a partition up to the last page of the cut, with their places."""
    for _, page in log.read_journal(cut.partition):
        if page.page > cut.page:
            return
        for number, line in enumerate(page.lines):
            yield Folio(page.page, number), line


def _close(worlds: TwoWorlds, drafts: Sequence[Kept], selection: Selection, result: PartitionRescored) -> None:
    """Take what the drafts found by now, and compare nothing any more."""
    result.last_tick = worlds.base.partition.last_tick
    for account in worlds.base.accounts:
        result.accounts += 1
        result.balance += account.balance
        if selection.members is not None:
            result.members.append(account.member_id)
    for draft, kept, total in zip(worlds.drafts, drafts, result.drafts, strict=True):
        total.parted = draft.parted
        for member in draft.finish():
            total.members += 1
            total.balance_change += member.balance_after - member.balance_before
            kept.on_member(member)
    worlds.drafts.clear()


def _counted(on_line: Callable[[LineDifference], object], total: DraftTotals) -> Callable[[LineDifference], None]:
    def count(difference: LineDifference) -> None:
        total.lines += 1
        on_line(difference)

    return count


def _is_proven(worlds: TwoWorlds, cut: Cut, edition: str, selection: Selection) -> bool:
    """Whether the base came to the ledger's digest at the cut; False where a digest cannot be compared.

    Raises:
        BaseDiffers: it came to another one.
    """
    if not selection.is_everybody or not cut.ledger_digest:
        return False
    found = worlds.digest.hex()
    if found != cut.ledger_digest:
        raise BaseDiffers(
            f"ledger.{edition}/{cut.partition:02d}",
            None,
            f"up to page {cut.page} its digest is {cut.ledger_digest[:12]}…, and the rules make {found[:12]}…",
            "Run `tallybook verify`, which names the postings; nothing is compared with a ledger that is not proven.",
        )
    return True
