"""What differs between the present rules and a draft: every field in words, and what follows from it for a rule."""

import msgspec
import pytest

from processors.decider.rules.timeline import RuleTimeline
from schemas.facts import RulesetPublished
from schemas.instants import parse_instant
from tallybook.rescore.plan import Draft
from tallybook.rescore.report.rules_compared import MAX_CHANGES, Compared, RuleFacts, compare_rules, facts_of_rules
from tests.support.rescore_runs import FROM, LAST_TICK, PRESENT, RULES, draft, present, publication, span

FEBRUARY = parse_instant("2026-01-31T23:00:00Z")
SHOP = PRESENT.replace("\nrules:", "\n  - {id: spend-a-day, per: day, points: 50}\nrules:").replace(
    "per_minor: 100}", "per_minor: 100, limits: [spend-a-day]}"
)


def compare(before: str, after: str) -> Compared:
    (found,) = compare_rules(present(publication(before)), draft("d", span(after)), LAST_TICK)
    return found


def said(before: str, after: str) -> list[str]:
    return [f"{change.about}: {change.said}" for change in compare(before, after).changes]


def test_a_rate_is_said_with_the_limit_that_stays() -> None:
    found = compare(SHOP, SHOP.replace("per_minor: 100", "per_minor: 200"))
    (change,) = found.changes
    assert change.about == "“base”"
    assert change.said == "1 point per 2.00 EUR instead of 1 point per 1.00 EUR. Its limit stays: 50 points a day."
    assert found.rest == "The other 3 rules, all limits and the expiry of points are the same in both."


def test_the_same_rules_under_another_name_say_the_same() -> None:
    found = compare(SHOP, SHOP.replace('version: "1"', 'version: "same"'))
    assert found.changes == ()
    assert found.rest == "All rules, all limits and the expiry of points are the same in both."


DOUBLE = "  - {id: double, kind: multiplier, factor: 2, active: {weekdays: [tuesday]}}\n"


@pytest.mark.parametrize(
    ("before", "old", "new", "expected"),
    [
        (
            SHOP,
            "points: 50}",
            "points: 40}",
            "Limit “spend-a-day”: 40 points a day instead of 50 points a day. It cuts “base”.",
        ),
        (
            SHOP,
            "bonus: 50}",
            "bonus: 60}",
            "10 more on day 3 and 60 more on day 7 of a run instead of 5 points a day, and",
        ),
        (SHOP, "daily: 5", "daily: 5, grace_days: 2", "“visits”: missed days that are forgiven: 2 instead of 0."),
        (
            SHOP,
            "referee_points: 250",
            "referee_points: 250, new_members: true",
            "pays for: a new member's first purchase alone instead of any",
        ),
        (SHOP, "per: unit, limits: [treats-a-week]", "per: unit", "“beans”: limits: none instead of “treats-a-week”."),
        (
            SHOP,
            "kind: spend",
            "active: {weekdays: [friday]}, kind: spend",
            "“base”: active: on Fridays instead of always.",
        ),
        (
            SHOP,
            "kind: spend, points: 1, per_minor: 100",
            "kind: fixed, on: purchase, points: 3",
            "“base”: 3 points for each purchase (at most 50 points a day) instead of 1 point per",
        ),
        (SHOP, "currency: EUR", "currency: USD", "Currency: USD instead of EUR."),
        (SHOP, "currency: EUR", "currency: EUR\nrounding: ceil", "Rounding: up instead of down."),
        (
            SHOP,
            "currency: EUR",
            "currency: EUR\nstacking: best",
            "Several multipliers are: not combined: the greatest one counts instead of",
        ),
        (
            SHOP,
            "currency: EUR",
            "currency: EUR\nexpiry: {kind: rolling, days: 1}",
            "Points expire: 1 day after they were earned, at the end of the day instead of never.",
        ),
        (
            SHOP,
            "currency: EUR",
            "currency: EUR\nexclude_lines: {category: [gift]}",
            "Lines of a purchase that never count: category gift instead of none.",
        ),
        (
            SHOP + DOUBLE,
            "factor: 2",
            "factor: 3",
            "“double”: 3 times the points of every rule on spending instead of 2 times",
        ),
    ],
)
def test_each_difference_is_said(before: str, old: str, new: str, expected: str) -> None:
    assert before.count(old) == 1
    (change,) = said(before, before.replace(old, new))
    assert expected in change


def test_rules_that_are_new_and_rules_that_are_gone() -> None:
    more = SHOP + DOUBLE
    assert said(SHOP, more) == ["“double”: new; 2 times the points of every rule on spending; active: on Tuesdays."]
    assert said(more, SHOP) == [
        "“double”: removed; now 2 times the points of every rule on spending; active: on Tuesdays."
    ]
    assert compare(SHOP, more).rest == (
        "This also moves rules whose own words stay the same: “base”. The other 3 rules, all limits and the expiry of "
        "points are the same in both."
    )


def test_a_limit_that_is_new_or_gone() -> None:
    less = SHOP.replace("  - {id: spend-a-day, per: day, points: 50}\n", "").replace(", limits: [spend-a-day]", "")
    assert said(SHOP, less) == [
        "“base”: limits: none instead of “spend-a-day”.",
        "Limit “spend-a-day”: removed; now 50 points a day.",
    ]
    assert said(less, SHOP)[1] == "Limit “spend-a-day”: new; 50 points a day. It cuts “base”."


def test_a_default_that_is_written_out_is_no_difference() -> None:
    written = SHOP.replace("kind: spend,", "kind: spend, rounding: floor, expiry: {kind: none},")
    assert said(SHOP, written) == []


