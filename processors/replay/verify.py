"""Decides every journal line again and compares, to prove that the ledger follows from the journal and the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from books.log import LogReader
from books.walk import WalkedLine, unscored, walk
from processors.decider.partition_machine import Load
from processors.partition_scorer import PartitionScorer
from processors.replay.cross_checks import CrossChecks
from schemas.canonical import printed_digest
from schemas.facts import ClockTicked, JournalOpened, RulesetPublished
from schemas.posting import Posting

MAX_DIFFERENCES_SHOWN: Final = 20


class Difference(msgspec.Struct, frozen=True):
    """One place where the books differ from what the rules make of the facts."""

    partition: int
    place: str
    what: str


class Verified(msgspec.Struct):
    """The result of a verification; the books are right if `differences` is 0.

    `unscored` counts lines of a stream's journal that its ledger does not cover yet.
    `shown` holds the first MAX_DIFFERENCES_SHOWN. Digests are hex; see schemas.canonical for what they cover.
    """

    lines: int = 0
    unscored: int = 0
    postings: int = 0
    entries: int = 0
    differences: int = 0
    shown: list[Difference] = []
    journal_digest: str = ""
    ledger_digest: str = ""

    def found(self, partition: int, place: str, what: str) -> None:
        """Note one difference."""
        self.differences += 1
        if len(self.shown) < MAX_DIFFERENCES_SHOWN:
            self.shown.append(Difference(partition, place, what))


def verify_books(
    log: LogReader, edition: str, load: Load, on_postings: Callable[[int], object] = lambda _: None
) -> Verified:
    """Re-decide every line of every partition; writes nothing.

    `on_postings` is told how many postings more were compared.

    Raises:
        BooksDamaged: journal or ledger cannot be read, or do not belong together.
    """
    result = Verified()
    checks = CrossChecks(log.partitions)
    scorers = [PartitionScorer(number, log.opened(), load) for number in range(log.partitions)]
    for scorer in scorers:
        walking = walk(log, edition, scorer.partition, complete=True)
        _verify_partition(scorer, walking, checks, result, on_postings)
        for page in unscored(log, edition, scorer.partition, walking.place().journal):
            result.unscored += len(page.lines)
            for line in page.lines:
                checks.count_unscored(scorer.partition, line)
    for partition, place, what in checks.problems():
        result.found(partition, place, what)
    _compare_digests(log, edition, scorers, result)
    result.journal_digest = printed_digest([scorer.journal_digest for scorer in scorers])
    result.ledger_digest = printed_digest([scorer.ledger_digest for scorer in scorers])
    return result


def _verify_partition(
    scorer: PartitionScorer,
    walking: Iterable[WalkedLine],
    checks: CrossChecks,
    result: Verified,
    on_postings: Callable[[int], object],
) -> None:
    """Compare one partition, as far as its ledger can be followed."""
    is_followed = True
    for item in walking:
        postings = list(item.postings)
        place = f"page {item.folio.page}, line {item.folio.line}"
        result.lines += 1
        result.postings += len(postings)
        result.entries += sum(len(recorded.entries) for recorded in postings)
        checks.count(scorer.partition, item)
        misplaced = checks.misplaced(scorer.partition, item.line)
        if misplaced is not None:
            result.found(scorer.partition, place, misplaced)
        if is_followed:
            _compare(scorer, item, place, result)
            try:
                scorer.recover(item.line, postings)
            except AssertionError as impossible:
                # No account can follow such a posting, so the next facts cannot be decided.
                is_followed = False
                result.found(scorer.partition, place, f"{impossible}; the rest of this partition was not decided again")
        else:
            scorer.pass_by(item.line, postings)
        on_postings(len(postings))


def _compare(scorer: PartitionScorer, item: WalkedLine, place: str, result: Verified) -> None:
    decided = _decide(scorer, item)
    if len(decided) != len(item.postings):
        result.found(
            scorer.partition, place, f"{len(item.postings)} postings stand here, the rules make {len(decided)}"
        )
    for recorded, again in zip(item.postings, decided, strict=False):
        again.number, again.page, again.line, again.sub = recorded.number, recorded.page, recorded.line, recorded.sub
        if again != recorded:
            result.found(scorer.partition, place, _how_they_differ(recorded, again))


def _decide(scorer: PartitionScorer, item: WalkedLine) -> list[Posting]:
    fact = item.line.fact
    if isinstance(fact, ClockTicked):
        return scorer.machine.due_postings(fact)
    if item.line.member_id is None or isinstance(fact, JournalOpened | RulesetPublished):
        return []
    return [scorer.machine.decide_line(item.line)]


def _how_they_differ(recorded: Posting, decided: Posting) -> str:
    for name in recorded.__struct_fields__:
        before, after = getattr(recorded, name), getattr(decided, name)
        if before != after:
            return f"posting {recorded.number} of {recorded.member_id}: {name} is {before!r}, the rules make {after!r}"
    raise AssertionError("two equal postings differ")


def _compare_digests(log: LogReader, edition: str, scorers: list[PartitionScorer], result: Verified) -> None:
    for scorer in scorers:
        recorded = log.recorded_digests(edition, scorer.partition)
        if recorded is None:
            continue
        if scorer.journal_digest.hex() != recorded.journal:
            result.found(scorer.partition, "the whole journal", "its digest is not the one that was committed")
        if scorer.ledger_digest.hex() != recorded.ledger:
            result.found(scorer.partition, "the whole ledger", "its digest is not the one that was committed")
