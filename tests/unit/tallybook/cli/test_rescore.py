"""`tallybook rescore`: what is run, listed, shown, explained, exported and discarded, and with which exit code."""

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from processors.replay.rescore.two_worlds import EVERYBODY
from tallybook.exit_codes import Exit
from tallybook.folder.folder import Folder
from tallybook.open_books import open_books
from tallybook.rescore.plan import Asked, make_plan
from tallybook.rescore.runs import LOGBOOK, Runs
from tests.support.book_folders import bytes_of
from tests.support.command_line import run
from tests.support.processes import tallybook as command
from tests.support.small_folder import FACTS, OPENED_AT, RULES, RULES_2, build_folder, purchase

pytestmark = pytest.mark.long

SAME = RULES.replace('version: "1"', 'version: "1b"')
FROM = ("--from", "2026-11-01")
MEMBERS = ("anna", "ben", "cleo")
Ended = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rulesets that are tried."""
    root = tmp_path_factory.mktemp("tried")
    (root / "two.yaml").write_text(RULES_2, encoding="utf-8")
    (root / "same.yaml").write_text(SAME, encoding="utf-8")
    (root / "timeline.yaml").write_text(
        "- {rules: two.yaml, from: 2026-11-01, until: 2026-11-04}\n- {rules: same.yaml, from: 2026-11-04}\n",
        encoding="utf-8",
    )
    return root


@pytest.fixture(scope="module")
def rescored(tmp_path_factory: pytest.TempPathFactory, files: Path) -> tuple[Path, Ended]:
    """A folder with one run of two drafts, and how that ended; nobody may write to it."""
    root = tmp_path_factory.mktemp("rescored") / "shop"
    build_folder(root)
    drafts = ("--draft", f"two={files / 'two.yaml'}", "--draft", f"same={files / 'same.yaml'}")
    books = bytes_of(root / "books")
    # The embedded ClickHouse of one folder is enough for one process, so each command that opens one has its own.
    done = command(root, "rescore", "run", *drafts, *FROM, "--point-value", "0.01 EUR", "--processes", "2")
    assert bytes_of(root / "books") == books
    return root, done


def rescore(root: Path, *words: str, **more: Any) -> Ended:
    done: Ended = command(root, "rescore", *words, **more)
    return done


def try_words(files: Path) -> tuple[str, ...]:
    return ("rescore", "run", "--rules", str(files / "two.yaml"), *FROM)


def try_two(root: Path, files: Path, *words: str) -> Ended:
    done: Ended = command(root, *try_words(files), *words)
    return done


def listed(root: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run(root, "rescore", "list", "--json").json()
    return found


def sql(root: Path, query: str) -> list[dict[str, Any]]:
    done = command(root, "sql", query, "--json")
    assert done.returncode == Exit.DONE, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def stopped_run(root: Path, files: Path) -> None:
    """Open a run of two.yaml, as a process does that is killed before it finishes a partition."""
    with open_books(Folder(root)) as log:
        plan = make_plan(log, [("two", [Asked(files / "two.yaml", FROM[1])])], EVERYBODY)
    runs = Runs(Folder(root))
    with runs.held(OPENED_AT):
        runs.open(plan, OPENED_AT)


# ------------------------------------------------------------------------------------------------ run


def test_a_difference_is_shown_as_a_plan_is_read_and_ends_with_4(rescored: tuple[Path, Ended]) -> None:
    _, done = rescored
    assert done.returncode == Exit.FOUND, done.stderr
    out = done.stdout
    assert "version 2 from 2026-11-01 00:00 on (Europe/Berlin)" in out
    assert "compared with edition 0001 up to the last tick, 2026-11-15T00:00:00Z: 25 postings" in out
    assert "run 0001, draft two, as of 2026-11-15T00:00:00Z (the base is proven by its digest)" in out
    assert "3 members of 3 change: 1 have more (+20 points), 0 have less" in out
    assert "liability 183 -> 203 points (+20, worth 0.20 EUR at 0.01 EUR a point)" in out
    assert "tallybook rescore why 0001 ben --draft two" in out
    assert "run 0001, draft same" in out
    assert "nothing changes for 3 members" in out


def test_the_draft_is_what_a_folder_under_these_rules_from_the_beginning_has(
    rescored: tuple[Path, Ended], tmp_path: Path
) -> None:
    root, _ = rescored
    build_folder(tmp_path / "two", rules=RULES_2)
    balances: dict[str, int] = {}
    with Folder(tmp_path / "two").reading() as log:
        for partition in range(log.partitions):
            for _, batch in log.read_ledger("0001", partition):
                balances |= {posting.member_id: posting.balance for posting in batch}
    changed = {member.member_id: member.balance_after for _, member in Runs(Folder(root)).find("1").members("two")}
    assert changed == balances


def test_the_same_rules_under_another_version_end_with_0(folder: Path, files: Path) -> None:
    done = rescore(folder, "run", "--rules", str(files / "same.yaml"), *FROM, "--json")
    assert done.returncode == Exit.DONE, done.stderr
    found = json.loads(done.stdout)
    (draft,) = found["drafts"]
    assert (found["run"], draft["draft"], draft["members"], draft["lines"]) == ("0001", "same", 0, 0)
    assert (draft["accounts"], draft["is_proven"], draft["rules"]) == (3, True, [])
    assert draft["balance_before"] == draft["balance_after"] == 183


def test_a_publication_at_the_last_tick_is_no_difference(tmp_path: Path, files: Path) -> None:
    """The fact of the 16th was decided before that day's rules were published, and is in both worlds."""
    root = tmp_path / "shop"
    build_folder(root, days=(*FACTS, ("11-16T00:00", (purchase("p-ahead", "11-16T09:00", "anna", 1000),))))
    last_tick = "2026-11-16T00:00:00Z"
    assert run(root, "rules", "publish", str(files / "two.yaml"), "--effective-from", last_tick).code == Exit.DONE
    done = rescore(root, "run", "--rules", str(files / "same.yaml"), *FROM, "--until", last_tick, "--json")
    assert done.returncode == Exit.DONE, done.stderr
    (draft,) = json.loads(done.stdout)["drafts"]
    assert (draft["members"], draft["lines"], draft["is_proven"]) == (0, 0, True)
    refused = run(root, "rescore", "run", "--rules", str(files / "same.yaml"), *FROM)
    assert refused.code == Exit.REFUSED
    assert "2 (from 2026-11-16T00:00:00Z)" in refused.err
    replaced = rescore(root, "run", "--rules", str(files / "two.yaml"), "--from", last_tick, "--json")
    assert replaced.returncode == Exit.FOUND
    (draft,) = json.loads(replaced.stdout)["drafts"]
    assert [(rule["cause"], rule["points_before"], rule["points_after"]) for rule in draft["rules"]] == [
        ("direct", 10, 20)
    ]


