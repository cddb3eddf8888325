"""Runs the examples of a ruleset through the decider, and says which do not come out as they are written."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from processors.decider.fields.example import (
    Example,
    ExampleFact,
    ExamplePurchase,
    ExampleReferral,
    ExampleTick,
    Expected,
    example_kind,
)
from processors.decider.fields.scalars import read_instant
from processors.decider.local_time import Zone
from processors.decider.partition_machine import Load, PartitionMachine
from processors.decider.partition_state import SEMANTICS
from processors.decider.rules.ruleset import Ruleset
from processors.ruleset.parse import place_of, ruleset_hash
from processors.zones import zone_data
from schemas.bounds import DAY_MS, EARLIEST_AT
from schemas.facts import FACT_KINDS, ClockTicked, JournalOpened, MemberFact, PurchaseLine, RulesetPublished, members_of
from schemas.pages import JournalLine
from schemas.posting import EntryType, Posting, Reason

Score = Callable[[Sequence[RulesetPublished], Sequence[MemberFact | ClockTicked]], Sequence[Posting]]

HORIZON_DAYS: Final = 90
REFERRAL_WINDOW_DAYS: Final = 30
MAX_SHOWN: Final = 20
MAX_RULESETS_KEPT: Final = 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ExampleFailure:
    """An example that does not come out as written: its name, the line to look at, and what came instead."""

    name: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: example `{self.name}`: {self.message}"


@dataclass(frozen=True, slots=True)
class _Item:
    """What came: one entry, or one reason (then `type` is empty)."""

    member: str
    event_id: str
    late: bool
    type: str = ""
    rule: str = ""
    points: int = 0
    expires_at: int | None = None
    reason: str = ""

    def __str__(self) -> str:
        if self.reason:
            return f"{self.reason} ({self.member})"
        what = self.rule if self.type == EntryType.POINTS_AWARDED else self.type
        return f"{what} {self.points} ({self.member})"


def score_with(load: Load) -> Score:
    """A `Score` that decides everything in one partition, in memory; owed facts are decided right after their cause.

    `load` reads a ruleset from its text; it is called once per text.
    """
    load_once = lru_cache(maxsize=MAX_RULESETS_KEPT)(load)

    def score(publications: Sequence[RulesetPublished], facts: Sequence[MemberFact | ClockTicked]) -> list[Posting]:
        opened = JournalOpened(
            deployment="examples",
            generation=1,
            partitions=1,
            partition=0,
            horizon_ms=HORIZON_DAYS * DAY_MS,
            referral_window_ms=REFERRAL_WINDOW_DAYS * DAY_MS,
        )
        machine = PartitionMachine(opened, (), load_once)
        postings: list[Posting] = []
        for published in publications:
            machine.feed(JournalLine(published, 0))
        for fact in facts:
            if isinstance(fact, ClockTicked):
                postings += machine.feed(JournalLine(fact, 0))
                continue
            waiting = deque(JournalLine(fact, 0, member) for member in members_of(fact))
            while waiting:
                for posting in machine.feed(waiting.popleft()):
                    postings.append(posting)
                    waiting.extend(JournalLine(owed, 0, owed.member_id) for owed in posting.owed)
        return postings

    return score


def run_examples(ruleset: Ruleset, text: str, score: Score) -> list[ExampleFailure]:
    """Every example of `ruleset` (read from `text`) that does not earn what it says; accounts start empty."""
    tzif = zone_data(ruleset.timezone)
    published = RulesetPublished(
        version=ruleset.version,
        ruleset_hash=ruleset_hash(text),
        effective_from=EARLIEST_AT,
        semantics=SEMANTICS,
        text=text,
        timezone=ruleset.timezone,
        tzif=tzif,
    )
    zone = Zone(ruleset.timezone, tzif)
    failures: list[ExampleFailure] = []
    for place, example in enumerate(ruleset.examples):
        facts = [_fact(fact, number, ruleset, zone) for number, fact in enumerate(example.facts, start=1)]
        items = [item for posting in score([published], facts) for item in _items(posting)]
        failure = _compare(example, items, zone)
        if failure is not None:
            at, message = failure
            where = ("examples", place) if at is None else ("examples", place, "expect", at)
            failures.append(ExampleFailure(example.name, place_of(text, where).line, message))
    return failures


def _compare(example: Example, items: Sequence[_Item], zone: Zone) -> tuple[int | None, str] | None:
    """The position of the first expectation that fails (None: there are too few) and what to say of it."""
    came = "; ".join(map(str, items[:MAX_SHOWN])) or "nothing"
    for at, expected in enumerate(example.expect):
        if at >= len(items):
            return at, f"nothing comes for item {at + 1}; all that came: {came}"
        differences = _differences(expected, items[at], zone)
        if differences:
            return at, f"item {at + 1} differs: {', '.join(differences)}; all that came: {came}"
    if len(items) > len(example.expect):
        extra = items[len(example.expect)]
        return None, f"`expect` ends before `{extra}`; all that came: {came}"
    return None


def _differences(expected: Expected, item: _Item, zone: Zone) -> list[str]:
    reason = expected.reason or ""
    entry = "" if reason else expected.type or EntryType.POINTS_AWARDED
    asked: list[tuple[str, object, object]] = [("reason", reason, item.reason), ("type", entry, item.type)]
    if expected.expires_at is not None:
        asked.append(("expires_at", zone.instant_of(expected.expires_at), item.expires_at))
    for name, wanted, found in (
        ("rule", expected.rule, item.rule),
        ("points", expected.points, item.points),
        ("member", expected.member, item.member),
        ("of", expected.of, item.event_id),
        ("late", expected.late, item.late),
    ):
        if wanted is not None:
            asked.append((name, wanted, found))
    return [
        f"{name} is {_shown(name, found, zone)}, not {_shown(name, wanted, zone)}"
        for name, wanted, found in asked
        if wanted != found
    ]


def _shown(name: str, value: object, zone: Zone) -> str:
    if name == "expires_at":
        return zone.local(value).isoformat() if isinstance(value, int) else "never"
    return str(value) or "(none)"


def _items(posting: Posting) -> list[_Item]:
    items = [
        _Item(
            posting.member_id,
            posting.event_id,
            posting.late,
            type=entry.type,
            rule=entry.rule_id,
            points=entry.points,
            expires_at=entry.expires_at,
        )
        for entry in posting.entries
    ]
    if posting.reason is not None:
        items.append(_Item(posting.member_id, posting.event_id, posting.late, reason=Reason(posting.reason)))
    return items


def _instant(text: str, zone: Zone) -> int:
    moment = read_instant(text)
    if moment.tzinfo is None:
        return zone.instant_of(moment)
    passed = moment - _EPOCH
    return passed.days * DAY_MS + passed.seconds * 1000 + passed.microseconds // 1000


def _fact(fact: ExampleFact, number: int, ruleset: Ruleset, zone: Zone) -> MemberFact | ClockTicked:
    if isinstance(fact, ExampleTick):
        return ClockTicked(_instant(fact.tick, zone))
    kind = FACT_KINDS[example_kind(fact) or ""]
    # The fields have the fact's own names, but for the member, who stands behind the word for the kind.
    fields = {name: getattr(fact, name) for name in kind.fact.__struct_fields__ if hasattr(fact, name)}
    member = "referee_id" if isinstance(fact, ExampleReferral) else "member_id"
    event_id = fact.id or str(number)
    fields |= {member: getattr(fact, kind.word), "event_id": event_id, "occurred_at": _instant(fact.at, zone)}
    if isinstance(fact, ExamplePurchase):
        lines = tuple(PurchaseLine(**line.model_dump()) for line in fact.lines or ())
        if fact.amount_minor is not None:
            lines = (PurchaseLine(sku="item", amount_minor=fact.amount_minor),)
        order_id, currency = fact.order_id or event_id, fact.currency or ruleset.currency
        fields |= {"lines": lines, "order_id": order_id, "currency": currency}
    return kind.fact(**fields)
