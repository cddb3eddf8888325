"""Writes what a re-scoring found straight into a folder, as its processes do: for tests of what reads it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from processors.decider.rules.timeline import RuleTimeline
from processors.replay.rescore.differences import Cause, LineDifference, LotsLeft, MemberDifference
from processors.replay.rescore.partition_run import Cut, DraftTotals, PartitionRescored
from processors.replay.rescore.two_worlds import EVERYBODY, Selection
from processors.zones import zone_data
from schemas.facts import RulesetPublished
from schemas.instants import parse_instant
from schemas.posting import RuleLayer, RuleSpan
from tallybook.folder.folder import Folder
from tallybook.rescore.plan import Draft, Plan
from tallybook.rescore.runs import LINES, MEMBERS, Event, Run, Runs

ZONE: Final = "Europe/Berlin"
OPENED_AT: Final = parse_instant("2026-03-02T09:30:00Z")
LAST_TICK: Final = parse_instant("2026-03-01T23:00:00Z")
FROM: Final = parse_instant("2025-12-31T23:00:00Z")
ACCOUNTS: Final = 40
BALANCE: Final = 1_000_000
RULES: Final = """\
programme: corner-shop
version: "2"
timezone: Europe/Berlin
currency: EUR
limits:
  - {id: treats-a-week, per: week, points: 60}
rules:
  - {id: base, kind: spend, points: 1, per_minor: 200}
  - {id: beans, kind: fixed, on: purchase, points: 20, per: unit, limits: [treats-a-week]}
  - {id: visits, kind: streak, daily: 5, steps: [{day: 3, bonus: 10}, {day: 7, bonus: 50}]}
  - {id: friends, kind: referral, referrer_points: 500, referee_points: 250}
"""
PRESENT: Final = RULES.replace('version: "2"', 'version: "1"').replace("per_minor: 200", "per_minor: 100")


def publication(text: str = PRESENT, from_at: int = FROM, version: str = "1") -> RulesetPublished:
    """A publication of a ruleset that is in force from an instant (UTC ms) on."""
    return RulesetPublished(
        version=version,
        ruleset_hash="ab" * 32,
        effective_from=from_at,
        semantics=1,
        text=text,
        timezone=ZONE,
        tzif=zone_data(ZONE),
    )


def present(*publications: RulesetPublished) -> RuleTimeline:
    """The rules that a draft is compared with (default: PRESENT)."""
    timeline = RuleTimeline()
    for each in publications or (publication(),):
        timeline.publish(each)
    return timeline


def span(text: str = RULES, from_at: int = FROM, until_at: int | None = None) -> RuleSpan:
    """A span of a draft under a ruleset."""
    return RuleSpan(from_at, publication(text, from_at, "2"), until_at)


def draft(name: str = "half", *spans: RuleSpan) -> Draft:
    """A draft with one layer (default: RULES from 2026 on)."""
    return Draft(name, (RuleLayer(1, spans or (span(),)),))


def plan(*drafts: Draft, point_value: str = "0.01 EUR", selection: Selection = EVERYBODY, partitions: int = 1) -> Plan:
    """A plan over so many partitions, up to LAST_TICK."""
    return Plan(
        deployment="corner-shop",
        generation=1,
        opened_at=FROM,
        base="0001",
        cuts=tuple(Cut(partition, 0, 10, "cd" * 32) for partition in range(partitions)),
        last_tick=LAST_TICK,
        drafts=drafts or (draft(),),
        selection=selection,
        point_value=point_value,
    )


def line(member_id: str, before: int, after: int, **more: object) -> LineDifference:
    """A purchase of a member that rule `base` pays otherwise, unless `more` says otherwise."""
    fields: dict[str, object] = {
        "page": 1,
        "line": 2,
        "member_id": member_id,
        "cause": Cause.DIRECT,
        "fact_type": "PurchaseRecorded",
        "source": "pos",
        "event_id": "p-1",
        "occurred_at": parse_instant("2026-01-05T12:00:00Z"),
        "points_before": before,
        "points_after": after,
        "rule_id": "base",
        "wallet": "points",
    }
    return LineDifference(**(fields | more))  # type: ignore[arg-type]  # the fields of a line, given by name


def member(member_id: str, before: int, after: int, *left: LotsLeft) -> MemberDifference:
    """A member with another balance, and the lots that differ."""
    return MemberDifference(member_id, 1, 2, 1, before, after, before, after, left)


def write_run(
    root: Path,
    planned: Plan,
    lines: Mapping[str, Sequence[LineDifference]],
    members: Mapping[str, Sequence[MemberDifference]],
    *,
    is_finished: bool = True,
    is_proven: bool = True,
) -> Run:
    """A run whose drafts (by name) found these rows, all in the first partition."""
    runs = Runs(Folder(root))
    with runs.held(OPENED_AT):
        run = runs.open(planned, OPENED_AT)
        for cut in planned.cuts:
            totals = []
            for each in planned.drafts:
                rows = (lines.get(each.name, ()), members.get(each.name, ())) if cut.partition == 0 else ((), ())
                for kind, found in zip((LINES, MEMBERS), rows, strict=True):
                    text = b"".join(msgspec.json.encode(row) + b"\n" for row in found)
                    run.file(each.name, cut.partition, kind).write_bytes(text)
                totals.append(DraftTotals(lines=len(rows[0]), members=len(rows[1])))
            accounts, balance = (ACCOUNTS, BALANCE) if cut.partition == 0 else (0, 0)
            run.finish(
                PartitionRescored(cut.partition, accounts=accounts, balance=balance, is_proven=is_proven, drafts=totals)
            )
        if is_finished:
            runs.note(Event(run.number, "finished", OPENED_AT))
    return run