def test_a_timeline_file_is_a_draft_by_its_name_and_named_members_are_decided_alone(folder: Path, files: Path) -> None:
    (folder / "who.txt").write_text("ben\n\n  cleo\n", encoding="utf-8")
    who = ("--members", f"@{folder / 'who.txt'}")
    done = rescore(folder, "run", "--timeline", str(files / "timeline.yaml"), *who)
    assert done.returncode == Exit.FOUND, done.stderr
    assert "version 2 from 2026-11-01 00:00 until 2026-11-04 00:00 (Europe/Berlin)" in done.stdout
    assert "version 1b from 2026-11-04 00:00 on (Europe/Berlin)" in done.stdout
    assert "run 0001, draft timeline, as of" in done.stdout
    assert "1 member of 2 change" in done.stdout
    assert "a sample: the base is not proven" in done.stdout


def test_unknown_members_are_named_and_nothing_is_kept(folder: Path, files: Path) -> None:
    done = run(folder, *try_words(files), "--members", "ben,nobody,zoe")
    assert done.code == Exit.REFUSED
    assert "2 members of --members without an account: nobody, zoe. Nothing was kept." in done.err
    assert listed(folder) == []
    assert not (folder / "rescores" / "0001").exists()
    assert json.loads(try_two(folder, files, "--json").stdout)["run"] == "0002"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rules", "TWO"), "say from when the rules hold"),
        (FROM, "name the rules to try"),
        (("--draft", "two", *FROM), "write NAME=FILE"),
        (("--draft", "=x", *FROM), "write NAME=FILE"),
        (("--rules", "TWO", "--draft", "two=TWO", *FROM), "two drafts have one name"),
        (("--timeline", "TWO", *FROM), "--timeline says all"),
        (("--rules", "TWO", *FROM, "--members", "a", "--sample", "5%"), "not both"),
        (("--rules", "TWO", *FROM, "--sample", "0%"), "write a percentage"),
        (("--rules", "TWO", *FROM, "--sample", "101%"), "write a percentage"),
        (("--rules", "TWO", *FROM, "--sample", "nan%"), "write a percentage"),
        (("--rules", "TWO", *FROM, "--sample", "five"), "write a percentage"),
        (("--rules", "TWO", *FROM, "--sample", "0.00001%"), "write a percentage"),
        (("--rules", "TWO", *FROM, "--members", ","), "names nobody"),
        (("--rules", "TWO", *FROM, "--members", "@EMPTY"), "names nobody"),
        (("--rules", "TWO", *FROM, "--members", "@nowhere.txt"), "nowhere.txt"),
        (("--rules", "TWO", *FROM, "--processes", "0"), "--processes"),
    ],
)
def test_what_is_typed_wrongly_ends_with_2(
    read_only: Path, files: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "empty.txt").write_text("\n \n", encoding="utf-8")
    given = {
        "TWO": str(files / "two.yaml"),
        "two=TWO": f"two={files / 'two.yaml'}",
        "@EMPTY": f"@{tmp_path / 'empty.txt'}",
    }
    result = run(read_only, "rescore", "run", *(given.get(word, word) for word in words))
    assert result.code == Exit.USAGE, result.out
    assert said in " ".join(result.err.replace("│", " ").split())
    assert not (read_only / "rescores").exists()


