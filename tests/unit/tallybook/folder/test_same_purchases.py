"""The same purchase under another key, as where a spreadsheet has saved the export again: told, and not paid again."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from schemas.facts import PurchaseLine, PurchaseRecorded
from tallybook.folder import same_purchases
from tallybook.folder.folder import Folder
from tallybook.folder.same_purchases import Found, SamePurchases
from tests.support.command_line import Ran, run
from tests.support.small_folder import OPENED_AT, purchase
from tests.support.small_imports import write_lines

MAPPING = """\
type: PurchaseRecorded
source: bakery
timezone: Europe/Berlin
date_order: dmy
fields:
  event_id: [Branch, Till, Date, Number]
  order_id: [Branch, Till, Date, Number]
  occurred_at: [Date, Time]
  member_id: Card
  store_id: Branch
constants: {currency: EUR}
lines: {sku: Article, quantity_milli: Pieces, amount_minor: Paid}
scale: {amount_minor: currency, quantity_milli: 1000}
decimal: ","
delimiter: ";"
group_by: [Branch, Till, Date, Number]
"""
HEAD = "Branch;Till;Date;Time;Number;Article;Pieces;Paid;Card\n"
FIRST_DAY = """\
02;1;03.11.2026;08:00:12;1;0101;1;5,60;anna
02;1;03.11.2026;08:00:12;1;0102;2;1,20;anna
02;1;03.11.2026;08:01:40;2;0101;1;5,60;bert
02;1;03.11.2026;08:02:00;3;0101;1;5,60;
"""
NEXT_DAY = "02;1;04.11.2026;08:00:12;1;0101;1;5,60;anna\n"
LATER_DAYS = "".join(f"02;1;0{day}.11.2026;08:00:12;1;0101;1;5,60;bert\n" for day in range(5, 9))


def saved_again(rows: str, *changed: tuple[str, str]) -> str:
    for old, new in changed:
        assert old in rows
        rows = rows.replace(old, new)
    return rows


SHORT_YEARS = saved_again(FIRST_DAY, ("11.2026", "11.26"))
WITHOUT_ZEROS = saved_again(FIRST_DAY, ("02;1;", "2;1;"), (";0101;", ";101;"), (";0102;", ";102;"))
WITHOUT_SECONDS = saved_again(SHORT_YEARS, (":00:12", ":00"), (":01:40", ":01"), (":02:00", ":02"))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder in which the first day came in."""
    folder = Folder(tmp_path / "shop")
    folder.create("corner-shop", 2, 400, OPENED_AT)
    folder.copy_ruleset("starter")
    assert bring(folder.root, FIRST_DAY).code == 0
    return folder.root


def bring(folder: Path, rows: str, *options: str) -> Ran:
    return run(folder, "import", *export(folder, rows), "--no-project", *options)


def export(folder: Path, rows: str) -> list[str]:
    """The arguments for a file of these rows and its mapping."""
    (folder / "bakery.csv").write_text(HEAD + rows, encoding="utf-8")
    (folder / "bakery.yaml").write_text(MAPPING, encoding="utf-8")
    return [str(folder / "bakery.csv"), "--mapping", str(folder / "bakery.yaml")]


@pytest.mark.parametrize("rows", [SHORT_YEARS, WITHOUT_ZEROS, WITHOUT_SECONDS, SHORT_YEARS + NEXT_DAY])
def test_an_export_that_a_spreadsheet_saved_again_is_not_paid_again(shop: Path, rows: str) -> None:
    foreseen = run(shop, "check", *export(shop, rows))
    assert foreseen.code == 4
    assert "would be taken in. 2 of " in foreseen.out
    done = bring(shop, rows)
    assert done.code == 3
    assert "purchases of members are in the books already under another key" in done.err
    assert "--accept-other-keys" in done.err
    assert run(shop, "status", "--json").json()["facts"] == 3, "nothing was changed"


