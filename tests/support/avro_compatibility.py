"""Whether a new version of an Avro schema can read what the old one wrote, and the old one what the new one writes.

Both directions are really tried: sample values are written under one version and read under the other. Beside what
Avro asks, the books ask more, because their digests leave out fields equal to their default: the fields of the old
version must stay where they are, with the defaults they had, and new ones come at the end.
"""

from collections.abc import Iterator
from typing import Any

from tests.reference import avro as avro_reference

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
