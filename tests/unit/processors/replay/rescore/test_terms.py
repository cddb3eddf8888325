"""When two rulesets say the same: of all facts of a kind, and of one rule."""

import pytest

from processors.replay.rescore.terms import Terms, terms_of
from tests.support.deciders import load, published

RULES = """\
programme: terms
version: "1"
timezone: Europe/Berlin
currency: EUR
rounding: floor
stacking: multiply
expiry: {kind: rolling, days: 10}
exclude_lines: {category: [gift-card]}
limits:
  - {id: a-day, per: day, points: 50}
  - {id: unused, per: day, points: 7}
rules:
  - {id: base, kind: spend, points: 1, per_minor: 100, limits: [a-day]}
  - {id: coffee, kind: fixed, on: purchase, points: 3, per: line, lines: {category: [coffee]}, expiry: {kind: none}}
  - {id: double, kind: multiplier, factor: 2, active: {from: 2026-11-11, until: 2026-11-12}}
  - {id: visits, kind: streak, daily: 2, steps: [{day: 3, bonus: 10}], beyond: repeat}
  - {id: review, kind: fixed, on: review, points: 5, limits: [a-day]}
  - {id: friends, kind: referral, referrer_points: 100, referee_points: 50}
"""
KINDS = {
    "PurchaseRecorded": "purchase",
    "CheckedIn": "check_in",
    "ReviewSubmitted": "review",
    "RefereePurchased": "referral",
}
PURCHASE = {"base", "coffee"}
ALL = {"base", "coffee", "visits", "review", "friends"}


def terms(text: str, zone: str = "Europe/Berlin", version: str = "1", effective_from: int = 0) -> Terms:
    return terms_of(published(text, zone, version=version, effective_from=effective_from), load)


def other(before: str, after: str) -> str:
    assert RULES.count(before) == 1, before
    return RULES.replace(before, after)


def changed(one: Terms, two: Terms) -> tuple[set[str], set[str]]:
    """The rules and the kinds of facts of which two rulesets say something else."""
    rules = {rule for rule in one.of_rule.keys() | two.of_rule.keys() if one.of_rule.get(rule) != two.of_rule.get(rule)}
    return rules, {word for kind, word in KINDS.items() if one.kind(kind) != two.kind(kind)}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param('version: "1"', 'version: "2"', id="its version"),
        pytest.param("programme: terms", "programme: another", id="its programme"),
        pytest.param("id: unused, per: day, points: 7", "id: unused, per: day, points: 8", id="a limit of no rule"),
        pytest.param("  - {id: unused, per: day, points: 7}\n", "", id="a limit of no rule that is gone"),
        pytest.param("stacking: multiply", "stacking: add", id="how one multiplier stacks"),
        pytest.param("rounding: floor\n", "", id="a default that is written"),
        pytest.param("rules:\n", "# a remark\nrules:\n", id="a remark"),
    ],
)
def test_what_is_none_of_the_terms(before: str, after: str) -> None:
    assert changed(terms(RULES), terms(other(before, after))) == (set(), set())


def test_when_and_as_what_it_was_published_is_none_of_the_terms() -> None:
    assert changed(terms(RULES), terms(RULES, version="9", effective_from=9)) == (set(), set())