def test_long_lists_that_look_alike_are_said_to_differ() -> None:
    values = [f"c{number:02d}" for number in range(20)]
    one, other = (
        SHOP.replace("kind: spend,", f"kind: spend, lines: {{category: [{', '.join(each)}]}},")
        for each in (values, [*values[:-1], "other"])
    )
    (change,) = said(one, other)
    assert "lines with: other values, too many to be shown here" in change


def test_many_differences_are_counted() -> None:
    rules = "".join(f"  - {{id: r{n:02d}, kind: fixed, on: review, points: 1}}\n" for n in range(MAX_CHANGES + 5))
    found = said(SHOP, SHOP + rules)
    assert len(found) == MAX_CHANGES + 1
    assert found[-1] == "More: 5 other differences; compare the two files."


def test_without_rules_before_all_is_new() -> None:
    (found,) = compare_rules(RuleTimeline(), draft(), LAST_TICK)
    assert found.present is None
    assert found.changes[0].said == "new; 1 point per 2.00 EUR."
    assert found.rest == "No rules were in force then: all of the draft is new."


def two_times() -> tuple[RuleTimeline, Draft]:
    later = publication(PRESENT.replace("per_minor: 100", "per_minor: 300"), FEBRUARY, "1b")
    return present(publication(), later), draft()


def test_each_time_in_which_other_rules_meet_is_apart() -> None:
    found = compare_rules(*two_times(), LAST_TICK)
    assert [(each.from_at, each.until_at) for each in found] == [(FROM, FEBRUARY), (FEBRUARY, LAST_TICK)]
    assert [each.changes[0].said for each in found] == [
        "1 point per 2.00 EUR instead of 1 point per 1.00 EUR.",
        "1 point per 2.00 EUR instead of 1 point per 3.00 EUR.",
    ]


def test_a_span_ends_where_it_is_said_to_end() -> None:
    (found,) = compare_rules(present(), draft("d", span(RULES, FROM, FEBRUARY)), LAST_TICK)
    assert (found.from_at, found.until_at) == (FROM, FEBRUARY)


def facts(before: RulesetPublished, after: str, rule_id: str = "base") -> RuleFacts:
    timeline = present(before)
    return facts_of_rules(compare_rules(timeline, draft("d", span(after)), LAST_TICK), timeline)[rule_id]


def test_a_lower_rate_alone_gives_less_and_a_higher_one_more() -> None:
    lower = facts(publication(SHOP), SHOP.replace("per_minor: 100", "per_minor: 200"))
    assert lower == RuleFacts(
        "1 point per 1.00 EUR", "1 point per 2.00 EUR", limits="the limit “spend-a-day” (50 points a day)", moves=-1
    )
    assert facts(publication(SHOP), SHOP.replace("per_minor: 100", "per_minor: 50")).moves == 1
    assert facts(publication(SHOP), SHOP.replace("daily: 5", "daily: 7"), "visits").moves == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("currency: EUR", "currency: EUR\nrounding: ceil"),
        ("points: 50}", "points: 60}"),
        ("kind: spend,", "kind: spend, active: {weekdays: [friday]},"),
        ("\nrules:", f"\nrules:\n{DOUBLE.rstrip()}"),
    ],
)
def test_with_another_difference_it_cannot_be_told_whether_a_rule_gives_more(old: str, new: str) -> None:
    assert facts(publication(SHOP), SHOP.replace("per_minor: 100", "per_minor: 200").replace(old, new)).moves == 0


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("points: 50}", "points: 40}", "the limits"),
        ("\nrules:", f"\nrules:\n{DOUBLE.rstrip()}", "the multipliers"),
        ("kind: spend,", "kind: spend, active: {weekdays: [friday]},", "the conditions"),
        ("currency: EUR", "currency: EUR\nrounding: ceil", "the rounding"),
        ("currency: EUR", "currency: EUR\nexpiry: {kind: rolling, days: 1}", "the expiry"),
        ("currency: EUR", "currency: EUR\nexclude_lines: {category: [gift]}", "the lines that count"),
        ("currency: EUR", "currency: USD", "the currency"),
    ],
)
def test_what_differs_beside_what_a_rule_gives_is_named(old: str, new: str, part: str) -> None:
    assert facts(publication(SHOP), SHOP.replace(old, new)).changed == (part,)


def test_another_expiry_does_not_hide_that_a_rule_gives_less() -> None:
    draft_text = SHOP.replace("per_minor: 100", "per_minor: 200").replace(
        "kind: spend,", "kind: spend, expiry: {kind: fixed, on: 2026-06-30},"
    )
    found = facts(publication(SHOP), draft_text)
    assert (found.changed, found.moves) == (("the expiry",), -1)


def test_under_another_behaviour_of_the_decider_nothing_is_concluded_from_a_rate() -> None:
    text = SHOP.replace("per_minor: 100", "per_minor: 200")
    other = msgspec.structs.replace(publication(SHOP), semantics=2)
    found = compare_rules(present(other), draft("d", span(text)), LAST_TICK)
    assert found[0].changes[-1].said == "1 instead of 2."
    assert facts(other, text).moves == 0


def test_a_rule_that_is_not_the_same_at_all_times_is_not_said() -> None:
    timeline, tried = two_times()
    found = facts_of_rules(compare_rules(timeline, tried, LAST_TICK), timeline)
    assert (found["base"].present, found["base"].draft, found["base"].moves) == ("", "1 point per 2.00 EUR", 0)
    assert found["visits"].memory == "the member's run of days with a check-in was another"
    assert found["friends"].memory == "the referral was settled before on one side alone"
    assert found["base"].memory == ""


def test_a_rule_of_one_side_alone_is_known_there() -> None:
    more = SHOP + DOUBLE
    assert facts(publication(SHOP), more, "double").present is None
    assert facts(publication(more), SHOP, "double").draft is None
