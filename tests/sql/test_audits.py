"""Each audit finds nothing in right books, and finds the fault that it is there for."""

from typing import NamedTuple

import pytest

from projections.audits.run import run_audits
from projections.clickhouse.client import ClickHouse
from projections.projector import project
from projections.sql_files import sql_file, sql_files
from schemas.posting import FIRST_EDITION
from tests.sql.bookkeeper import small_programme
from tests.sql.projected_books import rescored


class Fault(NamedTuple):
    """Copies of the rows of `table` for which `which` holds, with `changed` in them, and what the audit says of them.

    A copy with the same identity takes the place of the old row.
    """

    audit: str
    wrong: str
    table: str
    which: str
    changed: str
    said: dict[str, object]


FAULTS = [
    Fault(
        "conservation",
        "a balance that no entry explains",
        "account_states",
        "member_id = 'ann'",
        "balance + 1 AS balance",
        {"member_id": "ann", "balance": 526, "remaining_in_lots": 525, "sum_of_entries": 525},
    ),
    Fault(
        "conservation",
        "points that a lot kept after they expired",
        "lot_states",
        "member_id = 'ann' AND lot = 1",
        "30 AS remaining",
        {"member_id": "ann", "balance": 525, "remaining_in_lots": 555, "sum_of_entries": 525},
    ),
    Fault(
        "last_state",
        "a state newer than the ledger",
        "account_states",
        "member_id = 'bob'",
        "seq + 1 AS seq",
        {"member_id": "bob", "state_seq": 6, "ledger_seq": 5},
    ),
    Fault(
        "running_balance",
        "a balance in the middle that does not follow",
        "ledger",
        "member_id = 'ann' AND seq = 3",
        "balance_after + 1 AS balance_after",
        {"member_id": "ann", "seq": 3, "balance_after": 41, "sum_of_entries": 40},
    ),
    Fault(
        "seq_gaps",
        "postings of an account that are missing",
        "ledger",
        "member_id = 'bob' AND seq = 5",
        "seq + 5 AS seq",
        {"member_id": "bob", "postings": 6, "last_seq": 10, "lost_entries": 0},
    ),
    Fault(
        "seq_gaps",
        "an entry of a posting that is missing",
        "ledger",
        "member_id = 'ann' AND seq = 10 AND n = 2",
        "4 AS n",
        {"member_id": "ann", "lost_entries": 1},
    ),
    Fault(
        "number_gaps", "a number that was never given out", "ledger", "member_id = 'dan'", "number + 50 AS number", {}
    ),
    Fault("number_gaps", "a number that two postings have", "ledger", "member_id = 'dan'", "'eve' AS member_id", {}),
    Fault(
        "keys_of_two_members",
        "one event reported for two members",
        "facts",
        "member_id = 'dan'",
        "'eve' AS member_id, 999 AS line",
        {"source": "pos", "facts": 2, "member_ids": ["dan", "eve"]},
    ),
    Fault(
        "keys_paid_twice",
        "an event that was paid again",
        "ledger",
        "member_id = 'dan'",
        "2 AS seq",
        {"member_id": "dan", "postings": 2, "points": 10},
    ),
    Fault(
        "lot_bounds",
        "a lot that holds less than nothing",
        "lot_states",
        "member_id = 'ann' AND lot = 1",
        "-1 AS remaining",
        {"member_id": "ann", "lot": 1, "remaining": -1, "points": 30},
    ),
    Fault(
        "lot_bounds",
        "a lot that nobody opened",
        "lot_states",
        "member_id = 'ann' AND lot = 1",
        "77 AS lot",
        {"member_id": "ann", "lot": 77},
    ),
    Fault(
        "lot_entries",
        "a lot that entries have emptied, but that still holds points",
        "lot_states",
        "member_id = 'ann' AND lot = 1",
        "1 AS remaining",
        {"member_id": "ann", "lot": 1, "remaining": 1, "sum_of_entries": 0},
    ),
    Fault(
        "entry_signs",
        "an expiry that gives points",
        "ledger",
        "member_id = 'ann' AND seq = 10 AND n = 1",
        "-points AS points",
        {"member_id": "ann", "entry_type": "PointsExpired", "points": 30},
    ),
    Fault(
        "entry_signs",
        "an entry of an unknown type",
        "ledger",
        "member_id = 'dan'",
        "'PointsLost' AS entry_type",
        {"member_id": "dan", "entry_type": "PointsLost"},
    ),
    Fault(
        "entry_signs",
        "a posting without entries that does not say why",
        "ledger",
        "member_id = 'bob' AND seq = 3",
        "'' AS reason",
        {"member_id": "bob", "seq": 3, "n": 0},
    ),
    Fault(
        "earned_totals",
        "a total that the awards do not add up to",
        "period_totals",
        "member_id = 'dan' AND scope = 's1'",
        "earned_ever + 1 AS earned_ever",
        {"member_id": "dan", "store_id": "s1", "earned_ever": 6, "sum_of_days": 5, "sum_of_awards": 5},
    ),
    Fault(
        "postings_without_fact",
        "a posting that names another line than its fact's",
        "ledger",
        "member_id = 'dan'",
        "line + 500 AS line",
        {"member_id": "dan"},
    ),
    Fault(
        "lost_rows",
        "a marker before its rows",
        "progress",
        "book = 'ledger' AND partition = 0",
        "position + 1 AS position, records + 1 AS records",
        {"book": "ledger", "edition": "0001", "partition": 0},
    ),
    Fault(
        "lost_rows",
        "a reject that is missing",
        "progress",
        "book = 'rejects'",
        "position + 1 AS position, 3 AS records",
        {"book": "rejects", "records": 3, "rows": 2},
    ),
    Fault(
        "rescored_sums",
        "a member of a re-scoring whose lines do not add up",
        "rescore_members",
        "member_id = 'ann'",
        "balance_after - 1 AS balance_after",
        {"run": "0001", "draft": "half", "total_change": -10, "members_change": -11, "lines_change": -10},
    ),
    Fault(
        "rescored_sums",
        "a line that is told twice",
        "rescore_lines",
        "member_id = 'ann'",
        "7 AS line",
        {"run": "0001", "draft": "half", "total_change": -10, "members_change": -10, "lines_change": -20},
    ),
    Fault("two_books", "rows of other books", "journals", "true", "'other' AS deployment", {"deployment": "other"}),
]


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault.audit}: {fault.wrong}" for fault in FAULTS])
def test_an_audit_finds_its_fault(store: ClickHouse, fault: Fault) -> None:
    project(small_programme().books(), store, FIRST_EDITION)
    rescored(store)
    audit = sql_file("audits", fault.audit)
    assert store.rows(audit.statement) == []
    store.command(
        f"INSERT INTO tallybook_rows.{fault.table} SELECT * REPLACE ({fault.changed}) "
        f"FROM (SELECT * FROM tallybook_rows.{fault.table} FINAL WHERE {fault.which})"
    )
    found = store.rows(audit.statement)
    assert any(fault.said.items() <= row.items() for row in found), found


def test_no_audit_finds_anything_in_right_books(store: ClickHouse) -> None:
    project(small_programme().books(), store, FIRST_EDITION)
    rescored(store)
    assert run_audits(store) == [(audit.name, []) for audit in sql_files("audits")]


def test_no_audit_finds_anything_in_empty_tables(store: ClickHouse) -> None:
    assert run_audits(store) == [(audit.name, []) for audit in sql_files("audits")]


def test_every_audit_has_a_fault_that_it_finds() -> None:
    assert {audit.name for audit in sql_files("audits")} == {fault.audit for fault in FAULTS}


def test_every_audit_says_which_law_it_proves() -> None:
    for audit in sql_files("audits"):
        assert audit.comment.startswith("Law: ")
        assert "\nRows: " in audit.comment
