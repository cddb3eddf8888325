"""The runs of a folder: numbers that are never used again, a logbook that survives a kill, and what goes on where."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from books.errors import FolderHeld
from processors.replay.rescore.differences import Cause, LineDifference, MemberDifference
from processors.replay.rescore.partition_run import Cut, DraftTotals, PartitionRescored
from processors.replay.rescore.two_worlds import EVERYBODY, Selection
from schemas.posting import FIRST_EDITION
from tallybook.folder.folder import Folder
from tallybook.rescore.plan import Draft, Plan, RescoreRefused
from tallybook.rescore.runs import LEAST_FREE_BYTES, LOGBOOK, MAX_RUNS, Event, Run, Runs
from tallybook.rescore.summary import summarise

NOW = 1_774_310_400_000
PLAN = Plan(
    deployment="corner-shop",
    generation=1,
    opened_at=NOW,
    base=FIRST_EDITION,
    cuts=(Cut(0, 3, 10, "aa"), Cut(1, 4, 20, "bb")),
    last_tick=NOW,
    drafts=(Draft("half", ()), Draft("none", ())),
    selection=EVERYBODY,
    point_value="0.01 EUR",
)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    """The runs of an empty folder, while nobody else re-scores there."""
    found = Runs(Folder(tmp_path))
    with found.held(NOW):
        yield found


def finish(runs: Runs, run: Run) -> None:
    runs.note(Event(run.number, "finished", NOW))


def totals(partition: int, *drafts: DraftTotals, is_proven: bool = True) -> PartitionRescored:
    return PartitionRescored(partition, 5, 4, 6, 2, 100, NOW + partition, is_proven, [f"m-{partition}"], list(drafts))


def test_a_run_is_kept_with_its_plan(runs: Runs) -> None:
    run = runs.open(PLAN, NOW)
    assert (run.number, run.plan(), run.finished()) == ("0001", PLAN, {})
    assert runs.events() == [Event("0001", "opened", NOW, ("half", "none"))]
    assert [each.number for each in Runs(Folder(runs.root.parent)).there()] == ["0001"]


def test_a_number_is_never_used_again(runs: Runs) -> None:
    first = runs.open(PLAN, NOW)
    second = runs.open(PLAN, NOW)
    runs.discard(second, NOW)
    runs.discard(first, NOW)
    assert runs.open(PLAN, NOW).number == "0003"
    assert not first.place.exists()
    assert [each.number for each in runs.there()] == ["0003"]


def test_there_is_a_last_number(runs: Runs) -> None:
    runs.note(Event(f"{MAX_RUNS}", "opened", NOW))
    with pytest.raises(RescoreRefused, match="at most 9,999 re-scorings"):
        runs.open(PLAN, NOW)


def test_what_a_killed_process_left_before_its_run_was_opened_is_cleared_away(runs: Runs) -> None:
    left = runs.root / "0001" / "left"
    left.mkdir(parents=True)
    run = runs.open(PLAN, NOW)
    assert run.number == "0001"
    assert not left.exists()


def test_what_a_process_left_that_was_killed_while_it_discarded_is_cleared_away(runs: Runs) -> None:
    run = runs.open(PLAN, NOW)
    runs.note(Event(run.number, "discarded", NOW))
    second = runs.open(PLAN, NOW)
    assert not run.place.exists()
    assert second.place.exists()


def test_a_disk_that_is_nearly_full_is_refused(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    nearly = type("Usage", (), {"free": LEAST_FREE_BYTES - 1})
    monkeypatch.setattr("tallybook.rescore.runs.shutil.disk_usage", lambda _: nearly)
    with pytest.raises(RescoreRefused, match=r"has 63 MiB left, and a re-scoring wants 64 MiB.*Nothing was changed"):
        runs.open(PLAN, NOW)
    assert runs.events() == []
    assert [file.name for file in runs.root.iterdir()] == ["lock"]


def test_a_last_line_that_was_cut_short_has_not_happened(runs: Runs) -> None:
    runs.open(PLAN, NOW)
    logbook = runs.root / LOGBOOK
    whole = logbook.read_bytes()
    for cut in range(len(whole)):
        logbook.write_bytes(whole[:cut])
        assert runs.events() == []
    logbook.write_bytes(whole + b'{"run":"0001","what":"finis')
    assert [event.what for event in runs.events()] == ["opened"]
    runs.note(Event("0001", "finished", NOW))
    assert [event.what for event in runs.events()] == ["opened", "finished"]
    assert logbook.read_bytes().startswith(whole)


def test_only_a_run_of_the_same_plan_goes_on(runs: Runs) -> None:
    run = runs.open(PLAN, NOW)
    again = runs.unfinished(PLAN)
    assert again is not None
    assert again.number == run.number
    for other in (
        {"drafts": PLAN.drafts[:1]},
        {"drafts": (PLAN.drafts[1], PLAN.drafts[0])},
        {"selection": Selection(per_million=5)},
        {"point_value": "0.02 EUR"},
        {"base": "0002"},
        {"generation": 2},
        {"opened_at": NOW + 1},
        {"deployment": "another"},
    ):
        assert runs.unfinished(msgspec.structs.replace(PLAN, **other)) is None


def test_it_goes_on_to_where_it_was_to_end_although_the_books_have_grown(runs: Runs) -> None:
    run = runs.open(PLAN, NOW)
    grown = msgspec.structs.replace(PLAN, cuts=(Cut(0, 9, 90, "cc"), Cut(1, 9, 99, "dd")), last_tick=NOW + 1)
    again = runs.unfinished(grown)
    assert again is not None
    assert (again.number, again.plan()) == (run.number, PLAN)


def test_over_an_older_copy_of_the_books_no_run_goes_on(runs: Runs) -> None:
    """They do not hold what it was to compare: so a new one begins."""
    runs.open(PLAN, NOW)
    older = msgspec.structs.replace(PLAN, cuts=(Cut(0, 3, 10, "aa"), Cut(1, 3, 19, "dd")), last_tick=NOW - 1)
    assert runs.unfinished(older) is None


def test_neither_a_finished_nor_a_discarded_run_goes_on(runs: Runs) -> None:
    finish(runs, runs.open(PLAN, NOW))
    runs.discard(runs.open(PLAN, NOW), NOW)
    assert runs.unfinished(PLAN) is None


def test_the_last_of_several_unfinished_ones_goes_on(runs: Runs) -> None:
    runs.open(PLAN, NOW)
    second = runs.open(PLAN, NOW)
    again = runs.unfinished(PLAN)
    assert again is not None
    assert again.number == second.number


@pytest.mark.parametrize("number", ["1", "0001", "001"])
def test_a_run_is_found_by_its_number(runs: Runs, number: str) -> None:
    runs.open(PLAN, NOW)
    runs.open(PLAN, NOW)
    assert runs.find(number).number == "0001"
    assert [runs.find(last).number for last in ("", "last")] == ["0002", "0002"]


@pytest.mark.parametrize("number", ["3", "00001", "x", "../0001", "-1"])
def test_a_run_that_is_not_there_is_refused_with_those_that_are(runs: Runs, number: str) -> None:
    with pytest.raises(RescoreRefused, match="there is no re-scoring yet; there are: none"):
        runs.find("")
    runs.open(PLAN, NOW)
    runs.discard(runs.open(PLAN, NOW), NOW)
    with pytest.raises(RescoreRefused) as told:
        runs.find(number)
    assert str(told.value) == f"there is no re-scoring {number}; there are: 0001 (`tallybook rescore list`)"


def test_two_at_once_are_refused(runs: Runs) -> None:
    with pytest.raises(FolderHeld), Runs(Folder(runs.root.parent)).held(NOW):
        pass


def test_partitions_add_up(runs: Runs) -> None:
    run = runs.open(PLAN, NOW)
    run.finish(totals(1, DraftTotals(1, 2, 3, -4), DraftTotals(0, 0, 0, 0)))
    assert sorted(run.finished()) == [1]
    run.finish(totals(0, DraftTotals(10, 20, 30, 40), DraftTotals(5, 6, 7, 8)))
    total = run.totals()
    assert (total.lines, total.postings, total.decided, total.accounts, total.balance) == (10, 8, 12, 4, 200)
    assert (total.last_tick, total.is_proven, total.members) == (NOW + 1, True, ["m-0", "m-1"])
    assert total.drafts == [DraftTotals(11, 22, 33, 36), DraftTotals(5, 6, 7, 8)]


def test_the_base_is_proven_only_where_all_of_it_is(runs: Runs) -> None:
    run = runs.open(PLAN, NOW)
    assert not run.totals().is_proven
    run.finish(totals(0, DraftTotals(), DraftTotals()))
    assert not run.totals().is_proven  # the other partition is still to come
    run.finish(totals(1, DraftTotals(), DraftTotals(), is_proven=False))
    assert not run.totals().is_proven
    run.finish(totals(1, DraftTotals(), DraftTotals()))
    assert run.totals().is_proven


@pytest.mark.parametrize("name", ["1.json", "00.json", "plan.json", "logbook.jsonl", "lock", "00.lines.jsonl"])
def test_a_draft_may_have_any_name(runs: Runs, name: str) -> None:
    plan = msgspec.structs.replace(PLAN, drafts=(Draft(name, ()),))
    run = runs.open(plan, NOW)
    run.finish(totals(0, DraftTotals()))
    assert run.plan() == plan
    assert sorted(run.finished()) == [0]


@pytest.mark.parametrize("spoilt", [b"", b"{", b"[]", b"{}", b'{"run": 7, "what": "opened", "at": 1}', b"\xff\xfe"])
def test_a_damaged_line_of_the_logbook_is_named(runs: Runs, spoilt: bytes) -> None:
    runs.open(PLAN, NOW)
    logbook = runs.root / LOGBOOK
    logbook.write_bytes(logbook.read_bytes() + spoilt + b"\n")
    with pytest.raises(RescoreRefused) as told:
        runs.there()
    assert str(told.value).startswith(f"{logbook}:2: cannot be read: ")
    assert "nothing else needs it" in str(told.value)


@pytest.mark.parametrize("name", ["plan.json", "00.json", "drafts/half/00.lines.jsonl", "drafts/half/00.members.jsonl"])
@pytest.mark.parametrize("spoilt", [None, b"{\n", b"\xff"])
def test_a_damaged_file_of_a_run_is_named_and_the_run_can_be_discarded(
    runs: Runs, name: str, spoilt: bytes | None
) -> None:
    run = runs.open(PLAN, NOW)
    put(run, 0, [line("base", 10, 5)], [member("a", 10, 5)])
    put(run, 1, [], [])
    file = run.place / name
    if spoilt is not None:
        file.write_bytes(spoilt)
    elif name != "00.json":  # that one is not there before its partition is finished
        file.unlink()
    else:
        file.write_bytes(b"")
    with pytest.raises(RescoreRefused) as told:
        summarise(run, "half")
    assert str(file) in str(told.value)
    assert "tallybook rescore discard 0001" in str(told.value)
    runs.discard(runs.find("1"), NOW)
    assert runs.there() == []


def line(rule_id: str, before: int, after: int, cause: Cause = Cause.DIRECT) -> LineDifference:
    return LineDifference(0, 0, "m", cause, "CheckedIn", "app", "c", NOW, before, after, rule_id)


def member(member_id: str, before: int, after: int) -> MemberDifference:
    return MemberDifference(member_id, 0, 0, 1, before, after, before, after)


def put(run: Run, partition: int, lines: list[LineDifference], members: list[MemberDifference]) -> None:
    """Write what a partition found, as the process that decides it does."""
    for kind, rows in (("lines", lines), ("members", members)):
        encoded = [msgspec.json.encode(row) + b"\n" for row in rows]
        run.file("half", partition, kind).write_bytes(b"".join(encoded))
    run.finish(totals(partition, DraftTotals(len(lines), len(members)), DraftTotals()))


def test_a_summary_adds_up_by_rule_and_cause(runs: Runs) -> None:
    run = runs.open(PLAN, NOW)
    put(
        run,
        0,
        [line("base", 10, 5), line("base", 4, 6, Cause.KNOCK_ON), line("", 0, -3, Cause.EXPIRY)],
        [member("a", 10, 5), member("b", 7, 7)],
    )
    put(run, 1, [line("base", 8, 4), line("visits", 0, 20)], [member("c", 0, 20), member("d", 9, 8)])
    found = summarise(run, "half")
    assert [(rule.rule_id, rule.cause, rule.lines, rule.points_before, rule.points_after) for rule in found.rules] == [
        ("visits", "direct", 1, 0, 20),
        ("base", "direct", 2, 18, 9),
        ("(expiry)", "expiry", 1, 0, -3),
        ("base", "knock_on", 1, 4, 6),
    ]
    assert (found.lines, found.members, found.up, found.down, found.points_up, found.points_down) == (5, 4, 1, 2, 20, 6)
    assert (found.accounts, found.balance_before, found.balance_after, found.cost) == (4, 200, 214, "0.14 EUR")
    assert [each.member_id for each in found.winners] == ["c"]
    assert [each.member_id for each in found.losers] == ["a", "d"]
    assert found.changes_anything


def test_a_summary_shows_the_ten_greatest(runs: Runs) -> None:
    run = runs.open(PLAN, NOW)
    put(run, 0, [], [member(f"m-{number:02}", 0, number - 15) for number in range(30)])
    put(run, 1, [], [])
    found = summarise(run, "half")
    assert [each.balance_after for each in found.winners] == list(range(14, 4, -1))
    assert [each.balance_after for each in found.losers] == list(range(-15, -5))


def test_a_summary_of_nothing_says_so(runs: Runs) -> None:
    run = runs.open(PLAN, NOW)
    put(run, 0, [], [])
    put(run, 1, [], [])
    found = summarise(run, "half")
    assert not found.changes_anything
    assert (found.balance_before, found.balance_after, found.cost) == (200, 200, "0.00 EUR")
