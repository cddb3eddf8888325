"""What `check` says before anything is sent: formats that are named, and the horizon of the books that are there."""

from pathlib import Path

import msgspec
import pytest

from schemas.facts import CheckedIn
from tests.support.command_line import run
from tests.support.small_folder import at

EVENTS = b"\n".join(
    msgspec.json.encode(CheckedIn("app", name, at(when), "ann"))
    for name, when in (("old", "2026-01-05T09:00:00Z"), ("new", "11-12T09:00"))
)


def test_check_knows_the_horizon_of_the_books(read_only: Path, tmp_path: Path) -> None:
    found = run(read_only, "check", "-", "--json", stdin=EVENTS).json()
    assert [(row["event_id"], row["reason"]) for row in found["refusals"]] == [("old", "too_old")]
    without = run(tmp_path, "check", "-", "--json", stdin=EVENTS).json()
    assert without["refused"] == 0


@pytest.mark.parametrize("command", ["check", "import"])
def test_a_format_may_be_said(folder: Path, tmp_path: Path, command: str) -> None:
    file = tmp_path / "dir2" / "events.log"
    file.parent.mkdir()
    file.write_bytes(b"# what an export says first\n" + EVENTS.splitlines()[1])
    told = run(folder, command, str(file))
    assert told.code == 3
    assert "dir2/events.log" in told.err.replace("\n", "")
    assert "--format" in told.err
    said = run(folder, command, "--format", "json-lines", str(file))
    assert said.code == 4, said.err


def test_an_empty_mapping_is_told_what_a_mapping_has(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_bytes(b"\n")
    (tmp_path / "a.csv").write_bytes(b"a\n1\n")
    result = run(folder, "check", str(tmp_path / "a.csv"), "--mapping", str(tmp_path / "m.yaml"))
    assert result.code == 3
    assert "type, source, fields" in result.err


MAPPING = """
type: CheckedIn
source: app
fields: {event_id: id, occurred_at: at, member_id: who}
timezone: UTC
"""


@pytest.mark.parametrize("command", ["check", "import"])
def test_a_mapping_for_files_that_name_their_own_fields_is_refused(folder: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "m.yaml").write_text(MAPPING)
    (tmp_path / "a.jsonl").write_bytes(EVENTS.splitlines()[1])
    told = run(folder, command, str(tmp_path / "a.jsonl"), "--mapping", str(tmp_path / "m.yaml"))
    assert told.code == 3
    assert "is not used for this file" in told.err.replace("\n", " ")
    assert "Leave --mapping out" in told.err.replace("\n", " ")


@pytest.mark.parametrize("command", ["check", "import"])
def test_a_mapping_that_some_of_the_files_need_is_used_for_these(folder: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "m.yaml").write_text(MAPPING)
    (tmp_path / "a.jsonl").write_bytes(EVENTS.splitlines()[1])
    (tmp_path / "b.csv").write_text("id,at,who\n9,2026-11-12 10:00:00,bob\n")
    files = [str(tmp_path / name) for name in ("a.jsonl", "b.csv")]
    told = run(folder, command, *files, "--mapping", str(tmp_path / "m.yaml"))
    assert told.code == 0
    said = (told.out + told.err).replace("\n", " ")
    assert said.count("is not used for this file") == 1
    assert "2 records would be taken in" in said or "2 facts taken in" in said


def test_a_mapping_for_an_inbox_waits_for_files_that_need_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MAPPING)
    (folder / "inbox" / "a.jsonl").write_bytes(EVENTS.splitlines()[1])
    told = run(folder, "run", "--mapping", str(tmp_path / "m.yaml"))
    assert told.code == 0
    assert "1 fact taken in" in told.out


STATUSES = ["Completed"] * 3 + ["Cancelled"] * 2 + ["Refunded"]
FILTERS = ["leave_out: {status: [Canceled, Refunded]}", "only: {status: [Completed, Canceled]}"]


