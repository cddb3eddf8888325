"""Checks what no partition can prove alone: derived facts, both sides of a referral, and ticks and publications."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from books.walk import WalkedLine
from schemas.canonical import EMPTY_DIGEST, content_hash, next_journal_digest
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
