"""Members as a coffee chain has them, each coming back until it holds so many lots: what memory and restarts need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from processors.decider.partition_machine import PartitionMachine
from processors.ruleset.parse import parse_ruleset, ruleset_hash
from processors.zones import zone_data
from schemas.bounds import DAY_MS
from schemas.facts import (
    CheckedIn,
    ClockTicked,
    ContentShared,
    JournalOpened,
    PublishedFact,
    PurchaseLine,
    PurchaseRecorded,
    ReviewSubmitted,
    RulesetPublished,
)
from schemas.pages import JournalLine
from tallybook.demo.year import DEMO_YEAR_STARTS_AT, MENU, STORES

HORIZON_MS: Final = 90 * DAY_MS
REFERRAL_WINDOW_MS: Final = 30 * DAY_MS
SPREAD_DAYS: Final = 180  # a member comes back over so many days until it holds its lots
MAX_ROUNDS: Final = 1_000
ZONE: Final = "Europe/Berlin"
RULESET: Final = Path(__file__).parent.parent / "rulesets" / "coffee-chain" / "2026.1.yaml"


def opened(partitions: int = 1, partition: int = 0) -> JournalOpened:
    """The constants of the benchmark's books."""
    return JournalOpened("benchmark", 1, partitions, partition, HORIZON_MS, REFERRAL_WINDOW_MS)


def publication() -> RulesetPublished:
    """The coffee chain's rules, in force from the first fact on."""
    text = RULESET.read_text(encoding="utf-8")
    ruleset, _ = parse_ruleset(text, str(RULESET))
    return RulesetPublished(
        version=ruleset.version,
        ruleset_hash=ruleset_hash(text),
        effective_from=DEMO_YEAR_STARTS_AT - DAY_MS,
        semantics=1,
        text=text,
        timezone=ZONE,
        tzif=zone_data(ZONE),
    )


def member_ids(count: int) -> list[str]:
    """Ids of nine letters and digits, as a till prints them on a card."""
    return [f"m{number:08d}" for number in range(count)]


def visit(random: Random, member_id: str, number: int, at: int) -> PublishedFact:
    """One visit: mostly a purchase, else a check-in, a share or a review."""
    kind = random.random()
    event_id = f"{number:07d}-{member_id}"
    if kind < 0.65:
        lines = tuple(_line(random) for _ in range(1 + random.randrange(10) // 4))
        return PurchaseRecorded(
            source="pos",
            event_id=f"pos-{event_id}",
            occurred_at=at,
            order_id=f"order-{event_id}",
            currency="EUR",
            lines=lines,
            member_id=member_id,
            channel="app" if random.random() < 0.3 else "store",
            store_id=_store(random),
            tender="card",
        )
    if kind < 0.87:
        return CheckedIn("app", f"app-{event_id}", at, member_id, _store(random), "app")
    if kind < 0.94:
        return ContentShared("app", f"app-{event_id}", at, member_id, "instagram", f"post-{number % 400}")
    sku = random.choice(MENU)[0]
    return ReviewSubmitted("shop", f"shop-{event_id}", at, member_id, sku, 4, random.randrange(400))


def history(members: list[str], lots: int, machine: PartitionMachine, seed: int = 7) -> Iterator[JournalLine]:
    """Lines until each member holds `lots`: all that hold fewer come once, one after the other, then there is a tick.

    The caller feeds `machine` with a line before asking for the next one.
    """
    random = Random(seed)
    step = SPREAD_DAYS * DAY_MS // lots
    waiting = members
    for number in range(MAX_ROUNDS):
        starts_at = DEMO_YEAR_STARTS_AT + number * step
        inside = step // (len(waiting) + 1)
        for place, member_id in enumerate(waiting):
            yield JournalLine(visit(random, member_id, number, starts_at + place * inside), 0, member_id)
        waiting = [member_id for member_id in waiting if len(machine.account(member_id).lots) < lots]
        yield JournalLine(ClockTicked(starts_at + step), 0)
        if not waiting:
            return


def _line(random: Random) -> PurchaseLine:
    sku, category, brand, price, _ = random.choice(MENU)
    return PurchaseLine(sku, price, category=category, brand=brand)


def _store(random: Random) -> str:
    return STORES[int(random.random() ** 1.5 * len(STORES))]
