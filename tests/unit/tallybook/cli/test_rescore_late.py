"""What members would have, had every fact come in order, is reported; nothing is written."""

from pathlib import Path

import pytest

from processors.replay.rescore import late
from processors.replay.rescore.differences import Cause
from processors.replay.rescore.late import Counted, LateFound
from schemas.bounds import DAY_MS
from schemas.facts import PublishedFact
from tallybook.rescore.late import LateReport
from tallybook.rescore.print_late import print_late
from tallybook.rescore.summary import RuleChange, Summary
from tests.support.command_line import run
from tests.support.small_folder import build_folder, purchase

ONCE_A_DAY = """\
programme: corner-shop
version: "1"
timezone: Europe/Berlin
currency: EUR
limits:
  - {id: once-a-day, per: day, times: 1}
rules:
  - {id: base, kind: spend, points: 1, per_minor: 100, limits: [once-a-day]}
"""
# The first purchase of a day counts: that of anna and ben which came late is not the first one in the books.
DAYS: tuple[tuple[str, tuple[PublishedFact, ...]], ...] = (
    (
        "11-03T00:00",
        (
            purchase("a-noon", "11-02T12:00", "anna", 5_000),
            purchase("b-noon", "11-02T12:00", "ben", 1_000),
            purchase("c-noon", "11-02T12:00", "cleo", 2_000),
        ),
    ),
    (
        "11-05T00:00",
        (
            purchase("a-morning", "11-02T09:00", "anna", 1_000),
            purchase("b-morning", "11-02T09:00", "ben", 2_500),
            purchase("c-next", "11-03T12:00", "cleo", 2_000),
            purchase("d-first", "11-03T12:00", "dora", 2_000),
            purchase("d-before", "11-02T12:00", "dora", 3_000),
        ),
    ),
    ("12-19T00:00", ()),
    ("12-20T00:00", (purchase("c-old", "11-02T08:00", "cleo", 9_000),)),
)


@pytest.fixture(scope="module")
def late_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Books in which three members have late facts, and one a fact that came too late."""
    root = tmp_path_factory.mktemp("late") / "shop"
    build_folder(root, DAYS, rejects=(), rules=ONCE_A_DAY)
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in sorted(root.rglob("*")) if file.is_file()}


def test_it_tells_who_would_have_more_and_less(late_folder: Path) -> None:
    before = contents(late_folder)
    result = run(late_folder, "rescore", "late")
    assert result.code == 4, result.err
    assert contents(late_folder) == before
    assert "late: 3 facts of 3 members. Had everything come in order, as of 2026-12-20T00:00:00Z:" in result.out
    assert "2 members of 3 change: 1 have more (+15 points), 1 have less (-40 points)" in result.out
    assert "liability 110 -> 85 points (-25)" in result.out
    assert "knock_on: in order, the fact would have met another account" in result.out
    assert "direct: " not in result.out
    assert "decided in order: 6 postings of theirs, " in result.out
    assert "apart, not scored as they came after the horizon of 30 days: 1 fact of 1 member\n" in result.out
    assert "this is a report: nothing was written" in result.out


def test_json_names_the_rules_and_the_members(late_folder: Path) -> None:
    report = run(late_folder, "rescore", "late", "--json").json()
    assert report["late"] == {"facts": 3, "members": 3}
    assert report["before_rules"] == {"facts": 0, "members": 0}
    assert report["lines"] == 6
    assert 0 < report["most_bytes"] < report["bytes"]
    changes = report["changes"]
    assert changes["rules"] == [
        {"rule_id": "base", "cause": "knock_on", "lines": 4, "points_before": 60, "points_after": 35}
    ]
    (winner,), (loser,) = changes["winners"], changes["losers"]
    assert (winner["member_id"], winner["balance_before"], winner["balance_after"]) == ("ben", 10, 25)
    assert (loser["member_id"], loser["balance_before"], loser["balance_after"]) == ("anna", 50, 10)


def test_the_limit_says_how_many_are_named(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    noon = tuple(purchase(f"noon-{n}", "11-02T12:00", f"m-{n}", 1_000) for n in range(5))
    morning = tuple(purchase(f"morning-{n}", "11-02T09:00", f"m-{n}", 2_000 + 100 * n) for n in range(5))
    build_folder(root, [("11-03T00:00", noon), ("11-05T00:00", morning)], rejects=(), rules=ONCE_A_DAY)
    changes = run(root, "rescore", "late", "--json", "--limit", "2").json()["changes"]
    assert changes["up"] == 5
    assert [each["member_id"] for each in changes["winners"]] == ["m-4", "m-3"]


def test_books_without_late_facts_report_nothing(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    build_folder(root, DAYS[:1], rejects=(), rules=ONCE_A_DAY)
    result = run(root, "rescore", "late")
    assert result.code == 0, result.err
    assert "no fact came late: in order, nobody would have more or less" in result.out
    assert "apart" not in result.out


def test_a_sample_looks_at_some_members(late_folder: Path) -> None:
    report = run(late_folder, "rescore", "late", "--json", "--sample", "70%").json()
    assert report["late"]["facts"] < 3
    assert [each["member_id"] for each in report["changes"]["winners"]] == ["ben"]
    assert report["changes"]["losers"] == []


def test_too_much_history_is_refused(late_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "MAX_KEPT_BYTES", 700)
    result = run(late_folder, "rescore", "late")
    assert result.code == 3
    assert "have more history than the 700 bytes that are kept in memory: look at some of them, such as" in result.err


def test_what_is_apart_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    found = LateFound(late=Counted(2, 1), too_old=Counted(3, 2), before_rules=Counted(1, 1))
    rules = [RuleChange("base", Cause.DIRECT, 1, 5, 7)]
    summary = Summary("", "", 0, 1, members=1, lines=1, up=1, points_up=2, balance_after=2, rules=rules)
    print_late(LateReport(found, summary, "0001", 30 * DAY_MS))
    said = capsys.readouterr().out
    assert "direct: the fact was decided before the rules of its day were published" in said
    assert "apart, not scored as they came after the horizon of 30 days: 3 facts of 2 members\n" in said
    assert "apart, decided before the rules of their day were published: 1 fact of 1 member\n" in said