def test_the_refusal_names_both_keys_and_what_to_do(shop: Path) -> None:
    assert bring(shop, SHORT_YEARS).err.strip() == (
        "2 of 2 purchases of members are in the books already under another key, with the same member, time and lines: "
        "'bakery/02/1/03.11.26/1' is there as 'bakery/02/1/03.11.2026/1'. Imported, they are paid a second time; "
        "nothing was changed.\n"
        "Was this file, or the one before, saved again by a spreadsheet? It writes 03.11.26 for 03.11.2026 and 2 for "
        "02, and the keys that are made of such cells change. Import files as the shop's system writes them; what is "
        "in the books need not come again. If these are other purchases, take them in: --accept-other-keys"
    )


def test_a_person_may_say_that_they_are_other_purchases(shop: Path) -> None:
    done = bring(shop, SHORT_YEARS, "--accept-other-keys")
    assert (done.code, "3 facts taken in" in done.out) == (0, True)
    assert "warning: 2 of 2 purchases of members are in the books already" in done.out
    again = bring(shop, SHORT_YEARS)
    assert (again.code, "warning" in again.out) == (0, False), "now both keys are in the books"


def test_where_most_purchases_are_new_it_is_a_warning(shop: Path) -> None:
    foreseen = run(shop, "check", *export(shop, SHORT_YEARS + LATER_DAYS), "--json")
    assert (foreseen.code, foreseen.json()["under_other_keys"], foreseen.json()["refused_whole"]) == (0, 2, "")
    done = bring(shop, SHORT_YEARS + LATER_DAYS)
    assert (done.code, "7 facts taken in" in done.out) == (0, True)
    assert "warning: 2 of 6 purchases of members are in the books already under another key" in done.out


@pytest.mark.parametrize("rows", [FIRST_DAY, FIRST_DAY + NEXT_DAY, NEXT_DAY])
def test_the_same_keys_and_other_purchases_are_no_news(shop: Path, rows: str) -> None:
    foreseen = run(shop, "check", *export(shop, rows))
    assert (foreseen.code, "warning" in foreseen.out) == (0, False)
    done = bring(shop, rows)
    assert (done.code, "warning" in done.out) == (0, False)


def test_another_receipt_of_the_same_minute_is_another_purchase(shop: Path) -> None:
    minutes = saved_again(FIRST_DAY, (":00:12", ":10"), (":01:40", ":10"), (":02:00", ":10"), ("11.2026", "10.2026"))
    assert bring(shop, minutes).code == 0
    others = saved_again(minutes, (";08:10;1;", ";08:10;8;"), (";08:10;2;", ";08:10;9;"))
    for command in (("check",), ("import", "--no-project")):
        ran = run(shop, *command, *export(shop, others))
        assert (ran.code, "warning" in ran.out) == (0, False)


def test_a_purchase_under_two_keys_of_one_file_is_told(shop: Path) -> None:
    rows = LATER_DAYS + saved_again(LATER_DAYS.splitlines(keepends=True)[0], ("02;", "2;"))
    said = (
        "warning: 1 of 5 purchases of members came twice, under two keys with the same member, time and lines: "
        "'bakery/02/1/05.11.2026/1' and 'bakery/2/1/05.11.2026/1'. Each key is paid. "
    )
    assert said in run(shop, "check", *export(shop, rows)).out
    done = bring(shop, rows)
    assert (done.code, said in done.out) == (0, True)


def test_events_that_were_sent_again_under_another_id_are_told_and_taken(shop: Path, tmp_path: Path) -> None:
    event = purchase("webhook-1", "2026-11-03T07:00:09Z", "anna", 560)
    first = write_lines(tmp_path / "first.jsonl", [event])
    assert "warning" not in run(shop, "import", str(first), "--no-project").out
    later = write_lines(tmp_path / "later.jsonl", [msgspec.structs.replace(event, event_id="webhook-2")])
    foreseen, done = run(shop, "check", str(later)), run(shop, "import", str(later), "--no-project")
    for ran in (foreseen, done):
        assert (ran.code, "is there as 'pos/webhook-1'" in ran.out) == (0, True)