def test_two_at_once_end_with_5(folder: Path, files: Path) -> None:
    with Runs(Folder(folder)).held(OPENED_AT):
        done = run(folder, *try_words(files))
        assert done.code == Exit.HELD
        assert "in use by process" in done.err
        assert not (folder / "rescores" / LOGBOOK).exists()
    stopped_run(folder, files)
    with Runs(Folder(folder)).held(OPENED_AT):
        assert run(folder, "rescore", "discard", "1").code == Exit.HELD
    assert [each["run"] for each in listed(folder)] == ["0001"]


def test_it_runs_while_the_folder_is_written_to_and_a_sample_of_everybody_is_everybody(
    folder: Path, files: Path
) -> None:
    with Folder(folder).writing(OPENED_AT):
        done = try_two(folder, files, "--sample", "100%", "--json")
    assert done.returncode == Exit.FOUND, done.stderr
    (draft,) = json.loads(done.stdout)["drafts"]
    assert (draft["accounts"], draft["is_proven"], draft["balance_after"]) == (3, True, 203)


def test_a_run_that_was_stopped_goes_on_with_the_same_words(folder: Path, files: Path) -> None:
    stopped_run(folder, files)
    (stopped,) = listed(folder)
    assert (stopped["run"], stopped["state"]) == ("0001", "unfinished")
    shown = run(folder, "rescore", "show", "1").out
    assert "unfinished: 0 of 3 partitions are finished" in shown
    assert "proven" not in shown.replace("not proven", "")
    assert "sample" not in shown
    refused = run(folder, "rescore", "export", "1", "--csv", "-o", str(folder / "x.csv"))
    assert refused.code == Exit.REFUSED
    assert "run 0001 is not finished" in refused.err
    assert not (folder / "x.csv").exists()
    done = try_two(folder, files, "--json")
    assert json.loads(done.stdout)["run"] == "0001"
    assert [each["state"] for each in listed(folder)] == ["finished"]
    assert json.loads(try_two(folder, files, "--json").stdout)["run"] == "0002"


