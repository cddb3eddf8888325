"""Examples are run by the decider, and one that comes out otherwise is named with its line and what came instead."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from processors.ruleset.parse import parse_ruleset
from processors.ruleset.run_examples import ExampleFailure, run_examples, score_with
from processors.ruleset.yaml_text import read_yaml
from schemas.facts import ClockTicked, MemberFact, PurchaseRecorded, ReferralMade, RulesetPublished
from schemas.posting import Posting
from tests.support.ruleset_documents import BASE, document, parsed

ROOT = Path(__file__).parents[4]
PROGRAMMES = sorted((ROOT / "rulesets").glob("*/*.yaml"))
EXAMPLE = """examples:
  - name: One
    facts:
      - {purchase: anna, at: 2026-01-05T12:00, amount_minor: 450}
      - {tick: 2026-01-07}
    expect:
"""
ALL_FIELDS = """examples:
  - name: All fields
    facts:
      - purchase: anna
        at: 2026-07-01T00:30:00.250+02:00
        id: o-1
        source: till
        channel: web
        store_id: mitte
        tender: card
        referrer_id: ben
        order_id: order-9
        currency: CHF
        attributes: {cup: own}
        lines: [{sku: latte, amount_minor: 450, quantity_milli: 2000, category: coffee, brand: house}]
      - {referral: anna, referrer_id: ben, at: 2026-03-29T02:30}
      - {check_in: anna, at: 2026-10-25T02:30, store_id: mitte}
      - {share: anna, at: 2026-01-01, network: here, content_id: c, sku: latte}
      - {review: anna, at: 2026-01-01, sku: latte, rating: 5, text_length: 90, media_count: 1, order_id: o}
      - {tick: 2026-01-02}
    expect: []
"""


def failures_of(text: str) -> list[ExampleFailure]:
    return run_examples(parsed(text), text, score_with(parsed))


@pytest.mark.parametrize("file", PROGRAMMES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_shipped_programmes_keep_what_they_say(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    ruleset, warnings = parse_ruleset(text, file.name)
    assert (ruleset.programme, ruleset.version) == (file.parent.name, file.stem)
    assert list(map(str, warnings)) == []
    assert list(map(str, failures_of(text))) == []
    assert ruleset.examples


def words(data: object) -> set[str]:
    """All keys and scalars."""
    if isinstance(data, dict):
        return set(data) | set().union(*map(words, data.values()))
    return set().union(*map(words, data)) if isinstance(data, list) else {str(data)}


def test_shipped_programmes_show_every_kind_of_rule_and_condition() -> None:
    shown = set().union(*(words(read_yaml(file.read_text(encoding="utf-8")).data) for file in PROGRAMMES))
    # What is not among them is a default that nobody writes, and what nobody should want (half_even, no expiry at all).
    assert {
        *("spend", "fixed", "streak", "referral", "multiplier"),
        *("purchase", "check_in", "share", "review", "tick"),
        *("line", "unit", "add", "best", "floor", "half_up", "none", "rolling", "days", "months"),
        *("day", "week", "month", "quarter", "year", "lifetime", "times", "points", "remainder", "refuse"),
        *("each", "sku", "store_id", "repeat", "restart", "grace_days", "daily", "steps"),
        *("new_members", "claim_ranks", "min_amount_minor", "applies_to", "lines", "exclude_lines", "not_in"),
        *("min", "max", "attributes", "channel", "tender", "network", "content_id", "rating", "text_length"),
        *("media_count", "amount_minor", "quantity_milli", "category", "brand", "rounding", "round_per", "expiry"),
        *("from", "until", "weekdays", "days_of_month", "dates", "hours"),
        *("PointsExpired", "late", "expires_at", "limit_reached", "zero_points", "no_rule_matched", "other_currency"),
    } <= shown


def test_the_documented_file_keeps_what_its_page_says() -> None:
    page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    file, examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[:2]
    text = file.replace("examples: []", "# examples:") + examples
    assert len(parsed(text).examples) == 1
    assert list(map(str, failures_of(text))) == []


@pytest.mark.parametrize(
    ("expected", "line", "message"),
    [
        ("      - {rule: base, points: 5}\n", 13, "item 1 differs: points is 4, not 5; all that came: base 4 (anna)"),
        ("      - {reason: zero_points}\n", 13, "item 1 differs: reason is (none), not zero_points"),
        ("      - {rule: base}\n      - {reason: zero_points}\n", 14, "nothing comes for item 2"),
        ("      - {rule: base, member: ben}\n", 13, "member is anna, not ben"),
        ("      - {rule: base, of: o-1}\n", 13, "of is 1, not o-1"),
        ("      - {rule: base, late: true}\n", 13, "late is False, not True"),
        ("      - {rule: base, expires_at: 2026-01-06}\n", 13, "expires_at is never, not 2026-01-06T00:00:00+01:00"),
        ("      []\n", 8, "`expect` ends before `base 4 (anna)`"),
    ],
)
def test_an_example_that_comes_out_otherwise_is_named(expected: str, line: int, message: str) -> None:
    (failure,) = failures_of(document(BASE, after=EXAMPLE + expected))
    assert (failure.name, failure.line) == ("One", line)
    assert message in failure.message
    assert str(failure).startswith(f"line {line}: example `One`: ")


def test_every_example_starts_with_empty_accounts() -> None:
    text = document(
        "  - {id: base, kind: spend, points: 1, per_minor: 100, limits: [once]}\n",
        before="limits:\n  - {id: once, per: lifetime, times: 1}\n",
        after=(EXAMPLE + "      - {rule: base}\n") + (EXAMPLE + "      - {rule: base}\n").removeprefix("examples:\n"),
    )
    assert failures_of(text) == []


def test_facts_are_built_as_they_are_written() -> None:
    text = document(after=ALL_FIELDS)
    taken: list[RulesetPublished | MemberFact | ClockTicked] = []

    def score(publications: Sequence[RulesetPublished], facts: Sequence[MemberFact | ClockTicked]) -> Sequence[Posting]:
        taken.extend((*publications, *facts))
        return []

    assert run_examples(parsed(text), text, score) == []
    published, purchase, referral, check_in, share, review, tick = taken
    assert isinstance(published, RulesetPublished)
    assert published.text == text
    assert isinstance(purchase, PurchaseRecorded)
    assert (purchase.source, purchase.event_id, purchase.order_id, purchase.currency) == (
        "till",
        "o-1",
        "order-9",
        "CHF",
    )
    assert purchase.occurred_at == 1_782_858_600_250
    assert (purchase.lines[0].quantity_milli, purchase.lines[0].brand) == (2000, "house")
    assert (purchase.member_id, purchase.referrer_id, purchase.attributes) == ("anna", "ben", {"cup": "own"})
    assert isinstance(referral, ReferralMade)
    assert (referral.event_id, referral.referee_id, referral.referrer_id) == ("2", "anna", "ben")
    assert referral.occurred_at == 1_774_746_000_000  # 02:30 is skipped: the next instant that exists, 03:00
    assert getattr(check_in, "occurred_at", 0) == 1_792_888_200_000  # 02:30 comes twice: the first
    assert (getattr(share, "sku", ""), getattr(review, "media_count", 0)) == ("latte", 1)
    assert tick == ClockTicked(1_767_308_400_000)


def test_a_decimal_comma_in_braces_is_told_as_such() -> None:
    (fault,) = read_yaml("rule: {points: 1,5}\n").faults
    assert fault.path == ("rule", "5")
    assert fault.hint == "decimals are written with a point: 1.5"
