"""Journal lines become rows, each kind with its own fields and nothing in the columns of others."""

import msgspec
import pytest

from projections.store import Columns
from schemas.facts import (
    CheckedIn,
    ClockTicked,
    ContentShared,
    JournalOpened,
    PurchaseLine,
    PurchaseRecorded,
    RefereePurchased,
    ReferralMade,
    ReviewSubmitted,
    RulesetPublished,
)
from schemas.pages import JournalLine, JournalPage
from tests.reference.fact_rows import JournalRows

PURCHASE = PurchaseRecorded(
    "pos",
    "e1",
    100,
    "o1",
    "EUR",
    (PurchaseLine("tea", 300, 2000, "drinks", "b", 20, 160), PurchaseLine("cake", 500)),
    "ann",
    "shop",
    "s1",
    "card",
    "bob",
    {"k": "v"},
)


def rows(columns: Columns) -> list[dict[str, object]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def page(*lines: JournalLine, number: int = 4) -> JournalPage:
    return JournalPage(number, lines, ("", "events.jsonl"))


def test_a_purchase_is_a_row_with_its_sums_and_a_row_for_each_line() -> None:
    gathered = JournalRows()
    gathered.add(2, page(JournalLine(PURCHASE, 150, "ann", 1, 7)))
    found = gathered.take()
    (fact,) = rows(found["facts"])
    assert (fact["partition"], fact["page"], fact["line"], fact["fact_type"]) == (2, 4, 0, "PurchaseRecorded")
    assert (fact["amount_minor"], fact["discount_minor"], fact["quantity_milli"], fact["line_count"]) == (
        800,
        20,
        3000,
        2,
    )
    assert (fact["referrer_id"], fact["attributes"], fact["input"], fact["record"]) == (
        "bob",
        {"k": "v"},
        "events.jsonl",
        7,
    )
    assert (fact["rating"], fact["network"], fact["claim_rank"]) == (None, "", 0)
    first, second = rows(found["fact_lines"])
    assert (first["n"], first["sku"], first["amount_minor"], first["unit_price_minor"]) == (1, "tea", 300, 160)
    assert (second["n"], second["quantity_milli"], second["unit_price_minor"]) == (2, 1000, None)
    assert (second["member_id"], second["order_id"], second["store_id"]) == ("ann", "o1", "s1")


def test_a_guest_has_no_member() -> None:
    gathered = JournalRows()
    gathered.add(0, page(JournalLine(msgspec.structs.replace(PURCHASE, member_id=None, referrer_id=None), 1)))
    (fact,) = rows(gathered.take()["facts"])
    assert (fact["member_id"], fact["referrer_id"]) == ("", "")


def test_every_kind_of_fact_has_a_row_in_the_place_of_its_line() -> None:
    told = RefereePurchased("tallybook", "x", 3, "ann", "ann", "bob", 1, 2, 500, "EUR", 1, "pos", "e9")
    lines = (
        JournalLine(CheckedIn("app", "a", 1, "ann", "s1"), 1, "ann"),
        JournalLine(ContentShared("app", "b", 1, "ann", "fediverse", "c1", "tea"), 1, "ann"),
        JournalLine(ReviewSubmitted("shop", "c", 1, "ann", "tea", 9, 80, 1, "o1"), 1, "ann"),
        JournalLine(ReferralMade("app", "d", 1, "ann", "bob"), 1, "bob"),
        JournalLine(ReferralMade("app", "d", 1, "ann", "bob"), 1, "ann"),
        JournalLine(told, 1, "ann"),
        JournalLine(PURCHASE, 1, "ann"),
    )
    gathered = JournalRows()
    gathered.add(0, page(*lines))
    found = {fact["line"]: fact for fact in rows(gathered.take()["facts"])}
    assert [found[line]["fact_type"] for line in range(7)] == [type(line.fact).__name__ for line in lines]
    assert [found[line]["member_id"] for line in (3, 4)] == ["bob", "ann"]
    assert (found[1]["network"], found[1]["content_id"], found[1]["sku"]) == ("fediverse", "c1", "tea")
    assert (found[2]["rating"], found[2]["text_length"], found[2]["media_count"], found[2]["order_id"]) == (
        9,
        80,
        1,
        "o1",
    )
    assert (found[3]["referrer_id"], found[3]["referee_id"]) == ("ann", "bob")
    assert (found[5]["claim_rank"], found[5]["purchase_rank"], found[5]["purchase_event_id"]) == (1, 2, "e9")
    assert found[5]["amount_minor"] == 500


def test_book_facts_are_no_facts_of_members() -> None:
    published = RulesetPublished("1", "ab", 5, 1, "programme: x\n", "Europe/Berlin", b"TZif")
    gathered = JournalRows()
    gathered.add(0, page(JournalLine(JournalOpened("d", 1, 1, 0, 1, 1), 1), JournalLine(published, 1)))
    gathered.add(0, page(JournalLine(ClockTicked(10), 1), JournalLine(ClockTicked(20), 1), number=5))
    gathered.add(1, page(JournalLine(ClockTicked(10), 1)))
    assert gathered.lines == 5
    found = gathered.take()
    assert rows(found["facts"]) == []
    assert rows(found["ticks"]) == [{"partition": 0, "at": 20}, {"partition": 1, "at": 10}]
    (ruleset,) = rows(found["rulesets"])
    assert (ruleset["version"], ruleset["page"], ruleset["line"], ruleset["timezone"]) == ("1", 4, 1, "Europe/Berlin")


def test_what_was_taken_is_gone() -> None:
    gathered = JournalRows()
    gathered.add(0, page(JournalLine(PURCHASE, 1, "ann")))
    gathered.take()
    assert gathered.lines == 0
    assert [table for table, columns in gathered.take().items() if rows(columns)] == []


def test_an_unknown_kind_of_fact_ends_the_projection() -> None:
    class PointsWished(msgspec.Struct, tag=True):
        pass

    line = JournalLine(PointsWished(), 1)  # type: ignore[arg-type]  # what a later version may have written
    with pytest.raises(AssertionError, match="journal page 4 holds a PointsWished, which no table knows"):
        JournalRows().add(0, page(line))
