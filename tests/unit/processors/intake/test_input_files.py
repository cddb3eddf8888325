"""Files as they lie about: formats found out, foreign ones refused by name, damage that costs only what is damaged."""

import io
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from processors.intake.formats import FORMATS, Format
from processors.intake.formats.json_lines import Line, text_lines
from processors.intake.input_files import open_input
from processors.intake.input_records import MAX_KEPT_BYTES, InputRefused
from schemas.avro.contracts import load_schema
from schemas.bounds import MAX_EVENT_BYTES
from schemas.facts import PurchaseRecorded
from tests.support.fact_samples import AT_MS, CHECK_IN, HEADER, PURCHASE, facts, json_of, mapping, read_file

ROW = "o-1,m-1,2026-11-11 12:11:11,espresso,3.50\n"
WHEN = datetime(2026, 11, 11, 12, 11, 11)  # noqa: DTZ001 - a wall clock without a zone is what is tested


def parquet(path: Path, how: Any = None, **columns: Any) -> list[Any]:
    """The records of a Parquet file with these columns."""
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return list(open_input(path, mapping=how).records())


def avro(records: list[dict[str, Any]], schema: Any, codec: str = "null") -> bytes:
    """An Avro container, each record a block of its own."""
    content = io.BytesIO()
    fastavro.writer(content, fastavro.parse_schema(schema), records, codec=codec, sync_interval=1)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n", [Line(1, b"", 0)]),
        (b"a\r\nb", [Line(1, b"a", 1), Line(2, b"b", 1)]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbf\n", [Line(1, b"a", 1), Line(2, b"", 0)]),
        (b"a\r", [Line(1, b"a", 1)]),
        (b"a\rb\n", [Line(1, b"a\rb", 3)]),
    ],
)
def test_lines_end_as_people_end_them(content: bytes, expected: list[Line]) -> None:
    assert list(text_lines(io.BytesIO(content))) == expected


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("over", [0, 1, 2, 3, 4, 5, 6, 7, 3_000_000])
def test_a_line_is_cut_where_it_is_larger_than_an_event(end: bytes, over: int) -> None:
    size = MAX_EVENT_BYTES + over
    first, second = text_lines(io.BytesIO(b"x" * size + end + b"y" + end))
    assert (first.number, first.size) == (1, size)
    assert len(first.content) == (size if over == 0 else MAX_KEPT_BYTES)
    assert second == Line(2, b"y", 1)


def test_json_lines_count_records_and_lines(tmp_path: Path) -> None:
    content = b"\n" + json_of(CHECK_IN) + b"\r\n  \n{}\n\n" + json_of(CHECK_IN)
    reads = read_file(tmp_path / "a.jsonl", content)
    assert [(read.record, read.at_line, read.fact is not None) for read in reads] == [
        (1, 2, True),
        (2, 4, False),
        (3, 6, True),
    ]
    assert [read.raw for read in reads] == [b"", b"{}", b""]


@pytest.mark.parametrize(
    ("name", "content", "how", "expected"),
    [
        ("a.jsonl", json_of(CHECK_IN), None, "json-lines"),
        ("a.txt", json_of(CHECK_IN), None, "json-lines"),
        ("a", b"\xef\xbb\xbf\n" + json_of(CHECK_IN), None, "json-lines"),
        ("a.json", json_of(CHECK_IN), None, "json-lines"),
        ("a.jsonl", b"[1]\n" + json_of(CHECK_IN), None, "json-lines"),
        ("a.csv", HEADER.encode(), mapping(), "csv"),
        ("export", HEADER.encode(), mapping(), "csv"),
        ("a.csv", avro([], load_schema("CheckedIn")), None, "avro"),
        ("a.avro", b"", None, "avro"),
        ("a.parquet", b"", None, "parquet"),
        ("a.csv", b"", None, "csv"),
        ("a", b"", None, "json-lines"),
    ],
)
def test_a_format_is_found_out_by_content_then_by_name(
    tmp_path: Path, name: str, content: bytes, how: Any, expected: Format
) -> None:
    (tmp_path / name).write_bytes(content)
    opened = open_input(tmp_path / name, mapping=how)
    assert (opened.format, opened.name, opened.size) == (expected, name, len(content))
    list(opened.records())


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "stdin"])
@pytest.mark.parametrize(
    "content",
    [b"[\n{}\n]\n", b'{\n  "type": "CheckedIn"\n}\n', b'[{"a": 1},\n{"a": 2}]\n', b"\x1f\x8b\x08 and so on"],
)
def test_a_document_over_lines_and_a_packed_file_are_refused_whole(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputRefused, match=r"one JSON document|packed by gzip") as refused:
        open_input(tmp_path / name, shown=f"dir/{name}", otherwise="json-lines")
    assert refused.value.file == f"dir/{name}"


