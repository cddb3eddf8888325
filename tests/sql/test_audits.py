"""Each audit finds nothing in right books, and finds the fault that it is there for."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from projections.audits.run import Audited, row_text, run_audit, run_audits
from projections.clickhouse.client import ClickHouse
from projections.projector import project
from projections.sql_files import sql_file, sql_files
from schemas.facts import PurchaseLine, PurchaseRecorded, ReviewSubmitted
from schemas.posting import FIRST_EDITION, Working
from tests.sql.bookkeeper import Bookkeeper, ms, small_programme
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
        {"source": "pos", "member_ids": ["dan", "eve"]},
    ),
    Fault(
        "orders_paid_twice",
        "an order of which a second event was paid",
        "ledger",
        "member_id = 'dan'",
        "'paid-again' AS event_id, 2 AS seq",
        {"source": "pos", "member_ids": ["dan"], "events": 2, "points": 10},
    ),
    Fault(
        "orders_paid_twice",
        "an order of which a second event was paid for another member",
        "ledger",
        "member_id = 'dan'",
        "'paid-again' AS event_id, 'eve' AS member_id",
        {"source": "pos", "member_ids": ["dan", "eve"], "events": 2, "points": 10},
    ),
    Fault(
        "purchases_paid_twice",
        "a purchase that was paid under the key of another order",
        "ledger",
        "member_id = 'dan'",
        "concat('0', event_id) AS event_id, 'saved-again' AS order_id, 2 AS seq",
        {"member_id": "dan", "events": 2, "points": 10, "paid_again": 5},
    ),
    Fault(
        "look_alike_ids",
        "a member with a second account in capitals",
        "members",
        "member_id = 'dan'",
        "'DAN' AS member_id",
        {"key": "member:dan", "ids": ["DAN", "dan"], "utf8_hex": ["44414E", "64616E"]},
    ),
    Fault(
        "look_alike_ids",
        "an order with a blank behind its id",
        "facts",
        "order_id = 'order-guest-1'",
        "'order-guest-1 ' AS order_id, line + 900 AS line",
        {"key": "order:pos/order-guest-1", "kind": "order", "source": "pos"},
    ),
    Fault(
        "look_alike_ids",
        "a source that is written in two ways",
        "facts",
        "member_id = 'dan'",
        "'POS' AS source, 999 AS line",
        {"key": "source:pos", "ids": ["POS", "pos"]},
    ),
    Fault(
        "look_alike_names",
        "a store that is written in two ways",
        "facts",
        "member_id = 'dan'",
        "'S1' AS store_id, 999 AS line",
        {"key": "store:s1", "ids": ["S1", "s1"]},
    ),
    Fault(
        "look_alike_names",
        "a product that is written in two ways",
        "fact_lines",
        "sku = 'cake'",
        "'Cake' AS sku, 999 AS n",
        {"key": "sku:cake", "ids": ["Cake", "cake"]},
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
    assert run_audit(audit, store).rows == []
    store.command(
        f"INSERT INTO tallybook_rows.{fault.table} SELECT * REPLACE ({fault.changed}) "
        f"FROM (SELECT * FROM tallybook_rows.{fault.table} FINAL WHERE {fault.which})"
    )
    found = run_audit(audit, store).rows
    assert any(fault.said.items() <= row.items() for row in found), found


def nothing_found() -> list[Audited]:
    warns = {"look_alike_names"}
    return [Audited(audit.name, [], [], audit.name in warns) for audit in sql_files("audits")]


def test_no_audit_finds_anything_in_right_books(store: ClickHouse) -> None:
    project(small_programme().books(), store, FIRST_EDITION)
    rescored(store)
    assert run_audits(store) == nothing_found()


def test_no_audit_finds_anything_in_empty_tables(store: ClickHouse) -> None:
    assert run_audits(store) == nothing_found()


def test_every_audit_has_a_fault_that_it_finds() -> None:
    assert {audit.name for audit in sql_files("audits")} == {fault.audit for fault in FAULTS}


def test_every_audit_says_which_law_it_proves() -> None:
    for audit in sql_files("audits"):
        assert audit.comment.startswith("Law: ")
        assert "\nRows: " in audit.comment


LOOKS_LIKE_ANNA = {
    "in capitals": "ANNA",
    "in full width": "\uff41\uff4e\uff4e\uff41",
    "a blank before it": " anna",
    "a blank that does not break": "anna\u00a0",
    "an ideographic blank": "anna\u3000",
    "a zero-width space": "an\u200bna",
    "a byte order mark": "\ufeffanna",
    "a soft hyphen": "an\u00adna",
    "a mark of direction": "anna\u200e",
    "a variation selector": "anna\ufe0f",
    "a Hangul filler": "anna\u3164",
    "a spreadsheet's apostrophe": "'anna",
    "a spreadsheet's formula": '="anna"',
    "a backtick": "`anna",
    "a tab": "\tanna",
    "letters of mathematics": "\U0001d41anna",
}


def test_accounts_that_look_alike_are_found(store: ClickHouse) -> None:
    assert looking_alike(store, "anna", *LOOKS_LIKE_ANNA.values()) == [in_order("anna", *LOOKS_LIKE_ANNA.values())]


def test_letters_of_every_script_are_compared(store: ClickHouse) -> None:
    alike = [
        ("Jos\u00e9", "Jose\u0301"),
        ("STRASSE", "straße"),
        ("ΣΟΦΟΣ", "σοφος"),
        ("Ä", "a\u0308"),
        ("ｶﾞ", "ガ"),
        ("会员１", "会员1"),
    ]
    found = looking_alike(store, *(member for pair in alike for member in pair))
    assert sorted(map(str, found)) == sorted(str(in_order(*pair)) for pair in alike)


def test_numbers_are_compared_without_their_first_zeros(store: ClickHouse) -> None:
    assert looking_alike(store, "00008800", "8800", "88", "0", "00") == [["0", "00"], ["00008800", "8800"]]


def test_phone_numbers_are_compared_in_all_their_forms(store: ClickHouse) -> None:
    alike = [
        ("+8613900001111", "8613900001111", "008613900001111", "139-0000-1111", "139 0000 1111", "13900001111"),
        ("+49 170 1234567", "0049 170 1234567", "0170 1234567", "(0170) 123-4567"),
        ("+1 212-555-0123", "(212) 555-0123", "212.555.0123", "1 212 555 0123"),
    ]
    found = looking_alike(store, *(member for group in alike for member in group))
    assert sorted(map(str, found)) == sorted(str(in_order(*group)) for group in alike)


def test_other_numbers_are_other_members(store: ClickHouse) -> None:
    assert (
        looking_alike(store, "8800", "88001", "1-2", "12", "2026-11-01", "20261101", "4917012345678", "a07", "a7") == []
    )


def test_other_letters_are_other_members(store: ClickHouse) -> None:
    members = ["anna", "annb", "ann", "anna1", "ännä", "аnna"]  # noqa: RUF001 -- the last begins in Cyrillic
    assert looking_alike(store, *members) == []


def in_order(*ids: str) -> list[str]:
    return sorted(ids, key=str.encode)


def looking_alike(store: ClickHouse, *members: str) -> list[object]:
    count = len(members)
    columns: dict[str, list[object]] = {"member_id": list(members), "partition": [0] * count, "opened_at": [0] * count}
    texts = {"edition": "0001", "fact_type": "CheckedIn", "source": "app", "event_id": "in-1", "store_id": ""}
    columns |= {name: [text] * count for name, text in texts.items()}
    store.insert("members", columns | {"opened_on": [None] * count})
    return [row["ids"] for row in run_audit(sql_file("audits", "look_alike_ids"), store).rows]


def test_a_guest_receipt_that_comes_again_with_its_member_is_right(store: ClickHouse) -> None:
    book = Bookkeeper()
    book.purchase(None, "2026-11-01T09:00", event_id="9001")
    book.purchase("ann", "2026-11-01T09:00", event_id="9001", earned={"base": 10})
    project(book.books(), store, FIRST_EDITION)
    assert [found.name for found in run_audits(store) if found.rows] == []


def test_a_receipt_of_two_members_is_found_whether_or_not_it_was_a_guest_before(store: ClickHouse) -> None:
    book = Bookkeeper()
    for member in (None, "ann", "bert"):
        book.purchase(member, "2026-11-01T09:00", event_id="9001", earned={"base": 10} if member else {})
    project(book.books(), store, FIRST_EDITION)
    (found,) = run_audit(sql_file("audits", "keys_of_two_members"), store).rows
    assert (found["key"], found["member_ids"]) == ("pos/9001", ["ann", "bert"])


def order_events(store: ClickHouse, *earned: dict[str, int], worth: Sequence[int] = ()) -> list[object]:
    """What the audit says of an order whose events earned so much, by rule (`worth`: points of each before limits)."""
    book = Bookkeeper()
    for n, points in enumerate(earned):
        fact = PurchaseRecorded("shop", f"event-{n}", ms("2026-11-01T09:00") + n, "9001", "EUR", (), "ann")
        more = {}
        if worth:
            arithmetic = ("base", worth[n], "event", "1", str(worth[n]), worth[n])
            more["workings"] = (Working(*arithmetic, points["base"]),)
        book.fact(fact, "ann", earned=points, reason=None if points else "limit_reached", **more)
    review = ReviewSubmitted("shop", "review-1", ms("2026-11-02T09:00"), "ann", "tea", order_id="9001")
    book.fact(review, "ann", earned={"base": 3})
    project(book.books(), store, FIRST_EDITION)
    rows = run_audit(sql_file("audits", "orders_paid_twice"), store).rows
    return [(row["order_id"], row["event_ids"], row["points"]) for row in rows]


def test_an_order_that_is_paid_for_several_events_is_found(store: ClickHouse) -> None:
    events = ["event-0", "event-1", "event-2"]
    assert order_events(store, {"base": 100}, {"base": 100}, {"base": 100}) == [("9001", events, 300)]


def test_an_order_of_several_events_that_is_paid_once_is_right(store: ClickHouse) -> None:
    assert order_events(store, {}, {"base": 100}, {}) == []


def test_an_order_whose_events_are_paid_by_different_rules_is_right(store: ClickHouse) -> None:
    assert order_events(store, {"ordered": 5}, {"base": 100}) == []


def test_an_order_that_two_tills_tell_of_is_found_for_one_member(store: ClickHouse) -> None:
    book = Bookkeeper()
    for source, member, order in [("till-1", "ann", "1"), ("till-2", "ann", "1"), ("till-3", "bob", "1")]:
        fact = PurchaseRecorded(source, "receipt-1", ms("2026-11-01T09:00"), order, "EUR", (), member)
        book.fact(fact, member, earned={"base": 10})
    project(book.books(), store, FIRST_EDITION)
    (row,) = run_audit(sql_file("audits", "orders_paid_twice"), store).rows
    assert (row["key"], row["source"], row["points"]) == ("*/1/ann", "till-1, till-2", 20)
    assert (row["member_ids"], row["event_ids"], row["events"]) == (["ann"], ["receipt-1"], 2)


def test_an_order_that_grows_up_to_the_limit_of_an_order_is_right(store: ClickHouse) -> None:
    assert order_events(store, {"base": 60}, {"base": 40}, worth=[60, 100]) == []


def test_an_order_that_grows_and_is_paid_for_more_than_it_is_worth_is_found(store: ClickHouse) -> None:
    paid = order_events(store, {"base": 60}, {"base": 41}, worth=[60, 100])
    assert paid == [("9001", ["event-0", "event-1"], 101)]


TEA, BUN = PurchaseLine("07", 200), PurchaseLine("bun", 100)
NINE = "2026-11-01T09:00:12"
SAVED_AGAIN = ("1/03.11.2026", "1/03.11.26")


def paid_twice(
    store: ClickHouse, *bought: tuple[str, str, tuple[PurchaseLine, ...], int], ids: Sequence[str] = SAVED_AGAIN
) -> list[object]:
    """What the audit says of purchases: member, instant, lines, points."""
    book = Bookkeeper()
    for n, (member, at, lines, points) in enumerate(bought):
        fact = PurchaseRecorded("shop", ids[n], ms(at), ids[n], "EUR", lines, member)
        book.fact(fact, member, earned={"base": points} if points else {}, reason=None if points else "limit_reached")
    project(book.books(), store, FIRST_EDITION)
    rows = run_audit(sql_file("audits", "purchases_paid_twice"), store).rows
    return [(row["key"], row["member_id"], row["event_keys"], row["points"], row["paid_again"]) for row in rows]


@pytest.mark.parametrize(
    ("at", "lines"),
    [
        (NINE, (TEA, BUN)),
        (NINE, (BUN, TEA)),
        (NINE, (PurchaseLine("7", 200), BUN)),
        ("2026-11-01T09:00:00", (TEA, BUN)),
    ],
    ids=["the same", "turned lines", "no zeros", "no seconds"],
)
def test_a_purchase_that_is_paid_under_two_keys_is_found(
    store: ClickHouse, at: str, lines: tuple[PurchaseLine, ...]
) -> None:
    found = paid_twice(store, ("ann", NINE, (TEA, BUN), 30), ("ann", at, lines, 20))
    assert found == [("shop/1/03.11.2026", "ann", ["shop/1/03.11.2026", "shop/1/03.11.26"], 50, 20)]


@pytest.mark.parametrize(("at", "found"), [(NINE, 1), ("2026-11-01T09:00:00", 0)])
def test_other_receipts_of_a_minute_are_found_if_they_have_one_second(store: ClickHouse, at: str, found: int) -> None:
    twice = (("ann", at, (TEA, BUN), 30), ("ann", at, (TEA, BUN), 30))
    assert len(paid_twice(store, *twice, ids=("1/2026-11-01/7", "1/2026-11-01/8"))) == found


@pytest.mark.parametrize(
    ("member", "at", "lines", "points"),
    [
        ("bob", NINE, (TEA, BUN), 30),
        ("ann", "2026-11-01T09:00:13", (TEA, BUN), 30),
        ("ann", "2026-11-01T09:01:12", (TEA, BUN), 30),
        ("ann", NINE, (TEA,), 20),
        ("ann", NINE, (TEA, BUN, BUN), 40),
        ("ann", NINE, (TEA, BUN), 0),
    ],
    ids=["another member", "another second", "another minute", "a line fewer", "a line more", "not paid"],
)
def test_purchases_that_differ_are_right(
    store: ClickHouse, member: str, at: str, lines: tuple[PurchaseLine, ...], points: int
) -> None:
    assert paid_twice(store, ("ann", NINE, (TEA, BUN), 30), (member, at, lines, points)) == []


def test_what_was_acknowledged_passes_until_more_is_found(store: ClickHouse) -> None:
    audit = sql_file("audits", "look_alike_ids")
    looking_alike(store, "anna", "Anna")
    (row,) = run_audit(audit, store).rows
    known = run_audit(audit, store, {row_text(row)})
    assert (known.rows, known.acknowledged, known.fails) == ([], [row], False)
    looking_alike(store, "ANNA")
    again = run_audit(audit, store, {row_text(row)})
    assert ([found["ids"] for found in again.rows], again.acknowledged) == ([["ANNA", "Anna", "anna"]], [])


def test_acknowledged_rows_hide_no_others(store: ClickHouse) -> None:
    audit = sql_file("audits", "look_alike_ids")
    names = [f"member-{n:05}" for n in range(1_001)]
    looking_alike(store, *names, *(name.upper() for name in names))
    first = run_audit(audit, store).rows
    rest = run_audit(audit, store, {row_text(row) for row in first})
    assert (len(first), len(rest.acknowledged), len(rest.rows)) == (1_000, 1_000, 1)
