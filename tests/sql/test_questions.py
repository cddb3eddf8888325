"""Every question is answered rightly for the small programme, and says what it answers."""

import re
from datetime import date
from pathlib import Path

import pytest

from projections.clickhouse.client import ClickHouse
from projections.sql_files import SqlFile, sql_file, sql_files
from projections.store import Row

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
JUNE, JULY = date(2026, 6, 1), date(2026, 7, 1)


def table(columns: str, *rows: tuple[object, ...]) -> list[Row]:
    """Rows with their column names, as a store answers."""
    return [dict(zip(columns.split(), row, strict=True)) for row in rows]


# What a person finds in tests/sql/bookkeeper.py with a pencil.
ANSWERS = {
    "breakage_candidates": table(
        "silent_months members points with_expiry",
        (9, 1, 525, 0),  # Ann bought last on 1 March
        (10, 2, 320, 0),  # Bob and Cat
    ),
    "campaign_cost": table(
        "campaign awards points extra_points first_day last_day",
        ("double", 1, 40, 20.0, date(2026, 1, 6), date(2026, 1, 6)),
    ),
    "cost_by_rule": table(
        "rule_id awards points share cut_by_limits members",
        ("friends", 2, 750, 0.8065, 0, 2),
        ("base", 6, 110, 0.1183, 0, 4),
        ("review", 1, 50, 0.0538, 0, 1),
        ("streak", 4, 20, 0.0215, 0, 2),
        ("share", 0, 0, 0.0, 10, 0),
    ),
    "facts_that_earned_nothing": table(
        "fact_type reason facts share",
        ("CheckedIn", "", 4, 1.0),
        ("ContentShared", "limit_reached", 1, 1.0),
        ("PurchaseRecorded", "", 6, 0.8571),
        ("PurchaseRecorded", "duplicate", 1, 0.1429),
        ("RefereePurchased", "", 2, 1.0),
        ("ReferralMade", "awaiting_purchase", 2, 1.0),
        ("ReviewSubmitted", "", 1, 0.5),
        ("ReviewSubmitted", "no_rule_matched", 1, 0.5),
    ),
    "guest_share": table(
        "month currency purchases guest_purchases guest_share revenue_minor guest_revenue_minor",
        (JANUARY, "EUR", 4, 1, 0.25, 7_000, 1_000),
        (FEBRUARY, "EUR", 1, 0, 0.0, 1_500, 0),
        (MARCH, "EUR", 1, 0, 0.0, 1_000, 0),
        (JULY, "EUR", 1, 0, 0.0, 500, 0),
    ),
    "late_facts": table(
        "source postings late late_share repeats conflicts",
        ("app", 7, 0, 0.0, 0, 0),
        ("pos", 7, 1, 0.1429, 1, 0),
        ("shop", 2, 0, 0.0, 0, 0),
    ),
    "most_limited_members": table("member_id times points_cut limit_ids", ("bob", 1, 10, ["one-share-a-day"])),
    "new_members": table(
        "month members by_purchase by_check_in by_referral by_other total",
        (JANUARY, 2, 2, 0, 0, 0, 2),
        (FEBRUARY, 1, 0, 0, 1, 0, 3),
        (JULY, 1, 1, 0, 0, 0, 4),
    ),
    "points_by_month": table(
        "month issued expired outstanding",
        (JANUARY, 150, 0, 150),
        (FEBRUARY, 765, 0, 915),
        (MARCH, 10, 0, 925),
        (JUNE, 0, 80, 845),  # their last day was 30 June
        (JULY, 5, 0, 850),  # bought after midnight in Berlin, still June in UTC
    ),
    "points_expiring": table("month points members lots", (date(2027, 6, 1), 5, 1, 1)),
    "referral_funnel": table(
        "step what members times points",
        (1, "referrals made", 1, 1, 0),
        (2, "claims opened on a referee", 1, 1, 0),
        (3, "purchases of referees while a claim was open", 1, 1, 0),
        (4, "claims paid to the referee", 1, 1, 250),
        (5, "claims paid to the referrer", 1, 1, 500),
    ),
    "rejects_by_reason": table(
        "input_name reason field rejects first_number example",
        ("events.jsonl", "malformed", "", 1, 1, "refused: malformed"),
        ("events.jsonl", "missing_field", "source", 1, 2, "refused: missing_field"),
    ),
    "repeat_purchases": table(
        "month buyers came_back repeat_rate is_complete",
        (JANUARY, 2, 2, 1.0, 1),
        (FEBRUARY, 1, 0, 0.0, 1),
        (JULY, 1, 0, 0.0, 1),
    ),
    "reviews_by_sku": table("sku reviews reviewers average_rating with_media points", ("tea", 2, 2, 8.0, 1, 50)),
    "rewards_by_store": table(
        "store_id points members revenue_minor points_for_purchases points_per_100",
        ("", 800, 2, 0, 0, None),
        ("s1", 80, 4, 6_000, 60, 1.0),
        ("s2", 50, 1, 3_000, 50, 1.67),
    ),
    "streak_distribution": table("longest_run members at_least", (1, 1, 2), (3, 1, 1)),
    "top_members": table(
        "rank member_id earned balance since",
        (1, "ann", 605, 525, date(2026, 1, 5)),
        (2, "cat", 265, 265, FEBRUARY),
        (3, "bob", 55, 55, date(2026, 1, 6)),
        (4, "dan", 5, 5, JULY),
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_question_is_answered(programme: ClickHouse, name: str) -> None:
    assert programme.rows(sql_file("questions", name).statement) == ANSWERS[name]


@pytest.mark.parametrize("question", sql_files("questions"), ids=lambda question: question.name)
def test_a_question_says_what_it_answers_and_what_each_column_is(programme: ClickHouse, question: SqlFile) -> None:
    assert question.comment.splitlines()[0].endswith("?")
    answered = programme.rows(f"DESCRIBE ({question.statement})")
    assert [column["name"] for column in answered] == re.findall(r"^([a-z0-9_]+): ", question.comment, re.MULTILINE)


def test_every_question_has_a_known_answer_and_stands_on_the_analysts_page(repository: Path) -> None:
    names = {question.name for question in sql_files("questions")}
    assert names == set(ANSWERS)
    assert len(names) >= 12
    page = (repository / "docs" / "analysts.md").read_text("utf-8")
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


def test_every_query_on_the_analysts_page_runs(programme: ClickHouse, repository: Path) -> None:
    page = (repository / "docs" / "analysts.md").read_text("utf-8")
    queries = re.findall(r"^```sql\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(queries) >= 3
    for query in queries:
        assert programme.export(query.strip().removesuffix(";"), "JSONEachRow"), query


def test_questions_ask_the_views_alone() -> None:
    assert [each.name for each in sql_files("questions") if "tallybook_rows" in each.statement] == []
