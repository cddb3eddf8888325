"""Each schema against its committed previous version, both ways; and proof that a bad change would be noticed.

`schemas/avro/previous/` holds those schemas of the last release that have changed since, and `tests/golden` the
fingerprints of all of them. Both are made anew when the next release is made, and never to make this test pass.
"""

import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from schemas.avro import codecs
from schemas.avro.codecs import fingerprint
from schemas.avro.contracts import PREVIOUS, SCHEMAS, load_schema
from schemas.pages import JournalPage
from schemas.posting import Entry, Posting
from tests.reference import avro as avro_reference
from tests.support.bodies import decode_posting

# Fields that no longer stand in the contracts, and may not: no program ever wrote anything but their default.
GONE = ("tallybook.EditionOpened.timeline is gone or stands elsewhere",)
RELEASED = Path(__file__).parents[3] / "golden" / "released_schemas.json"
Field = dict[str, Any]
Fields = list[Field]


@pytest.mark.parametrize("name", SCHEMAS)
def test_both_versions_read_each_other(name: str) -> None:
    found = problems(load_schema(name, version=PREVIOUS), load_schema(name))
    assert [problem for problem in found if problem not in GONE] == []


def test_every_schema_of_the_last_release_is_kept() -> None:
    for name, released in json.loads(RELEASED.read_text("utf-8")).items():
        kept = fingerprint(load_schema(name, version=PREVIOUS)).hex()
        assert kept == released, f"keep {name}.avsc as it was released in schemas/avro/{PREVIOUS}/"


def test_only_schemas_that_have_changed_are_kept() -> None:
    current = files("schemas") / "avro"
    for kept in (current / PREVIOUS).iterdir():
        assert kept.read_text("utf-8") != (current / kept.name).read_text("utf-8"), kept.name


def test_samples_reach_every_kind_of_fact_and_every_optional_field() -> None:
    schema = load_schema("JournalPage")
    known = {f"tallybook.{name}": load_schema(name) for name in SCHEMAS}
    kinds = {line["fact"][0] for page in samples(schema, known) for line in page["lines"]}
    assert len(kinds) == 9
    members = {line["member_id"] is None for page in samples(schema, known) for line in page["lines"]}
    assert members == {False}
    assert samples(load_schema("Posting"), known)[0]["day_held"] is None
    assert samples(load_schema("Posting"), known)[1]["day_held"] is not None


def entry_fields(schema: dict[str, Any]) -> Fields:
    (entries,) = (field for field in schema["fields"] if field["name"] == "entries")
    fields: Fields = entries["type"]["items"]["fields"]
    return fields


def posting(change: Callable[[Fields, Fields], object]) -> dict[str, Any]:
    """A posting's schema with a change made to its fields, or to those of its entries."""
    schema: dict[str, Any] = json.loads(json.dumps(load_schema("Posting")))
    change(schema["fields"], entry_fields(schema))
    return schema


def at_end(name: str, kind: Any, **default: Any) -> Field:
    return {"name": name, "type": kind, "doc": "New."} | default


def drop_default(fields: Fields, name: str) -> None:
    (field,) = (field for field in fields if field["name"] == name)
    del field["default"]


GOOD: dict[str, Callable[[Fields, Fields], object]] = {
    "nothing": lambda _fields, _entry: None,
    "a new field with a default": lambda fields, _entry: fields.append(at_end("tier", "string", default="")),
    "a new optional field of entries": lambda _fields, entry: entry.append(
        at_end("order_id", ["null", "string"], default=None)
    ),
    "a new list": lambda fields, _entry: fields.append(
        at_end("notes", {"type": "array", "items": "string"}, default=[])
    ),
    "another doc": lambda fields, _entry: fields[0].update(doc="Whose account it is."),
}
BAD: dict[str, tuple[Callable[[Fields, Fields], object], str]] = {
    "a new field without a default": (
        lambda fields, _entry: fields.append(at_end("tier", "string")),
        "older version writes cannot be read",
    ),
    "a new field of entries without a default": (
        lambda _fields, entry: entry.append(at_end("order_id", "string")),
        "older version writes cannot be read",
    ),
    "a default taken away": (lambda fields, _entry: drop_default(fields, "reason"), "Posting.reason has another"),
    "another default": (lambda _fields, entry: entry[6].update(default="stars"), "Entry.wallet has another default"),
    "a field removed": (lambda fields, _entry: fields.pop(0), "newer version writes cannot be read"),
    "a field with a default removed": (lambda fields, _entry: fields.pop(), "Posting.order_id is gone"),
    "a field renamed": (lambda _fields, entry: entry[2].update(name="amount"), "newer version writes cannot be read"),
    "another type": (lambda fields, _entry: fields[1].update(type="string"), "older version writes cannot be read"),
    "a value that may be missing now": (
        lambda fields, _entry: fields[6].update(type=["null", "long"]),
        "newer version writes cannot be read",
    ),
    "two fields exchanged": (
        lambda fields, _entry: fields.__setitem__(slice(0, 2), [fields[1], fields[0]]),
        "Posting.member_id is gone or stands elsewhere",
    ),
}


