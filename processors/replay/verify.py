"""Decides every journal line again and compares, to prove that the ledger follows from the journal and the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from books.log import LogReader
from books.walk import WalkedLine, unscored, walk
from processors.decider.partition_machine import Load
from processors.partition_scorer import PartitionScorer
from schemas.canonical import EMPTY_DIGEST, content_hash, next_journal_digest, printed_digest
from schemas.facts import (
    ClockTicked,
    JournalOpened,
    MemberFact,
    RefereePurchased,
    ReferralMade,
    RulesetPublished,
    members_of,
)
from schemas.pages import JournalLine
from schemas.partitions import partition_of_line
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
    opened, layers = log.opened(), log.edition(edition).layers
    scorers = [PartitionScorer(number, opened, layers, load) for number in range(log.partitions)]
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


class _Key(NamedTuple):
    """A fact in a member's account, with the hash of its content."""

    source: str
    event_id: str
    member_id: str
    content: bytes


class CrossChecks:
    """Counts every line and posting of books with `partitions` partitions; in the end all counts must match."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._owed: Counter[_Key] = Counter()
        self._referred: Counter[_Key] = Counter()
        self._book_facts = [EMPTY_DIGEST] * partitions

    def count(self, partition: int, item: WalkedLine) -> None:
        """Count one line and its recorded postings."""
        for posting in item.postings:
            for owed in posting.owed:
                _move(self._owed, _key(owed, owed.member_id), 1)
        self.count_unscored(partition, item.line)

    def count_unscored(self, partition: int, line: JournalLine) -> None:
        """Count one line that may have no posting yet."""
        fact = line.fact
        if isinstance(fact, RefereePurchased):
            _move(self._owed, _key(fact, fact.member_id), -1)
        elif isinstance(fact, ReferralMade):
            _move(self._referred, _key(fact, fact.referee_id), 1 if line.member_id == fact.referee_id else -1)
        elif isinstance(fact, ClockTicked | RulesetPublished):
            self._book_facts[partition] = next_journal_digest(self._book_facts[partition], None, fact)

    def misplaced(self, partition: int, line: JournalLine) -> str | None:
        """Why a line may not stand in this partition, or in this account; None if it may."""
        fact = line.fact
        if isinstance(fact, JournalOpened | ClockTicked | RulesetPublished):
            return None
        name = f"{fact.source}/{fact.event_id}"
        if line.member_id not in members_of(fact):
            return f"{name} stands in the account of {line.member_id}, whom it does not name"
        due = partition_of_line(fact, line.member_id, self._partitions)
        return None if due == partition else f"{name} of member {line.member_id} belongs in partition {due}"

    def problems(self) -> Iterator[tuple[int, str, str]]:
        """What does not match, as (partition or -1, place, problem); nothing for sound books."""
        for key, surplus in self._owed.items():
            if surplus:
                problem = (
                    "is owed and not in the journal" if surplus > 0 else "is in the journal and owed by no posting"
                )
                what = f"this derived fact {problem} ({abs(surplus)} times)"
                yield -1, f"{key.source}/{key.event_id} for {key.member_id}", what
        for key, surplus in self._referred.items():
            if surplus:
                one, other = ("referee", "referrer") if surplus > 0 else ("referrer", "referee")
                what = f"this referral stands {abs(surplus)} times more for the {one} than for the {other}"
                yield -1, f"{key.source}/{key.event_id} of {key.member_id}", what
        for partition, digest in enumerate(self._book_facts):
            if digest != self._book_facts[0]:
                yield partition, "the whole journal", "its ticks and publications are not those of partition 0"


def _key(fact: MemberFact, member_id: str) -> _Key:
    return _Key(fact.source, fact.event_id, member_id, content_hash(fact))


def _move(counts: Counter[_Key], key: _Key, by: int) -> None:
    """Count up or down; a count of zero is dropped, so that only what is open takes memory."""
    counts[key] += by
    if not counts[key]:
        del counts[key]
