"""`explain MEMBER` says what an account holds, from which rules, and what its newest facts did."""

from pathlib import Path

from tests.support.command_line import run


def test_points_are_told_by_rule_and_lot(read_only: Path) -> None:
    member = run(read_only, "explain", "anna", "--json").json()["member"]
    assert (member["balance"], member["earned"], member["as_of"]) == (100, 196, "2026-11-15T00:00:00Z")
    assert [(each["rule_id"], each["awarded"], each["expired"], each["left"]) for each in member["rules"]] == [
        ("friends", 100, 0, 100),
        ("base", 63, 63, 0),
        ("visits", 16, 16, 0),
        ("coffee", 12, 12, 0),
        ("review", 5, 5, 0),
    ]
    (lot,) = member["lots"]
    assert (lot["lot"], lot["left"], lot["rule_id"], lot["expires_at"]) == (9, 100, "friends", None)
    assert sum(each["left"] for each in member["rules"]) == sum(each["left"] for each in member["lots"]) == 100
    assert member["reasons"] == {
        "awaiting_purchase": 1,
        "day_already_paid": 1,
        "duplicate": 1,
        "conflict": 1,
        "limit_reached": 1,
        "claim_already_paid": 1,
    }


def test_newest_facts_come_first_with_arithmetic_or_reason(read_only: Path) -> None:
    member = run(read_only, "explain", "--member", "anna", "--limit", "4", "--json").json()["member"]
    assert [fact["event_id"] for fact in member["newest"]] == [
        "tick:1794700800000",
        "ben/claim:1/purchase:2",
        "p-late",
        "v-2",
    ]
    assert member["newest"][2]["arithmetic"] == ["base: 100 minor × 1/100 = 1 paid", "coffee: 1 line × 3 = 3 paid"]
    assert member["newest"][3]["arithmetic"] == ["review: 1 event × 5 = 5, limit one-review-per-sku cut 5 → 0 paid"]
    assert "no room left under one-review-per-sku" in member["newest"][3]["why"]


def test_limits_are_those_of_the_last_ticks_windows(read_only: Path) -> None:
    (limit,) = run(read_only, "explain", "--member", "ben", "--json").json()["member"]["limits"]
    assert (limit["limit_id"], limit["window"], limit["used_before"], limit["left"]) == (
        "spend-a-day",
        "day:2026-11-15",
        0,
        50,
    )


def test_referee_names_the_claim_on_it(read_only: Path) -> None:
    notes = run(read_only, "explain", "--member", "ben", "--json").json()["member"]["notes"]
    assert notes == ["referred by anna at 2026-11-02T11:00:00Z (claim 1)"]


def test_people_read_the_same(read_only: Path) -> None:
    out = run(read_only, "explain", "anna").out
    assert "anna: 100 points as of 2026-11-15T00:00:00Z" in out
    assert "coffee: 1 line × 3 = 3 paid" in out


def test_unknown_member_is_refused_with_the_nearest(read_only: Path) -> None:
    result = run(read_only, "explain", "--member", "annna")
    assert result.code == 3
    assert "no fact names a member 'annna'. Did you mean anna?" in result.err
