"""Decides the facts of members with late ones again, in the order in which they happened, and tells what differs.

The ledger decided facts as they came; here each comes when it happened, under the rules that hold for that instant by
the end of the journal. Facts that were `too_old`, `duplicate` or `conflict` stay so, and derived facts, with the ranks
that they name, are taken as they stand in the journal. A difference is `direct` where the ledger did not have the rules
yet, else `knock_on`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from books.log import LogReader
from processors.decider.account import Account
from processors.decider.apply import apply
from processors.decider.decide import decide
from processors.decider.local_time import LocalMoment
from processors.decider.partition_machine import Load, PartitionMachine
from processors.decider.partition_state import Partition
from processors.decider.rules.compile import compile_published
from processors.replay.rescore.compare import OnLine, Parted
from processors.replay.rescore.differences import Cause, LineDifference, MemberDifference
from processors.replay.rescore.partition_run import BaseDiffers, Cut
from processors.replay.rescore.two_worlds import EVERYBODY, LIVE_ACCOUNTS, Selection
from schemas.bounds import DAY_MS
from schemas.facts import ClockTicked, JournalOpened, MemberFact, RulesetPublished
from schemas.pages import MAX_PAGE_LINES, Folio, JournalLine
from schemas.posting import Posting, Reason, RuleLayer

# What is kept of the members with late facts in one partition: their facts and postings, encoded.
MAX_KEPT_BYTES: Final = 256 << 20
_BEFORE_RULES: Final = frozenset({Reason.TOO_OLD, Reason.DUPLICATE, Reason.CONFLICT})


class TooMuchLate(Exception):
    """The members with late facts have more history than is kept in memory."""


class Counted(msgspec.Struct):
    """So many facts of so many members."""

    facts: int = 0
    members: int = 0


class LateFound(msgspec.Struct):
    """What one partition came to, or all of them together.

    `late` came late; `too_old` were not scored for their age; `before_rules` were decided before the rules that hold
    for them by the end of the journal were published. `lines` and `bytes` were kept, of one partition at a time
    (`most_bytes`: at most); `balance` is what the members with late facts have in the books.
    """

    late: Counted = msgspec.field(default_factory=Counted)
    too_old: Counted = msgspec.field(default_factory=Counted)
    before_rules: Counted = msgspec.field(default_factory=Counted)
    lines: int = 0
    bytes: int = 0
    most_bytes: int = 0
    balance: int = 0

    def add(self, other: LateFound) -> None:
        """Add what another partition came to."""
        for name in ("late", "too_old", "before_rules"):
            one, more = getattr(self, name), getattr(other, name)
            one.facts += more.facts
            one.members += more.members
        self.lines += other.lines
        self.bytes += other.bytes
        self.balance += other.balance
        self.most_bytes = max(self.most_bytes, other.bytes)


class _Kept(msgspec.Struct, array_like=True):
    """A posting of the books without its workings, and the fact that it answers; None for a tick."""

    page: int
    line: int
    posting: Posting
    fact: MemberFact | None

    @property
    def is_refused(self) -> bool:
        """Whether no rule was asked."""
        return self.posting.reason in _BEFORE_RULES


class MemberInOrder(NamedTuple):
    """One member's account at the end, the posting of each fact by its place, and what was due in the end."""

    account: Account
    made: dict[Folio, Posting]
    due: Posting | None = None


_TICK: Final = ClockTicked.__name__
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Kept).decode