@pytest.mark.parametrize(
    ("before", "after", "rules", "kinds"),
    [
        pytest.param("points: 1, per_minor: 100", "points: 1, per_minor: 99", {"base"}, {"purchase"}, id="a rate"),
        pytest.param(
            "id: a-day, per: day, points: 50",
            "id: a-day, per: day, points: 49",
            {"base", "review"},
            {"purchase", "review"},
            id="a limit that two kinds share",
        ),
        pytest.param(
            "id: a-day, per: day",
            "id: a-day, per: week",
            {"base", "review"},
            {"purchase", "review"},
            id="the period of a limit",
        ),
        pytest.param(
            "per_minor: 100, limits: [a-day]",
            "per_minor: 100, limits: [a-day, unused]",
            {"base"},
            {"purchase"},
            id="one limit more, of one rule",
        ),
        pytest.param(
            "points: 5, limits: [a-day]", "points: 5, limits: [unused]", {"review"}, {"review"}, id="another limit"
        ),
        pytest.param("factor: 2", "factor: 3", {"base"}, {"purchase"}, id="a factor"),
        pytest.param(
            "from: 2026-11-11, until: 2026-11-12",
            "from: 2026-11-10, until: 2026-11-11",
            {"base"},
            {"purchase"},
            id="a campaign moved",
        ),
        pytest.param(
            "factor: 2,",
            "factor: 2, applies_to: [review],",
            {"base", "review"},
            {"purchase", "review"},
            id="what a multiplier multiplies",
        ),
        pytest.param(
            "days: 10",
            "days: 11",
            {"base", "visits", "review", "friends"},
            set(KINDS.values()),
            id="an expiry that rules have by default",
        ),
        pytest.param(
            "expiry: {kind: none}",
            "expiry: {kind: fixed, on: 2027-01-01}",
            {"coffee"},
            {"purchase"},
            id="an expiry of its own",
        ),
        pytest.param("rounding: floor", "rounding: ceil", ALL, set(KINDS.values()), id="the rounding"),
        pytest.param("currency: EUR", "currency: USD", ALL, set(KINDS.values()), id="the currency"),
        pytest.param(
            "category: [gift-card]", "category: [gift]", ALL, set(KINDS.values()), id="lines that never count"
        ),
        pytest.param("day: 3, bonus", "day: 4, bonus", {"visits"}, {"check_in"}, id="the step of a streak"),
        pytest.param("referee_points: 50", "referee_points: 51", {"friends"}, {"referral"}, id="a referral"),
        pytest.param("id: base", "id: basic", {"base", "basic"}, {"purchase"}, id="a rule's name"),
        pytest.param(
            "  - {id: visits, kind: streak, daily: 2, steps: [{day: 3, bonus: 10}], beyond: repeat}\n",
            "",
            {"visits"},
            {"check_in"},
            id="a rule that is gone",
        ),
    ],
)
def test_what_is_of_the_terms(before: str, after: str, rules: set[str], kinds: set[str]) -> None:
    one, two = terms(RULES), terms(other(before, after))
    assert changed(one, two) == (rules, kinds)
    assert changed(two, one) == (rules, kinds)


def test_two_multipliers_stack() -> None:
    twice = other("  - {id: visits", "  - {id: triple, kind: multiplier, factor: 3}\n  - {id: visits")
    one, two = terms(twice), terms(twice.replace("stacking: multiply", "stacking: add"))
    assert changed(one, two) == ({"base"}, {"purchase"})


def test_the_order_of_rules_counts_for_their_kind_of_fact_alone() -> None:
    lines = RULES.splitlines(keepends=True)
    base = next(number for number, line in enumerate(lines) if "id: base" in line)
    lines[base], lines[base + 1] = lines[base + 1], lines[base]
    assert changed(terms(RULES), terms("".join(lines))) == (set(), {"purchase"})


def test_another_zone_is_another_day() -> None:
    assert changed(terms(RULES), terms(RULES, zone="Europe/London")) == (ALL, set(KINDS.values()))


@pytest.mark.parametrize("kind", ["ContentShared", "ReferralMade"])
def test_of_a_kind_that_no_rule_counts_only_what_holds_for_all_is_said(kind: str) -> None:
    assert terms(RULES).kind(kind) == terms(other("days: 10", "days: 11")).kind(kind)
    assert terms(RULES).kind(kind) != terms(other("currency: EUR", "currency: USD")).kind(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_that_counts_a_kind_is_told_from_none(kind: str) -> None:
    only = {
        "PurchaseRecorded": "  - {id: a, kind: spend, points: 1, per_minor: 100}\n",
        "CheckedIn": "  - {id: a, kind: streak, daily: 2}\n",
        "ReviewSubmitted": "  - {id: a, kind: fixed, on: review, points: 5}\n",
        "RefereePurchased": "  - {id: a, kind: referral, referrer_points: 1, referee_points: 1}\n",
    }
    head = RULES[: RULES.index("expiry")] + "rules:\n"
    said = {name: terms(head + rule).kind(kind) for name, rule in only.items()}
    assert len(set(said.values())) == 2
    assert all(each != said[kind] for name, each in said.items() if name != kind)
