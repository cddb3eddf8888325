"""Re-scores small journals that are told by hand: rules of the books, facts and ticks, and the layers of a draft."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from processors.decider.account import Account
from processors.decider.accounts_digest import canonical_account
from processors.decider.partition_machine import PartitionMachine
from processors.replay.rescore.differences import LineDifference, MemberDifference
from processors.replay.rescore.two_worlds import EVERYBODY, Selection, TwoWorlds
from schemas.bounds import DAY_MS
from schemas.canonical import EMPTY_DIGEST, next_ledger_digest
from schemas.facts import ClockTicked, JournalOpened, PublishedFact, RulesetPublished, members_of
from schemas.pages import Folio, JournalLine
from schemas.posting import RuleLayer, RuleSpan
from tests.support.deciders import load, published

OPENED = JournalOpened("rescored", 1, 1, 0, 90 * DAY_MS, 30 * DAY_MS)
ZONE = "UTC"
Told = RulesetPublished | ClockTicked | PublishedFact


def ruleset(rules: str, *, version: str = "1", before: str = "", zone: str = ZONE) -> str:
    """The text of a ruleset with these rules, and what stands before them."""
    return f'programme: tried\nversion: "{version}"\ntimezone: {zone}\ncurrency: EUR\n{before}rules:\n{rules}\n'


def publication(text: str, version: str = "1", effective_from: int = 0) -> RulesetPublished:
    """The publication of a text."""
    return published(text, ZONE, version=version, effective_from=effective_from)


def span(text: str, from_at: int = 0, until_at: int | None = None) -> RuleSpan:
    """A span in which a text holds."""
    return RuleSpan(from_at, publication(text, "draft"), until_at)


def layer(*spans: RuleSpan, covers: int = 1) -> tuple[RuleLayer, ...]:
    """The layers of a draft: one, over so many publications."""
    return (RuleLayer(covers, spans),)


def journal(*told: Told) -> list[JournalLine]:
    """The lines of some facts: those of book facts for nobody, of others one for each member."""
    lines = []
    for fact in told:
        members = (None,) if isinstance(fact, RulesetPublished | ClockTicked) else members_of(fact)
        lines += [JournalLine(fact, 0, member) for member in members]
    return lines


@dataclass
class Rescored:
    """What a pass over a journal found, and its worlds."""

    worlds: TwoWorlds
    lines: list[LineDifference] = field(default_factory=list)
    members: list[MemberDifference] = field(default_factory=list)

    def points(self) -> list[tuple[str, str, int, int, str]]:
        """Event, rule, points before and after, and the cause of each line that differs."""
        return [
            (each.event_id, each.rule_id, each.points_before, each.points_after, str(each.cause)) for each in self.lines
        ]

    def accounts(self) -> list[bytes]:
        """The draft's accounts, whether they have parted from those of the books or not."""
        (draft,) = self.worlds.drafts
        base, own = self.worlds.base, draft.machine
        return [
            _canonical(own, (own if draft.has_parted(member_id) else base).account(member_id))
            for member_id in base.accounts.members()
        ]


def rescored(
    lines: Sequence[JournalLine],
    layers: Sequence[RuleLayer],
    base_layers: Sequence[RuleLayer] = (),
    selection: Selection = EVERYBODY,
) -> Rescored:
    """Decide a journal once, with one draft beside it; the pages have one line each."""
    found: list[LineDifference] = []
    worlds = TwoWorlds(OPENED, base_layers, [(layers, found.append)], load, selection)
    for number, line in enumerate(lines):
        worlds.feed(line, Folio(number, 0))
    return Rescored(worlds, found, list(worlds.drafts[0].finish()))


def whole_run(lines: Sequence[JournalLine], layers: Sequence[RuleLayer]) -> tuple[bytes, list[bytes]]:
    """The digest and the accounts of a journal that is decided from nothing under layers."""
    machine, digest = PartitionMachine(OPENED, layers, load), EMPTY_DIGEST
    for line in lines:
        for posting in machine.feed(line):
            digest = next_ledger_digest(digest, posting)
    return digest, [_canonical(machine, account) for account in machine.accounts]


def _canonical(machine: PartitionMachine, account: Account) -> bytes:
    return canonical_account(machine.partition, account)
