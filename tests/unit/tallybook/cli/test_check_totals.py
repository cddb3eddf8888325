"""What `check` adds up, to be compared with a shop's own books, and what it and `import` warn of."""

from pathlib import Path

import pytest

from tallybook.folder.folder import Folder
from tests.support.command_line import run
from tests.support.small_folder import OPENED_AT

RULES = """\
programme: corner-shop
version: "1"
timezone: Europe/Berlin
currency: EUR
rules:
  - {id: base, kind: spend, points: 1, per_minor: 100}
  - {id: happy-hour, kind: multiplier, factor: 2, active: {hours: {from: "17:00", until: "19:00"}}}
  - {id: early-visit, kind: streak, daily: 1, active: {hours: {from: "06:00", until: "08:00"}}}
"""
WITHOUT_HOURS = "\n".join(line for line in RULES.splitlines() if "hours" not in line)
MAPPING = """\
type: PurchaseRecorded
source: till
timezone: {timezone}
fields: {{event_id: Bon, order_id: Bon, occurred_at: {when}, member_id: Kunde, currency: W}}
lines: {{sku: Artikel, amount_minor: Betrag}}
scale: {{amount_minor: currency}}
group_by: Bon
"""
HEADER = "Bon,Tag,Zeit,Kunde,Artikel,Betrag,W\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return made(tmp_path / "shop", RULES)


def made(root: Path, rules: str) -> Path:
    folder = Folder(root)
    folder.create("corner-shop", 2, 400, OPENED_AT)
    (folder.rulesets / "corner-shop").mkdir()
    (folder.rulesets / "corner-shop" / "1.yaml").write_text(rules, encoding="utf-8")
    return root


def export(shop: Path, rows: str, when: str = "Tag", timezone: str = "Europe/Berlin") -> list[str]:
    """The arguments for a file of these rows and its mapping."""
    (shop / "till.csv").write_text(HEADER + rows, encoding="utf-8")
    (shop / "m.yaml").write_text(MAPPING.format(when=when, timezone=timezone), encoding="utf-8")
    return [str(shop / "till.csv"), "--mapping", str(shop / "m.yaml")]


def warnings(shop: Path, command: str, arguments: list[str]) -> list[str]:
    without_tables = ("--no-project",) if command == "import" else ()
    ran = run(shop, command, *arguments, *without_tables)
    assert ran.code == 0, ran.err
    return [line.removeprefix("warning: ") for line in ran.out.splitlines() if line.startswith("warning: ")]


THREE = """\
1,2026-11-02,18:00,anna,tea,10.00,EUR
1,2026-11-02,18:00,anna,bun,2.50,EUR
2,2026-11-03,09:30,,tea,5.00,EUR
3,2026-11-04,12:15,ben,tea,700,JPY
"""


def test_check_adds_up_what_would_be_taken_in(shop: Path) -> None:
    ran = run(shop, "check", *export(shop, THREE, when="[Tag, Zeit]"))
    assert ran.out.splitlines()[:3] == [
        "all 3 records would be taken in",
        "2 orders of 17.50 EUR in 3 lines, 1 order of 700 JPY in 1 line",
        "by 2 members and 1 guest order, from 2026-11-02 18:00:00 to 2026-11-04 12:15:00 (Europe/Berlin)",
    ]


def test_the_totals_are_there_as_json(shop: Path) -> None:
    totals = run(shop, "check", *export(shop, THREE, when="[Tag, Zeit]"), "--json").json()["totals"]
    assert totals == {
        "orders": 3,
        "guest_orders": 1,
        "other_events": 0,
        "members": 2,
        "amounts": [
            {"currency": "EUR", "orders": 2, "lines": 3, "amount_minor": 1750},
            {"currency": "JPY", "orders": 1, "lines": 1, "amount_minor": 700},
        ],
        "first_at": "2026-11-02T17:00:00Z",
        "last_at": "2026-11-04T11:15:00Z",
    }


def test_what_came_before_is_not_added_up_again(shop: Path) -> None:
    arguments = export(shop, THREE, when="[Tag, Zeit]")
    assert run(shop, "import", *arguments).code == 0
    more = "4,2026-11-05,10:00,ben,tea,1.00,EUR\n"
    ran = run(shop, "check", *export(shop, THREE + more, when="[Tag, Zeit]"))
    assert "1 order of 1.00 EUR in 1 line" in ran.out.splitlines()
    assert run(shop, "check", *arguments).code == 0


def test_what_came_before_is_told_apart_from_what_is_new(shop: Path) -> None:
    assert run(shop, "import", *export(shop, THREE, when="[Tag, Zeit]")).code == 0
    changed = THREE.replace("2.50", "2.60") + "4,2026-11-05,10:00,ben,tea,1.00,EUR\n5,2026-11-05,10:00,ben,tea,x,EUR\n"
    ran = run(shop, "check", *export(shop, changed, when="[Tag, Zeit]"))
    told = "1 of 5 records would be taken in as new; the others: 2 came before unchanged, 1 in conflict, 1 refused"
    assert told in ran.out.splitlines()


