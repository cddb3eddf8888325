"""`explain EVENT` says where a fact is, which rules were asked, how points were computed, and why some are missing."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.entry_ids import tick_event_id
from schemas.facts import CheckedIn, ReferralMade
from schemas.pages import Reject
from schemas.posting import TICK_SOURCE
from tallybook.folder.folder import Folder
from tests.support.command_line import run
from tests.support.small_folder import INPUT, at, build_folder, purchase


def explained(folder: Path, *arguments: str) -> dict[str, Any]:
    """The one event that an explanation is about."""
    (event,) = run(folder, "explain", *arguments, "--json").json()["events"]
    content: dict[str, Any] = event
    return content


def rule(posting: dict[str, Any], rule_id: str) -> dict[str, Any]:
    (found,) = [each for each in posting["considered"] if each["rule_id"] == rule_id]
    content: dict[str, Any] = found
    return content


def stations(event: dict[str, Any]) -> list[tuple[str, bool | None]]:
    return [(station["name"], station["reached"]) for station in event["stations"]]


def test_arithmetic_multiplier_and_limit_of_a_purchase(read_only: Path) -> None:
    event = explained(read_only, "p-tuesday")
    assert event["local_time"] == "Tuesday 2026-11-03 10:00:00 in Europe/Berlin"
    (posting,) = event["postings"]
    assert (posting["balance_before"], posting["balance_after"]) == (17, 44)
    base = rule(posting, "base")
    assert base["arithmetic"] == "1,234 minor × 1/100 × 2 (double-tuesday) = 24.68 → floor → 24 paid"
    assert base["limits"] == [
        {
            "limit_id": "spend-a-day",
            "window": "day:2026-11-03",
            "allows": 50,
            "of": "points",
            "used_before": 0,
            "cut": 0,
            "charged": 24,
            "left": 26,
        }
    ]
    assert rule(posting, "double-tuesday")["because"] == "multiplies base"
    assert rule(posting, "visits")["because"] == "it counts CheckedIn, this is PurchaseRecorded"
    assert posting["rules"]["version"] == "1"
    assert posting["rules"]["effective_from"] == "1970-01-01T00:00:00Z"


def test_limit_that_cuts_says_what_it_allowed_and_what_was_used(read_only: Path) -> None:
    (posting,) = explained(read_only, "p-more")["postings"]
    base = rule(posting, "base")
    assert base["arithmetic"] == "4,000 minor × 1/100 × 2 (double-tuesday) = 80, limit spend-a-day cut 54 → 26 paid"
    (limit,) = base["limits"]
    assert (limit["used_before"], limit["cut"], limit["charged"], limit["left"]) == (24, 54, 26, 0)


def test_repeats_stand_beside_the_first_fact(read_only: Path) -> None:
    (posting,) = explained(read_only, "p-more")["postings"]
    duplicate, conflict = posting["repeats"]
    assert duplicate["reason"] == "duplicate"
    assert duplicate["differs_in"] == []
    assert conflict["reason"] == "conflict"
    assert conflict["differs_in"] == ["lines (total 4000 and 4100 minor)"]


def test_lots_say_until_when_and_what_became_of_them(read_only: Path) -> None:
    (gone,) = explained(read_only, "p-tuesday")["postings"]
    (there,) = explained(read_only, "p-last")["postings"]
    award = gone["entries"][0]
    assert (award["last_day"], award["left"], award["expired_at"]) == ("2026-11-13", 0, "2026-11-13T23:00:00Z")
    due = [entry for entry in there["entries"] if entry["is_due_work"]]
    assert [(entry["lot"], entry["points"], entry["effective_at"]) for entry in due] == [
        (1, -40, "2026-11-13T23:00:00Z"),
        (2, -3, "2026-11-13T23:00:00Z"),
    ]
    kept = [entry for entry in there["entries"] if not entry["is_due_work"]]
    assert [(entry["points"], entry["left"], entry["expired_at"]) for entry in kept] == [(30, 30, None), (3, 3, None)]


@pytest.mark.parametrize(
    ("event_id", "reason", "words"),
    [
        ("v-2", "limit_reached", "no room left under one-review-per-sku (lifetime/beans)"),
        ("v-3", "no_rule_matched", "each one misses a condition"),
        ("s-1", "no_rule_matched", "each one misses a condition"),
        ("p-usd", "other_currency", "is in USD, and the programme counts EUR alone"),
        ("p-gift", "zero_points", "less than one whole point"),
        ("c-2b", "day_already_paid", "already checked in on 2026-11-03"),
        ("r-1", "awaiting_purchase", "when ben buys within 30 days"),
        ("ben/claim:1/purchase:2", "claim_already_paid", "settled on an earlier purchase"),
    ],
)
def test_reason_is_a_sentence(read_only: Path, event_id: str, reason: str, words: str) -> None:
    posting = explained(read_only, event_id)["postings"][0]
    assert posting["reason"] == reason
    assert words in posting["why"]
    assert words in run(read_only, "explain", event_id).out


def test_missed_condition_is_named(read_only: Path) -> None:
    (posting,) = explained(read_only, "v-3")["postings"]
    assert rule(posting, "review")["because"] == "`text_length` is 20, it asks for at least 80"


def test_late_fact_is_decided_as_of_when_it_happened(read_only: Path) -> None:
    (posting,) = explained(read_only, "p-late")["postings"]
    assert posting["late"]
    (limit,) = rule(posting, "base")["limits"]
    assert (limit["window"], limit["used_before"]) == ("day:2026-11-02", 12)


def test_streak_names_the_day_of_the_run(read_only: Path) -> None:
    (posting,) = explained(read_only, "c-3")["postings"]
    assert posting["notes"] == ["2026-11-04 is day 3 of its run (days held before: 2026-11-02, 2026-11-03)"]
    assert rule(posting, "visits")["arithmetic"] == "1 day × 12 = 12 paid"


def test_a_late_check_in_names_no_day_after_it(folder: Path) -> None:
    member_id = explained(folder, "c-3")["postings"][0]["member_id"]
    late = {"type": "CheckedIn", "source": "app", "event_id": "c-0", "member_id": member_id}
    line = json.dumps(late | {"occurred_at": "2026-11-01T11:00:00Z"}).encode()
    assert run(folder, "import", "-", stdin=line).code == 0
    (posting,) = explained(folder, "c-0")["postings"]
    assert posting["notes"] == ["2026-11-01 is day 1 of its run (days held before: none)"]


def test_referral_shows_both_parties_and_the_derived_fact_its_purchase(read_only: Path) -> None:
    made = explained(read_only, "r-1")
    assert [(each["member_id"], each["role"]) for each in made["postings"]] == [
        ("anna", "referrer"),
        ("ben", "referee"),
    ]
    derived = explained(read_only, "ben/claim:1/purchase:1")
    assert [each["entries"][0]["points"] for each in derived["postings"]] == [100, 50]
    assert "derived by Tallybook from purchase pos/p-ben" in derived["stations"][0]["what"]
    bought = explained(read_only, "p-ben")["postings"][0]
    assert "tells anna of it: event ben/claim:1/purchase:1 (referral of ben)" in bought["notes"]


def test_guest_has_no_posting_and_says_so(read_only: Path) -> None:
    event = explained(read_only, "p-guest")
    assert event["postings"] == []
    assert ("scored", False) in stations(event)
    assert "a guest's" in run(read_only, "explain", "p-guest").out


def test_stations_name_the_place_and_tell_whether_the_tables_have_it(folder: Path) -> None:
    before = explained(folder, "p-tuesday")
    assert before["stations"][0]["what"] == "november.jsonl, record 4 (dated 2026-11-04T00:00:00Z by its round)"
    assert stations(before) == [("read", True), ("journalled", True), ("scored", True), ("projected", False)]
    assert run(folder, "balance", "anna").code == 0
    assert stations(explained(folder, "p-tuesday"))[-1] == ("projected", True)


def test_rejected_event_names_its_reject(read_only: Path) -> None:
    result = run(read_only, "explain", "p-bad")
    assert result.code == 4
    assert "reject 1, unknown_currency" in result.out
    assert "no ISO 4217 code" in result.out
    content = run(read_only, "explain", "p-bad", "--json").json()
    assert content["events"] == []
    assert content["rejects"][0]["number"] == 1


@pytest.mark.parametrize(
    ("what", "known_by"),
    [
        ("order-p-tuesday", "order id"),
        ("pos/p-tuesday/anna/1", "entry id"),
        ("due:expire:anna/4:1794610800000", "entry id"),
    ],
)
def test_event_is_found_by_its_order_and_entries(read_only: Path, what: str, known_by: str) -> None:
    content = run(read_only, "explain", what, "--json").json()
    assert content["notes"] == [f"{what} is no event id; found by {known_by}"]
    assert content["events"][0]["event_id"] == "p-tuesday"


def test_the_tables_only_say_where_to_look(folder: Path) -> None:
    asked = ["p-tuesday", "p-guest", "r-1", "order-p-more", "pos/p-last/ben/1", "p-bad"]
    from_books = [run(folder, "explain", what).out for what in asked]
    assert run(folder, "balance", "anna").code == 0
    from_tables = [run(folder, "explain", what).out for what in asked]
    unlike = [
        (before, after)
        for one, other in zip(from_books, from_tables, strict=True)
        for before, after in zip(one.splitlines(), other.splitlines(), strict=True)
        if before != after
    ]
    assert unlike
    assert all("projected" in before and "projected" in after for before, after in unlike)


def test_member_and_source_narrow_an_event(read_only: Path) -> None:
    assert [each["member_id"] for each in explained(read_only, "r-1", "--member", "ben")["postings"]] == ["ben"]
    assert explained(read_only, "p-ben", "--source", "pos")["source"] == "pos"
    result = run(read_only, "explain", "p-ben", "--source", "web")
    assert result.code == 3
    assert "of source 'web'" in result.err


def test_an_event_is_known_by_what_a_statement_prints(read_only: Path) -> None:
    assert explained(read_only, "pos/p-tuesday") == explained(read_only, "p-tuesday")
    assert run(read_only, "explain", "pos/p-bad").code == 4
    result = run(read_only, "explain", "web/p-tuesday")
    assert result.code == 3
    assert "'web/p-tuesday'" in result.err


def test_a_tick_is_told_to_be_due_work(read_only: Path) -> None:
    for asked in (f"{TICK_SOURCE}/{tick_event_id(0)}", tick_event_id(0)):
        result = run(read_only, "explain", asked)
        assert result.code == 3
        assert "due work" in result.err


def test_a_refused_event_that_was_mended_is_not_to_be_sent_again(folder: Path) -> None:
    mended = run(folder, "rejects", "show", "1", "--raw").stdout.replace(b"EURO", b"EUR")
    assert run(folder, "rejects", "resubmit", "1", "-", stdin=mended).code == 0
    result = run(folder, "explain", "p-bad")
    assert result.code == 0
    assert "was taken in" in result.out.splitlines()[0]
    assert "send it again" not in result.out


def test_unknown_id_is_refused_with_the_nearest(read_only: Path) -> None:
    result = run(read_only, "explain", "p-tuesdai")
    assert result.code == 3
    assert "Did you mean p-tuesday" in result.err


def test_an_order_that_the_mapping_leaves_out_may_be_so(folder: Path, tmp_path: Path) -> None:
    rows = "id,at,state,total\nleft-7,2026-11-14T10:00:00Z,unpaid,1.00\n"
    (tmp_path / "shop.csv").write_text(rows, encoding="utf-8")
    (tmp_path / "m.yaml").write_text(
        "{type: PurchaseRecorded, source: shop, group_by: id, constants: {currency: EUR}, "
        "leave_out: {state: [unpaid]}, fields: {event_id: id, order_id: id, occurred_at: at}, "
        "lines: {sku: id, amount_minor: total}, scale: {amount_minor: 100}}",
        encoding="utf-8",
    )
    arguments = [str(tmp_path / "shop.csv"), "--mapping", str(tmp_path / "m.yaml")]
    assert run(folder, "import", *arguments).code == 0
    told = run(folder, "explain", "left-7").err
    assert "do not keep rows that a mapping leaves out (only, leave_out, ends_at)" in told
    assert "tallybook check FILE --mapping MAPPING" in told
    assert "1 row left out, as the mapping says: state is 'unpaid'" in run(folder, "check", *arguments).err


def test_nothing_to_explain_is_a_wrong_command(read_only: Path) -> None:
    assert run(read_only, "explain").code == 2


def test_folder_without_books_is_refused(tmp_path: Path) -> None:
    result = run(tmp_path, "explain", "p-1")
    assert result.code == 3
    assert "tallybook init" in result.err


def test_books_alone_can_explain(folder: Path) -> None:
    assert run(folder, "balance", "anna").code == 0
    with Folder(folder).store():
        event = explained(folder, "p-tuesday")
    assert stations(event)[-1] == ("projected", None)
    assert event["postings"][0]["balance_after"] == 44


DAYS = (
    (
        "11-02T00:00",
        (
            purchase("p-before", "11-01T09:00", "anna", 1000),
            ReferralMade("app", "r-1", at("11-01T10:00"), referrer_id="anna", referee_id="ben"),
        ),
    ),
    (
        "11-15T00:00",
        (
            purchase("p-now", "11-14T09:00", "anna", 1000),
            ReferralMade("app", "r-2", at("11-14T11:00"), referrer_id="anna", referee_id="ben"),
        ),
    ),
    ("11-16T00:00", (purchase("p-old", "2026-09-01T09:00:00Z", "anna", 1000),)),
)


@pytest.fixture(scope="module")
def late_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rules that begin on 2 November at noon."""
    root = tmp_path_factory.mktemp("late") / "shop"
    build_folder(root, DAYS, (), effective_from=at("11-02T12:00"))
    return root


