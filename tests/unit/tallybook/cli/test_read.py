"""The readers answer as of the last tick, catch up with the books first, and refuse what is not there."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest

from projections.store import Store
from tallybook.folder.folder import Folder
from tallybook.screen import show_table
from tallybook.tables import reports as reading
from tallybook.tables.catch_up import caught_up, is_behind, project_folder, projected_positions
from tests.support.command_line import run
from tests.support.small_folder import purchase
from tests.support.small_imports import write_lines

AS_OF = "2026-11-15T00:00:00Z"


def test_nothing_is_told_as_of_a_tick_that_has_not_been(tmp_path: Path) -> None:
    assert run(tmp_path, "init", str(tmp_path / "new")).code == 0
    told = run(tmp_path / "new", "members")
    assert "Members before the first tick" in told.out


def test_balance(read_only: Path) -> None:
    found = run(read_only, "balance", "ben", "--json").json()
    assert (found["member_id"], found["balance"], found["as_of"]) == ("ben", 83, AS_OF)
    assert [(lot["remaining"], lot["last_day"]) for lot in found["expiring"]] == [(30, "2026-11-24"), (3, "2026-11-24")]
    out = run(read_only, "balance", "ben").out
    assert f"ben: 83 points as of {AS_OF}" in out
    assert "30 from base can be used until 2026-11-24" in out


def test_statement_runs_to_the_balance_newest_last(read_only: Path) -> None:
    found = run(read_only, "statement", "anna", "--json").json()
    entries = found["entries"]
    assert entries[-1]["balance_after"] == found["balance"] == 100
    running = entries[0]["balance_after"] - entries[0]["points"]
    for entry in entries:
        running += entry["points"]
        assert entry["balance_after"] == running
    last = run(read_only, "statement", "anna", "--limit", "2", "--json").json()["entries"]
    assert last == entries[-2:]
    assert "expired" in run(read_only, "statement", "anna").out


@pytest.mark.parametrize("command", ["balance", "statement"])
def test_unknown_member_is_refused_with_the_nearest(read_only: Path, command: str) -> None:
    result = run(read_only, command, "anne")
    assert result.code == 3
    assert "there is no member 'anne'. The nearest are anna" in result.err
    assert result.out == ""


def test_leaderboard_of_all_time_and_of_periods(read_only: Path) -> None:
    board = run(read_only, "leaderboard", "--json").json()
    assert (board["period"], board["as_of"]) == ("all", AS_OF)
    assert [(place["rank"], place["member_id"], place["earned"]) for place in board["places"]] == [
        (1, "anna", 196),
        (2, "ben", 126),
    ]
    day = run(read_only, "leaderboard", "--period", "day", "--at", "2026-11-03", "--store", "s1", "--json").json()
    assert (day["starts_on"], day["ends_before"], day["store_id"]) == ("2026-11-03", "2026-11-04", "s1")
    assert [(place["member_id"], place["earned"]) for place in day["places"]] == [("anna", 56), ("ben", 43)]
    assert run(read_only, "leaderboard", "--period", "year", "--limit", "1", "--json").json()["places"] == [
        board["places"][0]
    ]
    assert (
        "Leaderboard of the week from 2026-11-02"
        in run(read_only, "leaderboard", "--period", "week", "--at", "2026-11-05").out
    )


def test_empty_period_is_empty(read_only: Path) -> None:
    assert run(read_only, "leaderboard", "--period", "day", "--at", "2020-01-01", "--json").json()["places"] == []
    assert "nothing" in run(read_only, "leaderboard", "--period", "day", "--at", "2020-01-01").out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--period", "fortnight"), 2, "day, week, month, year"),
        (("--at", "3.11.2026"), 2, "2026-11-30"),
        (("--limit", "0"), 2, "--limit"),
        (("--at", "2026-11-03"), 2, "--period"),
        (("--period", "day", "--at", "1800-01-01"), 3, "1970-01-01"),
    ],
)
def test_leaderboard_that_cannot_be(read_only: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    result = run(read_only, "leaderboard", *arguments)
    assert result.code == code
    assert words in result.err


def test_members_come_in_pages(read_only: Path) -> None:
    first = run(read_only, "members", "--limit", "2", "--json").json()
    assert [each["member_id"] for each in first["members"]] == ["anna", "ben"]
    second = run(read_only, "members", "--after", "ben", "--json").json()
    assert [(each["member_id"], each["balance"]) for each in second["members"]] == [("cleo", 0)]
    assert "cleo" in run(read_only, "members").out


def test_sql_answers_in_each_format(read_only: Path, tmp_path: Path) -> None:
    query = "SELECT member_id, balance FROM balances ORDER BY member_id;"
    assert run(read_only, "sql", query, "--csv").out == '"member_id","balance"\n"anna",100\n"ben",83\n"cleo",0\n'
    answer = run(read_only, "sql", query, "--json").json()
    assert answer[0] == {"member_id": "anna", "balance": 100}
    assert [row["member_id"] for row in answer] == ["anna", "ben", "cleo"]
    assert run(read_only, "sql", "SELECT * FROM balances WHERE 0", "--json").json() == []
    assert "anna" in run(read_only, "sql", stdin=query.encode()).out
    target = tmp_path / "balances.parquet"
    assert run(read_only, "sql", query, "--parquet", "--output", str(target)).code == 0
    assert pyarrow.parquet.read_table(target)["balance"].to_pylist() == [100, 83, 0]
    assert run(read_only, "sql", query, "--parquet").stdout.startswith(b"PAR1")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("selec 1", "Syntax error"),
        ("SELECT * FROM balancess", "balances"),
        ("DROP VIEW tallybook.balances", "readonly"),
        ("INSERT INTO tallybook_rows.rejects (number) VALUES (1)", "readonly"),
    ],
)
def test_sql_changes_nothing_and_says_what_is_wrong(read_only: Path, query: str, words: str) -> None:
    result = run(read_only, "sql", query)
    assert result.code == 3
    assert words in result.err
    assert "Expected one of" not in result.err
    assert "FORMAT" not in result.err


def test_sql_writes_over_no_file_unless_told_to(read_only: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine.csv"
    target.write_bytes(b"mine")
    asked = ("sql", "SELECT 1 AS n", "--csv", "--output", str(target))
    refused = run(read_only, *asked)
    assert (refused.code, target.read_bytes()) == (3, b"mine")
    assert "--force" in refused.err
    assert run(read_only, *asked, "--force").code == 0
    assert target.read_bytes() == b'"n"\n1\n'


@pytest.mark.parametrize("place", ["books", "snapshots", "clickhouse", "inbox/../books"])
def test_sql_never_writes_among_the_books(folder: Path, place: str) -> None:
    books = {path: path.read_bytes() for path in (folder / "books").rglob("*") if path.is_file()}
    inside = next(path.name for path in (folder / "books").iterdir())
    for name in (inside, "new.csv"):
        result = run(folder, "sql", "SELECT 1", "--force", "--output", str(folder / place / name))
        assert result.code == 3
        assert "only Tallybook writes" in result.err
    assert {path: path.read_bytes() for path in (folder / "books").rglob("*") if path.is_file()} == books


def test_sql_needs_a_query_and_one_format(read_only: Path) -> None:
    assert run(read_only, "sql").code == 2
    result = run(read_only, "sql", "SELECT 1", "--csv", "--json")
    assert result.code == 2
    assert "--csv and --json" in result.err


def test_reader_catches_up_with_the_books_once(folder: Path) -> None:
    with Folder(folder).reading() as log:
        assert is_behind(log, {})
        first = project_folder(Folder(folder))
        assert first.postings == sum(end.number for n in range(log.partitions) if (end := log.last_posting("0001", n)))
        assert project_folder(Folder(folder)).postings == 0
        with caught_up(Folder(folder)) as store:
            assert not is_behind(log, projected_positions(store))


class Outrun(Folder):
    """An import comes between the moment when the books are opened and that when the tables are, for good."""

    more: Path
    opened = 0

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        self.opened += 1
        if self.opened == 2:
            assert run(self.root, "import", str(self.more)).code == 0
        with super().store() as store:
            yield store


@pytest.fixture
def outrun(folder: Path, tmp_path: Path) -> Outrun:
    project_folder(Folder(folder))
    outrun = Outrun(folder)
    outrun.more = tmp_path / "more.jsonl"
    write_lines(outrun.more, [purchase("p-more", "11-14T10:00", "anna", 5_000)])
    return outrun


def test_a_reader_may_be_outrun_by_one_who_projects_more(outrun: Outrun) -> None:
    with caught_up(outrun) as store:
        assert store.rows("SELECT DISTINCT event_id FROM tallybook.ledger WHERE event_id = 'p-more'")


def test_a_projector_may_be_outrun_by_another(outrun: Outrun) -> None:
    assert project_folder(outrun).postings == 0


def test_empty_books_have_no_members(tmp_path: Path) -> None:
    assert run(tmp_path, "init", str(tmp_path / "shop")).code == 0
    result = run(tmp_path / "shop", "balance", "anna")
    assert result.code == 3
    assert "no members at all yet" in result.err
    board = run(tmp_path / "shop", "leaderboard", "--json").json()
    assert (board["as_of"], board["places"]) == (None, [])


@pytest.mark.parametrize("arguments", [("statement", "anna"), ("members",), ("sql", "SELECT 1"), ("balance", "anna")])
def test_a_reader_that_leaves_is_no_fault(read_only: Path, arguments: tuple[str, ...]) -> None:
    leaving, ours = os.pipe()
    os.close(leaving)
    code = "from tallybook.cli.main import main; main()"
    command = [sys.executable, "-c", code, "-C", str(read_only), *arguments]
    try:
        ended = subprocess.run(command, stdout=ours, stderr=subprocess.PIPE, timeout=120, check=False)
    finally:
        os.close(ours)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_markup_in_a_title_is_text() -> None:
    with contextlib.redirect_stdout(io.StringIO()) as screen:
        show_table("[bold]x[/bold]: one entry", [{"[red]n[/red]": 1}])
        show_table("[bold]y[/bold]", [])
    assert "[bold]x[/bold]: one entry" in screen.getvalue()
    assert "[red]n[/red]" in screen.getvalue()
    assert "[bold]y[/bold]: nothing" in screen.getvalue()


def test_tables_of_other_books_are_made_afresh(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert run(tmp_path, "init", str(other)).code == 0
    assert run(other, "members").code == 0
    shutil.rmtree(other / "books")
    shutil.copytree(folder / "books", other / "books")
    assert "other books" in run(other, "status", "--json").json()["tables"]
    result = run(other, "balance", "ben")
    assert (result.code, "ben: 83 points" in result.out) == (0, True)
    assert "made afresh" in result.err
    again = run(other, "balance", "ben")
    assert (again.code, again.err) == (0, "")
    assert run(other, "status", "--json").json()["tables"] == "up to date"


def test_a_balance_says_how_many_lots_it_leaves_out(read_only: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "more" not in run(read_only, "balance", "ben").out
    monkeypatch.setattr(reading, "MAX_EXPIRING_SHOWN", 1)
    assert "… and 1 more" in run(read_only, "balance", "ben").out
    assert run(read_only, "balance", "ben", "--json").json()["expiring_later"] == 1
