"""Random histories, told to the decider and to the reference ledger side by side: they must agree on every posting.

History number n of a run has the seed SEED + n.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any

import msgspec

from schemas.bounds import MAX_LOTS
from schemas.facts import ClockTicked, JournalOpened, RefereePurchased, RulesetPublished
from schemas.pages import JournalLine
from schemas.posting import EntryType, Posting, Reason
from tests.reference.local_time import DAY_MS, HOUR_MS
from tests.run.seeds import Seeded
from tests.support.deciders import Feed, decider_feed, published, reference_feed
from tests.support.random_facts import MEMBERS, FactMaker
from tests.support.random_rulesets import ZONES, RulesetMaker, block, tzif_of

THEMES = ("general", "streak", "referral", "flood", "reviews", "huge", "expiry")
THEME_WEIGHTS = (37, 16, 16, 4, 12, 3, 12)
HISTORIES_PER_SETTING = 12
MAX_VERSIONS = 3
# Days around which histories begin: ends of months and years, a leap day; and for each zone its clock changes.
STARTS = ("2027-12-28", "2028-02-27", "2026-01-29", "2026-06-12")
CHANGES = {
    "America/Havana": ("2026-03-06", "2027-11-05"),
    "America/New_York": ("2026-03-06", "2026-10-30"),
    "Asia/Beirut": ("2026-03-27", "2026-10-23"),
    "Atlantic/Azores": ("2026-03-27", "2026-10-23"),
    "Australia/Lord_Howe": ("2026-10-02", "2026-04-03"),
    "Europe/Berlin": ("2026-03-27", "2026-10-23"),
    "Pacific/Chatham": ("2026-09-25", "2026-04-03"),
}
EARLY_MS = 400 * DAY_MS
MAX_SHRINKING_RUNS = 3_000


@dataclass(frozen=True)
class RoundEnded:
    """Here the owed facts of the postings so far are journalled; then the first `again` of them once more."""

    again: int = 0


Item = JournalLine | RoundEnded


@dataclass(frozen=True)
class History:
    """What one partition is told, the seed that made it, and how many lots an account may hold in it."""

    seed: int
    theme: str
    opened: JournalOpened
    items: tuple[Item, ...]
    max_lots: int = MAX_LOTS


@dataclass(frozen=True)
class Difference:
    """The first line on which the two do not agree, or what one of them raised."""

    line: JournalLine | None = None
    decided: Sequence[Posting] = ()
    expected: Sequence[Posting] = ()
    raised: str = ""


# ------------------------------------------------------------------------------------------------ making


@dataclass(frozen=True)
class Setting:
    """A zone, a first day and the versions of a ruleset, shared by a few histories so that each is read once."""

    start: int
    zone: str
    versions: tuple[RulesetPublished, ...]
    theme: str
    documents: tuple[dict[str, Any], ...] = ()


@lru_cache(maxsize=64)
def setting_of(number: int) -> Setting:
    """The setting of this number; versions may disagree about the time zone."""
    rng = Random(f"setting {number}")
    zone = rng.choice(ZONES)
    starts = CHANGES.get(zone, STARTS) if rng.random() < 0.5 else STARTS
    day = date.fromisoformat(rng.choice(starts)) + timedelta(days=rng.randrange(3))
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    (theme,) = rng.choices(THEMES, THEME_WEIGHTS)
    versions: list[RulesetPublished] = []
    documents: list[dict[str, Any]] = []
    for version in range(1, MAX_VERSIONS + 1):
        its_zone = zone if rng.random() < 0.9 else rng.choice(ZONES)
        maker = RulesetMaker(rng, its_zone, day, f"v{version}", theme)
        document = maker.edited(documents[-1]) if versions and rng.random() < 0.5 else maker.document()
        documents.append(document)
        versions.append(published(block(document), its_zone, version=f"v{version}", effective_from=start))
    return Setting(start, zone, tuple(versions), theme, tuple(documents))


def history_of(seed: int) -> History:
    """The history of a seed; the same on every machine."""
    setting = setting_of(seed // HISTORIES_PER_SETTING)
    rng = Random(f"history {seed}")
    opened = JournalOpened(
        deployment="random",
        generation=1,
        partitions=1,
        partition=0,
        horizon_ms=rng.choice((1, 3, 10, 10, 30, 90)) * DAY_MS,
        referral_window_ms=rng.choice((HOUR_MS, 2 * DAY_MS, 5 * DAY_MS, 30 * DAY_MS)),
    )
    if setting.theme == "flood":
        opened = msgspec.structs.replace(opened, referral_window_ms=30 * DAY_MS)
    facts = FactMaker(rng, tzif_of(setting.zone), setting.start, setting.theme, opened)
    items: list[Item] = [JournalLine(opened, 0)]
    if rng.random() < 0.93:
        items.append(publication(rng, setting, 0, facts.now))
    if setting.theme == "flood":
        items += flood(facts)
    length = rng.choice((6, 12, 18, 25, 25, 45))
    for _ in range(length):
        facts.step()
        items += some_items(rng, setting, facts)
    items.append(RoundEnded())
    max_lots = Random(f"lots {seed}").choice((1, 2, 4, *[MAX_LOTS] * 21))
    return History(seed, setting.theme, opened, tuple(items), max_lots)


def some_items(rng: Random, setting: Setting, facts: FactMaker) -> list[Item]:
    """Mostly a fact; now and then a tick, the end of a round, or another version."""
    choice = rng.random()
    if choice < 0.75:
        return list(facts.lines())
    if choice < 0.87:
        return [tick(rng, facts)]
    if choice < 0.94:
        return [RoundEnded(again=rng.choice((0, 0, 0, 1, 2)))]
    return [publication(rng, setting, rng.randrange(MAX_VERSIONS), facts.now)]


def tick(rng: Random, facts: FactMaker) -> JournalLine:
    """A tick now or at the last full day; rarely an old one, or one that overtakes facts."""
    at = rng.choice((facts.now, facts.now, facts.now // DAY_MS * DAY_MS, facts.now - DAY_MS, facts.now + 3 * HOUR_MS))
    facts.last_tick = max(facts.last_tick, at)
    return JournalLine(ClockTicked(at), 0)


def publication(rng: Random, setting: Setting, version: int, now: int) -> JournalLine:
    """A version, effective long since (so that the later of two wins), from now, or a little before or after."""
    effective_from = now + rng.choice((0, DAY_MS, -2 * DAY_MS, 3 * DAY_MS))
    if rng.random() < (0.7 if version == 0 else 0.5):
        effective_from = setting.start - EARLY_MS
    return JournalLine(msgspec.structs.replace(setting.versions[version], effective_from=effective_from), 0)


def flood(facts: FactMaker) -> list[Item]:
    """More claims on one member than may stand in one window."""
    made: list[Item] = []
    for number in range(36):
        if facts.rng.random() < 0.3:
            facts.step()
        referral = facts.referral(f"friend-{number}", MEMBERS[0])
        made.append(JournalLine(referral, 0, referral.referee_id))
        if facts.rng.random() < 0.1:
            made.append(JournalLine(referral, 0, referral.referrer_id))
    return made


# ------------------------------------------------------------------------------------------------ telling


def play(items: Sequence[Item], feeds: Sequence[Feed]) -> Iterator[tuple[JournalLine, list[list[Posting]]]]:
    """Feed every item to each listener; yields the line and each one's postings.

    At the end of a round come the facts that the last listener's postings owe, by (occurred_at, order of arrival).
    """
    waiting: list[RefereePurchased] = []
    for item in items:
        lines = [item] if isinstance(item, JournalLine) else delivered(waiting, item.again)
        if isinstance(item, RoundEnded):
            waiting = []
        for line in lines:
            heard = [feed(line) for feed in feeds]
            yield line, heard
            waiting += [owed for posting in heard[-1] for owed in posting.owed]


def delivered(waiting: list[RefereePurchased], again: int) -> list[JournalLine]:
    """The journal lines of a round's derived facts."""
    in_order = sorted(waiting, key=lambda fact: fact.occurred_at)
    return [JournalLine(fact, 0, fact.member_id) for fact in in_order + in_order[:again]]