@pytest.mark.parametrize(
    ("event_id", "reason", "words"),
    [
        ("p-before", "no_ruleset", "the first ones take effect at 2026-11-02T12:00:00Z"),
        ("p-old", "too_old", "more than 30 days (the horizon) before 2026-11-15T00:00:00Z"),
        ("r-2", "already_claimed", "anna already holds a referral of ben less than 30 days away"),
    ],
)
def test_reason_names_what_it_comes_from(late_rules: Path, event_id: str, reason: str, words: str) -> None:
    (event,) = run(late_rules, "explain", event_id, "--json").json()["events"]
    told = {posting["reason"]: posting["why"] for posting in event["postings"]}
    assert words in told[reason]


def test_fact_without_rules_has_no_rules_to_consider(late_rules: Path) -> None:
    (event,) = run(late_rules, "explain", "p-before", "--json").json()["events"]
    (posting,) = event["postings"]
    assert (posting["rules"], posting["considered"], event["local_time"]) == (None, [], "")


OFTEN = """\
programme: corner-shop
version: "1"
timezone: Europe/Berlin
currency: EUR
limits:
  - {id: once, per: order, times: 1}
  - {id: visits-a-day, per: day, times: 1}
rules:
  - {id: base, kind: spend, points: 1, per_minor: 100, limits: [once]}
  - {id: visit, kind: fixed, on: check_in, points: 5, limits: [visits-a-day]}
  - {id: run, kind: streak, daily: 2}
"""
TWICE = (
    (
        "11-02T00:00",
        (
            purchase("created-9001", "11-01T09:00", "anna", 10_000, order_id="9001"),
            purchase("paid-9001", "11-01T09:01", "anna", 10_000, order_id="9001"),
            CheckedIn("app", "c-1", at("11-01T10:00"), "anna"),
            CheckedIn("app", "c-2", at("11-01T18:00"), "anna"),
        ),
    ),
)