AT_NINE = purchase("1", "2026-11-03T09:00:00Z", "anna", 560)
AT_12 = purchase("1", "2026-11-03T09:00:12Z", "anna", 560)
AT_13 = purchase("1", "2026-11-03T09:00:13Z", "anna", 560)
TWO_LINES = msgspec.structs.replace(AT_NINE, lines=(PurchaseLine("007", 100), PurchaseLine("1", 200)))
TURNED = msgspec.structs.replace(AT_NINE, lines=(PurchaseLine("1", 200), PurchaseLine("7", 100)))


def found(*given: PurchaseRecorded) -> Found:
    """What is found in one input; each purchase gets a key of its own, in another spelling."""
    purchases = SamePurchases(last_tick=0)
    for number, one in enumerate(given):
        purchases.note(msgspec.structs.replace(one, event_id=f"{'0' * number}7"))
    return purchases.found()


@pytest.mark.parametrize("pair", [(AT_12, AT_12), (AT_NINE, AT_12), (AT_12, AT_NINE), (TWO_LINES, TURNED)])
def test_purchases_that_say_the_same(pair: Sequence[PurchaseRecorded]) -> None:
    assert found(*pair) == Found(2, 2, twice=1, twice_pair=("pos/07", "pos/7"))


@pytest.mark.parametrize(
    "other",
    [
        AT_13,
        msgspec.structs.replace(AT_12, member_id="bert"),
        msgspec.structs.replace(AT_12, currency="CHF"),
        purchase("1", "2026-11-03T09:00:12Z", "anna", 561),
        purchase("1", "2026-11-03T09:01:12Z", "anna", 560),
        msgspec.structs.replace(AT_12, lines=(msgspec.structs.replace(AT_12.lines[0], sku="bun"),)),
        msgspec.structs.replace(AT_12, lines=(msgspec.structs.replace(AT_12.lines[0], quantity_milli=2000),)),
    ],
)
def test_purchases_that_do_not(other: PurchaseRecorded) -> None:
    assert found(AT_12, other) == Found(2, 2)


def test_no_more_are_compared_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_purchases, "MAX_COMPARED", 3)
    (told,) = found(AT_12, AT_12, AT_13, AT_13).warnings()
    assert told.startswith("1 of the first 3 purchases of members came twice")


SPELLINGS = [
    ("02/1/03.11.2026/1", "02/1/03.11.26/1"),
    ("02/1/03.11.2026/1", "2/1/2026-11-03/1"),
    ("02/1/03.11.2026/1", "2/1/11/3/26/1"),
    ("MAIN/2026-11-03 09:00/0017", "main/2026-11-03 9:00/17"),
    ("東京/2026年11月3日/0017", "東京/2026年11月03日/17"),
]
OTHERS = [
    ("02/1/03.11.2026/1", "02/1/03.11.2026/2"),
    ("02/1/03.11.2026/1", "03/1/03.11.2026/1"),
    ("MAIN/17", "SIDE/17"),
    ("17", "170"),
    ("9001", "9002"),
    ("12026", "126"),
]


@pytest.mark.parametrize(("one", "other"), SPELLINGS + OTHERS)
@pytest.mark.parametrize("fact", [AT_NINE, AT_12])
def test_other_numbers_are_other_purchases_where_the_time_has_no_seconds(
    one: str, other: str, fact: PurchaseRecorded
) -> None:
    purchases = SamePurchases(last_tick=0)
    for event_id in (one, other):
        purchases.note(msgspec.structs.replace(fact, event_id=event_id))
    assert purchases.found().twice == ((one, other) in SPELLINGS or fact is AT_12)