def compared(posting: Posting) -> Posting:
    """A posting without what the reference does not make: folio, number and workings."""
    return msgspec.structs.replace(posting, number=0, page=0, line=0, sub=0, workings=())


def first_difference(history: History, seen: Counter[str] | None = None) -> Difference | None:
    """Tell a history to both; None if they agree. Counts entry kinds, reasons and effects into `seen`."""
    feeds = (decider_feed(history.opened, history.max_lots), reference_feed(history.opened, history.max_lots))
    try:
        for line, (decided, expected) in play(history.items, feeds):
            if list(map(compared, decided)) != expected:
                return Difference(line, decided, expected)
            if seen is not None:
                for posting in expected:
                    count(posting, seen)
    except Exception as error:  # noqa: BLE001 whatever is raised is a finding, to be told with its seed and shrunk
        return Difference(raised=f"{type(error).__name__}: {error}")
    return None


def count(posting: Posting, seen: Counter[str]) -> None:
    """Count what a posting shows."""
    seen["postings"] += 1
    for entry in posting.entries:
        seen[entry.type] += 1
    if posting.reason is not None:
        seen[posting.reason] += 1
    seen["(late)"] += posting.late
    seen["(tick postings)"] += posting.fact_type == "ClockTicked"
    seen["(due beside a reason)"] += bool(posting.reason and posting.entries)
    seen["(awarded and expired at once)"] += len({entry.lot for entry in posting.entries}) < len(posting.entries)
    seen["(days held)"] += posting.day_held is not None
    seen["(days forgotten)"] += posting.day_held is not None and posting.day_held.kept_run > 1
    seen["(limits charged)"] += len(posting.charges)
    seen["(claims opened)"] += posting.claim_opened > 0
    seen["(claims paid)"] += posting.claim_paid is not None
    seen["(facts owed)"] += len(posting.owed)