def test_what_says_nothing_of_its_own_is_what_the_caller_says(tmp_path: Path) -> None:
    (tmp_path / "stdin").write_bytes(b"?")
    assert open_input(tmp_path / "stdin", otherwise="json-lines").format == "json-lines"
    (tmp_path / "stdin").write_text(HEADER)
    assert open_input(tmp_path / "stdin", mapping=mapping(), otherwise="json-lines").format == "csv"
    (tmp_path / "stdin").write_bytes(json_of(CHECK_IN))
    assert open_input(tmp_path / "stdin", mapping=mapping(), otherwise="json-lines").format == "json-lines"


@pytest.mark.parametrize("said", FORMATS)
def test_a_format_that_is_said_is_not_guessed(tmp_path: Path, said: Format) -> None:
    (tmp_path / "a.dat").write_bytes(b"BZh91AY&SY and so on\n")
    if said in {"avro", "parquet"}:
        with pytest.raises(InputRefused, match=f"no {said} file"):
            open_input(tmp_path / "a.dat", said)
    elif said == "csv":
        with pytest.raises(InputRefused, match="no column 'order'"):
            open_input(tmp_path / "a.dat", said, mapping())
    else:
        (read,) = open_input(tmp_path / "a.dat", said).records()
        assert read.refusal is not None
        assert read.refusal.reason == "malformed"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="a folder"):
        open_input(tmp_path)
    with pytest.raises(InputRefused, match="no such file"):
        open_input(tmp_path / "missing.jsonl")
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(InputRefused, match="no regular file"):
        open_input(tmp_path / "pipe.jsonl")


def test_identity_is_the_content_and_how_it_is_mapped(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(HEADER + ROW)
    plain = open_input(tmp_path / "a.csv", mapping=mapping())
    assert plain.sha256 == open_input(tmp_path / "b.csv", mapping=mapping()).sha256
    assert plain.sha256 != open_input(tmp_path / "a.csv", mapping=mapping(timezone="UTC")).sha256
    (tmp_path / "b.csv").write_text(HEADER + ROW + ROW)
    assert plain.sha256 != open_input(tmp_path / "b.csv", mapping=mapping()).sha256
    (tmp_path / "c.jsonl").write_bytes(json_of(CHECK_IN))
    assert len(open_input(tmp_path / "c.jsonl", mapping=mapping()).sha256) == 64
    assert open_input(tmp_path / "c.jsonl").sha256 == open_input(tmp_path / "c.jsonl", mapping=mapping()).sha256


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(json_of(CHECK_IN) + b"\n")
    opened = open_input(path, name="orders of today")
    reading = opened.records()
    next(reading)
    with path.open("ab") as stream:
        stream.write(json_of(CHECK_IN))
    with pytest.raises(InputRefused, match="orders of today: the file was changed"):
        list(reading)
    with pytest.raises(InputRefused, match="was changed"):
        next(opened.records())


def test_parquet_groups_may_be_scattered(tmp_path: Path) -> None:
    reads = parquet(
        tmp_path / "a.parquet",
        mapping(),
        order=[7, 5, 7, None, 5, None, 7],
        member=[1.0, None, 1.0, 2.0, None, 2.0, 1.0],
        time=[WHEN] * 7,
        sku=["a", "b", "c", "d", "e", "f", "g"],
        paid=[1.43, 0.1, 2.0, 1.0, 0.29, 1.0, 19.99],
    )
    seven, five = reads[0].fact, reads[1].fact
    assert isinstance(seven, PurchaseRecorded)
    assert isinstance(five, PurchaseRecorded)
    assert (seven.order_id, seven.member_id, seven.occurred_at) == ("7", "1", AT_MS)
    assert [(line.sku, line.amount_minor) for line in seven.lines] == [("a", 143), ("c", 200), ("g", 1999)]
    assert (five.order_id, five.member_id) == ("5", None)
    assert [(line.sku, line.amount_minor) for line in five.lines] == [("b", 10), ("e", 29)]
    assert [(read.record, read.at_line) for read in reads] == [(1, 1), (2, 2), (4, 4), (6, 6)]
    for read in reads[2:]:
        assert read.refusal is not None
        assert (read.refusal.reason, read.refusal.field) == ("missing_field", "event_id")


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (pa.array([WHEN], pa.timestamp("ns")), AT_MS),
        (pa.array([WHEN.replace(hour=11)], pa.timestamp("us", tz="UTC")), AT_MS),
        (pa.array([WHEN.replace(hour=11, tzinfo=UTC)], pa.timestamp("s", tz="America/New_York")), AT_MS),
        (pa.array([AT_MS]), AT_MS),
        (pa.array(["2026-11-11T11:11:11Z"]), AT_MS),
        (pa.array(["2026-11-11 12:11:11"]).dictionary_encode(), AT_MS),
        (pa.array([date(2026, 11, 12)]), AT_MS + 42_529_000),
        (pa.array([1.5]), None),
    ],
    ids=str,
)
def test_parquet_times_of_any_unit_are_instants(tmp_path: Path, time: Any, expected: int | None) -> None:
    columns = {"order": ["o"], "member": ["m"], "time": time, "sku": ["a"], "paid": pa.array([Decimal("1.43")])}
    (read,) = parquet(tmp_path / "a.parquet", mapping(), **columns)
    if expected is None:
        assert read.refusal.reason == "invalid_time"
    else:
        assert (read.fact.occurred_at, read.fact.lines[0].amount_minor) == (expected, 143)