class InOrder:
    """A partition whose rules are all published before the first fact; it decides one member at a time.

    To a fact the last tick is the greatest one at or before its `occurred_at`; `ticks` are all that there are.
    """

    def __init__(
        self, opened: JournalOpened, layers: Sequence[RuleLayer], published: Iterable[RulesetPublished], load: Load
    ) -> None:
        self.partition = Partition(opened, layers, lambda each: compile_published(each, load))
        for each in published:
            self.partition.publish(each)
        self.ticks: list[int] = []

    def take_ticks(self, ticks: Iterable[int]) -> None:
        """Take these as the instants of all ticks, in whatever order."""
        self.ticks = sorted(set(ticks))

    def decide(self, member_id: str, facts: Iterable[tuple[Folio, MemberFact]], until: int = 0) -> MemberInOrder:
        """Decide the facts of one member by (`occurred_at`, folio); all of them count as new.

        In the end what is due by the last tick is done, or by `until`, if that is later.
        """
        account = Account(member_id)
        made: dict[Folio, Posting] = {}
        for place, fact in sorted(facts, key=_when):
            number = bisect_right(self.ticks, fact.occurred_at)
            self.partition.pass_tick(self.ticks[number - 1] if number else 0)
            # The books took each of them as new; one of that name may have been forgotten by then, and not yet here.
            account.seen.clear()
            made[place] = decide(self.partition, account, fact)
            apply(self.partition, account, fact, made[place])
        end = ClockTicked(max([until, *self.ticks[-1:]]))
        due = decide(self.partition, account, end)
        if not due.entries:
            return MemberInOrder(account, made)
        apply(self.partition, account, end, due)
        return MemberInOrder(account, made, due)

    def day_of(self, at: int) -> int:
        """The local day (since 1970) of an instant."""
        rules = self.partition.rules_at(at)
        return at // DAY_MS if rules is None else LocalMoment(rules.zone, at).day

    def has_other_rules(self, posting: Posting) -> bool:
        """Whether a posting was decided under other rules than hold there in the end."""
        rules = self.partition.rules_at(posting.occurred_at)
        now = ("", 0) if rules is None else (rules.ruleset_hash, rules.semantics)
        return (posting.ruleset_hash, posting.semantics) != now

    def cause_of(self, posting: Posting, _rule_id: str) -> Cause:
        """Why a rule awards otherwise than the posting of the books has it."""
        return Cause.DIRECT if self.has_other_rules(posting) else Cause.KNOCK_ON


def _when(placed: tuple[Folio, MemberFact]) -> tuple[int, Folio]:
    """By what facts are sorted: when they happened; those of one instant as they came."""
    place, fact = placed
    return fact.occurred_at, place


def rescore_late(
    log: LogReader,
    edition: str,
    cut: Cut,
    published: Sequence[RulesetPublished],
    load: Load,
    *,
    on_line: OnLine,
    on_member: Callable[[MemberDifference], object],
    selection: Selection = EVERYBODY,
    on_read: Callable[[int], object] = lambda _: None,
) -> LateFound:
    """Tell what differs in one partition, up to the cut, had all its facts come in order; writes nothing.

    `published` is all that the journal publishes. `on_read` is told how many postings or lines more were read.

    Raises:
        TooMuchLate: what must be kept of this partition is more than MAX_KEPT_BYTES.
        BaseDiffers: the ledger marks other facts as late than its rules do.
        BooksDamaged: the books cannot be read.
    """
    in_order = InOrder(log.opened(), log.edition(edition).layers, published, load)
    reading = _Reading(log, edition, cut, on_read)
    members = reading.marked(in_order, selection)
    found = reading.found
    if not members:
        return found
    base = PartitionMachine(log.opened(), log.edition(edition).layers, load, live_accounts=LIVE_ACCOUNTS)
    kept = reading.keep(base, members)
    in_order.take_ticks(reading.ticks)
    last_place = reading.ticks[in_order.ticks[-1]] if in_order.ticks else Folio(0, 0)
    for member_id in sorted(members):
        account = base.account(member_id)
        found.balance += account.balance
        member = _compare(in_order, account, kept.pop(member_id), last_place, on_line)
        if member is not None:
            on_member(member)
    return found