@pytest.mark.parametrize("change", GOOD.values(), ids=GOOD)
def test_a_change_that_adds_is_allowed(change: Callable[[Fields, Fields], object]) -> None:
    assert problems(load_schema("Posting"), posting(change)) == []


@pytest.mark.parametrize(("change", "complaint"), BAD.values(), ids=BAD)
def test_a_change_that_breaks_is_noticed(change: Callable[[Fields, Fields], object], complaint: str) -> None:
    found = problems(load_schema("Posting"), posting(change))
    assert any(complaint in problem for problem in found), found


def test_a_new_kind_of_fact_leaves_what_was_written_readable() -> None:
    page = load_schema("JournalPage")
    newer: dict[str, Any] = json.loads(json.dumps(page))
    (facts,) = (field for field in newer["fields"][1]["type"]["items"]["fields"] if field["name"] == "fact")
    facts["type"].append(load_schema("ClockTicked") | {"name": "ClockStopped"})
    assert problems(page, newer) == []
    body = avro_reference.write(
        newer, {"page": 1, "lines": [{"fact": ("tallybook.ClockStopped", {"at": 1}), "received_at": 1}], "inputs": [""]}
    )
    with pytest.raises(codecs.BodyDamaged, match="not a JournalPage"):
        codecs.decode_record(JournalPage, body, json.dumps(newer))


def test_our_own_codec_reads_what_an_older_schema_wrote() -> None:
    """The fields that the older posting did not have are at their defaults."""

    def drop(fields: Fields, entry: Fields) -> None:
        fields[:] = [field for field in fields if field["name"] != "totals"]
        entry[:] = [field for field in entry if field["name"] != "expires_at"]

    older = posting(drop)
    at = 1_794_395_471_000
    entry = Entry("pos/e-1/ann/1", "PointsAwarded", 59, at, 1, available_at=at)
    whole = Posting("ann", 1, "PurchaseRecorded", "pos", "e-1", at, 59, entries=(entry,), local_day=20_768)
    body = avro_reference.write(older, avro_reference.plain(whole))
    assert body != codecs.encode_record(whole)
    assert decode_posting(body, json.dumps(older)) == whole


def test_our_own_codec_reads_what_a_newer_schema_wrote() -> None:
    """An entry of a kind made later is kept as it is; fields that this version does not know are left out."""
    newer = posting(lambda fields, _entry: fields.insert(3, at_end("tier", "string", default="")))
    entry = Entry("redeem/1", "PointsRedeemed", -10, 1_794_395_471_000, 1)
    whole = Posting("ann", 2, "PointsRedeemed", "pos", "e-2", 1_794_395_471_000, 49, entries=(entry,))
    body = avro_reference.write(newer, avro_reference.plain(whole) | {"tier": "gold"})
    assert decode_posting(body, json.dumps(newer)) == whole


Names = dict[str, dict[str, Any]]


