"""Takes in files as they appear in an inbox, in rounds cut by arrival, with ticks by the clock; then puts them away."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from books.log import LogReader
from processors.embedded.partition_group import RunCounts
from processors.embedded.rounds import Rounds
from processors.intake.door import judge_time
from processors.intake.external_sort import Arrived
from processors.intake.input_files import Input, open_input
from processors.intake.input_records import InputRefused
from processors.intake.mapping import ColumnMapping
from processors.intake.merge import records_as_they_come
from processors.intake.refusal import Refusal
from processors.intake.unknown_fields import UnknownFields
from schemas.facts import PublishedFact
from schemas.instants import format_instant
from schemas.pages import InputConsumed
from tallybook.folder.input_warnings import InputWarnings
from tallybook.folder.open_round import OpenRound
from tallybook.folder.refusals import Refusals
from tallybook.folder.refused_in_parts import RefusedInParts
from tallybook.follow.inbox import Inbox, Say, Waiting
from tallybook.follow.older_in_file import OlderInFile

ROUND_MS: Final = 200  # a round ends this long after its first record
ROUND_RECORDS: Final = 10_000  # or with this many records
ROUND_FILES: Final = 500  # or with this many files: the commit names them all
STEP_RECORDS: Final = 500  # read in one step: few enough that clock and signals are looked at often
HOUR_MS: Final = 3_600_000
WORTH_WARNING: Final = 20  # facts of one file; where each event has a file of its own, each would warn of itself
BACKWARDS_MS: Final = 1_000  # a clock that is corrected by less than this is not worth a message
MAX_REMEMBERED: Final = (
    50_000  # inputs known by their content; one that comes again after this many others is read again, as duplicates
)


class Followed(RunCounts):
    """Counts what a follow has taken in so far; `committed_at` (UTC ms, 0: never) is when it last did.

    `refused_again` counts records for which an earlier reject stands, `already` those before the horizon that the
    journal holds.
    """

    refused_again: int = 0
    already: int = 0
    files: int = 0
    files_refused: int = 0
    shared_keys: int = 0
    commits: int = 0
    committed_at: int = 0


class _Reading(msgspec.Struct):
    """Holds the file that is being read; `refused` are its records that were refused before, each with its reject.

    `already` counts the records that were taken in before.
    """

    waiting: Waiting
    input: Input
    records: Iterator[Arrived | None]
    refused: Mapping[int, int]
    older: OlderInFile
    warnings: InputWarnings
    already: int = 0


class _End:
    """Stands for the end of a file."""


_END: Final = _End()


class _Finished(msgspec.Struct):
    """Names a file that was read to its end, or as far as it can be; it is put away after the commit."""

    name: str
    reason: str = ""
    is_unfinished: bool = False


class Follower:
    """Follows an inbox, into books that are open for writing. It does nothing between two calls of `step`.

    `consumed` is how far inputs were taken in before, `received_until` (UTC ms) when the last fact was. Time
    never goes back in the books: while the clock is behind, it is the latest instant seen.
    """

    def __init__(
        self,
        rounds: Rounds,
        inbox: Inbox,
        *,
        horizon_ms: int,
        consumed: Sequence[InputConsumed],
        received_until: int,
        say: Say,
        mapping: ColumnMapping | None = None,
        refusals: Refusals | None = None,
        in_parts: RefusedInParts | None = None,
        on_commit: Callable[[], object] = lambda: None,
    ) -> None:
        self._rounds = rounds
        self._inbox = inbox
        self._say = say
        self._mapping = mapping
        self._on_commit = on_commit
        self._consumed: dict[str, dict[bool, InputConsumed]] = {}
        for each in consumed:
            self._remember(each)
        self._now = self._clock = max(rounds.last_tick, received_until)
        self._is_behind = False
        self._has_facts = rounds.last_tick > 0
        self._reading: _Reading | None = None
        self._horizon_ms = horizon_ms
        self._refusals = refusals
        self._in_parts = in_parts
        self._round = OpenRound(rounds, as_is=True, refusals=refusals)
        self._finished: list[_Finished] = []
        self._began: int | None = None
        self.unknown = UnknownFields()
        self.done = Followed()

    @property
    def last_tick(self) -> int:
        """The last tick in the books, UTC ms; 0 for none."""
        return self._rounds.last_tick

    @property
    def is_idle(self) -> bool:
        """Whether all files of the inbox that are whole are in the books and put away."""
        return self._reading is None and self._began is None and not self._finished and not self._inbox.ready

    def step(self, now: int) -> bool:
        """Do one small piece of work at `now` (UTC ms); True if there may be more to do at once.

        Raises:
            BooksError, OSError: the books cannot be written; what was committed is kept.
        """
        self._see(now)
        self._inbox.scan(now, self._now)
        worked = self._read_on()
        if self._is_round_over() or (self._began is None and (self._finished or self._due_tick())):
            self._end_round()
            return True
        return worked

    def finish(self, now: int) -> None:
        """Commit what was read; a file that is not at its end goes on there next time.

        Raises:
            BooksError, OSError: as `step`.
        """
        self._see(now)
        if self._began is not None or self._finished:
            self._end_round()
        self._reading = None

    # -- time

    def _see(self, clock: int) -> None:
        if clock + BACKWARDS_MS < self._now and not self._is_behind:
            self._is_behind = True
            self._say(
                f"the clock says {format_instant(clock)}, and these books have seen {format_instant(self._now)}: until "
                "it gets there again, everything is received at that instant, no tick is written, and files with facts "
                "that seem to come from the future wait. Look after the clock of this machine (NTP)"
            )
        elif clock >= self._now:
            self._is_behind = False
        self._clock = clock
        self._now = max(self._now, clock)

    def _due_tick(self) -> int:
        """The last full hour, if it may be written now; else 0."""
        hour = self._now // HOUR_MS * HOUR_MS
        if hour <= self._rounds.last_tick or not (self._has_facts or self._round.facts):
            return 0
        if self._reading is not None and self._reading.waiting.after < hour:
            return 0
        return 0 if self._inbox.holds(hour, self._now) else hour

    def _judge(self, fact: PublishedFact) -> Refusal | None:
        return judge_time(
            fact, received_at=self._now, last_tick=self._rounds.last_tick, horizon_ms=self._horizon_ms, now=self._now
        )

    def _horizon_at(self) -> int:
        return self._rounds.last_tick - self._horizon_ms

    # -- reading

    def _read_on(self) -> bool:
        left = STEP_RECORDS
        while left > 0 and not self._is_full():
            if self._reading is not None:
                left = self._read_some(self._reading, left)
            elif not self._open_next():
                break
        return left < STEP_RECORDS

    def _open_next(self) -> bool:
        found = self._inbox.next()
        if found is None:
            return False
        path = self._inbox.folder / found.name
        try:
            opened = open_input(path, mapping=self._mapping)
        except InputRefused as refused:
            self._end_file(found, refused)
            return True
        self._reading = self._reading_of(found, opened)
        return True

    def _reading_of(self, waiting: Waiting, opened: Input) -> _Reading:
        """Read the records of a file that are neither in the books nor, from a copy of it, in this round."""
        refused: Mapping[int, int] = {}
        before = list(self._consumed.get(opened.sha256, {}).values())
        if before and self._refusals is not None:
            refused = self._refusals.of_inputs([opened.sha256]).get(opened.sha256, {})
        if opened.sha256 in self._round.read:
            before, refused = [*before, self._round.read[opened.sha256]], {}
        older = OlderInFile(opened, self._rounds.log, self._judge, self._horizon_at, self._say)
        records = records_as_they_come(opened, self.unknown, consumed=before, refused=refused, judge=older.judge)
        return _Reading(waiting, opened, records, refused, older, InputWarnings([opened], self._rounds.publications))

    def _read_some(self, reading: _Reading, left: int) -> int:
        """Read up to `left` records of the open file; how many of them are left."""
        try:
            while left > 0 and not self._is_full():
                item = next(reading.records, _END)
                if isinstance(item, _End):
                    self._reading = None
                    self._finished.append(_Finished(reading.waiting.name))
                    self._warn(reading)
                    break
                left -= 1
                if item is not None and self._is_behind and _is_early(item):
                    self._reading = None  # perhaps the clock is wrong, and not the fact: the file stays in the inbox
                    self._finished.append(_Finished(reading.waiting.name, is_unfinished=True))
                    break
                if item is None:
                    reading.already += 1
                else:
                    self._take(item, reading)
        except InputRefused as refused:
            self._reading = None
            self._end_file(reading.waiting, refused)
        except OSError as error:
            self._reading = None
            self._end_file(reading.waiting, InputRefused(reading.input.shown, 0, f"{error.strerror}", "Look after it"))
        return left

    def _take(self, item: Arrived, reading: _Reading) -> None:
        one, before, standing = reading.input, reading.refused.get(item.record, 0), 0
        refusal = None if item.refusal is None else reading.older.judged_again(item.refusal)
        if self._in_parts is not None and refusal is None:
            refusal = self._in_parts.refusal_of(item, [one.name])
        if refusal is not None:
            standing = self._round.refuse(item, refusal, one, received_at=self._now, before=before)
            self.done.refused_again += standing > 0
        elif item.fact is not None:
            waits = 0 if self._in_parts is None else self._in_parts.reject_of(item)
            self._round.take(item, item.fact, one, before, [waits])
            reading.warnings.look_at(0, item.fact)
        else:
            self.done.already += 1
        if before and standing:
            return  # it was read before, and nothing has changed
        if self._began is None:
            self._began = self._clock
        if not before:
            self._round.note_read(one, item.occurred_at, item.record)

    def _warn(self, reading: _Reading) -> None:
        if reading.warnings.facts >= WORTH_WARNING:
            for warning in reading.warnings.told(reading.already):
                self._say(f"warning: {warning}")

    def _end_file(self, waiting: Waiting, refused: InputRefused) -> None:
        """Treat a file that cannot be read (on): it is gone, or not whole yet, or never will be whole."""
        state = self._inbox.look_again(waiting)
        if state == "gone":
            self._say(f"{waiting.name} was taken away before it was read to its end")
        elif state == "unfinished":
            self._finished.append(_Finished(waiting.name, is_unfinished=True))
        else:
            self._finished.append(_Finished(waiting.name, reason=str(refused)))

    # -- the end of a round

    def _is_full(self) -> bool:
        return (
            len(self._round.facts) + len(self._round.rejects) >= ROUND_RECORDS
            or self._round.has_many_rejects
            or len(self._finished) >= ROUND_FILES
        )

    def _is_round_over(self) -> bool:
        # A clock that was put back ends the round too: else the round would last until it has caught up.
        return self._began is not None and (self._is_full() or not self._began <= self._clock < self._began + ROUND_MS)

    def _end_round(self) -> None:
        tick_at = self._due_tick()
        self._has_facts = self._has_facts or bool(self._round.facts)
        self._round.write_facts(tick_at, self._now)
        self._round.write_rejects(self._now)
        if self._began is not None or tick_at:
            read = list(self._round.read.values())
            self.done.add(self._round.commit())
            self.done.commits += 1
            self.done.committed_at = self._now
            self._on_commit()
            for each in read:
                self._remember(each)
        self._began = None
        self._put_away()

    def _put_away(self) -> None:
        finished, self._finished = self._finished, []
        for each in finished:
            if each.is_unfinished:
                self._inbox.put_back(each.name)
            elif each.reason:
                self.done.files_refused += 1
                self._inbox.keep_refused(each.name, each.reason, self._now)
            else:
                self.done.files += 1
                self._inbox.keep_taken(each.name, self._now)

    def _remember(self, consumed: InputConsumed) -> None:
        known = self._consumed.pop(consumed.sha256, {})
        self._consumed[consumed.sha256] = known | {consumed.as_is: consumed}
        if len(self._consumed) > MAX_REMEMBERED:
            del self._consumed[next(iter(self._consumed))]


def _is_early(item: Arrived) -> bool:
    return item.refusal is not None and item.refusal.reason == "too_early"


def received_until(log: LogReader) -> int:
    """Find the latest instant (UTC ms) at which a fact in the books was received."""
    pages = [log.last_page(partition) for partition in range(log.partitions)]
    return max(page.lines[-1].received_at for page in pages if page is not None)
