"""A folder with a small, rich past, written straight through the rounds: for tests of what reads the books."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from processors.embedded.rounds import Taken
from processors.ruleset.parse import parse_ruleset
from schemas.facts import (
    CheckedIn,
    ContentShared,
    PublishedFact,
    PurchaseLine,
    PurchaseRecorded,
    ReferralMade,
    ReviewSubmitted,
)
from schemas.instants import parse_instant
from schemas.pages import InputConsumed, Reject
from tallybook.folder.folder import Folder, load_published
from tallybook.folder.publish_rules import publish_ruleset
from tests.support.small_imports import rounds_of

OPENED_AT: Final = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
INPUT: Final = "ab" * 32
INPUT_NAME: Final = "november.jsonl"
PARTITIONS: Final = 3

RULES: Final = """\
programme: corner-shop
version: "1"
timezone: Europe/Berlin
currency: EUR
expiry: {kind: rolling, days: 10}
exclude_lines: {category: [gift-card]}
limits:
  - {id: spend-a-day, per: day, points: 50}
  - {id: one-review-per-sku, per: lifetime, times: 1, each: sku}
rules:
  - {id: base, kind: spend, points: 1, per_minor: 100, limits: [spend-a-day]}
  - {id: double-tuesday, kind: multiplier, factor: 2, active: {weekdays: [tuesday]}}
  - {id: coffee, kind: fixed, on: purchase, points: 3, per: line, lines: {category: [coffee]}}
  - {id: visits, kind: streak, daily: 2, steps: [{day: 3, bonus: 10}]}
  - {id: review, kind: fixed, on: review, points: 5, when: {text_length: {min: 80}}, limits: [one-review-per-sku]}
  - {id: friends, kind: referral, referrer_points: 100, referee_points: 50, min_amount_minor: 1000,
     expiry: {kind: none}}
"""
RULES_2: Final = RULES.replace('version: "1"', 'version: "2"').replace("points: 1, per_minor", "points: 2, per_minor")


def at(text: str) -> int:
    """UTC ms of `11-03T09:00` (or a longer text) in November 2026, UTC."""
    return parse_instant(f"2026-{text}:00Z" if len(text) == len("11-03T09:00") else text)


def purchase(event_id: str, when: str, member_id: str | None, amount_minor: int, **more: object) -> PurchaseRecorded:
    """A purchase with one line of coffee, unless `lines` says otherwise."""
    fields: dict[str, object] = {
        "source": "pos",
        "event_id": event_id,
        "occurred_at": at(when),
        "order_id": f"order-{event_id}",
        "currency": "EUR",
        "lines": (PurchaseLine(sku="beans", amount_minor=amount_minor, category="coffee"),),
        "member_id": member_id,
        "store_id": "s1",
    }
    return PurchaseRecorded(**(fields | more))  # type: ignore[arg-type]  # the fields of a purchase, given by name


FACTS: Final[tuple[tuple[str, tuple[PublishedFact, ...]], ...]] = (
    (
        "11-03T00:00",
        (
            purchase("p-early", "11-02T09:00", "anna", 1250),
            CheckedIn("app", "c-1", at("11-02T10:00"), "anna"),
            ReferralMade("app", "r-1", at("11-02T11:00"), referrer_id="anna", referee_id="ben"),
        ),
    ),
    (
        "11-04T00:00",
        (
            purchase("p-tuesday", "11-03T09:00", "anna", 1234),
            purchase("p-more", "11-03T10:00", "anna", 4000),
            CheckedIn("app", "c-2", at("11-03T11:00"), "anna"),
            CheckedIn("app", "c-2b", at("11-03T18:00"), "anna"),
            purchase("p-ben", "11-03T12:00", "ben", 2000),
            purchase("p-guest", "11-03T13:00", None, 900),
        ),
    ),
    (
        "11-05T00:00",
        (
            purchase("p-more", "11-03T10:00", "anna", 4000),
            purchase("p-more", "11-03T10:00", "anna", 4100),
            CheckedIn("app", "c-3", at("11-04T08:00"), "anna"),
            ReviewSubmitted("web", "v-1", at("11-04T09:00"), "anna", sku="beans", text_length=200),
            ReviewSubmitted("web", "v-2", at("11-04T10:00"), "anna", sku="beans", text_length=200),
            ReviewSubmitted("web", "v-3", at("11-04T11:00"), "ben", sku="beans", text_length=20),
            ContentShared("app", "s-1", at("11-04T12:00"), "ben", network="mastodon"),
            purchase("p-usd", "11-04T13:00", "cleo", 1000, currency="USD"),
            purchase("p-gift", "11-04T14:00", "cleo", 99, lines=(PurchaseLine(sku="x", amount_minor=99),)),
            purchase("p-late", "11-02T08:00", "anna", 100),
        ),
    ),
    ("11-15T00:00", (purchase("p-last", "11-14T09:00", "ben", 3000),)),
)
REJECTS: Final = (
    Reject(
        reason="unknown_currency",
        message="currency 'EURO' is no ISO 4217 code: write three capital letters such as EUR",
        raw=b'{"type":"PurchaseRecorded","source":"pos","event_id":"p-bad","occurred_at":"2026-11-14T10:00:00Z",'
        b'"order_id":"o-9","currency":"EURO","member_id":"anna","lines":[]}',
        field="currency",
        input=INPUT,
        input_name=INPUT_NAME,
        record=30,
        at_line=30,
        fact_type="PurchaseRecorded",
        source="pos",
        event_id="p-bad",
        received_at=at("11-15T00:00"),
    ),
    Reject("malformed", "line is no JSON", b"\xff\x00not json", input=INPUT, input_name=INPUT_NAME, record=31),
)


def build_folder(
    root: Path,
    days: Sequence[tuple[str, Sequence[PublishedFact]]] = FACTS,
    rejects: Sequence[Reject] = REJECTS,
    rules: str = RULES,
    effective_from: int | None = None,
) -> Folder:
    """Make a folder whose books hold these facts (tick after each day), decided under `rules`, and these rejects."""
    folder = Folder(root)
    folder.create("corner-shop", PARTITIONS, 30, OPENED_AT)
    (folder.rulesets / "corner-shop").mkdir()
    (folder.rulesets / "corner-shop" / "1.yaml").write_text(rules, encoding="utf-8")
    with folder.writing(OPENED_AT) as log:
        rounds = rounds_of(log, load=load_published)
        ruleset, _ = parse_ruleset(rules, "1.yaml")
        publish_ruleset(rounds, rules, ruleset, effective_from=effective_from, now=OPENED_AT)
        record = 0
        for tick_at, facts in days:
            taken = [Taken(fact, INPUT, record + n) for n, fact in enumerate(facts, start=1)]
            record += len(facts)
            rounds.take(taken, at(tick_at), at(tick_at))
        rounds.reject(rejects)
        rounds.commit([InputConsumed(INPUT, rounds.last_tick, record, name=INPUT_NAME)])
    return folder