@pytest.fixture(scope="module")
def told_twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An order and a day of which the shop tells twice."""
    root = tmp_path_factory.mktemp("twice") / "shop"
    build_folder(root, TWICE, (), OFTEN)
    return root


def test_a_second_check_in_of_a_day_is_told_so_before_any_limit(told_twice: Path) -> None:
    (posting,) = explained(told_twice, "c-2")["postings"]
    assert posting["reason"] == "day_already_paid"
    assert posting["why"] == (
        "The member had already checked in on 2026-11-01; each local day counts once. Of the other rules the ledger "
        "says limit_reached: It was worth points, but there was no room left under visits-a-day (day:2026-11-01)."
    )
    newest = run(told_twice, "explain", "--member", "anna", "--json").json()["member"]["newest"]
    assert [fact["reason"] for fact in newest if fact["event_id"] in {"c-1", "c-2"}] == ["day_already_paid", ""]


def test_an_order_that_was_paid_before_is_named(told_twice: Path) -> None:
    (posting,) = explained(told_twice, "paid-9001")["postings"]
    assert posting["reason"] == "limit_reached"
    assert "order 9001 was paid before, under another event: once lets an order be paid no more" in posting["why"]
    (limit,) = rule(posting, "base")["limits"]
    assert (limit["window"], limit["used_before"], limit["left"]) == ("order:9001", 1, 0)
    (member,) = [run(told_twice, "explain", "--member", "anna", "--json").json()["member"]]
    assert [limit["limit_id"] for limit in member["limits"]] == ["visits-a-day"]


def refused_part(event_id: str, record: int, number_input: str) -> Reject:
    return Reject(
        reason="wrong_type",
        message="lines[0].amount_minor must be a whole number",
        raw=b"{}",
        input=number_input,
        input_name="november.csv",
        record=record,
        source="pos",
        event_id=event_id,
    )


def test_it_is_not_said_that_all_is_done_while_points_are_missing(tmp_path: Path) -> None:
    """A part of the input came in under the refused record's id, or the mended record is a conflict."""
    days = (
        (
            "11-02T00:00",
            (purchase("p-part", "11-01T09:00", "anna", 1000), purchase("p-other", "11-01T09:00", "anna", 1)),
        ),
        ("11-03T00:00", (purchase("p-other", "11-01T09:00", "anna", 9000),)),
    )
    rejects = (refused_part("p-part", 2, INPUT), refused_part("p-other", 9, "cd" * 32))
    build_folder(tmp_path / "shop", days, rejects)
    for event_id in ("p-part", "p-other"):
        said = run(tmp_path / "shop", "explain", event_id).out
        assert "An event of this source and id was taken in" in said
        assert "nothing is left to do" not in said
        assert "send that as an event with an id of its own" in said
