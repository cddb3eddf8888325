"""From an export to a balance, as somebody does it who has never seen a mapping: suggest, import, ask for a balance.

The samples in tests/samples are invented, with the columns and quirks of the real exports. A point is paid for each
whole unit of the currency.
"""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processors.intake.presets.preset import preset_names
from tallybook.folder.folder import Folder
from tests.support.command_line import run
from tests.support.small_folder import OPENED_AT

RULES = """\
programme: corner-shop
version: "1"
timezone: UTC
currency: {currency}
rules:
  - {{id: base, kind: spend, points: 1, per_minor: 100}}
"""


class Export(NamedTuple):
    """What a sample is worth to its members, and which of its rows are left out."""

    currency: str
    balances: dict[str, int]
    left_out: str = ""


EXPORTS = {
    # 2 mugs of 20.00 and a tee of 20.00; then 2 mugs, 5.00 off the order; a sticker for a guest; an order of two rows
    # that is not paid yet.
    "shopify": Export("USD", {"c-17@shop.example": 60, "c-18@shop.example": 35}, "pending"),
    # 4.50 + 5.40; 1,000.00; the refund of 4.50 is not taken.
    "square": Export("USD", {"CUST1": 9, "CUST2": 1000}, "Refund"),
    # 21.85 + 4.15 tax, and 11.76 + 2.24; customer 0 is a guest; one order was cancelled.
    "woocommerce": Export("EUR", {"31": 40}, "cancelled"),
    # A chair for 70.00 and 7.00 off; a desk for 120.00.
    "odoo-pos": Export("EUR", {"41": 63, "42": 120}),
    # A sale of 55.00, told by the row of the sale, not by those of its products; one of 15.00 without a customer.
    "lightspeed": Export("EUR", {"ANNA-7K": 55}, "Payment"),
    # 38.00; 1299.00; the refund and the totals are not taken.
    "wechat-pay": Export("CNY", {"oEXAMPLE_anna_0001": 38, "oEXAMPLE_bo_000002": 1299}, "REFUND"),
    # 598.00; 88.50 without postage; one order waits for its payment, one is closed.
    "taobao": Export("CNY", {"茶友安娜": 598, "阿波的店": 88}, "交易关闭"),
    # 76.00 and 18.80, each without 6.00 postage.
    "youzan": Export("CNY", {"13900000001": 70, "13900000002": 12}, "待付款"),
}


def write_parquet(file: Path, rows: list[dict[str, Any]]) -> None:
    """A Parquet file of these rows."""
    pq.write_table(pa.Table.from_pylist(rows), file)


@pytest.fixture
def sample(repository: Path) -> Path:
    return repository / "tests" / "samples"


def books_in(root: Path, currency: str) -> Path:
    """A folder of a programme that pays in this currency."""
    folder = Folder(root)
    folder.create("corner-shop", 1, 90, OPENED_AT)
    (folder.rulesets / "corner-shop").mkdir()
    (folder.rulesets / "corner-shop" / "1.yaml").write_text(RULES.format(currency=currency), encoding="utf-8")
    return root


def test_every_preset_has_a_sample_here() -> None:
    assert sorted(EXPORTS) == list(preset_names())


def test_a_mapping_by_a_preset_s_name_alone(sample: Path, tmp_path: Path) -> None:
    checked = run(tmp_path, "check", str(sample / "shopify.csv"), "--mapping", "preset:shopify", "--json")
    assert checked.json()["refused"] == 0


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ("preset:shopfy", "is shopify meant?"),
        ("preset:square", "constants: {currency: USD}"),
        ("no-such.yaml", "preset:shopify"),
    ],
)
def test_a_mapping_that_is_not_there_is_told_what_there_is(
    mapping: str, told: str, sample: Path, tmp_path: Path
) -> None:
    for command in ("check", "import"):
        books = books_in(tmp_path / command, "USD")
        refused = run(books, command, str(sample / "square.csv"), "--mapping", mapping)
        assert refused.code == 3
        assert told in " ".join(refused.err.split())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"type": "CheckedIn"}\n', "no CSV file but JSON, to which mappings do not apply"),
        (b'\xef\xbb\xbf[{"id": 1}]', "docs/publishers.md"),
        (b"Obj\x01", "no CSV file but Avro"),
        (b"PK\x03\x04", "Save an Excel workbook as CSV UTF-8"),
        (b"PAR1", "this Parquet file cannot be read"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / "orders"
    file.write_bytes(content)
    refused = run(tmp_path, "mapping", "suggest", str(file))
    assert refused.code == 3
    assert told in " ".join(refused.err.split())
    assert "such file" in run(tmp_path, "mapping", "suggest", str(tmp_path / "none.csv")).err


def test_a_parquet_file_is_suggested_a_mapping_and_imported(tmp_path: Path) -> None:
    books, file, mapping = books_in(tmp_path / "shop", "USD"), tmp_path / "sales.parquet", tmp_path / "mapping.yaml"
    sold_at = datetime(2026, 5, 4, 9, 5, 0, 123_456, UTC)
    rows = [
        {"Order #": 1, "Sold At": sold_at, "Cust No": 10001, "Customer": "Maria Smith", "SKU": "TEE", "Qty": 2,
         "Unit Price": Decimal("20.00"), "Status": "Complete", "Tags": ["new"]},
        {"Order #": 2, "Sold At": sold_at, "Cust No": None, "Customer": "Bob", "SKU": "MUG", "Qty": 1,
         "Unit Price": Decimal("12.50"), "Status": "Cancelled", "Tags": []},
    ]  # fmt: skip
    write_parquet(file, rows)
    suggested = run(books, "mapping", "suggest", str(file))
    assert '#   "type": "PurchaseRecorded",' in suggested.out
    assert "would be refused" not in suggested.out
    mapping.write_text(suggested.out, encoding="utf-8")
    imported = run(books, "import", str(file), "--mapping", str(mapping))
    assert imported.code == 0, imported.err
    assert run(books, "balance", "10001", "--json").json()["balance"] == 40


def test_a_parquet_file_in_tallybook_s_own_form_needs_no_mapping(tmp_path: Path) -> None:
    file = tmp_path / "events.parquet"
    write_parquet(file, [{"type": "CheckedIn", "event_id": "1", "occurred_at": "2026-05-04T09:00:00Z"}])
    assert "it needs no mapping" in " ".join(run(tmp_path, "mapping", "suggest", str(file)).err.split())


@pytest.mark.long
@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_suggested_its_preset_and_imported(name: str, sample: Path, tmp_path: Path) -> None:
    export = EXPORTS[name]
    books = books_in(tmp_path / "shop", export.currency)
    file, mapping = sample / f"{name}.csv", tmp_path / "mapping.yaml"

    suggested = run(books, "mapping", "suggest", str(file))
    assert f"\npreset: {name}" in suggested.out
    assert '#   "type": "PurchaseRecorded",' in suggested.out
    assert "would be refused" not in suggested.out
    assert export.left_out in suggested.out
    mapping.write_text(suggested.out, encoding="utf-8")

    imported = run(books, "import", str(file), "--mapping", str(mapping))
    assert imported.code == 0, imported.err
    assert export.left_out in imported.out + imported.err

    balances = {member: run(books, "balance", member, "--json").json()["balance"] for member in export.balances}
    assert balances == export.balances
