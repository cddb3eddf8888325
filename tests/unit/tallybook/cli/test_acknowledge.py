"""What publishers got wrong is an alarm when it comes in, and passes the audits once a person has acknowledged it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tallybook.exit_codes import Exit
from tallybook.folder.acknowledged import FILE
from tests.support.command_line import run
from tests.support.processes import tallybook as process

pytestmark = pytest.mark.long

KNOWN = ("--reason", "the cashier corrected it", "--by", "ana")


def bought(event_id: str, member: str | None, order_id: str = "9001", source: str = "shop") -> bytes:
    """An order of 10.00 EUR, worth 10 points, as a line of JSON."""
    event = {
        "type": "PurchaseRecorded", "source": source, "event_id": event_id, "occurred_at": "2026-11-20T09:00:00Z",
        "order_id": order_id, "currency": "EUR", "lines": [{"sku": "a", "amount_minor": 1_000}],
    }  # fmt: skip
    return json.dumps(event | ({"member_id": member} if member else {})).encode() + b"\n"


def found_by(folder: Path, audit: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run(folder, "audit", "--json").json()["found"].get(audit, [])
    return rows


def test_an_order_sent_again_for_another_member_is_an_alarm(folder: Path) -> None:
    assert run(folder, "import", "-", stdin=bought("9001", "bert")).code == Exit.DONE
    again = run(folder, "import", "-", stdin=bought("9001", "anna"))
    assert again.code == Exit.FOUND
    assert "1 key of several members" in again.out
    assert "shop/9001: anna, bert" in again.out
    assert run(folder, "import", "-", stdin=bought("9002", "bert", "9002")).code == Exit.DONE  # it is told once


def test_a_guest_receipt_that_comes_again_with_its_member_is_no_alarm(folder: Path) -> None:
    assert run(folder, "import", "-", stdin=bought("9001", None)).code == Exit.DONE
    assert run(folder, "import", "-", stdin=bought("9001", "gina")).code == Exit.DONE
    assert run(folder, "audit").code == Exit.DONE
    assert run(folder, "balance", "gina", "--json").json()["balance"] == 10
    explained = " ".join(run(folder, "explain", "9001").out.split())
    assert "it came for a guest and for gina, who alone has points for it" in explained


def test_a_follow_tells_it_and_ends_so(folder: Path) -> None:
    events = (bought("9001", "bert") + bought("9001", "anna")).decode()
    followed = process(folder, "run", "--follow", "-", stdin=None, input=events)
    assert followed.returncode == Exit.FOUND, followed.stderr
    assert "shop/9001: anna, bert" in followed.stderr


def test_what_is_acknowledged_passes_the_audit(folder: Path) -> None:
    both = run(folder, "import", "-", stdin=bought("9001", "bert") + bought("9001", "anna"))
    assert both.code == Exit.FOUND
    assert "shop/9001: anna, bert" in both.out
    assert [row["key"] for row in found_by(folder, "keys_of_two_members")] == ["shop/9001"]
    assert run(folder, "acknowledge", "keys_of_two_members", "shop/9001", *KNOWN).code == Exit.DONE
    audited = run(folder, "audit")
    assert audited.code == Exit.DONE
    assert "keys of two members (1 acknowledged)" in audited.out
    assert "shop/9001: acknowledged by ana at " in audited.out
    assert ": the cashier corrected it" in audited.out
    (row,) = run(folder, "audit", "--json").json()["acknowledged"]["keys_of_two_members"]
    assert (row["member_ids"], row["acknowledged_by"]) == (["anna", "bert"], "ana")


def test_a_third_member_of_an_acknowledged_key_is_an_alarm_again(folder: Path) -> None:
    run(folder, "import", "-", stdin=bought("9001", "bert") + bought("9001", "anna"))
    run(folder, "acknowledge", "keys_of_two_members", "--all", *KNOWN)
    assert run(folder, "import", "-", stdin=bought("9001", "anna") + b"\n").code == Exit.DONE  # a duplicate
    third = run(folder, "import", "-", stdin=bought("9001", "carl"))
    assert third.code == Exit.FOUND
    assert "shop/9001: anna, bert, carl" in third.out
    assert [row["member_ids"] for row in found_by(folder, "keys_of_two_members")] == [["anna", "bert", "carl"]]


def test_acknowledgements_are_only_ever_appended(folder: Path) -> None:
    run(folder, "import", "-", stdin=bought("9001", "dora") + bought("9001-paid", "dora") + bought("x", "Dora", "x"))
    run(folder, "acknowledge", "orders paid twice", "shop/9001", *KNOWN)
    before = (folder / FILE).read_bytes()
    again = run(folder, "acknowledge", "orders_paid_twice", "shop/9001", *KNOWN)
    assert "0 rows acknowledged; 0 left" in again.out
    assert (folder / FILE).read_bytes() == before
    run(folder, "acknowledge", "look_alike_ids", "member:dora", *KNOWN)
    assert (folder / FILE).read_bytes().startswith(before)
    assert run(folder, "audit").code == Exit.DONE


def test_a_torn_acknowledgement_is_told_and_counts_for_nothing(folder: Path) -> None:
    run(folder, "import", "-", stdin=bought("9001", "bert") + bought("9001", "anna"))
    (folder / FILE).write_bytes(b'{"audit":"keys_of_two_mem')
    audited = run(folder, "audit")
    assert audited.code == Exit.FOUND
    assert "line 1 is no acknowledgement" in audited.err
    run(folder, "acknowledge", "keys_of_two_members", "--all", *KNOWN)
    assert run(folder, "audit").code == Exit.DONE


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("conservation", "x", *KNOWN), "which nobody can acknowledge"),
        (("keys", "x", *KNOWN), "there is no audit 'keys'"),
        (("keys_of_two_members", "shop/1", *KNOWN), "does not find 'shop/1'. It finds: none"),
    ],
)
def test_what_cannot_be_acknowledged_is_refused(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    refused = run(folder, "acknowledge", *arguments)
    assert refused.code == Exit.REFUSED
    assert said in " ".join(refused.err.split())
    assert not (folder / FILE).exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("look_alike_ids", "--all", "--by", "ana"),
        ("look_alike_ids", "--all", "--reason", "known"),
        ("look_alike_ids", "--all", "--reason", " ", "--by", "ana"),
        ("look_alike_ids", *KNOWN),
        ("look_alike_ids", "member:anna", "--all", *KNOWN),
    ],
)
def test_an_acknowledgement_names_rows_a_reason_and_a_person(read_only: Path, arguments: tuple[str, ...]) -> None:
    assert run(read_only, "acknowledge", *arguments).code == Exit.USAGE


def test_a_stream_has_no_place_for_acknowledgements(tmp_path: Path) -> None:
    (tmp_path / "stream.toml").write_text('bootstrap = "localhost:1"\ndeployment = "shop"\n', encoding="utf-8")
    refused = run(tmp_path, "acknowledge", "keys_of_two_members", "shop/9001", *KNOWN)
    assert refused.code == Exit.REFUSED
    assert "are on Kafka" in refused.err


def test_products_that_look_alike_are_shown_and_fail_nothing(folder: Path) -> None:
    event = bought("9001", "anna").replace(b'"sku": "a"', b'"sku": "BEANS"')
    run(folder, "import", "-", stdin=event)
    audited = run(folder, "audit", "--json")
    assert audited.code == Exit.DONE
    (row,) = audited.json()["warnings"]["look_alike_names"]
    assert (row["key"], row["ids"]) == ("sku:beans", ["BEANS", "beans"])
    assert "! look alike names" in run(folder, "audit").out
