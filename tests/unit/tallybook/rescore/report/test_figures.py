"""The figures behind the charts: rules, weeks, sizes of change, months of expiry, and the causes of each member."""

from datetime import date
from pathlib import Path

import pytest

from processors.decider.local_time import EPOCH_ORDINAL
from processors.replay.rescore.differences import Cause as Why
from processors.replay.rescore.differences import LotsLeft
from schemas.instants import parse_instant
from tallybook.rescore.report.figures import (
    EXPIRED,
    LATER,
    MAX_CLASSES,
    MAX_MONTH_BARS,
    MAX_RULE_BARS,
    MAX_WEEK_BARS,
    NEVER,
    SAME_BALANCE,
    Bar,
    Month,
    Spread,
    iso_date,
    month_bars,
    read_figures,
    rule_bars,
    signed_class,
    size_classes,
    spread,
    week_bars,
)
from tests.support.rescore_runs import draft, line, member, plan, write_run


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - EPOCH_ORDINAL


def test_weeks_without_a_difference_have_an_empty_bar() -> None:
    bars, each = week_bars({day("2026-01-05"): Bar("", 10, 3), day("2026-01-19"): Bar("", 0, 4)})
    assert each == 1
    assert bars == [Bar("2026-01-05", 10, 3), Bar("2026-01-12"), Bar("2026-01-19", 0, 4)]


def test_many_weeks_share_bars_and_lose_no_point() -> None:
    first = day("2020-01-06")
    weeks = {first + 7 * number: Bar("", number, 1) for number in range(MAX_WEEK_BARS * 3 - 1)}
    bars, each = week_bars(weeks)
    assert (each, len(bars)) == (3, MAX_WEEK_BARS)
    assert bars[0] == Bar("2020-01-06", 0 + 1 + 2, 3)
    assert sum(bar.up for bar in bars) == sum(week.up for week in weeks.values())
    assert sum(bar.down for bar in bars) == len(weeks)


def test_no_weeks_at_all_have_no_bars() -> None:
    assert week_bars({}) == ([], 1)


def test_rules_behind_the_greatest_are_added_up() -> None:
    rules = {f"r{number:02d}": Bar(f"r{number:02d}", number, 1) for number in range(MAX_RULE_BARS + 2)}
    bars = rule_bars(rules)
    assert [bar.label for bar in bars[:2]] == ["r13", "r12"]
    assert bars[-1] == Bar("3 other rules", 0 + 1 + 2, 3, is_rest=True)
    assert len(bars) == MAX_RULE_BARS