def test_a_run_that_another_process_works_on_is_not_said_to_be_stopped(folder: Path, files: Path) -> None:
    stopped_run(folder, files)
    with Runs(Folder(folder)).held(OPENED_AT):
        assert "stopped" not in run(folder, "rescore", "list").out
        assert "stopped" not in run(folder, "rescore", "show").out


def test_books_whose_ledger_is_not_what_the_rules_make_are_compared_with_nothing(folder: Path, files: Path) -> None:
    """The digests of the last commit are those of the ledger: here they are made those of another."""
    with Folder(folder).writing(OPENED_AT) as log:
        last = log.committed()
        wrong = tuple(digest[::-1] for digest in last.ledger_digests)
        log.commit(msgspec.structs.replace(last, number=0, lengths=(), inputs=(), ledger_digests=wrong))
    done = run(folder, *try_words(files))
    assert done.code == Exit.REFUSED
    assert "tallybook verify" in done.err
    assert [each["state"] for each in listed(folder)] == ["unfinished"]


# ------------------------------------------------------------------------------------------------ what is kept


def test_list_has_a_row_for_each_run(rescored: tuple[Path, Ended], read_only: Path) -> None:
    root, _ = rescored
    (row,) = listed(root)
    assert (row["run"], row["state"], row["drafts"]) == ("0001", "finished", "two, same")
    assert (row["members_changed"], row["points"]) == ("3, 0", "+20, +0")
    assert "0001" in run(root, "rescore", "list").out
    nothing = run(read_only, "rescore", "list")
    assert (nothing.code, listed(read_only)) == (Exit.DONE, [])
    assert "Begin one: tallybook rescore run" in nothing.err


def test_show_says_the_same_as_the_run_said(rescored: tuple[Path, Ended]) -> None:
    root, done = rescored
    assert run(root, "rescore", "show").out == done.stdout
    found = run(root, "rescore", "show", "1", "--json").json()
    assert [draft["draft"] for draft in found["drafts"]] == ["two", "same"]
    assert run(root, "rescore", "show", "7").code == Exit.REFUSED


def test_why_explains_a_member_with_and_without_an_event(rescored: tuple[Path, Ended]) -> None:
    root, _ = rescored
    out = run(root, "rescore", "why", "1", "ben").out
    assert out.startswith("ben under draft two: balance 83 → 103 (+20), 3 lines differ")
    assert "before (version 1)" in out
    assert "after (version 2)" in out
    one = run(root, "rescore", "why", "last", "anna", "p-tuesday", "--json").json()
    (line,) = one["lines"]
    assert (line["event_id"], line["differences"][0]["cause"]) == ("p-tuesday", "direct")
    assert run(root, "rescore", "why", "1", "anna", "pos/p-tuesday", "--json").json() == one
    assert "ben: nothing changes under draft same" in run(root, "rescore", "why", "1", "ben", "--draft", "same").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("7", "anna"), "there is no re-scoring 7; there are: 0001"),
        (("1", "nobody"), "member nobody has no account in these books"),
        (("1", "anna", "p-none"), "member anna has no event p-none"),
        (("1", "anna", "--draft", "three"), "run 0001 has no draft 'three'; it has: two, same"),
    ],
)
def test_why_refuses_what_is_not_there(rescored: tuple[Path, Ended], words: tuple[str, ...], said: str) -> None:
    result = run(rescored[0], "rescore", "why", *words)
    assert result.code == Exit.REFUSED
    assert said in result.err