def shrunk(history: History, is_wrong: Callable[[History], bool]) -> History:
    """The history with items taken out, one after the other, for as long as it stays wrong."""
    runs = 0
    width = len(history.items) // 2
    while width > 0 and runs < MAX_SHRINKING_RUNS:
        begin = 1
        while begin < len(history.items) and runs < MAX_SHRINKING_RUNS:
            fewer = replace(history, items=history.items[:begin] + history.items[begin + width :])
            runs += 1
            if is_wrong(fewer):
                history = fewer
            else:
                begin += width
        width //= 2
    return history


def report(seed: int) -> str:
    """A history for a person: of one that is wrong as little as shows it, and the first postings that differ."""
    history = history_of(seed)
    if first_difference(history) is not None:
        history = shrunk(history, lambda shorter: first_difference(shorter) is not None)
    difference = first_difference(history)
    agree = "agree" if difference is None else "do not agree"
    said = [f"seed {seed} ({history.theme}): the decider and the reference {agree}", ""]
    for item in history.items:
        if isinstance(item, RoundEnded):
            said.append(f"-- {item}")
        elif isinstance(item.fact, RulesetPublished):
            brief = msgspec.structs.replace(item.fact, text="", tzif=b"")
            said += [f"-- {shown(brief)}", item.fact.text.rstrip()]
        else:
            said.append(f"{item.member_id}: {shown(item.fact)}")
    said.append("")
    if difference is not None and difference.line is None:
        said.append(difference.raised)
    elif difference is not None and difference.line is not None:
        said.append(f"first differing line, for {difference.line.member_id}: {shown(difference.line.fact)}")
        said += [f"decider:   {shown(compared(posting))}" for posting in difference.decided] or ["decider: nothing"]
        said += [f"reference: {shown(posting)}" for posting in difference.expected] or ["reference: nothing"]
    return "\n".join(said)


def shown(value: msgspec.Struct) -> str:
    """A fact or posting on one line."""
    return msgspec.json.encode(value).decode()


# ------------------------------------------------------------------------------------------------ running


def holds(seed: int, seen: Counter[str]) -> bool:
    """Whether decider and reference agree on the history of a seed."""
    return first_difference(history_of(seed), seen) is None


SEEDED = Seeded(holds, report, ("postings", *EntryType, *Reason), least=100, enough=10_000)
