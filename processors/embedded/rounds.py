"""Runs rounds on one machine: facts up to a tick are journalled and decided, then derived facts, then due work."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from books.log import LogWriter
from processors.embedded.partition_group import LineToScore, PartitionGroup, RunCounts
from schemas.facts import ClockTicked, JournalFact, PublishedFact, RulesetPublished, members_of
from schemas.pages import InputConsumed, RefusedAgain, Reject, RoundCommitted
from schemas.partitions import partition_of_line
from schemas.posting import Reason

NO_TICK: Final = 0
LINES_TOGETHER: Final = 500  # sent to a group at a time: few enough that it starts soon, enough to be worth a message


class Taken(NamedTuple):
    """A fact that passed the door: the SHA-256 of its input, and its record number there from 1."""

    fact: PublishedFact
    input: str
    record: int


class Rounds:
    """Takes rounds of facts into the books of one folder, whose partitions are divided into groups.

    Nothing is visible to readers before `commit`. The caller owns `log`; the groups stand at the end of the books, with
    the last tick (UTC ms, 0: none) and the publications given. `postings_committed` counts since then.

    The facts that a round derives are asked for only when the next round (or the commit) begins, so that the groups
    decide while the caller reads on.
    """

    def __init__(
        self, log: LogWriter, groups: Sequence[PartitionGroup], last_tick: int, publications: Sequence[RulesetPublished]
    ) -> None:
        self.log = log
        self.groups = groups
        self.publications = list(publications)
        self._group_of = {partition: number for number, group in enumerate(groups) for partition in group.partitions}
        self._partitions = len(self._group_of)
        if sorted(self._group_of) != list(range(log.opened().partitions)):
            raise AssertionError(f"groups of partitions {sorted(self._group_of)}")
        self._waiting: list[list[LineToScore]] = [[] for _ in groups]
        self.last_tick = last_tick
        self._unfinished: tuple[int, int] | None = None  # tick and arrival of the round whose facts were handed out
        self._counts = RunCounts()
        self.postings_committed = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was journalled or refused since the last commit."""
        return not self._counts.lines and not self._counts.rejects

    def publish(self, published: RulesetPublished, received_at: int) -> None:
        """Write a publication to all partitions at once."""
        self._finish_round()
        self._write_everywhere(published, received_at)
        self.publications.append(published)

    def take(self, facts: Sequence[Taken], tick_at: int, received_at: int) -> None:
        """Take one round: these facts in this order, facts derived from them, then a tick at `tick_at` if it is new."""
        self._finish_round()
        self._counts.facts += len(facts)
        for fact, source, record in facts:
            for member_id in members_of(fact):
                partition = partition_of_line(fact, member_id, self._partitions)
                self._write(LineToScore(partition, fact, member_id, source, record), received_at)
        self._hand_out(received_at)
        for group in self.groups:
            group.ask_owed()
        self._unfinished = (tick_at if tick_at > self.last_tick else NO_TICK, received_at)
        self.last_tick = max(tick_at, self.last_tick)

    def reject(self, rejects: Sequence[Reject]) -> tuple[Reject, ...]:
        """Keep refused records; returns them with their numbers."""
        self._counts.rejects += len(rejects)
        self._counts.conflicts += sum(1 for reject in rejects if reject.reason == Reason.CONFLICT)
        return self.log.append_rejects(rejects)

    def commit(
        self,
        inputs: Sequence[InputConsumed],
        *,
        mended: Sequence[int] = (),
        refused_again: Sequence[RefusedAgain] = (),
    ) -> RunCounts:
        """Make everything since the last commit durable and visible, as one.

        `mended` and `refused_again` say what became of records that were refused before: see RoundCommitted.

        Returns:
            The counts of what was committed.
        """
        self._finish_round()
        for group in self.groups:
            group.ask_seal()
        sealed = [group.sealed() for group in self.groups]
        counts, self._counts = self._counts, RunCounts()
        for each in sealed:
            counts.add(each.counts)
        self.postings_committed += counts.postings
        ends = sorted((end for each in sealed for end in each.ends), key=lambda end: end.partition)
        self.log.commit(
            RoundCommitted(
                number=0,
                lengths=(),
                inputs=tuple(inputs),
                last_tick=self.last_tick,
                facts=counts.facts,
                postings=counts.postings,
                journal_digests=tuple(end.journal_digest for end in ends),
                ledger_digests=tuple(end.ledger_digest for end in ends),
                conflicts=counts.conflicts,
                mended=tuple(mended),
                refused_again=tuple(refused_again),
            ),
            parts=[length for each in sealed for length in each.lengths],
        )
        return counts

    def _finish_round(self) -> None:
        """Journal the facts that the last round derived, sorted so that groups do not matter, and then its tick."""
        if self._unfinished is None:
            return
        (tick_at, received_at), self._unfinished = self._unfinished, None
        owed = [item for group in self.groups for item in group.owed()]
        owed.sort(key=lambda item: item[:4])
        for item in owed:
            fact = item.fact
            partition = partition_of_line(fact, fact.member_id, self._partitions)
            self._write(LineToScore(partition, fact, fact.member_id), received_at)
        if tick_at != NO_TICK:
            self._write_everywhere(ClockTicked(tick_at), received_at)
        self._hand_out(received_at)

    def _write_everywhere(self, fact: JournalFact, received_at: int) -> None:
        for partition in range(self._partitions):
            self._write(LineToScore(partition, fact), received_at)
        self._hand_out(received_at)

    def _write(self, line: LineToScore, received_at: int) -> None:
        self._counts.lines += 1
        number = self._group_of[line.partition]
        lines = self._waiting[number]
        lines.append(line)
        if len(lines) >= LINES_TOGETHER:
            self.groups[number].score(lines, received_at)
            self._waiting[number] = []

    def _hand_out(self, received_at: int) -> None:
        for number, lines in enumerate(self._waiting):
            if lines:
                self.groups[number].score(lines, received_at)
                self._waiting[number] = []
