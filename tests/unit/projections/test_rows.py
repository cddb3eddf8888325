"""Postings become rows: one per entry, one for a posting without entries, and the states it leaves behind."""

import msgspec
import pytest

from projections.store import Columns
from schemas.posting import DayHeld, Entry, Factor, PeriodTotals, Posting, Working
from tests.reference.posting_rows import posting_rows

BOUGHT = Posting(
    "ann", 1, "PurchaseRecorded", "pos", "e1", 100, 30, 1, 2, 3, ruleset_version="1", ruleset_hash="ab", semantics=1
)
AWARD = Entry("pos/e1/ann/1", "PointsAwarded", 30, 100, 1, "base", available_at=100, expires_at=500)
EXPIRY = Entry("due:expire:ann/1:500", "PointsExpired", -30, 500, 1)


def rows(columns: Columns) -> list[dict[str, object]]:
    """The rows of columns; all must be equally long."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def tables(*postings: Posting) -> dict[str, list[dict[str, object]]]:
    found = posting_rows("0001", [5] * len(postings), postings)
    return {table: rows(columns) for table, columns in found.items()}


def changed(posting: Posting, **fields: object) -> Posting:
    return msgspec.structs.replace(posting, **fields)


def test_a_posting_with_one_entry_is_one_row() -> None:
    (row,) = tables(changed(BOUGHT, entries=(AWARD,)))["ledger"]
    assert row["n"] == 1
    assert (row["edition"], row["partition"], row["number"], row["page"], row["line"]) == ("0001", 5, 1, 2, 3)
    assert (row["entry_id"], row["points"], row["balance_after"]) == ("pos/e1/ann/1", 30, 30)
    assert (row["available_at"], row["expires_at"], row["effective_at"]) == (100, 500, 100)
    assert (row["reason"], row["corrects"], row["claim_paid"]) == ("", "", "")


def test_a_posting_without_entries_has_a_row_that_says_why() -> None:
    (row,) = tables(changed(BOUGHT, reason="no_rule_matched", balance=7))["ledger"]
    assert (row["n"], row["entry_id"], row["entry_type"], row["points"]) == (0, "", "", 0)
    assert (row["reason"], row["balance_after"], row["effective_at"]) == ("no_rule_matched", 7, 100)


def test_the_balance_runs_through_the_entries_of_a_posting() -> None:
    second = msgspec.structs.replace(AWARD, entry_id="pos/e1/ann/2", lot=2, points=12)
    posting = changed(BOUGHT, balance=112, entries=(EXPIRY, AWARD, second))
    assert [(row["n"], row["points"], row["balance_after"]) for row in tables(posting)["ledger"]] == [
        (1, -30, 70),
        (2, 30, 100),
        (3, 12, 112),
    ]


def test_an_award_opens_a_lot_and_an_expiry_empties_it() -> None:
    found = tables(changed(BOUGHT, balance=0, entries=(AWARD, EXPIRY)))
    (lot,) = found["lots"]
    assert (lot["lot"], lot["points"], lot["rule_id"], lot["expires_at"], lot["seq"]) == (1, 30, "base", 500, 1)
    assert found["lot_states"] == [
        {"edition": "0001", "member_id": "ann", "lot": 1, "seq": 1, "remaining": 0, "changed_at": 500}
    ]


def test_only_the_first_posting_of_an_account_makes_a_member() -> None:
    found = tables(BOUGHT, changed(BOUGHT, seq=2, event_id="e2"))["members"]
    assert [(row["member_id"], row["event_id"], row["opened_at"]) for row in found] == [("ann", "e1", 100)]


def test_the_state_of_an_account_is_that_of_its_last_posting() -> None:
    later = changed(BOUGHT, seq=2, balance=44, occurred_at=90)
    found = tables(BOUGHT, changed(BOUGHT, member_id="bob"), later)["account_states"]
    assert [(row["member_id"], row["seq"], row["balance"]) for row in found] == [("ann", 2, 44), ("bob", 1, 30)]


def test_every_rule_that_matched_has_its_working() -> None:
    doubled = Working("base", 3000, "minor", "1/100", "60", 60, 50, factors=(Factor("double", "2", 3000),))
    cut = Working("share", 1, "event", "10", "10", 10, 0, limit_ids=("a-day", "a-month"))
    first, second = tables(changed(BOUGHT, workings=(doubled, cut), local_day=9))["workings"]
    assert (first["n"], first["factor_rules"], first["factors"], first["factor_basis"]) == (
        1,
        ["double"],
        ["2"],
        [3000],
    )
    assert (first["rounded"], first["paid"], first["local_day"]) == (60, 50, 9)
    assert (second["n"], list(second["limit_ids"]), list(second["factors"])) == (2, ["a-day", "a-month"], [])  # type: ignore[call-overload]  # rows hold objects


def test_period_totals_and_days_held_are_states_of_their_own() -> None:
    totals = (PeriodTotals("", 9, 1, 2, 3, 4, 5, 100), PeriodTotals("s1", 9, 1, 1, 1, 1, 1, 100))
    found = tables(changed(BOUGHT, totals=totals, day_held=DayHeld(9, 4, 1, 1)))
    assert [(row["scope"], row["day"], row["earned_week"], row["earned_ever"]) for row in found["period_totals"]] == [
        ("", 9, 2, 5),
        ("s1", 9, 1, 1),
    ]
    assert found["check_in_days"] == [{"edition": "0001", "member_id": "ann", "day": 9, "seq": 1, "run_length": 4}]


def test_the_ledger_is_inserted_before_the_states() -> None:
    order = list(posting_rows("0001", [], []))
    assert order[0] == "ledger"
    assert order[-1] == "account_states"


def test_an_unknown_type_of_entry_ends_the_projection() -> None:
    posting = changed(BOUGHT, entries=(msgspec.structs.replace(AWARD, type="PointsLost"),))
    with pytest.raises(AssertionError, match=r"pos/e1/ann/1 has type 'PointsLost', which no table knows"):
        posting_rows("0001", [0], [posting])


def test_a_posting_needs_its_partition() -> None:
    with pytest.raises(ValueError, match="zip"):
        posting_rows("0001", [], [BOUGHT])