def problems(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What is wrong with `new` as the next version of `old`, both complete schemas; nothing if all is well."""
    return [*_edited(old, new), *_tried("older", old, new, old), *_tried("newer", new, old, old)]


def _edited(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """Fields of old records that are gone, moved or have another default."""
    old_names, new_names = _names(old), _names(new)
    for name, record in old_names.items():
        if name not in new_names:
            yield f"{name} is gone"
            continue
        fields = new_names[name]["fields"]
        for i, field in enumerate(record["fields"]):
            where = f"{name}.{field['name']}"
            if i >= len(fields) or fields[i]["name"] != field["name"]:
                yield f"{where} is gone or stands elsewhere"
            elif fields[i].get("default", "none") != field.get("default", "none"):
                yield f"{where} has another default"


def _tried(who: str, writer: dict[str, Any], reader: dict[str, Any], old: dict[str, Any]) -> Iterator[str]:
    """Writes samples under one schema, reads them under the other, and compares all fields that both know."""
    known = _names(old)
    for sample in samples(writer, known):
        try:
            found = avro_reference.read(avro_reference.write(writer, sample), writer, reader)
        except Exception as error:  # noqa: BLE001 - whatever the library says here, the versions do not fit together
            yield f"what the {who} version writes cannot be read: {error!r}"
            return
        expected = _expected(sample, writer, reader, _names(writer), _names(reader))
        if found != expected:
            yield f"what the {who} version writes is read as something else: {found!r} for {expected!r}"
            return


def samples(schema: dict[str, Any], known: Names) -> list[Any]:
    """Values of a schema: one with all that is optional left out, and for each branch of a union one with it.

    Of unions of records only branches that are `known` are taken: a kind of record that an older reader does not know
    is one that it must stop at.
    """
    names = _names(schema)
    branches = max([len(union) for union in _unions(schema)] + [1])
    return [_sample(schema, names, known, choice) for choice in range(branches + 1)]


def _sample(node: Any, names: Names, known: Names, choice: int) -> Any:
    if isinstance(node, list):
        if node[0] == "null":
            return None if choice == 0 else _sample(node[1], names, known, choice)
        allowed = [name for name in map(_name, node) if name in known]
        name = allowed[choice % len(allowed)]
        return (name, _sample(names[name], names, known, choice))
    if isinstance(node, dict):
        if node["type"] == "record":
            return {field["name"]: _sample(field["type"], names, known, choice) for field in node["fields"]}
        if node["type"] in ("array", "map"):
            item = _sample(node.get("items", node.get("values")), names, known, choice)
            one = [item] if node["type"] == "array" else {"key": item}
            return one if choice else type(one)()
        return _sample(node["type"], names, known, choice)
    values = {"long": 1_794_395_471_000 + choice, "string": f"text {choice}", "bytes": b"\xff", "boolean": True}
    return values[node] if node in values else _sample(names[node], names, known, choice)


def _expected(value: Any, writer: Any, reader: Any, writer_names: Names, reader_names: Names) -> Any:
    """What a value must be for the reader: fields that it does not know left out, those it knows more at default."""
    if isinstance(value, tuple):
        name, inner = value
        return (name, _expected(inner, writer_names[name], reader_names[name], writer_names, reader_names))
    if isinstance(writer, list):
        branch = next((node for node in writer if node != "null"), None)
        other = next((node for node in reader if node != "null"), None) if isinstance(reader, list) else reader
        return None if value is None else _expected(value, branch, other, writer_names, reader_names)
    writer, reader = writer_names.get(str(writer), writer), reader_names.get(str(reader), reader)
    if isinstance(value, list):
        items = (writer["items"], reader["items"])
        return [_expected(item, *items, writer_names, reader_names) for item in value]
    if not (isinstance(value, dict) and isinstance(reader, dict) and reader["type"] == "record"):
        return value
    written = {field["name"]: field["type"] for field in writer["fields"]}
    return {
        field["name"]: _expected(
            value[field["name"]], written[field["name"]], field["type"], writer_names, reader_names
        )
        if field["name"] in value
        else field.get("default")
        for field in reader["fields"]
    }


def _name(node: Any) -> str:
    return f"{node['namespace']}.{node['name']}" if isinstance(node, dict) else str(node)


def _names(node: Any) -> Names:
    """All records of a schema by full name."""
    return {_name(found): found for found in _walk(node) if isinstance(found, dict) and found.get("type") == "record"}


def _unions(node: Any) -> Iterator[list[Any]]:
    return (found for found in _walk(node) if isinstance(found, list))


def _walk(node: Any) -> Iterator[Any]:
    """All type nodes of a schema."""
    yield node
    if isinstance(node, list):
        for item in node:
            yield from _walk(item)
    elif isinstance(node, dict):
        inner = [field["type"] for field in node.get("fields", ())]
        inner += [node[key] for key in ("items", "values") if key in node]
        if not isinstance(node["type"], str):
            inner.append(node["type"])
        for item in inner:
            yield from _walk(item)