def test_parquet_rows_are_kept_where_refused(tmp_path: Path) -> None:
    columns: dict[str, Any] = {
        "member": ["m"] * 3,
        "time": [WHEN] * 3,
        "sku": ["a", "b", "c"],
        "paid": [1.0, 0.005, 2.0],
    }
    reads = parquet(tmp_path / "a.parquet", mapping(), order=["1", "2", "3"], **columns)
    assert [read.fact is None for read in reads] == [False, True, False]
    assert reads[1].refusal.field == "lines[0].amount_minor"
    assert b'"paid":0.005' in reads[1].raw
    assert b'"sku":"a"' not in reads[1].raw


def test_parquet_may_hold_facts_as_they_are(tmp_path: Path) -> None:
    columns = {name: [PURCHASE[name]] * 2 for name in PURCHASE if name not in {"occurred_at", "lines", "member_id"}}
    columns["occurred_at"] = pa.array([AT_MS] * 2, pa.timestamp("ms", tz="UTC"))
    columns["lines"] = pa.array([PURCHASE["lines"] * 2, [{"sku": None, "amount_minor": 1}]])
    columns["attributes"] = pa.array([[("a", "b")], None], pa.map_(pa.string(), pa.string()))
    columns["member_id"] = [None, "m-1"]
    good, bad = parquet(tmp_path / "a.parquet", **columns)
    assert (good.fact.member_id, good.fact.attributes, len(good.fact.lines)) == (None, {"a": "b"}, 2)
    assert (bad.refusal.reason, bad.refusal.field) == ("missing_field", "lines[0].sku")
    with pytest.raises(InputRefused, match="no column 'type'"):
        parquet(tmp_path / "b.parquet", **{name: columns[name] for name in columns if name != "type"})


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_avro_containers_hold_facts(tmp_path: Path, codec: str) -> None:
    record = PURCHASE | {"occurred_at": AT_MS}
    content = avro([record, record | {"event_id": "e-9", "member_id": None}], load_schema("PurchaseRecorded"), codec)
    first, second = facts(read_file(tmp_path / "a.avro", content))
    assert isinstance(second, PurchaseRecorded)
    assert (first.event_id, second.event_id, second.member_id) == ("e-1", "e-9", None)
    assert first.occurred_at == AT_MS


def test_a_damaged_avro_block_keeps_its_place(tmp_path: Path) -> None:
    content = avro(
        [PURCHASE | {"occurred_at": AT_MS, "event_id": f"e-{n}"} for n in range(9)], load_schema("PurchaseRecorded")
    )
    at = content.index(b"e-5")
    *good, damaged = read_file(tmp_path / "a.avro", content[: at - 4] + b"\xff" * 24 + content[at + 20 :])
    assert [read.fact.event_id for read in good if read.fact] == ["e-0", "e-1", "e-2", "e-3", "e-4"]
    assert damaged.refusal is not None
    assert (damaged.refusal.reason, damaged.record) == ("damaged", 6)
    offset = int(damaged.headers["offset"])
    assert content.index(b"e-4") < offset < at
    assert damaged.raw == (tmp_path / "a.avro").read_bytes()[offset:]
