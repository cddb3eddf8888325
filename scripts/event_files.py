"""Writes events as files of every format that the door reads, so that one event can be shown to each of its readers.

A value stands in a file as it is given here: 1250.0 as a number with a point, "1250" as a text, None as null or as a
blank cell.
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

from processors.intake.input_files import open_input
from processors.intake.input_records import Read
from processors.intake.mapping import ColumnMapping, parse_mapping

Event = dict[str, Any]

_AVRO: Final[dict[type, str]] = {str: "string", bool: "boolean", int: "long", float: "double", type(None): "null"}


def json_lines(events: Sequence[Event], folder: Path) -> list[Read]:
    """Read from JSON lines."""
    return _read(folder / "events.jsonl", "".join(f"{json.dumps(event)}\n" for event in events).encode())


def cloud_events(events: Sequence[Event], folder: Path) -> list[Read]:
    """Read from CloudEvents in JSON lines, in which the envelope says kind and source."""
    envelopes = [
        {
            "specversion": "1.0",
            "id": "envelope",
            "type": f"com.example.{event['type']}",
            "source": event["source"],
            "data": {name: value for name, value in event.items() if name not in {"type", "source"}},
        }
        for event in events
    ]
    return _read(folder / "envelopes.jsonl", "".join(f"{json.dumps(one)}\n" for one in envelopes).encode())


def csv_rows(events: Sequence[Event], folder: Path) -> list[Read]:
    """Read from CSV through a mapping; each line of a purchase is a row."""
    text = io.StringIO()
    rows = _rows(events)
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return _read(folder / "rows.csv", text.getvalue().encode(), _mapping(events, rows))


def parquet_rows(events: Sequence[Event], folder: Path) -> list[Read]:
    """Read from Parquet through a mapping; each line of a purchase is a row."""
    rows = _rows(events)
    return _read(folder / "rows.parquet", _parquet(rows), _mapping(events, rows))


def parquet_events(events: Sequence[Event], folder: Path) -> list[Read]:
    """Read from Parquet with the fields of an event as columns, lines and attributes nested."""
    return _read(folder / "events.parquet", _parquet(events))


def avro_events(events: Sequence[Event], folder: Path) -> list[Read]:
    """Read from an Avro container whose schema has just the types of the values given."""
    file = io.BytesIO()
    names = {name: [event.get(name) for event in events] for event in events for name in event if name != "type"}
    schema = {
        "type": "record",
        "name": events[0]["type"],
        "fields": [{"name": name, "type": _avro_type(values, name)} for name, values in names.items()],
    }
    records = [{name: event.get(name) for name in names} for event in events]
    fastavro.writer(file, fastavro.parse_schema(schema), records)
    return _read(folder / "events.avro", file.getvalue())


# The formats by the names that docs/publishers.md gives them.
FORMATS: Final[dict[str, Callable[[Sequence[Event], Path], list[Read]]]] = {
    "JSON": json_lines,
    "CSV": csv_rows,
    "Parquet, mapped": parquet_rows,
    "Parquet": parquet_events,
    "Avro": avro_events,
}


def _read(path: Path, content: bytes, mapping: ColumnMapping | None = None) -> list[Read]:
    path.write_bytes(content)
    return list(open_input(path, mapping=mapping).records())


def _rows(events: Sequence[Event]) -> list[Event]:
    """Events of one kind as the rows of a table: their lines below each other, attributes as columns."""
    rows: list[Event] = []
    for event in events:
        head = {name: value for name, value in event.items() if name not in {"type", "lines", "attributes"}}
        head |= {f"attribute {name}": value for name, value in event.get("attributes", {}).items()}
        lines = event.get("lines", [{}])
        rows += [head | {f"line {name}": value for name, value in line.items()} for line in lines]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name) for name in names} for row in rows]


def _mapping(events: Sequence[Event], rows: Sequence[Event]) -> ColumnMapping:
    kind = events[0]["type"]
    parts: dict[str, dict[str, str]] = {"fields": {}, "attributes": {}, "lines": {}}
    for name in rows[0]:
        prefix, _, field = name.rpartition(" ")
        parts[{"": "fields", "attribute": "attributes", "line": "lines"}[prefix]][field] = name
    settings: Event = {"type": kind, "timezone": "Europe/Berlin"} | {name: part for name, part in parts.items() if part}
    return parse_mapping(settings | ({"group_by": "event_id"} if kind == "PurchaseRecorded" else {}))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _parquet(rows: Sequence[Event]) -> bytes:
    file = io.BytesIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    pq.write_table(pa.Table.from_pydict({name: [row.get(name) for row in rows] for name in names}), file)
    return file.getvalue()


def _avro_type(values: Sequence[Any], path: str) -> Any:
    """The schema that holds these values: one type, or a union of several."""
    types: list[Any] = []
    maps = [value for value in values if isinstance(value, dict)]
    lists = [item for value in values if isinstance(value, list) for item in value]
    if path == "attributes":
        types.append({"type": "map", "values": _avro_type([one for value in maps for one in value.values()], "")})
    elif maps:
        names = list(dict.fromkeys(name for value in maps for name in value))
        fields = [{"name": name, "type": _avro_type([one.get(name) for one in maps], name)} for name in names]
        types.append({"type": "record", "name": f"{path}_item", "fields": fields})
    if any(isinstance(value, list) for value in values):
        types.append({"type": "array", "items": _avro_type(lists, path)})
    types += dict.fromkeys(_AVRO[type(value)] for value in values if type(value) in _AVRO)
    return types if len(types) != 1 else types[0]
