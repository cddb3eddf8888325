"""What `check` and `import` warn of in files that are taken in, whatever the rules are."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processors.intake.door import admit_json
from processors.intake.input_files import open_input
from tallybook.folder.folder import Folder
from tallybook.folder.input_warnings import InputWarnings
from tallybook.folder.rounded_ids import RoundedIds
from tests.support.command_line import run
from tests.support.fact_samples import CHECK_IN, PURCHASE, admitted, json_of
from tests.support.small_folder import OPENED_AT

MAPPING = """\
type: PurchaseRecorded
source: till
timezone: Europe/Berlin
fields: {event_id: Bon, order_id: Bon, occurred_at: Zeit, member_id: Kunde}
constants: {currency: EUR}
group_by: Bon
"""
UNSCALED = "lines: {sku: Artikel, amount_minor: Betrag, quantity_milli: Menge}\nscale: {amount_minor: currency}\n"
SCALED = UNSCALED.replace("currency}", "currency, quantity_milli: 1000}")
ROWS = """\
Bon,Zeit,Kunde,Artikel,Menge,Betrag
1,2026-11-02 18:00,anna,tea,2,10.00
1,2026-11-02 18:00,anna,bun,1,2.50
2,2026-11-03 09:30,,tea,12,5.00
"""


def export(folder: Path, rows: str, lines: str) -> list[str]:
    """The arguments for a file of these rows and its mapping."""
    (folder / "till.csv").write_text(rows, encoding="utf-8")
    (folder / "m.yaml").write_text(MAPPING + lines, encoding="utf-8")
    return [str(folder / "till.csv"), "--mapping", str(folder / "m.yaml")]


def warnings(folder: Path, command: str, *arguments: str) -> list[str]:
    without_tables = ("--no-project",) if command == "import" else ()
    ran = run(folder, command, *arguments, *without_tables)
    assert ran.code == 0, ran.err
    return [line.removeprefix("warning: ") for line in ran.out.splitlines() if line.startswith("warning: ")]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = Folder(tmp_path / "shop")
    folder.create("corner-shop", 2, 400, OPENED_AT)
    folder.copy_ruleset("starter")
    return folder.root


@pytest.mark.parametrize("command", ["check", "import"])
def test_pieces_that_are_read_as_thousandths_are_told(shop: Path, command: str) -> None:
    (told,) = warnings(shop, command, *export(shop, ROWS, UNSCALED))
    assert told == (
        f"{shop / 'till.csv'}: none of the 3 lines has a quantity of one piece or more: 'Menge' is read as "
        "thousandths, and the largest is 12. Rules that pay per unit pay next to nothing for them. If these are "
        "pieces, write scale: {quantity_milli: 1000} in the mapping; if they are thousandths, "
        "scale: {quantity_milli: 1}"
    )


def test_pieces_of_a_parquet_file_are_told_once_for_each_file(shop: Path) -> None:
    arguments = export(shop, ROWS, UNSCALED)
    header, *rows = [line.split(",") for line in ROWS.splitlines()]
    columns = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))
    columns["Bon"] = [f"p{number}" for number in columns["Bon"]]
    table = pa.table({**columns, "Menge": [int(one) for one in columns["Menge"]]})
    pq.write_table(table, shop / "till.parquet")
    told = warnings(shop, "import", str(shop / "till.parquet"), *arguments)
    assert [line.partition(": none of the 3 lines")[0] for line in told] == [
        str(shop / "till.parquet"),
        str(shop / "till.csv"),
    ]


def test_a_quantity_that_holds_for_every_row_is_told(shop: Path) -> None:
    lines = "lines: {sku: Artikel, amount_minor: Betrag}\nline_constants: {quantity_milli: '1'}\n"
    (told,) = warnings(shop, "check", *export(shop, ROWS, lines + "scale: {amount_minor: currency}\n"))
    assert "'1' in line_constants is read as thousandths" in told
    assert told.endswith("If these are pieces, write line_constants: {quantity_milli: 1000} in the mapping")


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        pytest.param(ROWS, SCALED, id="scaled"),
        pytest.param(ROWS, UNSCALED.replace("currency}", "currency, quantity_milli: 1}"), id="said to be thousandths"),
        pytest.param(ROWS.replace(",12,", ",1250,"), UNSCALED, id="thousandths"),
        pytest.param(ROWS, UNSCALED.replace(", quantity_milli: Menge", ""), id="no quantities"),
        pytest.param(ROWS.partition("\n")[0] + "\n", UNSCALED, id="no lines"),
    ],
)
def test_quantities_that_are_right_are_not_told(shop: Path, rows: str, lines: str) -> None:
    assert warnings(shop, "check", *export(shop, rows, lines)) == []


GUESTS = ROWS.replace("anna", "")


@pytest.mark.parametrize("command", ["check", "import"])
def test_a_file_of_guests_alone_is_told_with_the_column_of_the_member(shop: Path, command: str) -> None:
    (told,) = warnings(shop, command, *export(shop, GUESTS, SCALED))
    assert told == (
        f"{shop / 'till.csv'}: each of the 2 orders is a guest's, so nobody earns points. The mapping takes the member "
        "from 'Kunde', which says nothing in any of their rows: is another column meant?"
    )


def test_a_mapping_without_a_member_makes_guests_alone(shop: Path) -> None:
    arguments = export(shop, ROWS, SCALED)
    (shop / "m.yaml").write_text((MAPPING + SCALED).replace(", member_id: Kunde", ""), encoding="utf-8")
    (told,) = warnings(shop, "check", *arguments)
    assert told.endswith("The mapping takes the member from no column: if the file has one, name it, member_id: COLUMN")


def test_the_only_order_of_a_file_of_events_is_a_guests(shop: Path) -> None:
    (shop / "a.jsonl").write_bytes(json_of(PURCHASE, member_id=None) + b"\n")
    (told,) = warnings(shop, "check", str(shop / "a.jsonl"))
    assert told.startswith(f"{shop / 'a.jsonl'}: its only order is a guest's, so nobody earns points. If members")


def test_some_guests_are_nothing_to_tell(shop: Path) -> None:
    assert warnings(shop, "check", *export(shop, ROWS, SCALED)) == []


def test_a_guest_that_is_judged_again_is_not_all_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(json_of(PURCHASE) + b"\n" + json_of(PURCHASE, member_id=None) + b"\n")
    seen = InputWarnings([open_input(tmp_path / "a.jsonl")], [])
    seen.look_at(0, admitted(admit_json(json_of(PURCHASE, member_id=None))))
    assert len(seen.told()) == 1
    assert seen.told(already=1) == []


@pytest.mark.parametrize("command", ["check", "import"])
@pytest.mark.parametrize(
    ("rows", "why"), [("", "it is empty"), (ROWS.partition("\n")[0] + "\n", "no row below its header makes one")]
)
def test_a_file_without_records_is_told(shop: Path, command: str, rows: str, why: str) -> None:
    ran = run(shop, command, *export(shop, rows, SCALED))
    assert ran.code == 0
    assert f"{shop / 'till.csv'}: there are no records in this file: {why}" in " ".join((ran.out + ran.err).split())
    assert "all 0 records" not in ran.out
    if command == "check":
        assert ran.out.splitlines() == ["there are no records: nothing would be taken in"]


def test_an_empty_file_of_events_is_told_among_others(shop: Path) -> None:
    (shop / "a.jsonl").write_bytes(b"\n")
    (shop / "b.jsonl").write_bytes(json_of(PURCHASE) + b"\n")
    ran = run(shop, "check", str(shop / "a.jsonl"), str(shop / "b.jsonl"))
    assert ran.out.splitlines()[0] == "1 record would be taken in"
    assert "a.jsonl: there are no records in this file" in " ".join(ran.err.split())
    assert "b.jsonl: there" not in ran.err


LONG = "4987650000001"


def rows(first: int, last_digit: int, count: int = 10) -> str:
    """Orders of members with long ids, of which the last one alone may not end in 0."""
    made = [f"{first + at},2026-11-02 18:00,{LONG}{20 + at}0,tea,1,10.00" for at in range(count - 1)]
    last = f"{first + count},2026-11-02 18:00,{LONG}{20 + count}{last_digit},tea,1,10.00"
    return "\n".join([ROWS.splitlines()[0], *made, last, ""])


def test_an_import_of_ids_that_a_spreadsheet_has_cut_is_refused_before_it_begins(shop: Path) -> None:
    arguments = export(shop, rows(10, 0), SCALED)
    refused = run(shop, "import", *arguments)
    assert refused.code == 3
    said = " ".join(refused.err.split())
    assert f"each member_id of more than 15 digits ends in zeros, such as '{LONG}200'" in said
    assert "Nothing was changed. If the ids are whole: --accept-rounded-ids" in said
    assert run(shop, "run", stdin=b"").code == 0
    (told,) = warnings(shop, "import", *arguments, "--accept-rounded-ids")
    assert "ends in zeros" in told


@pytest.mark.parametrize("command", ["check", "import"])
def test_ids_that_a_spreadsheet_has_cut_to_fifteen_digits_are_told(shop: Path, command: str) -> None:
    accepted = ["--accept-rounded-ids"] if command == "import" else []
    (told,) = warnings(shop, command, *accepted, *export(shop, rows(10, 0), SCALED))
    assert told.startswith(
        f"{shop / 'till.csv'}: each member_id of more than 15 digits ends in zeros, such as '{LONG}200': "
        "a spreadsheet keeps 15 digits of a number"
    )
    assert not warnings(shop, command, *export(shop, rows(30, 3), SCALED))
    assert not warnings(shop, command, *export(shop, rows(50, 0, count=3), SCALED))
    # A spreadsheet that took it for a number would have left its first zeros out.
    assert not warnings(shop, command, *export(shop, rows(70, 0).replace(LONG, "0498765000001"), SCALED))


@pytest.mark.parametrize("written", ["498,765,432,1{},000", "4987654321{}000,00", "498 765 432 1{} 000"])
def test_cut_ids_are_known_with_marks_of_thousands_and_decimals(written: str) -> None:
    seen = RoundedIds()
    for number in range(10, 15):
        member_id = written.format(f"{number},000")
        seen.look_at(admitted(admit_json(json_of(CHECK_IN, member_id=member_id, event_id=f"e{number}"))))
    (told,) = seen.told()
    assert "each member_id of more than 15 digits ends in zeros" in told


def test_a_members_order_that_begins_in_another_file_makes_no_file_of_guests(shop: Path) -> None:
    arguments = export(shop, ROWS, SCALED)
    header = ROWS.partition("\n")[0]
    rest = f"{header}\n1,2026-11-02 18:00,anna,cake,1,4.00\n3,2026-11-04 18:00,,tea,1,4.00\n"
    (shop / "rest.csv").write_text(rest, encoding="utf-8")
    assert warnings(shop, "check", *arguments, str(shop / "rest.csv")) == []


def orders(amounts: list[tuple[str, ...]]) -> str:
    """Rows of orders, a row for each amount."""
    rows = [
        f"{number},2026-11-02 18:{number:02},anna,a{place},1,{amount}"
        for number, order in enumerate(amounts)
        for place, amount in enumerate(order)
    ]
    return "\n".join([ROWS.partition("\n")[0], *rows, ""])


TOTALS = [(f"{number}0.00",) * (number % 3 + 2) for number in range(1, 6)]


@pytest.mark.parametrize("command", ["check", "import"])
def test_a_total_that_is_repeated_on_each_row_of_its_order_is_told(shop: Path, command: str) -> None:
    (told,) = warnings(shop, command, *export(shop, orders([*TOTALS, ("7.00",)]), SCALED))
    assert told == (
        f"{shop / 'till.csv'}: each of the 5 orders of several rows has one amount on all of them: 'Betrag' is 10.00 "
        "EUR in all 3 rows of order '0'. If that is the order's total, it counts once for each row: map the column "
        "with what was paid for the line, amount_minor: COLUMN"
    )


@pytest.mark.parametrize(
    "amounts",
    [
        pytest.param(TOTALS[:4], id="too few"),
        pytest.param([*TOTALS, ("1.00", "2.00")], id="one order of several prices"),
        pytest.param([("9.00", "9.00")] * 30, id="one price for all"),
        pytest.param([("9.00",)] * 30, id="orders of one row"),
    ],
)
def test_amounts_that_may_be_those_of_lines_are_not_told(shop: Path, amounts: list[tuple[str, ...]]) -> None:
    assert warnings(shop, "check", *export(shop, orders(amounts), SCALED)) == []


@pytest.mark.parametrize("command", ["check", "import"])
@pytest.mark.parametrize("written", [float, int, str])
def test_whole_dollars_that_are_read_as_cents_are_told(shop: Path, command: str, written: type) -> None:
    lines = [{"sku": "a", "amount_minor": written(price)} for price in (*range(5, 28), 129)]
    (shop / "a.jsonl").write_bytes(json_of(PURCHASE, lines=lines) + b"\n")
    (told,) = warnings(shop, command, str(shop / "a.jsonl"))
    assert told.startswith(
        f"{shop / 'a.jsonl'}: 23 of 24 lines cost less than 1.00. amount_minor is read as minor units"
    )


@pytest.mark.parametrize(
    ("currency", "prices"), [("EUR", range(80, 128)), ("EUR", range(5, 20)), ("JPY", range(5, 90))]
)
def test_small_prices_that_may_be_right_are_not_told(tmp_path: Path, currency: str, prices: range) -> None:
    lines = [{"sku": "a", "amount_minor": price} for price in prices]
    (tmp_path / "a.jsonl").write_bytes(json_of(PURCHASE) + b"\n")
    seen = InputWarnings([open_input(tmp_path / "a.jsonl")], [])
    seen.look_at(0, admitted(admit_json(json_of(PURCHASE, currency=currency, lines=lines))))
    assert seen.told() == []


def test_an_import_says_whether_its_facts_are_new(shop: Path) -> None:
    arguments = export(shop, ROWS, SCALED)
    assert "2 facts taken in (" in run(shop, "import", *arguments, "--no-project").out
    (shop / "till.csv").write_text(ROWS + "\n", encoding="utf-8")
    again = run(shop, "import", *arguments, "--no-project").out
    assert "2 facts taken in, not all of them new (" in again
    (shop / "till.csv").write_text(ROWS + "3,2026-11-03 09:30,,tea,12,5.00\n", encoding="utf-8")
    assert "3 facts taken in, not all of them new (" in run(shop, "import", *arguments, "--no-project").out
