"""Refused records can be listed, looked at to the byte, and sent again, mended or not."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import run
from tests.support.small_folder import REJECTS

MENDED = REJECTS[0].raw.replace(b"EURO", b"EUR")


def mended_at(when: str) -> bytes:
    return MENDED.replace(b"2026-11-14T10:00:00Z", when.encode())


def test_list_counts_and_filters(read_only: Path) -> None:
    found = run(read_only, "rejects", "list", "--json").json()
    assert (found["count"], found["by_reason"]) == (2, {"unknown_currency": 1, "malformed": 1})
    assert [reject["number"] for reject in found["rejects"]] == [1, 2]
    only = run(read_only, "rejects", "list", "--reason", "malformed", "--json").json()["rejects"]
    assert [(reject["number"], reject["raw_bytes"]) for reject in only] == [(2, 10)]
    newest = run(read_only, "rejects", "list", "--limit", "1", "--json").json()["rejects"]
    assert [reject["number"] for reject in newest] == [2]
    assert "1 unknown_currency, 1 malformed" in run(read_only, "rejects", "list").out


def test_unknown_reason_names_those_that_there_are(read_only: Path) -> None:
    result = run(read_only, "rejects", "list", "--reason", "too_big")
    assert result.code == 3
    assert "malformed, unknown_currency" in result.err


def test_show_gives_the_original_bytes(read_only: Path) -> None:
    for reject, number in zip(REJECTS, ("1", "2"), strict=True):
        assert run(read_only, "rejects", "show", number, "--raw").stdout == reject.raw
        assert bytes.fromhex(run(read_only, "rejects", "show", number, "--json").json()["raw_hex"]) == reject.raw
    out = run(read_only, "rejects", "show", "1").out
    assert "no ISO 4217 code" in out
    assert '"currency":"EURO"' in out


@pytest.mark.parametrize("command", ["show", "resubmit"])
def test_unknown_number_is_refused(read_only: Path, command: str) -> None:
    result = run(read_only, "rejects", command, "3")
    assert result.code == 3
    assert "from 1 to 2" in result.err


def test_mended_record_scores_once_however_often_it_is_sent(folder: Path) -> None:
    sent = run(folder, "rejects", "resubmit", "1", "-", "--json", stdin=MENDED)
    assert sent.json() == {"facts": 1, "already": 0, "rejects": 0, "refused_again": 0, "conflicts": 0}
    again = run(folder, "rejects", "resubmit", "1", "-", "--json", stdin=MENDED)
    assert again.json() == {"facts": 0, "already": 1, "rejects": 0, "refused_again": 0, "conflicts": 0}
    event = run(folder, "explain", "p-bad", "--json").json()
    assert event["events"][0]["stations"][0]["what"].startswith("reject 1, record 1")
    assert event["rejects"][0]["number"] == 1
    rejects = run(folder, "rejects", "list", "--json").json()["rejects"]
    assert [reject["sent_again"] for reject in rejects] == [True, False]
    assert run(folder, "verify").code == 0


def test_mended_record_may_be_a_file_over_several_lines(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "mended.json"
    file.write_text(json.dumps(json.loads(MENDED), indent=2), encoding="utf-8")
    assert run(folder, "rejects", "resubmit", "1", str(file), "--json").json()["facts"] == 1


def test_record_sent_as_it_was_is_refused_again_each_time_and_makes_no_second_reject(folder: Path) -> None:
    for _ in range(2):
        result = run(folder, "rejects", "resubmit", "1", "--json")
        assert (result.code, result.json()["refused_again"], result.json()["rejects"]) == (4, 1, 0)
    assert run(folder, "rejects", "list", "--json").json()["count"] == 2


def test_record_refused_for_another_reason_is_a_new_reject_that_names_the_first(folder: Path) -> None:
    sent = REJECTS[0].raw.replace(b'"lines":[]', b'"lines":7')
    assert run(folder, "rejects", "resubmit", "1", "-", stdin=sent).code == 4
    again = run(folder, "rejects", "show", "3", "--json").json()
    assert (again["resubmit_of"], again["reason"]) == (1, "wrong_type")
    assert bytes.fromhex(again["raw_hex"]) == sent


def test_record_beyond_the_horizon_stops_unless_it_is_accepted(folder: Path) -> None:
    old = mended_at("2026-09-01T10:00:00Z")
    result = run(folder, "rejects", "resubmit", "1", "-", stdin=old)
    assert result.code == 3
    assert "--accept-too-old" in result.err
    assert run(folder, "rejects", "list", "--json").json()["count"] == 2
    assert run(folder, "rejects", "resubmit", "1", "-", "--accept-too-old", stdin=old).code == 4
    assert run(folder, "rejects", "show", "3", "--json").json()["reason"] == "too_old"


def test_what_came_in_from_a_mended_table_is_told(folder: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "m.yaml"
    mapping.write_text(
        "{type: PurchaseRecorded, source: till, group_by: id, fields: {event_id: id, order_id: id, occurred_at: at}, "
        "constants: {currency: EUR}, lines: {sku: id, amount_minor: paid}, scale: {amount_minor: 100}}",
        encoding="utf-8",
    )
    at = "2026-11-14T10:00:00Z"
    for name, paid in (("till.csv", "x"), ("mended.csv", "2.00")):
        (tmp_path / name).write_text(f"id,at,paid\nt-1,{at},{paid}\nt-1,{at},5.00\nt-2,?,1.00\n", encoding="utf-8")
        assert run(folder, "import", str(tmp_path / name), "--mapping", str(mapping)).code == 4
        found = run(folder, "rejects", "list", "--json").json()["rejects"]
        by_id = {reject["event_id"]: reject for reject in found}
        is_mended = name == "mended.csv"
        assert (by_id["t-1"]["came_in"], by_id["t-2"]["came_in"]) == (is_mended, False)
        shown = run(folder, "rejects", "show", str(by_id["t-1"]["number"]), "--json").json()
        assert (shown["came_in"], shown["sent_again"]) == (is_mended, False)
    assert "came in" in run(folder, "rejects", "list").out
    # The old file may be given again: it says nothing new of what came in since, and no good of what did not.
    result = run(folder, "import", str(tmp_path / "till.csv"), "--mapping", str(mapping))
    assert (result.code, "1 record refused again, but mended since" in result.out) == (4, True)
    (tmp_path / "rest.csv").write_text(f"id,at,paid\nt-2,{at},1.00\n", encoding="utf-8")
    assert run(folder, "import", str(tmp_path / "rest.csv"), "--mapping", str(mapping)).code == 0
    result = run(folder, "import", str(tmp_path / "till.csv"), "--mapping", str(mapping))
    assert (result.code, "2 records refused again, but mended since" in result.out) == (0, True)


def test_an_event_that_came_in_before_its_return_was_refused_is_not_told_as_the_return(
    folder: Path, tmp_path: Path
) -> None:
    at = "2026-11-14T10:00:00Z"
    mapping = tmp_path / "m.yaml"
    mapping.write_text(
        "{type: PurchaseRecorded, source: till, group_by: id, fields: {event_id: id, order_id: id, occurred_at: at}, "
        "constants: {currency: EUR}, lines: {sku: id, amount_minor: paid}, scale: {amount_minor: 100}}",
        encoding="utf-8",
    )
    rows = [f"t-1,{at},5.00", f"t-1,{at},-1.00", f"t-1,{at},-5.00"]
    for name, count, code, told in (("g1.csv", 2, 0, []), ("g2.csv", 3, 4, [False]), ("g1.csv", 2, 0, [False])):
        (tmp_path / name).write_text("\n".join(["id,at,paid", *rows[:count], ""]), encoding="utf-8")
        assert run(folder, "import", str(tmp_path / name), "--mapping", str(mapping)).code == code
        found = run(folder, "rejects", "list", "--json").json()["rejects"]
        assert [one["came_in"] for one in found if one["reason"] == "negative_order"] == told


def imported(shop: Path, name: str, *members: object) -> tuple[int, bool]:
    """The exit code for a file of check-ins that share one id, and whether a refused one is said to be mended."""
    event = {"type": "CheckedIn", "source": "app", "event_id": "c-1", "occurred_at": "2026-11-14T10:00:00Z"}
    file = shop / name
    file.write_text("".join(f"{json.dumps(event | {'member_id': member})}\n" for member in members), encoding="utf-8")
    ran = run(shop, "import", str(file), "--no-project")
    return ran.code, "mended since" in ran.out


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    assert run(tmp_path, "init", str(tmp_path / "shop")).code == 0
    return tmp_path / "shop"


def test_a_mended_file_counts_also_where_the_books_held_nothing_before(shop: Path) -> None:
    assert imported(shop, "old.jsonl", [7]) == (4, False)
    assert imported(shop, "old.jsonl", [7]) == (4, False)
    assert imported(shop, "mended.jsonl", "anna") == (0, False)
    assert imported(shop, "old.jsonl", [7]) == (0, True)


def test_an_event_that_came_before_mends_no_record_of_its_id(shop: Path) -> None:
    assert imported(shop, "first.jsonl", "anna") == (0, False)
    assert imported(shop, "old.jsonl", [7]) == (4, False)
    assert imported(shop, "old.jsonl", [7]) == (4, False)


def test_a_refused_record_is_not_mended_by_another_of_its_own_file(shop: Path) -> None:
    assert imported(shop, "old.jsonl", "anna", [7]) == (4, False)
    assert imported(shop, "old.jsonl", "anna", [7]) == (4, False)


def test_nothing_and_a_missing_file_are_refused(folder: Path, tmp_path: Path) -> None:
    assert run(folder, "rejects", "resubmit", "1", "-", stdin=b" \n").code == 3
    result = run(folder, "rejects", "resubmit", "1", str(tmp_path / "none.json"))
    assert result.code == 3
    assert "none.json" in result.err


def test_a_mended_record_of_another_name_is_told(folder: Path) -> None:
    other = MENDED.replace(b"p-bad", b"p-other")
    assert "'p-bad'" not in run(folder, "rejects", "resubmit", "1", "-", stdin=MENDED).err
    told = run(folder, "rejects", "resubmit", "1", "-", stdin=other).err
    assert "'p-bad'" in told
    assert "'p-other'" in told


def test_rejects_of_a_table_are_sent_again_as_json(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,when,who\nc-1,2026-11-12T09:00:00Z,\nc-2,?,ann\n", encoding="utf-8")
    (tmp_path / "m.yaml").write_text(
        "type: CheckedIn\nsource: app\nfields: {event_id: id, occurred_at: when, member_id: who}\n", encoding="utf-8"
    )
    assert run(folder, "import", str(tmp_path / "a.csv"), "--mapping", str(tmp_path / "m.yaml")).code == 4
    kept = run(folder, "rejects", "list", "--json").json()["rejects"]
    by_id = {reject["event_id"]: str(reject["number"]) for reject in kept}
    unread, unfit = by_id["c-2"], by_id["c-1"]
    assert "as JSON" in run(folder, "rejects", "show", unfit).out
    assert run(folder, "rejects", "resubmit", unfit).code == 4
    assert "example purchase" in run(folder, "rejects", "show", unread).out
    refused = run(folder, "rejects", "resubmit", unread)
    assert refused.code == 3
    assert "JSON object" in refused.err
