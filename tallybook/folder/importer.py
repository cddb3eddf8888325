"""Takes files into the books: merged by time, cut into rounds by day, judged at the door, decided and committed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from books.files.consumed import NO_CACHE, ConsumedCache
from books.log import CommittedRounds
from processors.embedded.rounds import Rounds, Taken
from processors.intake.door import judge_time
from processors.intake.refusal import Refusal, reject_of
from processors.intake.spill import Arrived
from processors.run_counts import RunCounts
from schemas.bounds import DAY_MS
from schemas.canonical import canonical_fact
from schemas.facts import PublishedFact
from schemas.pages import InputConsumed, Reject

COMMIT_FACTS: Final = 10_000  # facts between two commits: few enough to lose little, many enough that fsync is cheap
MAX_REFUSED_BYTES: Final = 16 << 20  # of rejects held until their round ends; a file may be nothing but rejects
REJECT_BYTES: Final = 1_000  # what one takes beside the bytes that came, roughly


class Source(msgspec.Struct, frozen=True):
    """What is being imported: the SHA-256 of the input as hex, and the name people know it by."""

    sha256: str
    name: str
    resubmit_of: int = 0


class Imported(RunCounts):
    """What an import brought in; `seconds` is the time spent reading and deciding."""

    records: int = 0
    rejects_by_reason: dict[str, int] = msgspec.field(default_factory=dict)
    first_reject: int = 0
    seconds: float = 0.0


class Importer:
    """One import into books that are open for writing, with scorers recovered to their end.

    `now` (UTC ms) is the door's clock: nothing that happened after it is taken.
    """

    def __init__(
        self,
        rounds: Rounds,
        sources: Sequence[Source],
        *,
        now: int,
        horizon_ms: int,
        as_is: bool = False,
        commit_facts: int = COMMIT_FACTS,
        on_record: Callable[[], object] = lambda: None,
    ) -> None:
        self._rounds = rounds
        self._sources = sources
        self._now = now
        self._horizon_ms = horizon_ms
        self._as_is = as_is
        self._commit_facts = commit_facts
        self._on_record = on_record
        self._round: list[Taken] = []
        self._refused: list[Reject] = []
        self._refused_bytes = 0
        self._round_ends_at = 0
        self._latest_at = 0
        self._uncommitted = 0
        self._consumed: dict[int, InputConsumed] = {}
        self.done = Imported()

    def take_all(self, arrived: Iterable[Arrived]) -> Imported:
        """Take in everything, the last round ended by a tick at the last fact; then it is committed."""
        started = time.perf_counter()
        for item in arrived:
            self._take(item)
            self._on_record()
        self._end_round(self._latest_at)
        self._commit()
        self.done.seconds = time.perf_counter() - started
        return self.done

    def _take(self, item: Arrived) -> None:
        self.done.records += 1
        source = self._sources[item.input_index]
        refusal = item.refusal
        if item.fact is not None:
            at = item.fact.occurred_at
            refusal = self._judge(item.fact)
            if refusal is None and at >= self._round_ends_at:
                if self._round_ends_at:
                    self._end_round(self._round_ends_at)
                self._round_ends_at = _next_midnight(max(at, self._rounds.last_tick))
                refusal = self._judge(item.fact)
            if refusal is None:
                self._round.append(Taken(item.fact, source.sha256, item.record))
                self._latest_at = max(self._latest_at, at)
        if refusal is not None:
            self._refuse(item, source, refusal)
        self._consumed[item.input_index] = InputConsumed(
            source.sha256, item.occurred_at, item.record, self._as_is, source.name
        )

    def _judge(self, fact: PublishedFact) -> Refusal | None:
        # The tick that will end the fact's round is when it reached us, so only our own clock can call it early.
        return judge_time(
            fact, received_at=self._now, last_tick=self._rounds.last_tick, horizon_ms=self._horizon_ms, now=self._now
        )

    def _refuse(self, item: Arrived, source: Source, refusal: Refusal) -> None:
        # What became too old on the way was a fact to its reader, who kept no bytes of it.
        raw = item.raw if item.fact is None else canonical_fact(item.fact)
        self._refused.append(
            reject_of(
                refusal,
                raw,
                source_input=(source.sha256, source.name),
                record=item.record,
                at_line=item.at_line,
                headers=item.headers,
                resubmit_of=source.resubmit_of,
            )
        )
        by_reason = self.done.rejects_by_reason
        by_reason[refusal.reason] = by_reason.get(refusal.reason, 0) + 1
        self._refused_bytes += len(raw) + REJECT_BYTES
        if self._refused_bytes >= MAX_REFUSED_BYTES:
            self._keep_refused(self._round_ends_at)

    def _end_round(self, tick_at: int) -> None:
        # Late facts end with no tick of their own; they reached us after what was there before.
        received_at = max(tick_at, self._rounds.last_tick)
        if self._round:
            self._uncommitted += len(self._round)
            self._rounds.take(self._round, tick_at, received_at)
            self._round = []
        self._keep_refused(received_at)
        if self._uncommitted >= self._commit_facts:
            self._commit()

    def _keep_refused(self, received_at: int) -> None:
        if not self._refused:
            return
        self._uncommitted += len(self._refused)
        received_at = max(received_at, self._rounds.last_tick) or self._now  # no tick yet, nor a fact that brings one
        kept = self._rounds.reject(
            [msgspec.structs.replace(reject, received_at=received_at) for reject in self._refused]
        )
        self.done.first_reject = self.done.first_reject or kept[0].number
        self._refused, self._refused_bytes = [], 0

    def _commit(self) -> None:
        if not self._consumed and self._rounds.is_empty:
            return  # not even a publication
        self.done.add(self._rounds.commit(list(self._consumed.values())))
        self._consumed, self._uncommitted = {}, 0


def consumed_before(log: CommittedRounds, cache: ConsumedCache = NO_CACHE) -> list[InputConsumed]:
    """How far each input was taken in by earlier runs: by time, as it is, or each for a part."""
    return cache.consumed(log)


def _next_midnight(at: int) -> int:
    return (at // DAY_MS + 1) * DAY_MS
