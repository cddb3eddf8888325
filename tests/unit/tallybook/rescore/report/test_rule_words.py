"""What rules, limits and expiries say, in words that need no knowledge of ruleset files."""

import pytest

from processors.decider.rules.ruleset import Ruleset
from processors.ruleset.parse import parse_ruleset
from tallybook.rescore.report.rule_words import (
    MAX_LISTED,
    conditions_words,
    expiry_words,
    field_words,
    gives_at_most,
    limit_words,
    listed,
)
from tests.support.rescore_runs import RULES

SHOP = """\
programme: corner-shop
version: "2"
timezone: Europe/Berlin
currency: EUR
"""


def ruleset(text: str) -> Ruleset:
    found, _ = parse_ruleset(text, "2.yaml")
    return found


def with_rule(rule: str, limits: str = "[]") -> Ruleset:
    return ruleset(
        f"{SHOP}limits: {limits}\nrules:\n  - {rule}\n  - {{id: pays, kind: spend, points: 1, per_minor: 1}}\n"
    )


def test_each_kind_of_rule_is_said_in_words() -> None:
    found = ruleset(RULES)
    assert {rule.id: gives_at_most(rule, found) for rule in found.rules} == {
        "base": "1 point per 2.00 EUR",
        "beans": "20 points for each unit (at most 60 points a week)",
        "visits": "5 points a day, and 10 more on day 3 and 50 more on day 7 of a run",
        "friends": "500 to the one who brings a friend and 250 to the friend",
    }


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{id: r, kind: spend, points: 2.5, per_minor: 1}", "2.5 points per 0.01 EUR"),
        ("{id: r, kind: fixed, on: check_in, points: 20}", "20 points for each check-in"),
        ("{id: r, kind: streak, daily: 1}", "1 point a day"),
        ("{id: r, kind: multiplier, factor: 1.5}", "1.5 times the points of every rule on spending"),
        ("{id: r, kind: multiplier, factor: 2, applies_to: [pays]}", "2 times the points of “pays”"),
    ],
)
def test_what_a_rule_gives(rule: str, said: str) -> None:
    found = with_rule(rule)
    assert gives_at_most(found.rules[0], found) == said


def test_currencies_without_cents_have_none() -> None:
    yen = ruleset(RULES.replace("currency: EUR", "currency: JPY"))
    assert gives_at_most(yen.rules[0], yen) == "1 point per 200 JPY"


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("{id: l, per: day, points: 500}", "500 points a day"),
        ("{id: l, per: lifetime, times: 1, each: sku}", "1 time in a lifetime for each product"),
        ("{id: l, per: week, points: 1, each: store_id}", "1 point a week at each store"),
        ("{id: l, per: month, points: 30, when_reached: refuse}", "30 points a month, whole awards only"),
    ],
)
def test_what_a_limit_allows(limit: str, said: str) -> None:
    rule = "{id: r, kind: fixed, on: review, points: 1, limits: [l]}"
    assert limit_words(with_rule(rule, f"[{limit}]").limits[0]) == said


@pytest.mark.parametrize(
    ("expiry", "said"),
    [
        ("{kind: none}", "never"),
        ("{kind: fixed, on: 2026-06-30}", "at the end of 30 June 2026"),
        ("{kind: rolling, days: 10}", "10 days after they were earned, at the end of the day"),
        ("{kind: rolling, months: 1, round_up_to: year}", "1 month after they were earned, at the end of the year"),
    ],
)
def test_when_points_expire(expiry: str, said: str) -> None:
    assert expiry_words(ruleset(f"{RULES}expiry: {expiry}\n").expiry) == said


@pytest.mark.parametrize(
    ("field", "rule", "said"),
    [
        (
            "when",
            "when: {amount_minor: {min: 2000}, channel: [web, app]}",
            "channel web or app; amount at least 20.00 EUR",
        ),
        ("when", "when: {quantity_milli: {max: 1500}}", "quantity at most 1.5"),
        ("when", "when: {attributes: {mailing: [spring]}}", "mailing spring"),
        ("when", "when: {store_id: {not_in: [s1]}}", "store not s1"),
        ("lines", "lines: {category: FISH, amount_minor: 100}", "category FISH; amount 1.00 EUR"),
        ("active", "active: {weekdays: [friday]}", "on Fridays"),
        (
            "active",
            "active: {from: 2026-06-21, until: 2026-06-22T18:00}",
            "from 21 June 2026, until before 22 June 2026, 18:00",
        ),
        ("active", "active: {days_of_month: [1, 15]}", "on the 1. and the 15. of the month"),
        (
            "active",
            'active: {dates: ["11-11"], hours: {from: "22:00", until: "06:00"}}',
            "every year on 11-11, from 22:00 to 06:00",
        ),
        ("rounding", "rounding: half_up", "to the nearest point, halves up"),
        ("rounding", "round_per: line", "down"),
        ("round_per", "round_per: line", "line"),
        ("expiry", "expiry: {kind: none}", "never"),
        ("limits", "when: {amount_minor: 5}", "none"),
    ],
)
def test_what_a_field_says(field: str, rule: str, said: str) -> None:
    found = with_rule(f"{{id: r, kind: spend, points: 1, per_minor: 100, {rule}}}")
    assert field_words(found.rules[0], field, found)[1] == said


def test_a_field_that_is_not_given_says_what_holds_without_it() -> None:
    found = with_rule("{id: r, kind: spend, points: 1, per_minor: 100}")
    assert conditions_words(None, found, "nothing more") == "nothing more"
    assert field_words(found.rules[0], "active", found) == ("active", "always")


def test_long_lists_are_cut() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed("abcdefghijklmnop") == f"{', '.join('abcdefghijkl')} and 4 more"
    assert len("abcdefghijkl") == MAX_LISTED
