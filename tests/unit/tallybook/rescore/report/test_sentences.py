"""The sentences of a report: who has how many points more or less, by which rules, and why some stay the same."""

import pytest

from tallybook.rescore.report.figures import Cause
from tallybook.rescore.report.rules_compared import RuleFacts
from tallybook.rescore.report.sentences import MAX_NOTES, minus, notes, outcome, reasons, share, signed
from tests.support.rescore_runs import member

DAY = "the limit “day” (500 points a day)"
RUN = "the member's run of days with a check-in was another"
FACTS = {
    "base": RuleFacts("1 point per 1.00 EUR", "1 point per 2.00 EUR", limits=DAY, moves=-1),
    "more": RuleFacts("1 point per 1.00 EUR", "2 points per 1.00 EUR", limits=DAY, moves=1),
    "beans": RuleFacts("20 points for each unit", "20 points for each unit", limits=DAY),
    "plain": RuleFacts("5 points for each share", "5 points for each share"),
    "visits": RuleFacts("5 points a day", "5 points a day", memory=RUN),
    "capped": RuleFacts("5 points a day", "5 points a day", limits=DAY, memory=RUN),
    "gone": RuleFacts("5 points for each review", None),
    "new": RuleFacts(None, "7 points for each share"),
    "same": RuleFacts("1 point per 1.00 EUR", "1 point per 1.00 EUR", ("the limits", "the multipliers")),
    "both": RuleFacts("1 point per 1.00 EUR", "2 points per 1.00 EUR", ("the limits",)),
    "mixed": RuleFacts("", "1 point per 2.00 EUR"),
}


def test_who_gains_and_who_loses() -> None:
    assert outcome(member("m00001", 13_664, 10_625)) == "Member m00001 loses 3,039 points"
    assert outcome(member("anna", 10, 11)) == "Member anna gains 1 point"


def cause(rule_id: str, why: str, fact: str, lines: int, points: tuple[int, int], *, is_lots: bool = False) -> Cause:
    before, after = points
    change = after - before
    return Cause(rule_id, why, fact, (change > 0) - (change < 0), is_lots, lines, before, after)


TWICE = "which gives 2 points per 1.00 EUR instead of 1 point per 1.00 EUR"
SAME = "which stays the same, because"
FULL = "the account holds as many single awards as it may, on one side alone"
OTHER = "what the member had earned before was another, such as how much of a limit was used up"
IN_DRAFT = "which gives 1 point per 2.00 EUR instead of 1 point per 1.00 EUR."


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            cause("base", "direct", "PurchaseRecorded", 53, (6_078, 3_039)),
            f"53 purchases earn 3,039 points less under “base”, {IN_DRAFT}",
        ),
        (
            cause("base", "direct", "PurchaseRecorded", 1, (20, 53)),
            f"1 purchase earns 33 points more under “base”, because less of {DAY} was used up before.",
        ),
        (
            cause("more", "direct", "PurchaseRecorded", 2, (53, 20)),
            f"2 purchases earn 33 points less under “more”, because more of {DAY} was used up before.",
        ),
        (
            cause("new", "direct", "ContentShared", 1, (0, 7)),
            "1 share earns 7 points more under “new”, which only the draft has: 7 points for each share.",
        ),
        (
            cause("gone", "direct", "ReviewSubmitted", 2, (100, 0)),
            "2 reviews earn nothing instead of 100 points under “gone”, which the draft does not have.",
        ),
        (
            cause("mixed", "direct", "PurchaseRecorded", 1, (4, 2)),
            "1 purchase earns 2 points less under “mixed”, which the draft changes.",
        ),
        (
            cause("same", "direct", "PurchaseRecorded", 1, (4, 2)),
            "1 purchase earns 2 points less under “same”, of which the draft changes the limits and the multipliers.",
        ),
        (
            cause("both", "direct", "PurchaseRecorded", 1, (2, 3)),
            f"1 purchase earns 1 point more under “both”, {TWICE}, and of which the draft changes the limits too.",
        ),
        (
            cause("beans", "knock_on", "PurchaseRecorded", 3, (60, 45)),
            f"3 purchases earn 15 points less under “beans”, {SAME} more of {DAY} was used up before.",
        ),
        (
            cause("plain", "knock_on", "ContentShared", 1, (5, 0), is_lots=True),
            f"1 share earns nothing instead of 5 points under “plain”, {SAME} {FULL}.",
        ),
        (
            cause("visits", "knock_on", "CheckedIn", 1, (5, 15)),
            f"1 check-in earns 10 points more under “visits”, {SAME} {RUN}.",
        ),
        (
            cause("capped", "knock_on", "CheckedIn", 1, (5, 15)),
            f"1 check-in earns 10 points more under “capped”, {SAME} {RUN}, or less of {DAY} was used up before.",
        ),
        (
            cause("unknown", "knock_on", "RefereePurchased", 1, (5, 0)),
            f"1 purchase of a friend earns nothing instead of 5 points under “unknown”, {SAME} {OTHER}.",
        ),
        (
            cause("base", "direct", "SomethingNew", 2, (5, 5)),
            f"2 facts earn the same points, with another expiry, under “base”, {IN_DRAFT}",
        ),
        (cause("", "expiry", "ClockTicked", 2, (-200, -80)), "120 points fewer expire (80 instead of 200)."),
        (cause("", "expiry", "ClockTicked", 1, (-4, -5)), "1 point more expires (5 instead of 4)."),
    ],
)
def test_each_cause_is_said(found: Cause, said: str) -> None:
    assert reasons([found], FACTS) == said


