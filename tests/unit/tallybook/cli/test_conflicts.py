"""A conflict is an alarm: exit code 4, counted, listed, and both contents side by side."""

from pathlib import Path

import pytest

from tallybook.folder.journal_keys import CONFLICTS
from tests.support.command_line import run
from tests.support.small_folder import build_folder

MAPPING = """\
type: PurchaseRecorded
source: till
timezone: Europe/Berlin
delimiter: ";"
fields: {event_id: receipt, order_id: receipt, occurred_at: time, store_id: branch, member_id: card}
constants: {currency: EUR}
lines: {sku: article, amount_minor: paid}
scale: {amount_minor: 100}
group_by: receipt
"""
HEAD = "receipt;time;branch;card;article;paid\n"
ANNA = "7001;2026-11-14 09:15:00;b1;anna;espresso;25.00\n"
BERT = "7002;2026-11-14 09:15:10;b1;bert;bun;10.00\n"
GRINDER = "7002;2026-11-14 09:15:10;b1;bert;grinder;300.00\n"


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    """The day's receipts; the next day's file, in which a receipt has one line more; and the mapping of both."""
    for name, rows in (("day-0915.csv", [ANNA, BERT]), ("day-0916.csv", [ANNA, BERT, GRINDER])):
        (tmp_path / name).write_text(HEAD + "".join(rows), encoding="utf-8")
    (tmp_path / "m.yaml").write_text(MAPPING, encoding="utf-8")
    return str(tmp_path / "day-0915.csv"), str(tmp_path / "day-0916.csv"), str(tmp_path / "m.yaml")


def test_an_import_with_a_conflict_ends_with_4_and_everybody_says_so(folder: Path, files: tuple[str, str, str]) -> None:
    first, second, mapping = files
    before = run(folder, "status", "--json").json()["conflicts"]
    assert run(folder, "check", first, "--mapping", mapping).code == 0
    assert run(folder, "import", first, "--mapping", mapping, "--no-project").code == 0
    foreseen = run(folder, "check", second, "--mapping", mapping, "--json")
    assert (foreseen.code, foreseen.json()["again"], foreseen.json()["conflicts"]) == (4, 1, 1)
    done = run(folder, "import", second, "--mapping", mapping)
    assert done.code == 4
    assert "1 conflict: " in done.out
    status = run(folder, "status", "--json").json()
    assert status["conflicts"] == before + 1
    assert CONFLICTS in run(folder, "status").out.replace("\n", " ")
    audited = run(folder, "audit", "--json").json()
    assert (audited["conflicts"], audited["found"]) == (before + 1, {}), "it is said, and fails no audit"
    last = " ".join(run(folder, "audit").out.split("nothing found, as it must be")[1].split())
    assert last.startswith(f"{before + 1} conflict")
    assert CONFLICTS in last
    listed = run(folder, "sql", CONFLICTS, "--json").json()
    assert {"source": "till", "event_id": "7002", "member_id": "bert"} in listed
    again = run(folder, "import", second, "--mapping", mapping)
    assert (again.code, "taken in before" in again.out) == (0, True)


def test_an_order_that_came_in_two_commands_is_no_success_in_one(folder: Path, tmp_path: Path) -> None:
    for name, rows in (("x.csv", [ANNA, BERT]), ("y.csv", [GRINDER])):
        (tmp_path / name).write_text(HEAD + "".join(rows), encoding="utf-8")
    (tmp_path / "m.yaml").write_text(MAPPING, encoding="utf-8")
    x, y, mapping = str(tmp_path / "x.csv"), str(tmp_path / "y.csv"), str(tmp_path / "m.yaml")
    assert run(folder, "import", x, "--mapping", mapping, "--no-project").code == 0
    assert run(folder, "import", y, "--mapping", mapping, "--no-project").code == 4
    for files in ((x, y), (y, x), (x, y)):
        foreseen = run(folder, "check", *files, "--mapping", mapping, "--json")
        assert (foreseen.code, foreseen.json()["again"], foreseen.json()["conflicts"]) == (4, 1, 1)
        assert [row["event_id"] for row in foreseen.json()["contradictions"]] == ["7002"]
        done = run(folder, "import", *files, "--mapping", mapping, "--no-project")
        assert done.code == 4
        assert "1 record taken in before" in done.out, "the receipt of anna alone"
        assert "1 conflict: " in done.out
    assert len(run(folder, "explain", "7002", "--json").json()["events"][0]["later_contents"]) == 2