@pytest.mark.parametrize("command", ["check", "import"])
@pytest.mark.parametrize("choice", FILTERS)
def test_a_value_that_rows_are_chosen_by_and_no_row_has_is_told(
    folder: Path, tmp_path: Path, command: str, choice: str
) -> None:
    (tmp_path / "m.yaml").write_text(MAPPING + choice)
    rows = [f"{number},2026-11-12 10:00:00,bob,{status}\n" for number, status in enumerate(STATUSES)]
    (tmp_path / "b.csv").write_text("id,at,who,status\n" + "".join(rows))
    told = run(folder, command, str(tmp_path / "b.csv"), "--mapping", str(tmp_path / "m.yaml"))
    said = (told.out + told.err).replace("\n", " ")
    assert "no row has 'Canceled' in 'status', which the mapping chooses rows by; rows have: 'Completed' 3" in said
    assert "'Cancelled' 2" in said
    taken = (
        "'Completed' 3, 'Cancelled' 2; of those left out: 'Refunded' 1" if "leave_out" in choice else "'Completed' 3"
    )
    assert (f"'status' of the rows that are taken: {taken}" in said) == (command == "check")


def test_nothing_is_said_of_values_that_rows_have(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MAPPING + "leave_out: {status: [Cancelled], who: [bob]}")
    rows = [
        f"{number},2026-11-12 10:00:00,{who},{status}\n"
        for number, who, status in ((1, "bob", "Cancelled"), (2, "ann", ""))
    ]
    (tmp_path / "b.csv").write_text("id,at,who,status\n" + "".join(rows))
    told = run(folder, "check", str(tmp_path / "b.csv"), "--mapping", str(tmp_path / "m.yaml"))
    assert "no row has" not in told.out + told.err
    assert "'status' of the rows that are taken: (blank) 1" in told.err.replace("\n", " ")


def test_a_guest_s_order_that_comes_again_with_other_content_is_not_told_as_new(folder: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "m.yaml"
    mapping.write_text(
        "{type: PurchaseRecorded, source: till, group_by: id, constants: {currency: EUR}, fields: {event_id: id, "
        "order_id: id, occurred_at: at, member_id: who}, lines: {sku: id, amount_minor: paid}, "
        "scale: {amount_minor: 100}}",
        encoding="utf-8",
    )

    def file(name: str, *paid: str) -> str:
        rows = [f"{who}1,2026-11-14T10:00:00Z,{who.strip('g')},{each}" for who, each in zip("ggmn", paid, strict=False)]
        rows[0] = rows[0].replace("g1", "g0")
        (tmp_path / name).write_text("\n".join(["id,at,who,paid", *rows, ""]), encoding="utf-8")
        return str(tmp_path / name)

    before = file("a.csv", "1.00", "2.00", "3.00")
    assert run(folder, "import", before, "--mapping", str(mapping), "--no-project").code == 0
    grown = file("b.csv", "1.00", "5.00", "6.00", "7.00")
    checked = run(folder, "check", grown, "--mapping", str(mapping), "--json")
    found = checked.json()
    assert checked.code == 4
    counts = [found[name] for name in ("records", "again", "conflicts", "other_guests", "taken")]
    assert counts == [4, 1, 1, 1, 1]
    assert [(row["event_id"], row["what"]) for row in found["contradictions"]] == [
        ("g1", "a guest's, other content: both are kept, neither is paid"),
        ("m1", "conflict: other content"),
    ]
    told = run(folder, "check", grown, "--mapping", str(mapping)).out
    assert "1 of 4 records would be taken in as new" in told
    assert "a return cannot be taken in yet" in told
    assert run(folder, "import", grown, "--mapping", str(mapping), "--no-project").code == 4
    assert "of a guest, who has no points for either" in run(folder, "explain", "g1").out
    assert "the first one counts" in run(folder, "explain", "m1").out