def test_where_nothing_was_rescored_nothing_is_made(tmp_path: Path) -> None:
    for words in (
        ("discard", "1"),
        ("show",),
        ("why", "1", "anna"),
        ("export", "--csv", "-o", str(tmp_path / "x.csv")),
    ):
        result = run(tmp_path / "nowhere", "rescore", *words)
        assert result.code == Exit.REFUSED
        assert "there are: none" in result.err
        assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ files and tables


def test_lines_and_members_are_written_as_csv_and_parquet(rescored: tuple[Path, Ended], tmp_path: Path) -> None:
    root, _ = rescored
    kept = Runs(Folder(root)).find("1")
    rows = sum(1 for _ in kept.lines("two"))
    assert rescore(root, "export", "1", "--csv", "-o", str(tmp_path / "lines.csv")).returncode == Exit.DONE
    written = list(csv.DictReader(io.StringIO((tmp_path / "lines.csv").read_text("utf-8"))))
    assert len(written) == rows == 10
    assert sum(int(row["points_after"]) - int(row["points_before"]) for row in written) == 20
    members = tmp_path / "members.parquet"
    assert rescore(root, "export", "--members", "--parquet", "--draft", "two", "-o", str(members)).returncode == 0
    table = pq.read_table(members).to_pydict()
    assert sorted(table["member_id"]) == list(MEMBERS)
    assert sum(table["balance_after"]) == 203
    again = rescore(root, "export", "1", "--csv", "-o", str(members))
    assert again.returncode == Exit.REFUSED
    assert "is there already" in again.stderr
    assert len(sql(root, "SELECT * FROM rescore_lines")) == rows


def test_a_draft_that_is_not_there_is_not_written(rescored: tuple[Path, Ended], tmp_path: Path) -> None:
    result = run(rescored[0], "rescore", "export", "1", "--draft", "three", "--csv", "-o", str(tmp_path / "x.csv"))
    assert result.code == Exit.REFUSED
    assert "run 0001 has no draft 'three'; it has: two, same" in result.err
    assert not (tmp_path / "x.csv").exists()


def test_a_kind_of_file_must_be_named(rescored: tuple[Path, Ended], tmp_path: Path) -> None:
    for words in ((), ("--csv", "--parquet")):
        result = run(rescored[0], "rescore", "export", "1", *words, "-o", str(tmp_path / "x.csv"))
        assert result.code == Exit.USAGE


def test_a_discarded_run_leaves_the_tables_and_the_others_stay(folder: Path, files: Path, tmp_path: Path) -> None:
    assert try_two(folder, files).returncode == Exit.FOUND
    assert try_two(folder, files).returncode == Exit.FOUND
    counts = "SELECT (SELECT count() FROM rescore_runs) AS runs, (SELECT count() FROM rescore_lines) AS lines"
    assert rescore(folder, "export", "2", "--csv", "-o", str(tmp_path / "x.csv")).returncode == Exit.DONE
    assert sql(folder, counts) == [{"runs": 2, "lines": 20}]
    assert command(folder, "audit").returncode == Exit.DONE
    done = rescore(folder, "discard", "1")
    assert (done.returncode, done.stdout) == (Exit.DONE, "run 0001 is discarded\n")
    assert sql(folder, counts) == [{"runs": 1, "lines": 10}]
    assert [each["run"] for each in listed(folder)] == ["0002"]
    assert run(folder, "rescore", "discard", "1").code == Exit.REFUSED
    shutil.rmtree(folder / "clickhouse")
    assert rescore(folder, "export", "2", "--csv", "-o", str(tmp_path / "y.csv")).returncode == Exit.DONE
    assert (tmp_path / "y.csv").read_bytes() == (tmp_path / "x.csv").read_bytes()