def test_a_part_of_a_refused_order_is_refused_by_all_commands(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MAPPING, encoding="utf-8")
    x, y, mapping = tmp_path / "x.csv", tmp_path / "y.csv", ["--mapping", str(tmp_path / "m.yaml")]
    x.write_text(HEAD + ANNA + BERT, encoding="utf-8")
    y.write_text(HEAD + GRINDER.replace("300.00", "?"), encoding="utf-8")
    assert run(folder, "import", str(x), str(y), *mapping, "--no-project").code == 4
    y.write_text(HEAD + GRINDER, encoding="utf-8")
    foreseen = run(folder, "check", str(y), *mapping, "--json")
    assert (foreseen.code, foreseen.json()["taken"]) == (4, 0)
    (refusal,) = foreseen.json()["refusals"]
    assert "has 1 here, without those in 'x.csv': give all these files in one command" in refusal["message"]
    assert run(folder, "import", str(y), *mapping, "--no-project").code == 4
    (folder / "inbox").mkdir(exist_ok=True)
    (folder / "inbox" / "y.csv").write_bytes(y.read_bytes())
    assert run(folder, "run", *mapping).code == 4
    assert run(folder, "check", str(x), str(y), *mapping).code == 0
    assert run(folder, "import", str(x), str(y), *mapping, "--no-project").code == 0
    (event,) = run(folder, "explain", "7002", "--json").json()["events"]
    assert "later_contents" not in event or not event["later_contents"]


def test_run_ends_with_4_too(folder: Path, files: tuple[str, str, str]) -> None:
    first, second, mapping = files
    (folder / "inbox").mkdir(exist_ok=True)
    for at, file in enumerate((first, second)):
        (folder / "inbox" / Path(file).name).write_bytes(Path(file).read_bytes())
        assert run(folder, "run", "--mapping", mapping).code == 4 * at


def test_explain_shows_both_contents_and_the_first_difference_first(folder: Path, files: tuple[str, str, str]) -> None:
    first, second, mapping = files
    for file in (first, second):
        run(folder, "import", file, "--mapping", mapping, "--no-project")
    (event,) = run(folder, "explain", "7002", "--json").json()["events"]
    (later,) = event["later_contents"]
    assert later["came_from"].startswith("day-0916.csv, record 2")
    assert later["fields"][0] == {"field": "lines[1].sku", "first": None, "later": "grinder", "differs": True}
    assert later["fields"][1]["field"] == "lines[1].amount_minor"
    assert {field["field"]: field["differs"] for field in later["fields"]}["member_id"] is False
    out = run(folder, "explain", "7002").out
    assert "Came with other content too" in out
    assert "30,000 (300.00 EUR)" in out


def test_explain_never_says_that_nothing_is_left_while_a_part_is_missing(folder: Path, tmp_path: Path) -> None:
    whole = (
        b'{"type":"CheckedIn","source":"app","event_id":"e","occurred_at":"2026-11-14T11:00:00Z","member_id":"anna"}'
    )
    refused = tmp_path / "refused.jsonl"
    refused.write_bytes(whole.replace(b'"member_id"', b'"store_id":[7],"member_id"'))
    assert run(folder, "import", str(refused), "--no-project").code == 4
    (tmp_path / "taken.jsonl").write_bytes(whole)
    assert run(folder, "import", str(tmp_path / "taken.jsonl"), "--no-project").code == 0
    out = run(folder, "explain", "e").out
    assert "nothing is left to do" not in out
    assert "compare the two" in out


def test_books_without_a_conflict_say_none(tmp_path: Path) -> None:
    build_folder(tmp_path / "shop")
    status = run(tmp_path / "shop", "status", "--json").json()
    assert (status["conflicts"], "tallybook sql" in status["conflicts_shown_by"]) == (1, True), "p-more came changed"
    empty = tmp_path / "empty"
    assert run(tmp_path, "init", str(empty)).code == 0
    status = run(empty, "status", "--json").json()
    assert (status["conflicts"], status["conflicts_shown_by"]) == (0, None)
