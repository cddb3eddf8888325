"""The sentences of a report: who has how many points more or less, by which rules, and what these give in the draft."""

import pytest

from schemas.instants import parse_instant
from tallybook.rescore.report.figures import Cause
from tallybook.rescore.report.sentences import minus, outcome, reasons, rules_of, signed
from tests.support.rescore_runs import FROM, RULES, draft, member, span

LATER = parse_instant("2026-02-01T00:00:00Z")
GIVES = rules_of(draft())


def test_each_kind_of_rule_is_said_in_words() -> None:
    assert GIVES == {
        "base": "1 point per 2.00 EUR",
        "beans": "20 points for each unit (at most 60 points a week)",
        "visits": "5 points a day and a bonus on 2 days of a run",
        "friends": "500 to the one who brings a friend and 250 to the friend",
    }


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{id: r, kind: spend, points: 2.5, per_minor: 1}", "2.5 points per 0.01 EUR"),
        ("{id: r, kind: fixed, on: check_in, points: 20}", "20 points for each check-in"),
        (
            "{id: r, kind: fixed, on: review, points: 1, limits: [once]}",
            "1 point for each review (at most 1 time in a lifetime for each product)",
        ),
        ("{id: r, kind: streak, daily: 1}", "1 point a day"),
    ],
)
def test_what_a_rule_gives(rule: str, said: str) -> None:
    text = f"""\
programme: corner-shop
version: "2"
timezone: Europe/Berlin
currency: EUR
limits:
  - {{id: once, per: lifetime, times: 1, each: sku}}
rules:
  - {rule}
"""
    assert rules_of(draft("one", span(text)))["r"] == said


def test_currencies_without_cents_have_none() -> None:
    yen = RULES.replace("currency: EUR", "currency: JPY")
    assert rules_of(draft("yen", span(yen)))["base"] == "1 point per 200 JPY"


def test_a_rule_that_is_not_the_same_in_all_spans_is_not_said() -> None:
    other = RULES.replace("per_minor: 200", "per_minor: 300").replace("  - {id: friends", "  - {id: guests")
    found = rules_of(draft("two", span(RULES, FROM, LATER), span(other, LATER)))
    assert found["base"] == found["friends"] == found["guests"] == ""
    assert found["beans"] == GIVES["beans"]


def test_who_gains_and_who_loses() -> None:
    assert outcome(member("m00001", 13_664, 10_625)) == "m00001 loses 3,039 points"
    assert outcome(member("anna", 10, 11)) == "anna gains 1 point"


IN_DRAFT = "which gives 1 point per 2.00 EUR in this draft."
SAME_RULE = "a rule that stays the same: what came before it differs (the room under a limit, or the run of days)."


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (
            Cause("base", "direct", "PurchaseRecorded", 53, 6_078, 3_039),
            f"53 purchases earn 3,039 points less under “base”, {IN_DRAFT}",
        ),
        (
            Cause("visits", "direct", "CheckedIn", 1, 20, 40),
            f"1 check-in earns 20 points more under “visits”, which gives {GIVES['visits']} in this draft.",
        ),
        (
            Cause("gone", "direct", "ReviewSubmitted", 2, 100, 0),
            "2 reviews earn nothing instead of 100 points under “gone”, which this draft does not have.",
        ),
        (
            Cause("beans", "knock_on", "PurchaseRecorded", 3, 60, 45),
            f"3 purchases earn 15 points less under “beans”, {SAME_RULE}",
        ),
        (
            Cause("base", "direct", "SomethingNew", 2, 5, 5),
            f"2 facts earn the same points in all, some of them with another expiry, under “base”, {IN_DRAFT}",
        ),
        (Cause("", "expiry", "ClockTicked", 2, -200, -80), "120 points fewer expire (80 instead of 200)."),
        (Cause("", "expiry", "ClockTicked", 1, -4, -5), "1 point more expires (5 instead of 4)."),
    ],
)
def test_each_cause_is_said(cause: Cause, said: str) -> None:
    assert reasons([cause], GIVES) == said


def test_small_causes_are_added_up() -> None:
    causes = [
        Cause("base", "direct", "PurchaseRecorded", 2, 30, 10),
        Cause("beans", "knock_on", "PurchaseRecorded", 1, 20, 10),
        Cause("visits", "direct", "CheckedIn", 4, 5, 9),
        Cause("friends", "direct", "RefereePurchased", 1, 0, 3),
    ]
    assert reasons(causes, GIVES).endswith("; 5 other lines come to +7 points.")
    assert reasons(causes[:3], GIVES).endswith("; 4 other lines come to +4 points.")


def test_numbers_have_a_real_minus_sign() -> None:
    assert [signed(number) for number in (1_234, -1_234, 0)] == ["+1,234", "−1,234", "0"]
    assert minus("-12.50 EUR") == "−12.50 EUR"
    assert minus("0.50 EUR") == "0.50 EUR"