@pytest.mark.parametrize(
    ("change", "found"),
    [(0, 0), (1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (10, 4), (-1, -1), (-19, -4), (-20, -5), (2**63 - 1, 57)],
)
def test_changes_are_counted_in_classes(change: int, found: int) -> None:
    assert signed_class(change) == found


def test_classes_go_from_loss_to_gain_without_a_gap() -> None:
    counted = {signed_class(-12): 3, signed_class(-1): 1, 0: 2, signed_class(2): 4}
    shown = [(each.label, each.sign, each.members) for each in size_classes(counted)]
    assert shown == [
        ("−19 to −10", -1, 3),
        ("−9 to −5", -1, 0),
        ("−4 to −2", -1, 0),
        ("−1", -1, 1),
        (SAME_BALANCE, 0, 2),
        ("+1", 1, 0),
        ("+2 to +4", 1, 4),
    ]


def test_classes_leave_the_same_balance_out_where_nobody_keeps_it() -> None:
    assert [each.label for each in size_classes({-1: 1, 1: 1})] == ["−1", "+1"]


def test_many_classes_become_powers_of_ten() -> None:
    changes = [-1_234_567, -3, -2, 0, 1, 7, 5_000_000]
    counted: dict[int, int] = {}
    for change in changes:
        counted[signed_class(change)] = counted.get(signed_class(change), 0) + 1
    shown = size_classes(counted)
    assert len(shown) <= MAX_CLASSES
    assert {each.label: each.members for each in shown if each.members} == {
        "−9,999,999 to −1,000,000": 1,
        "−9 to −1": 2,
        SAME_BALANCE: 1,
        "+1 to +9": 2,
        "+1,000,000 to +9,999,999": 1,
    }


def test_months_are_in_order_and_what_never_expires_is_last() -> None:
    months = {label: Month(label, 2, 1) for label in ("~", "2026-03", "2025-12")}
    assert month_bars(months) == [Month("2025-12", 2, 1), Month("2026-03", 2, 1), Month(NEVER, 2, 1)]


def test_late_months_are_added_up() -> None:
    months = {f"{2026 + number}-01": Month(f"{2026 + number}-01", 10, 1) for number in range(MAX_MONTH_BARS + 3)}
    bars = month_bars(months)
    assert len(bars) == MAX_MONTH_BARS
    assert bars[-1] == Month(LATER, 40, 4)


def test_a_run_is_added_up(tmp_path: Path) -> None:
    # The local day counts; without one, the day in the programme's zone: 23:30 UTC on Sunday is Monday in Berlin.
    sunday = parse_instant("2026-01-11T23:30:00Z")
    lines = [
        line("anna", 100, 50, local_day=day("2026-01-05")),
        line("anna", 10, 30, rule_id="beans", cause=Why.KNOCK_ON, occurred_at=sunday),
        line("ben", 0, 40, occurred_at=sunday),
        line("ben", -30, -10, rule_id="", cause=Why.EXPIRY, local_day=day("2026-02-02")),
    ]
    first_of_march = parse_instant("2026-02-28T23:00:00Z")  # in Berlin: the points are good for all of February
    members = [
        member("anna", 500, 470, LotsLeft(first_of_march, 100, 70), LotsLeft(None, 5, 5)),
        member("ben", 200, 260, LotsLeft(first_of_march + 1, 0, 60)),
        member("cleo", 70, 70),
    ]
    run = write_run(tmp_path, plan(), {"half": lines}, {"half": members})
    rows: list[int] = []
    found = read_figures(run, draft(), lambda: rows.append(1))
    assert len(rows) == len(lines) + len(members)
    assert found.by_rule == [Bar("base", 40, 50), Bar("beans", 20, 0), Bar(EXPIRED, 20, 0)]
    assert [bar for bar in found.by_week if bar.up or bar.down] == [
        Bar("2026-01-05", 0, 50),
        Bar("2026-01-12", 60, 0),
        Bar("2026-02-02", 20, 0),
    ]
    assert found.weeks_a_bar == 1
    assert [(each.label, each.members) for each in found.sizes if each.members] == [
        ("−49 to −20", 1),
        (SAME_BALANCE, 1),
        ("+50 to +99", 1),
    ]
    assert found.months == [Month("2026-02", 100, 70), Month("2026-03", 0, 60), Month(NEVER, 5, 5)]
    assert [(cause.rule_id, cause.change) for cause in found.causes["ben"]] == [("base", 40), ("", 20)]
    assert [(cause.rule_id, cause.change) for cause in found.causes["anna"]] == [("base", -50), ("beans", 20)]
    assert "cleo" not in found.causes
    assert [(cause.rule_id, cause.sign, cause.lines) for cause in found.all_causes] == [
        ("base", -1, 1),
        ("base", 1, 1),
        ("beans", 1, 1),
        ("", 0, 1),
    ]
    assert (found.gains, found.losses) == (Spread(60, 60), Spread(30, 30))
    summary = found.summary
    assert (summary.members, summary.up, summary.down, summary.lines) == (3, 1, 1, 4)
    assert (summary.points_up, summary.points_down, summary.balance_after) == (60, 30, 1_000_030)


def test_a_fact_that_two_rules_pay_otherwise_counts_once(tmp_path: Path) -> None:
    lines = [
        line("anna", 100, 50),
        line("anna", 10, 30, rule_id="beans"),
        line("ben", 10, 30, page=2),
        line("ben", -9, 0, rule_id="", cause=Why.EXPIRY, page=3),
    ]
    run = write_run(tmp_path, plan(), {"half": lines}, {"half": [member("anna", 500, 470)]})
    assert read_figures(run, draft()).facts == 2


def test_what_goes_up_and_what_goes_down_are_causes_apart(tmp_path: Path) -> None:
    full = {"reason_before": "too_many_lots"}
    lines = [line("anna", 100, 50), line("anna", 0, 5), line("anna", 20, 10), line("anna", 0, 5, **full)]
    run = write_run(tmp_path, plan(), {"half": lines}, {"half": [member("anna", 500, 450)]})
    found = read_figures(run, draft()).causes["anna"]
    assert [(each.sign, each.is_lots, each.lines, each.change) for each in found] == [
        (-1, False, 2, -60),
        (1, False, 1, 5),
        (1, True, 1, 5),
    ]


@pytest.mark.parametrize(
    ("points", "members", "kept", "expected"),
    [
        (0, 0, [], Spread(0, None)),
        (16, 3, [1, 5, 10], Spread(5, 5)),
        (11, 2, [10, 1], Spread(6, 1)),
        (11, 3, [10, 1], Spread(4, None)),
    ],
)
def test_average_and_median(points: int, members: int, kept: list[int], expected: Spread) -> None:
    assert spread(points, members, kept) == expected


def test_a_week_begins_on_its_monday() -> None:
    assert iso_date(day("2025-12-29")) == "2025-12-29"


def test_the_ten_greatest_are_told_and_no_more(tmp_path: Path) -> None:
    members = [member(f"m{number:02d}", 1_000, 1_000 - number) for number in range(1, 16)]
    lines = [line(each.member_id, 100, 100 - number) for number, each in enumerate(members, 1)]
    run = write_run(tmp_path, plan(), {"half": lines}, {"half": members})
    found = read_figures(run, draft())
    assert [each.member_id for each in found.summary.losers] == [f"m{number:02d}" for number in range(15, 5, -1)]
    assert set(found.causes) == {f"m{number:02d}" for number in range(6, 16)}


def test_of_equal_losers_those_that_came_first_are_told(tmp_path: Path) -> None:
    members = [member(f"m{number:02d}", 1_000, 990) for number in range(15)]
    run = write_run(tmp_path, plan(), {}, {"half": members})
    assert [each.member_id for each in read_figures(run, draft()).summary.losers] == [f"m{n:02d}" for n in range(10)]
