"""The ways in which systems write one history of orders: marks, encodings, guards, dates, layouts, other formats."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import fastavro
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.avro.contracts import schema_json
from tests.exports.history import CURRENCY, SOURCE, Line, Order

Cells = list[str]
BERLIN: Final = ZoneInfo("Europe/Berlin")
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
NEW_YORK: Final = timezone(timedelta(hours=-5))

FIELDS: Final = {
    "event_id": "receipt",
    "order_id": "receipt",
    "occurred_at": "time",
    "member_id": "card",
    "store_id": "branch",
}
LINES: Final = {"sku": "article", "category": "group", "quantity_milli": "pieces", "amount_minor": "paid"}


def local(at: int, zone: Any = UTC) -> datetime:
    """An instant as the clocks of a zone show it."""
    return datetime.fromtimestamp(at / 1000, zone)


def amount(minor: int, *, mark: str = ".", thousands: str = "") -> str:
    """An amount of minor units as people write it."""
    text = f"{minor // 100:,}".replace(",", thousands)
    return f"{text}{mark}{minor % 100:02}"


@dataclass(frozen=True)
class Dialect:
    """One way to write orders. `rows` are those of an order, `document` a whole file of such rows.

    `settings` are those of the mapping; None for a format that names its own fields. `extra` are rows of no order,
    which the mapping leaves out. Each row is whatever `document` writes.
    """

    name: str
    rows: Callable[[Order], list[Any]]
    document: Callable[[Sequence[Any]], bytes]
    suffix: str = ".csv"
    settings: dict[str, Any] | None = None
    extra: tuple[Any, ...] = ()


# ------------------------------------------------------------------------------------------------ CSV


@dataclass(frozen=True)
class Csv:
    """How a dialect of CSV looks; what is not said is as in the plainest."""

    time: Callable[[int], str] = lambda at: f"{local(at):%Y-%m-%dT%H:%M:%S}Z"
    money: Callable[[int], str] = amount
    delimiter: str = ","
    encoding: str = "utf-8"
    newline: str = "\n"
    quoting: Any = csv.QUOTE_MINIMAL
    guard: Callable[[str], str] = str
    guard_all: Callable[[str], str] = str
    nothing: str = ""
    blank_below: bool = False
    clock: Callable[[int], str] | None = None
    apart: bool = False
    computed: str = ""
    names: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    footer: tuple[Cells, ...] = ()
    kinds: bool = False


def csv_dialect(name: str, look: Csv) -> Dialect:
    """A dialect of CSV."""
    header = ["receipt", "time", "card", "branch", "article", "group", "pieces", "paid"]
    if look.clock:
        header.append("clock")
    if look.apart:
        header += ["till", "number"]
    if look.computed:
        header += ["each", "off"]
    if look.kinds:
        header.append("kind")
    renamed = [look.names.get(column, column) for column in header]

    def rows(order: Order) -> list[Cells]:
        return [_cells(order, line, look, is_first=at == 0) for at, line in enumerate(order.lines)]

    def document(chosen: Sequence[Cells]) -> bytes:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=look.delimiter, quoting=look.quoting, lineterminator=look.newline)
        writer.writerow(renamed)
        writer.writerows(chosen)
        for cells in look.footer:
            out.write(look.delimiter.join(cells) + look.newline)
        return out.getvalue().encode(look.encoding)

    extra: tuple[Cells, ...] = ()
    if look.kinds:
        refund = ["r-1", look.time(1_793_600_000_000), "anna", "s1", "Latte", "coffee", "1", "2.50", "Refund"]
        extra = (refund, [*refund[:-1], "Void"])
    return Dialect(name, rows, document, settings=_settings(look), extra=extra)


def _cells(order: Order, line: Line, look: Csv, *, is_first: bool) -> Cells:
    heads = is_first or not look.blank_below
    paid = line.pieces * line.price_minor
    off = 7 if look.computed else 0
    cells = [
        look.guard(order.key),
        look.time(order.at) if heads else look.nothing,
        (look.guard(order.member) if order.member else look.nothing) if heads else look.nothing,
        order.store if heads else look.nothing,
        line.product,
        line.category,
        str(line.pieces),
        look.money(paid),
    ]
    if look.clock:
        cells.append(look.clock(order.at))
    if look.apart:
        cells += [order.till, look.guard(str(order.number))]
    if look.computed:
        price = line.price_minor if look.computed == "times" else 0
        cells += [look.money(price), look.money(0 if look.computed == "times" else off)]
        if look.computed == "of":
            cells[7] = look.money(paid + off)
    if look.kinds:
        cells.append("Payment")
    return [look.guard_all(cell) for cell in cells]


def _settings(look: Csv) -> dict[str, Any]:
    fields: dict[str, Any] = dict(FIELDS)
    lines: dict[str, Any] = dict(LINES)
    group: Any = "receipt"
    if look.clock:
        fields["occurred_at"] = ["time", "clock"]
    if look.apart:
        group = ["branch", "till", "number"]
        fields |= {"event_id": group, "order_id": group}
    if look.computed == "times":
        lines["amount_minor"] = {"times": ["pieces", "each"], "minus": ["off"]}
    elif look.computed == "of":
        lines["amount_minor"] = {"of": "paid", "minus": ["off"]}
    settings: dict[str, Any] = {
        "type": "PurchaseRecorded",
        "source": SOURCE,
        "fields": fields,
        "constants": {"currency": CURRENCY},
        "lines": lines,
        "scale": {"amount_minor": "currency", "quantity_milli": 1000},
        "group_by": group,
        "delimiter": look.delimiter,
        **({"fill": True} if look.blank_below else {}),
        **({"leave_out": {"kind": ["Refund", "Void"]}} if look.kinds else {}),
        **look.settings,
    }
    renamed: dict[str, Any] = json.loads(json.dumps(settings)) if not look.names else _renamed(settings, look.names)
    return renamed


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """Settings with other names of columns."""
    if isinstance(value, dict):
        return {key: _renamed(inner, names) if key not in {"type", "source"} else inner for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, names) for inner in value]
    return names.get(value, value) if isinstance(value, str) else value


# ------------------------------------------------------------------------------------------------ other formats


def _lines(documents: Sequence[bytes]) -> bytes:
    return b"".join(document + b"\n" for document in documents)


def _json(order: Order) -> list[bytes]:
    return [msgspec.json.encode(order.fact())]


def _loose_json(order: Order) -> list[bytes]:
    """JSON as other serializers write it: nulls, other order, numbers with a point or as text, letters escaped."""
    document = {"referrer_id": None, "tender": None, **msgspec.to_builtins(order.fact())}
    for line in document["lines"]:
        line["amount_minor"] = float(line["amount_minor"])
        line["quantity_milli"] = str(line.get("quantity_milli", 1000))
    document["occurred_at"] = f"{local(order.at):%Y-%m-%d %H:%M:%S}+00:00".replace(" ", "T")
    return [json.dumps(dict(sorted(document.items()))).encode()]


def _cloud_event(order: Order) -> list[bytes]:
    data = msgspec.to_builtins(order.fact())
    envelope = {
        "specversion": "1.0",
        "id": data.pop("event_id"),
        "source": data.pop("source"),
        "type": data.pop("type"),
    }
    return [json.dumps({**envelope, "data": data}, ensure_ascii=False).encode()]


def _avro(facts: Sequence[Any]) -> bytes:
    out = io.BytesIO()
    schema = fastavro.parse_schema(json.loads(schema_json("PurchaseRecorded")))
    fastavro.writer(out, schema, [without_tag(fact) for fact in facts])
    return out.getvalue()


def without_tag(fact: Any) -> dict[str, Any]:
    """A fact as a record of Avro."""
    record = msgspec.to_builtins(fact)
    record.pop("type", None)
    return dict(record)


def _parquet_rows(order: Order) -> list[dict[str, Any]]:
    return [
        {
            "receipt": order.key,
            "time": local(order.at),
            "card": order.member,
            "branch": order.store,
            "article": line.product,
            "group": line.category,
            "pieces": line.pieces,
            "paid": Decimal(line.pieces * line.price_minor).scaleb(-2),
        }
        for line in order.lines
    ]


def _parquet(rows: Sequence[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    columns = {
        "receipt": pa.string(), "time": pa.timestamp("us", tz="UTC"), "card": pa.string(), "branch": pa.string(),
        "article": pa.string(), "group": pa.dictionary(pa.int32(), pa.string()), "pieces": pa.int64(),
        "paid": pa.decimal128(18, 2),
    }  # fmt: skip
    pq.write_table(pa.Table.from_pylist(list(rows), schema=pa.schema(columns)), out)
    return out.getvalue()


# ------------------------------------------------------------------------------------------------ all of them

_CHINESE: Final = {
    "receipt": "小票号", "time": "付款时间", "card": "会员号", "branch": "门店", "article": "商品名称", "group": "类别",
    "pieces": "数量", "paid": "实付金额",
}  # fmt: skip
_BERLIN: Final = {"timezone": "Europe/Berlin"}

DIALECTS: Final = (
    csv_dialect("plain", Csv()),
    csv_dialect(
        "quoted, semicolons, CRLF, a BOM, local times",
        Csv(
            time=lambda at: f"{local(at, BERLIN):%Y-%m-%d %H:%M}", delimiter=";", quoting=csv.QUOTE_ALL, newline="\r\n",
            encoding="utf-8-sig", settings=_BERLIN,
        ),
    ),
    csv_dialect(
        "tabs, decimal commas, day first",
        Csv(
            time=lambda at: f"{local(at, BERLIN):%d.%m.%Y %H:%M}", delimiter="\t",
            money=lambda minor: amount(minor, mark=",", thousands=".") + " €",
            settings={**_BERLIN, "date_order": "dmy", "decimal": ",", "delimiter": "tab"},
        ),
    ),
    csv_dialect(
        "bars, euro signs, month first",
        Csv(
            time=lambda at: f"{local(at, BERLIN):%m/%d/%Y %H:%M}", delimiter="|",
            money=lambda minor: "€" + amount(minor, thousands=","), settings={**_BERLIN, "date_order": "mdy"},
        ),
    ),
    csv_dialect(
        "date and time apart, two digits of the year",
        Csv(
            time=lambda at: f"{local(at, BERLIN):%m/%d/%y}", clock=lambda at: f"{local(at, BERLIN):%H:%M:%S}",
            settings={**_BERLIN, "date_order": "mdy"},
        ),
    ),
    csv_dialect(
        "Chinese, GB18030",
        Csv(
            time=lambda at: "{0.year}/{0.month}/{0.day} {0.hour}:{0:%M}".format(local(at, SHANGHAI)),
            encoding="gb18030", names=_CHINESE, settings={"timezone": "Asia/Shanghai", "encoding": "gb18030"},
        ),
    ),
    csv_dialect(
        "UTF-16, tabs",
        Csv(delimiter="\t", encoding="utf-16", settings={"encoding": "utf-16", "delimiter": "tab"}),
    ),
    csv_dialect("formula guards", Csv(guard=lambda text: f'="{text}"', quoting=csv.QUOTE_ALL)),
    csv_dialect(
        "backticks and totals",
        Csv(
            guard_all=lambda text: f"`{text}", footer=(["总交易单数", "总额"], ["`3", "`12.00"]),
            settings={"ends_at": ["总交易单数"]},
        ),
    ),
    csv_dialect("apostrophes", Csv(guard=lambda text: f"'{text}", quoting=csv.QUOTE_ALL)),
    csv_dialect("tabs before ids", Csv(guard=lambda text: f"\t{text}")),
    csv_dialect("padded cells", Csv(guard_all=lambda text: f"  {text} ")),
    csv_dialect("blank below the first row", Csv(blank_below=True)),
    csv_dialect("a key of three columns", Csv(apart=True)),
    csv_dialect("pieces times price", Csv(computed="times")),
    csv_dialect("a discount beside", Csv(computed="of")),
    csv_dialect("refunds left out", Csv(kinds=True)),
    csv_dialect("nothing is n/a", Csv(nothing="n/a", settings={"null_values": ["n/a"]})),
    csv_dialect(
        "compact dates",
        Csv(time=lambda at: f"{local(at):%Y%m%d}", clock=lambda at: f"{local(at):%H:%M}", settings={"timezone": "UTC"}),
    ),
    csv_dialect("offsets as PostgreSQL writes them", Csv(time=lambda at: f"{local(at):%Y-%m-%d %H:%M:%S}+00")),
    csv_dialect("offsets as Shopify writes them", Csv(time=lambda at: f"{local(at, NEW_YORK):%Y-%m-%d %H:%M:%S %z}")),
    csv_dialect(
        "years, months and days in Chinese",
        Csv(
            time=lambda at: "{0.year}年{0.month}月{0.day}日 {0:%H:%M}".format(local(at, SHANGHAI)),
            settings={"timezone": "Asia/Shanghai"},
        ),
    ),
    Dialect("JSON lines", _json, _lines, ".jsonl"),
    Dialect("JSON lines of another serializer", _loose_json, _lines, ".jsonl"),
    Dialect("CloudEvents", _cloud_event, _lines, ".jsonl"),
    Dialect("Avro", lambda order: [order.fact()], _avro, ".avro"),
    Dialect("Parquet", _parquet_rows, _parquet, ".parquet", settings=_settings(Csv())),
)  # fmt: skip