class _Reading:
    """Reads one partition: the ledger for its marks, then the journal for what late members did."""

    def __init__(self, log: LogReader, edition: str, cut: Cut, on_read: Callable[[int], object]) -> None:
        self.found = LateFound()
        self.ticks: dict[int, Folio] = {}
        self._log = log
        self._edition = edition
        self._cut = cut
        self._closes_at = cut.closes_at or Folio(cut.page, MAX_PAGE_LINES)
        self._on_read = on_read

    def marked(self, in_order: InOrder, selection: Selection) -> set[str]:
        """The members of whom the ledger marks a fact as late; counts these, and what is told apart."""
        told = ("late", "too_old", "before_rules")
        members: dict[str, set[str]] = {name: set() for name in told}
        is_sample = not selection.is_everybody
        for _, batch in self._log.read_ledger(self._edition, self._cut.partition):
            self._on_read(len(batch))
            for posting in batch:
                member_id, reason = posting.member_id, posting.reason
                if posting.fact_type == _TICK or Folio(posting.page, posting.line) > self._closes_at:
                    continue
                if is_sample and not selection.takes(member_id):
                    continue
                says = (
                    posting.late,
                    reason == Reason.TOO_OLD,
                    reason not in _BEFORE_RULES and in_order.has_other_rules(posting),
                )
                for name, is_so in zip(told, says, strict=True):
                    if is_so:
                        getattr(self.found, name).facts += 1
                        members[name].add(member_id)
        for name in told:
            getattr(self.found, name).members = len(members[name])
        return members["late"]

    def keep(self, base: PartitionMachine, members: set[str]) -> dict[str, list[bytes]]:
        """Decide the facts of these members as they came, and keep them with their postings, by member."""
        kept: dict[str, list[bytes]] = {member_id: [] for member_id in members}
        late = 0
        for _, page in self._log.read_journal(self._cut.partition):
            if page.page > self._closes_at.page:
                break
            for number, line in enumerate(page.lines):
                if Folio(page.page, number) > self._closes_at:
                    break
                if line.member_id is None or line.member_id in members:
                    for posting in self._decided(base, line, Folio(page.page, number)):
                        late += posting.late
                        kept[posting.member_id].append(self._encoded(page.page, number, posting, line))
            self._on_read(len(page.lines))
        if late != self.found.late.facts:
            raise BaseDiffers(
                f"ledger.{self._edition}/{self._cut.partition:02d}",
                None,
                f"it marks {self.found.late.facts:,} facts as late, and its rules {late:,}",
                "Run `tallybook verify`, which names the postings.",
            )
        return kept

    def _decided(self, base: PartitionMachine, line: JournalLine, place: Folio) -> list[Posting]:
        if isinstance(line.fact, ClockTicked):
            self.ticks.setdefault(line.fact.at, place)
        return base.feed(line)

    def _encoded(self, page: int, number: int, posting: Posting, line: JournalLine) -> bytes:
        fact: Any = None if line.member_id is None else line.fact
        encoded = _encode(_Kept(page, number, msgspec.structs.replace(posting, workings=()), fact))
        self.found.lines += 1
        self.found.bytes += len(encoded)
        self.found.most_bytes = self.found.bytes
        if self.found.bytes > MAX_KEPT_BYTES:
            raise TooMuchLate(
                f"the {self.found.late.members:,} members with late facts in partition {self._cut.partition} have more "
                f"history than the {MAX_KEPT_BYTES:,} bytes that are kept in memory"
            )
        return encoded


def _compare(
    in_order: InOrder, account: Account, encoded: Sequence[bytes], last_place: Folio, on_line: OnLine
) -> MemberDifference | None:
    """Decide one member in order, and tell what differs from the books, where the account is this one."""
    books = [(Folio(each.page, each.line), each) for each in map(_decode, encoded)]
    facts = [(place, each.fact) for place, each in books if each.fact is not None and not each.is_refused]
    # To refuse a fact is to do what was due by then.
    until = max((each.posting.occurred_at for _, each in books if each.is_refused), default=0)
    after = in_order.decide(account.member_id, facts, until)
    pairs: list[tuple[Folio, Posting | None, Posting | None]] = [
        (place, each.posting, after.made.get(place)) for place, each in books
    ]
    if after.due is not None:
        pairs.append((max(last_place, books[-1][0]), None, after.due))
    told: list[LineDifference] = []
    parted = Parted(next(place for place, each in books if each.posting.late))
    for place, one, other in pairs:
        parted.compare(one, other, place, told.append, cause_of=in_order.cause_of, day_of=in_order.day_of)
    if told:  # a fact that came before the first late one, and happened after it, may differ too
        parted.place = min(parted.place, Folio(told[0].page, told[0].line))
    for line in told:
        on_line(line)
    return parted.finish(account, after.account, on_line)