def test_one_record_is_not_many(shop: Path) -> None:
    ran = run(shop, "check", *export(shop, "1,2026-11-02,18:00,anna,tea,10.00,EUR\n", when="[Tag, Zeit]"))
    assert ran.out.splitlines()[0] == "1 record would be taken in"
    ran = run(shop, "check", *export(shop, "1\n", when="[Tag, Zeit]"))
    assert ran.out.splitlines()[0] == "1 of 1 record would be refused"
    assert "line 2 has 1 cell where the header has 7" in " ".join(ran.out.split())


def test_a_refused_order_is_not_added_up(shop: Path) -> None:
    ran = run(shop, "check", *export(shop, THREE + "1,2026-11-02,18:00,anna,cup,x,EUR\n", when="[Tag, Zeit]"))
    assert ran.code == 4
    assert "1 order of 5.00 EUR in 1 line, 1 order of 700 JPY in 1 line" in ran.out.splitlines()


@pytest.mark.parametrize("command", ["check", "import"])
def test_dates_alone_are_told_where_rules_ask_for_hours(shop: Path, command: str) -> None:
    (told,) = warnings(shop, command, export(shop, THREE.replace("700,JPY", "7.00,EUR")))
    assert told == (
        f"{shop / 'till.csv'}: 3 of 3 events have a date without a time of day, so they count as made at midnight. "
        "Rules that ask for hours cannot pay them rightly: happy-hour. Map the column with the time of day as well, "
        "occurred_at: [Tag, TIME COLUMN]; if the file has none, export it with one"
    )


def test_it_is_midnight_where_the_file_comes_from(shop: Path) -> None:
    arguments = export(shop, "1,2026-11-02,,anna,tea,10.00,EUR\n", timezone="Asia/Kathmandu")
    assert "happy-hour" in warnings(shop, "check", arguments)[0]


def test_times_of_day_are_not_told(shop: Path) -> None:
    rows = THREE.replace("700,JPY", "7.00,EUR")
    assert warnings(shop, "check", export(shop, rows, when="[Tag, Zeit]")) == []
    at_midnight = "".join(f"{n},2026-11-02,{'00:00' if n == 20 else '09:10'},anna,tea,1.00,EUR\n" for n in range(1, 21))
    assert warnings(shop, "check", export(shop, at_midnight, when="[Tag, Zeit]")) == [], "one sale at midnight"


def test_dates_alone_are_right_where_no_rule_asks_for_hours(tmp_path: Path) -> None:
    shop = made(tmp_path / "plain", WITHOUT_HOURS)
    assert warnings(shop, "check", export(shop, THREE.replace("700,JPY", "7.00,EUR"))) == []


@pytest.mark.parametrize("command", ["check", "import"])
def test_a_file_without_an_order_in_the_programmes_currency(shop: Path, command: str) -> None:
    rows = THREE.replace("EUR", "USD").replace("700,JPY", "7.00,USD")
    (told,) = warnings(shop, command, export(shop, rows, when="[Tag, Zeit]"))
    assert told.startswith(
        "none of the 3 orders is in EUR, the currency for which the rules pay: 3 in USD. Nothing will be paid for them."
    )


def test_an_only_order_in_another_currency_is_told_not_to_be_paid(shop: Path) -> None:
    (told,) = warnings(shop, "check", export(shop, "1,2026-11-02,18:00,anna,tea,10.00,USD\n", when="[Tag, Zeit]"))
    assert told.startswith("the only order is not in EUR, the currency for which the rules pay: 1 in USD.")


@pytest.mark.parametrize("command", ["check", "import"])
def test_orders_in_other_currencies_are_counted(shop: Path, command: str) -> None:
    (told,) = warnings(shop, command, export(shop, THREE, when="[Tag, Zeit]"))
    assert told == ("1 of 3 orders is in a currency for which the rules pay nothing: 1 in JPY; they pay for EUR alone")


def test_nothing_is_told_of_rules_where_there_are_none(tmp_path: Path) -> None:
    assert warnings(tmp_path, "check", export(tmp_path, THREE)) == []


@pytest.mark.parametrize("command", ["check", "import"])
def test_rows_above_the_header_are_told(shop: Path, command: str) -> None:
    arguments = export(shop, THREE, when="[Tag, Zeit]")
    titled = "Laden M1\nZeitraum,2026-11\n\n" + (shop / "till.csv").read_text("utf-8")
    (shop / "till.csv").write_text(titled, encoding="utf-8")
    ran = run(shop, command, *arguments)
    assert ran.code == 0
    assert "2 rows left out above the header, which is in line 4" in (ran.out + ran.err).splitlines()
