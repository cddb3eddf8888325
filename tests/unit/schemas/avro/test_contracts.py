"""The Avro contracts and the structs say the same, and every field says what it is."""

import json
from typing import Any, Final

import msgspec
import pytest
from msgspec import inspect as mi

from schemas.avro.contracts import FACT_SCHEMAS, NAMESPACE, PREVIOUS, SCHEMAS, load_schema, schema_json
from tests.support.struct_values import STRUCTS

# Instants whose names do not end in `_at`.
INSTANTS: Final = frozenset({"at", "effective_from", "last_tick"})
INSTANT: Final = {"type": "long", "logicalType": "timestamp-millis"}
MIN_DOC_WORDS: Final = 2
# Which words of a doc give a number's unit; a number that only counts says "counts", "how many" and the like.
UNITS: Final = {"_minor": "minor units", "_ms": "milliseconds", "_milli": "thousandths", "_at": "UTC milliseconds"}


def records_of(node: Any) -> dict[str, dict[str, Any]]:
    """All records of a schema by short name."""
    if isinstance(node, list):
        return {name: record for item in node for name, record in records_of(item).items()}
    if not isinstance(node, dict):
        return {}
    found = {node["name"]: node} if node.get("type") == "record" else {}
    for key in ("fields", "type", "items"):
        found |= records_of(node.get(key))
    return found


RECORDS: Final = {name: record for top in SCHEMAS for name, record in records_of(load_schema(top)).items()}
FIELDS: Final = [(name, field) for name, record in RECORDS.items() for field in record["fields"]]


def expected_type(kind: mi.Type, name: str) -> Any:  # noqa: PLR0911 - one return for each kind of type
    """The Avro type that a struct's field must have; a record is only its name."""
    match kind:
        case mi.IntType():
            return INSTANT if name.endswith("_at") or name in INSTANTS else "long"
        case mi.StrType():
            return "string"
        case mi.BytesType():
            return "bytes"
        case mi.BoolType():
            return "boolean"
        case mi.DictType():
            return {"type": "map", "values": expected_type(kind.value_type, "")}
        case mi.VarTupleType():
            return {"type": "array", "items": expected_type(kind.item_type, "")}
        case mi.StructType():
            return f"{NAMESPACE}.{kind.cls.__name__}"
        case mi.UnionType(types=branches) if any(isinstance(branch, mi.NoneType) for branch in branches):
            (other,) = (branch for branch in branches if not isinstance(branch, mi.NoneType))
            return ["null", expected_type(other, name)]
        case mi.UnionType():
            return {expected_type(branch, "") for branch in kind.types}
    raise TypeError(f"no Avro type for {kind}")


def given_type(node: Any) -> Any:
    """A schema node with records replaced by their names, to compare."""
    if isinstance(node, list):
        names = [given_type(item) for item in node]
        return names if names[0] == "null" else set(names)
    if isinstance(node, dict) and node["type"] == "record":
        return f"{node['namespace']}.{node['name']}"
    if isinstance(node, dict) and node["type"] == "array":
        return node | {"items": given_type(node["items"])}
    return node


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_struct_and_schema_have_the_same_fields_in_order(name: str) -> None:
    assert tuple(field["name"] for field in RECORDS[name]["fields"]) == STRUCTS[name].__struct_fields__


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_struct_and_schema_have_the_same_types_and_defaults(name: str) -> None:
    described = mi.type_info(STRUCTS[name])
    assert isinstance(described, mi.StructType)
    for ours, avro in zip(described.fields, RECORDS[name]["fields"], strict=True):
        where = f"{name}.{ours.name}"
        assert given_type(avro["type"]) == expected_type(ours.type, ours.name), where
        assert ("default" in avro) is not ours.required, where
        if not ours.required:
            default = ours.default if ours.default is not msgspec.NODEFAULT else ours.default_factory()
            assert avro["default"] == json.loads(msgspec.json.encode(default)), where


def test_every_struct_of_the_journal_and_ledger_has_a_schema() -> None:
    """Folio is a place, not a record: a posting holds its three numbers."""
    assert set(STRUCTS) - {"Folio"} == set(RECORDS)


@pytest.mark.parametrize(("record", "field"), FIELDS, ids=[f"{name}.{field['name']}" for name, field in FIELDS])
def test_every_field_is_documented_with_its_unit(record: str, field: dict[str, Any]) -> None:
    doc = field.get("doc", "")
    assert len(doc.split()) >= MIN_DOC_WORDS, f"{record}.{field['name']} has no doc"
    assert doc.endswith("."), "a doc is a sentence"
    for ending, unit in UNITS.items():
        if field["name"].endswith(ending) and not isinstance(field["type"], str | list):
            assert unit in doc, f"say the unit: {unit}"
    if given_type(field["type"]) in (INSTANT, ["null", INSTANT]):
        assert "UTC milliseconds" in doc, "say the unit: UTC milliseconds"


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_every_record_is_documented(name: str) -> None:
    assert RECORDS[name]["doc"].endswith(".")


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_header_schema_needs_no_other_file(name: str) -> None:
    """Each type is written out where it first stands, and only named after that."""
    defined: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, str):
            assert "." not in node or node in defined, f"{node} is named before it is written out"
        elif isinstance(node, list):
            for item in node:
                walk(item)
        elif node["type"] == "record":
            assert f"{node['namespace']}.{node['name']}" not in defined, "written out twice"
            defined.add(f"{node['namespace']}.{node['name']}")
            for field in node["fields"]:
                walk(field["type"])
        else:
            walk(node.get("items", node.get("values", node["type"])))

    walk(json.loads(schema_json(name)))
    assert f"{NAMESPACE}.{name}" in defined


def test_a_page_can_hold_every_fact() -> None:
    fact = RECORDS["JournalLine"]["fields"][0]
    assert given_type(fact["type"]) == {f"{NAMESPACE}.{name}" for name in FACT_SCHEMAS}


def test_an_entry_type_is_a_string_so_that_kinds_can_be_added() -> None:
    (kind,) = (field for field in RECORDS["Entry"]["fields"] if field["name"] == "type")
    assert kind["type"] == "string"


@pytest.mark.parametrize("version", ["", PREVIOUS])
def test_an_unknown_schema_is_an_error(version: str) -> None:
    with pytest.raises(FileNotFoundError):
        load_schema("PointsWished", version=version)
