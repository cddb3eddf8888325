"""Random histories, re-scored by random drafts: two worlds in one pass must equal two whole runs.

History number n is that of `histories.py`; its drafts have the seed n too. The draft is decided a third time by the
reference ledger, which reads layers on its own.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from random import Random

from processors.decider.accounts_digest import canonical_account
from processors.decider.partition_machine import PartitionMachine
from processors.replay.rescore.differences import Cause, LineDifference, MemberDifference
from processors.replay.rescore.two_worlds import EVERYBODY, MILLION, Selection, TwoWorlds
from schemas.canonical import EMPTY_DIGEST, next_ledger_digest
from schemas.facts import RulesetPublished
from schemas.pages import Folio, JournalLine
from schemas.posting import EntryType, Posting, RuleLayer, RuleSpan
from tests.property.histories import (
    EARLY_MS,
    HISTORIES_PER_SETTING,
    History,
    Setting,
    compared,
    history_of,
    play,
    setting_of,
    shown,
)
from tests.reference.local_time import DAY_MS
from tests.run.seeds import Seeded
from tests.support.deciders import decider_feed, load, published, reference_feed
from tests.support.random_rulesets import Plain, RulesetMaker, block

SETTINGS_KEPT = 64


@dataclass
class Found:
    """What one draft was found to change."""

    lines: list[LineDifference] = field(default_factory=list)
    members: list[MemberDifference] = field(default_factory=list)


def lines_of(history: History) -> list[JournalLine]:
    """The journal of a history, with the facts that its postings owe."""
    feed = decider_feed(history.opened, history.max_lots)
    return [line for line, _ in play(history.items, [feed])]


# ------------------------------------------------------------------------------------------------ drafts


@lru_cache(SETTINGS_KEPT)
def other_versions(number: int) -> tuple[RulesetPublished, ...]:
    """Rulesets that a draft may have in a setting: its own, edited ones, and one in which a rule is removed."""
    setting = setting_of(number)
    rng = Random(f"drafts {number}")
    found = list(setting.versions)
    for count, document in enumerate(setting.documents):
        maker = RulesetMaker(
            rng, setting.zone, datetime.fromtimestamp(setting.start / 1000, UTC).date(), f"d{count}", setting.theme
        )
        found.append(_published(setting, maker.edited(document), f"d{count}"))
    document = dict(setting.documents[0])
    earning = [rule for rule in document["rules"] if rule["kind"] != "multiplier"]
    if len(earning) > 1:
        removed = rng.choice(earning)["id"]
        kept = [rule for rule in document["rules"] if rule["id"] != removed and "applies_to" not in rule]
        if any(rule["kind"] != "multiplier" for rule in kept) and _multiplies_something(kept):
            found.append(_published(setting, document | {"rules": kept, "version": Plain("r0")}, "r0"))
    return tuple(found)


def _multiplies_something(rules: Sequence[dict[str, object]]) -> bool:
    kinds = {rule["kind"] for rule in rules}
    return "multiplier" not in kinds or "spend" in kinds


def _published(setting: Setting, document: dict[str, object], version: str) -> RulesetPublished:
    return published(block(document), setting.zone, version=version, effective_from=setting.start)


def layers_of(seed: int, publications: int) -> tuple[RuleLayer, ...]:
    """One or two layers of random spans, over some of so many publications; rarely none."""
    rng = Random(f"layers {seed}")
    setting = setting_of(seed // HISTORIES_PER_SETTING)
    versions = other_versions(seed // HISTORIES_PER_SETTING)
    layers = []
    for _ in range(rng.choice((0, 1, 1, 1, 1, 2))):
        instants = sorted({setting.start + rng.choice((-EARLY_MS, rng.randrange(-10, 60) * DAY_MS)) for _ in range(4)})
        spans = []
        for begin, end in list(zip(instants, [*instants[1:], None], strict=True))[:: rng.choice((1, 2))]:
            if rng.random() < 0.7:
                spans.append(RuleSpan(begin, rng.choice(versions), end))
        layers.append(RuleLayer(rng.choice((publications, rng.randrange(publications + 1))), tuple(spans)))
    return tuple(layers)


# ------------------------------------------------------------------------------------------------ two ways


def rescored(
    history: History,
    lines: Sequence[JournalLine],
    drafts: Sequence[Sequence[RuleLayer]],
    selection: Selection = EVERYBODY,
) -> tuple[TwoWorlds, list[Found]]:
    """The journal decided once, with all drafts beside it."""
    found = [Found() for _ in drafts]
    told = [(layers, one.lines.append) for layers, one in zip(drafts, found, strict=True)]
    worlds = TwoWorlds(history.opened, (), told, load, selection)
    worlds.base.partition.max_lots = history.max_lots
    for draft in worlds.drafts:
        draft.machine.partition.max_lots = history.max_lots
    for number, line in enumerate(lines):
        worlds.feed(line, Folio(number, 0))
    for draft, one in zip(worlds.drafts, found, strict=True):
        one.members = list(draft.finish())
    return worlds, found


def whole_run(
    history: History, lines: Sequence[JournalLine], layers: Sequence[RuleLayer]
) -> tuple[PartitionMachine, list[list[Posting]]]:
    """The same journal decided from nothing under layers."""
    machine = PartitionMachine(history.opened, layers, load)
    machine.partition.max_lots = history.max_lots
    return machine, [machine.feed(line) for line in lines]


def sums(postings: Sequence[Sequence[Posting]]) -> tuple[Counter[tuple[object, ...]], Counter[str]]:
    """What each rule awarded at each line to each member and until when; and what expired of each member in all."""
    awards: Counter[tuple[object, ...]] = Counter()
    expired: Counter[str] = Counter()
    for number, made in enumerate(postings):
        for posting in made:
            for entry in posting.entries:
                if entry.type == EntryType.POINTS_AWARDED:
                    awards[number, posting.member_id, entry.rule_id, entry.expires_at] += entry.points
                else:
                    expired[posting.member_id] += entry.points
    return awards, expired


# ------------------------------------------------------------------------------------------------ laws


def check(seed: int, seen: Counter[str]) -> None:
    """Assert all laws for the history and the drafts of a seed."""
    history = history_of(seed)
    lines = lines_of(history)
    publications = sum(isinstance(line.fact, RulesetPublished) for line in lines)
    drafts = [(), layers_of(seed, publications), layers_of(seed + 7_000_000, publications)]
    worlds, found = rescored(history, lines, drafts)
    base, base_postings = whole_run(history, lines, ())
    _check_base(worlds, base_postings)
    assert found[0] == Found(), "a draft without layers changes something"
    for layers, draft, one in zip(drafts, worlds.drafts, found, strict=True):
        machine, postings = whole_run(history, lines, layers)
        for member_id in machine.accounts.members():
            account = (draft.machine if draft.has_parted(member_id) else worlds.base).account(member_id)
            expected = canonical_account(machine.partition, machine.account(member_id))
            assert canonical_account(machine.partition, account) == expected, f"{member_id} has another account"
        _check_rows(one, base_postings, postings)
        _check_members(one, base, machine)
        count(one, seen)
    _check_reference(history, lines, drafts[1])
    _check_sample(history, lines, drafts[1:2], found[1])
    seen["lines decided"] += worlds.decided
    seen["lines"] += worlds.postings


def _check_base(worlds: TwoWorlds, base_postings: Sequence[Sequence[Posting]]) -> None:
    digest = EMPTY_DIGEST
    for made in base_postings:
        for posting in made:
            digest = next_ledger_digest(digest, posting)
    assert worlds.digest == digest, "the base is not the ledger"


def _check_rows(found: Found, before: Sequence[Sequence[Posting]], after: Sequence[Sequence[Posting]]) -> None:
    """The rows are the differences of the two whole runs, no more and no fewer."""
    one, expired_before = sums(before)
    other, expired_after = sums(after)
    rows = [row for row in found.lines if row.cause != Cause.EXPIRY]
    told_before = {(r.page, r.member_id, r.rule_id, r.expires_before): r.points_before for r in rows if r.points_before}
    told_after = {(r.page, r.member_id, r.rule_id, r.expires_after): r.points_after for r in rows if r.points_after}
    assert told_before == {key: points for key, points in one.items() if other.get(key) != points}
    assert told_after == {key: points for key, points in other.items() if one.get(key) != points}
    expiries: defaultdict[str, int] = defaultdict(int)
    for row in found.lines:
        if row.cause == Cause.EXPIRY:
            assert row.points_before != row.points_after
            expiries[row.member_id] += row.points_after - row.points_before
    members = {*expired_before, *expired_after, *expiries}
    for member_id in members:
        difference = expired_after[member_id] - expired_before[member_id]
        assert expiries[member_id] == difference, f"{member_id}: the expiries do not add up"


def _check_members(found: Found, base: PartitionMachine, machine: PartitionMachine) -> None:
    sums_of: Counter[str] = Counter()
    for row in found.lines:
        sums_of[row.member_id] += row.points_after - row.points_before
    told = {member.member_id: member for member in found.members}
    assert set(sums_of) <= set(told), "a member with rows is not told"
    for member_id in machine.accounts.members():
        one, other = base.account(member_id), machine.account(member_id)
        assert other.balance - one.balance == sums_of[member_id], f"{member_id}: the lines do not add up"
        if member_id in told:
            member = told[member_id]
            assert (member.balance_before, member.balance_after) == (one.balance, other.balance)
            assert (member.earned_before, member.earned_after) == (one.earned, other.earned)
            left = sum(lot.points_after - lot.points_before for lot in member.left)
            assert left == other.balance - one.balance
        else:
            assert (one.balance, one.earned, one.lots) == (other.balance, other.earned, other.lots)


def _check_reference(history: History, lines: Sequence[JournalLine], layers: Sequence[RuleLayer]) -> None:
    decider = decider_feed(history.opened, history.max_lots, layers)
    reference = reference_feed(history.opened, history.max_lots, layers)
    for line in lines:
        assert list(map(compared, decider(line))) == reference(line), f"the reference reads {shown(line)} otherwise"


def _check_sample(
    history: History, lines: Sequence[JournalLine], drafts: Sequence[Sequence[RuleLayer]], whole: Found
) -> None:
    """A sample is the whole, restricted to its members."""
    selection = Selection(per_million=MILLION // 2)
    _, (sample,) = rescored(history, lines, drafts, selection)
    assert sample.lines == [row for row in whole.lines if selection.takes(row.member_id)]
    assert sample.members == [member for member in whole.members if selection.takes(member.member_id)]


def count(found: Found, seen: Counter[str]) -> None:
    """Count what a draft changes."""
    seen["drafts"] += 1
    seen["drafts that change nothing"] += not found.members
    seen["members changed"] += len(found.members)
    for row in found.lines:
        seen[row.cause] += 1
        seen["(another expiry, the same points)"] += row.points_before == row.points_after


def broken(seed: int, seen: Counter[str]) -> str:
    """Which law a seed breaks; empty if none."""
    try:
        check(seed, seen)
    except Exception as error:  # noqa: BLE001 - whatever is raised is a finding, to be told with its seed
        return f"{type(error).__name__}: {error}"
    return ""


def holds(seed: int, seen: Counter[str]) -> bool:
    """Whether all laws hold for a seed."""
    return not broken(seed, seen)


def story(seed: int) -> str:
    """The draft of a seed, and what is wrong with it."""
    lines = lines_of(history_of(seed))
    publications = sum(isinstance(line.fact, RulesetPublished) for line in lines)
    said = [f"seed {seed}: {len(lines)} lines, {publications} publications"]
    for layer in layers_of(seed, publications):
        said.append(f"layer over {layer.covers} publications")
        said += [f"  {span.from_at} to {span.until_at}: {span.published.version}" for span in layer.spans]
    return "\n".join([*said, broken(seed, Counter()) or "all laws hold"])


SEEDED = Seeded(holds, story, ("members changed", *Cause), least=100, enough=10_000)