def test_small_causes_are_added_up() -> None:
    causes = [
        cause("base", "direct", "PurchaseRecorded", 2, (30, 10)),
        cause("beans", "knock_on", "PurchaseRecorded", 1, (20, 10)),
        cause("plain", "knock_on", "ContentShared", 1, (20, 10)),
        cause("visits", "direct", "CheckedIn", 4, (5, 9)),
        cause("friends", "direct", "RefereePurchased", 1, (0, 3)),
    ]
    assert reasons(causes, FACTS).endswith("; 5 other differences come to +7 points.")
    assert reasons(causes[:4], FACTS).endswith("; 4 other differences come to +4 points.")


def test_notes_tell_why_a_rule_moves_against_what_it_says() -> None:
    causes = [
        cause("base", "direct", "", 60_000, (90_000, 45_000)),
        cause("base", "direct", "", 3, (22, 90)),
        cause("more", "direct", "", 1, (90, 89)),
        cause("beans", "knock_on", "", 15, (147, 501)),
        cause("", "expiry", "", 2, (-200, -80)),
    ]
    less, more = f"because less of {DAY} was used up before", f"because more of {DAY} was used up before"
    assert notes(causes, FACTS) == [
        f"“base”: 3 awards are 68 points more in all, though the rule gives less, {less}.",
        f"“more”: 1 award is 1 point less in all, though the rule gives more, {more}.",
        f"“beans”: 15 awards are 354 points more in all, though the rule says the same, {less}.",
    ]


def test_only_so_many_notes_are_told() -> None:
    causes = [cause(f"r{number}", "knock_on", "", 1, (1, 2)) for number in range(MAX_NOTES + 1)]
    assert len(notes(causes, {})) == MAX_NOTES


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 0, "0 %"),
        (0, 40, "0 %"),
        (1, 1_000, "less than 1 %"),
        (1, 40, "3 %"),
        (2_409, 2_469, "98 %"),
        (999, 1_000, "more than 99 %"),
        (40, 40, "100 %"),
        (60, 40, "150 %"),
    ],
)
def test_shares_are_whole_per_cents(part: int, whole: int, said: str) -> None:
    assert share(part, whole) == said


def test_numbers_have_a_real_minus_sign() -> None:
    assert [signed(number) for number in (1_234, -1_234, 0)] == ["+1,234", "−1,234", "0"]
    assert minus("-12.50 EUR") == "−12.50 EUR"
    assert minus("0.50 EUR") == "0.50 EUR"
