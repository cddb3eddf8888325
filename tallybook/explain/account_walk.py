"""Walks through one member's past: its account, rules and clock as they were before each of its facts."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from books.log import LogReader
from books.walk import WalkedLine, walk
from processors.decider.account import Account
from processors.decider.local_time import Zone
from processors.decider.partition_machine import PartitionMachine
from processors.decider.rules.ruleset import Ruleset
from schemas.facts import RulesetPublished
from schemas.partitions import partition_of
from schemas.posting import Posting
from tallybook.folder.folder import load_published

MAX_RULESETS_KEPT: Final = 256

load: Final = lru_cache(MAX_RULESETS_KEPT)(load_published)


class Moment(NamedTuple):
    """Holds the state just before one fact of the member (or a tick that had work for it) was entered."""

    walked: WalkedLine
    postings: list[Posting]
    machine: PartitionMachine
    account: Account

    def rules_at(self, at: int) -> tuple[RulesetPublished, Ruleset, Zone] | None:
        """Find the ruleset in force for a fact that happened at `at` (UTC ms), with its zone; None if there is none."""
        published = self.machine.partition.published_at(at)
        if published is None:
            return None
        return published, load(published.text), Zone(published.timezone, published.tzif)


class AccountWalk:
    """Gives the moments of one member, once; afterwards `account` and `machine` stand at the end.

    Other members' facts are read and skipped, so that a long partition is quick to walk.
    """

    def __init__(self, log: LogReader, member_id: str, on_line: Callable[[], object]) -> None:
        self.partition = partition_of(member_id, log.partitions)
        self._edition = log.current_edition()
        self.machine = PartitionMachine(log.opened(), log.edition(self._edition).layers, load)
        self._log = log
        self._member_id = member_id
        self._on_line = on_line

    @property
    def account(self) -> Account:
        """The member's account where the walk stands; a fresh one before its first posting."""
        return self.machine.account(self._member_id)

    def __iter__(self) -> Iterator[Moment]:
        for walked in walk(self._log, self._edition, self.partition):
            self._on_line()
            line = walked.line
            if line.member_id is not None and line.member_id != self._member_id:
                continue
            mine = [posting for posting in walked.postings if posting.member_id == self._member_id]
            if mine or line.member_id is not None:
                yield Moment(walked, mine, self.machine, self.account)
            self.machine.recover(line, mine)
