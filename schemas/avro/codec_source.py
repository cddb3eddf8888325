"""Turns an Avro record into two plain functions, struct to bytes and back: three times as fast as interpreting it.

The functions do exactly what the schema says and nothing else: fields in order, all written, no resolution. fastavro
writes the same bytes (a test compares them) and does what these do not: reading what an older schema wrote.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from schemas.avro import varints
from schemas.generated import define

Encoder = Callable[[Any], bytes]
Decoder = Callable[[bytes], Any]
Schema = Any  # a parsed Avro schema: a name, a list (union) or a dict

MAX_RECORDS_KEPT: Final = 4_096

_GLOBALS: Final[dict[str, Any]] = {
    "SMALL": varints.SMALL,
    "long_bytes": varints.long_bytes,
    "instants": varints.INSTANT_BYTES_OF.get,
    "new_instant": varints.new_instant,
    "texts": varints.TEXT_BYTES_OF.get,
    "new_text": varints.new_text,
    "words": varints.TEXTS_OF.get,
    "text_of": varints.text_of,
    "read_long": varints.read_long,
    "read_instant": varints.read_instant,
    "read_size": varints.read_size,
    "read_count": varints.read_count,
    "known": varints.KNOWN_INSTANTS.get,
    "given": {0: False, 2: True},
    "fields_of": msgspec.structs.astuple,
    "MAX_RECORDS_KEPT": MAX_RECORDS_KEPT,
}
# Records that the decider hands out again and again: the arithmetic of a rule for an amount is the same every time.
SHARED_RECORDS: Final = frozenset({"Working"})
_KEEPING: Final = """\
records_{name} = {{}}
kept_{name} = records_{name}.get
def keep_{name}(item):
    parts = []
    write_{name}(item, parts)
    if len(records_{name}) >= MAX_RECORDS_KEPT:
        records_{name}.clear()
    body = b"".join(parts)
    records_{name}[id(item)] = (item, body)
    return body"""
# Text fields that hold few different values, such as stores and rule ids: their bytes are looked up in a table.
REPEATED_TEXTS: Final = frozenset({
    "brand", "category", "channel", "currency", "fact_type", "factor", "limit_id", "network", "rate", "reason",
    "rounding", "rule_id", "ruleset_hash", "ruleset_version", "scope", "source", "store_id", "tender", "type", "unit",
    "wallet",
})  # fmt: skip
_INT: Final = f"SMALL[n] if 0 <= (n := {{0}}) < {varints.SMALL_INTS} else long_bytes(n)"
_SIZE: Final = f"SMALL[n] if (n := len({{0}})) < {varints.SMALL_INTS} else long_bytes(n)"
_READ_SMALL: Final = """\
{0} = body[at]
if {0} & 129:
    {0}, at = {1}(body, at)
else:
    {0} >>= 1
    at += 1"""
_READ_INSTANT: Final = f"""\
{{0}} = known(body[at : at + {varints.INSTANT_BYTES}])
if {{0}} is None:
    {{0}}, at = read_instant(body, at)
else:
    at += {varints.INSTANT_BYTES}"""
# Two bytes without a call too: numbers from 64 to 8,191 are common in postings.
_READ_LONG: Final = """\
{0} = body[at]
if {0} & 128:
    if (b := body[at + 1]) & 128:
        {0}, at = read_long(body, at)
    else:
        {0} = {0} >> 1 & 63 | b << 6 if not {0} & 1 else ~({0} >> 1 & 63 | b << 6)
        at += 2
else:
    {0} = {0} >> 1 ^ -({0} & 1)
    at += 1"""


def compile_record(schema: dict[str, Any], structs: Mapping[str, type[msgspec.Struct]]) -> tuple[Encoder, Decoder]:
    """The encoder and the decoder of a record schema that is complete in itself.

    `structs` gives the struct of each record by its name without the namespace; its fields must be the schema's, in
    the same order (else TypeError). The decoder raises IndexError or ValueError on bytes that are not such a record.
    """
    records: dict[str, dict[str, Any]] = {}
    _collect(schema, records)
    names: dict[str, Any] = _GLOBALS | {f"make_{name}": structs[name] for name in records}
    lines: list[str] = []
    tables: list[str] = []
    for name, record in records.items():
        fields = tuple(field["name"] for field in record["fields"])
        if name in SHARED_RECORDS and not structs[name].__struct_config__.frozen:
            raise TypeError(f"{name} is encoded once, so it must be frozen")
        if structs[name].__struct_fields__ != fields:
            raise TypeError(f"{name}: the struct has {structs[name].__struct_fields__}, the Avro schema {fields}")
        for part in (_EncoderSource(record), _DecoderSource(record)):
            lines += part.lines
            tables += part.tables
    define(f"codec of {schema['name']}", "\n".join(lines + tables), names)
    return _encoder(names[f"write_{schema['name']}"]), _decoder(names[f"read_{schema['name']}"], schema["name"])


def _encoder(write: Callable[[Any, list[bytes]], None]) -> Encoder:
    def encode(value: Any) -> bytes:
        parts: list[bytes] = []
        write(value, parts)
        return b"".join(parts)

    return encode


def _decoder(read: Callable[[bytes, int], tuple[Any, int]], name: str) -> Decoder:
    def decode(body: bytes) -> Any:
        value, end = read(body, 0)
        if end != len(body):
            raise ValueError(f"{name} ends after {end} bytes, there are {len(body)}")
        return value

    return decode


def _collect(node: Schema, records: dict[str, dict[str, Any]]) -> None:
    """Gathers all records of a schema by short name, inner ones after the one that holds them."""
    if isinstance(node, list):
        for item in node:
            _collect(item, records)
    elif isinstance(node, dict):
        if node["type"] == "record":
            records[node["name"]] = node
            for field in node["fields"]:
                _collect(field["type"], records)
        else:
            _collect(node.get("items", node["type"]), records)


def _kind(node: Schema) -> str:
    """What a schema node is: a primitive type, "instant", "array", "map", "record", "optional" or "records"."""
    if isinstance(node, list):
        return "optional" if node[0] == "null" and len(node) == 2 else "records"
    if isinstance(node, dict):
        if node.get("logicalType") == "timestamp-millis":
            return "instant"
        return str(node["type"])
    return "record" if "." in node else str(node)


def _marked(field: dict[str, Any]) -> Schema:
    """The type of a field, with "repeated" for texts that are the same in many records."""
    node = field["type"]
    if field["name"] not in REPEATED_TEXTS:
        return node
    return "repeated" if node == "string" else ["null", "repeated"] if node == ["null", "string"] else node


def _items_of(node: Schema) -> Schema:
    """What an array or map holds: not another one, because all loops of the source use the same variables."""
    items: Schema = node["values"] if node["type"] == "map" else node["items"]
    if _kind(items) in ("array", "map"):
        raise TypeError("an array of arrays or maps needs a record between")
    return items


def _short_name(node: Schema) -> str:
    """The name of a record, given in full or by reference, without its namespace."""
    name = node["name"] if isinstance(node, dict) else node
    return str(name).rpartition(".")[2]


class _EncoderSource:
    """The source of `write_<record>(value, parts)`: runs of simple fields become one tuple, added at once."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.name = record["name"]
        self.tables: list[str] = []
        self.run: list[str] = []
        self.lines = [f"def write_{record['name']}(value, parts):"]
        variables = [f"v{i}" for i in range(len(record["fields"]))]
        self.lines.append(f"    {', '.join(variables)}, = fields_of(value)")
        for field, variable in zip(record["fields"], variables, strict=True):
            self._field(_marked(field), variable, 1)
        self._flush(1)

    def _flush(self, depth: int) -> None:
        if self.run:
            self._line(depth, f"parts += ({', '.join(self.run)},)")
            self.run = []

    def _line(self, depth: int, line: str) -> None:
        self.lines.append("    " * depth + line)

    def _simple(self, node: Schema, value: str) -> list[str] | None:
        """Expressions that make the bytes of a value without a statement, or None if it needs statements."""
        simple: list[str] | None = None
        match _kind(node):
            case "long":
                simple = [_INT.format(value)]
            case "instant":
                simple = [f"instants({value}) or new_instant({value})"]
            case "repeated":
                simple = [f"texts({value}) or new_text({value})"]
            case "string":
                simple = [_SIZE.format(f"b := {value}.encode()"), "b"]
            case "bytes":
                simple = [_SIZE.format(value), value]
            case "boolean":
                simple = [rf"b'\1' if {value} else b'\0'"]
            case "optional" if inner := self._simple(node[1], value):
                whole = " + ".join(f"({part})" for part in inner)
                simple = [rf"b'\0' if {value} is None else b'\2' + {whole}"]
        return simple

    def _field(self, node: Schema, value: str, depth: int) -> None:
        simple = self._simple(node, value)
        if simple is not None:
            self.run += simple
            return
        self._flush(depth)
        match _kind(node):
            case "record":
                self._line(depth, f"write_{_short_name(node)}({value}, parts)")
            case "optional":
                self._line(depth, f"if {value} is None:")
                self._line(depth + 1, r"parts.append(b'\0')")
                self._line(depth, "else:")
                self.run.append(r"b'\2'")
                self._flush(depth + 1)
                self._field(node[1], value, depth + 1)
                self._flush(depth + 1)
            case "records":
                self._records(node, value, depth)
            case "array" | "map":
                self._items(node, value, depth)
            case kind:
                raise TypeError(f"no encoder for {kind}")

    def _records(self, node: list[Schema], value: str, depth: int) -> None:
        kinds = enumerate(_short_name(record) for record in node)
        table = ", ".join(f"make_{kind}: (SMALL[{i}], write_{kind})" for i, kind in kinds)
        writers = f"writers_{self.name}_{len(self.tables)}"
        self.tables.append(f"{writers} = {{{table}}}")
        self._line(depth, f"index, write = {writers}[type({value})]")
        self._line(depth, "parts.append(index)")
        self._line(depth, f"write({value}, parts)")

    def _shared(self, name: str, depth: int) -> None:
        """Look up a shared record's bytes by its id; the object is kept too, so that no other object gets this id."""
        self.tables.append(_KEEPING.format(name=name))
        self._line(depth, f"kept = kept_{name}(id(item))")
        self._line(depth, f"parts.append(kept[1] if kept is not None and kept[0] is item else keep_{name}(item))")

    def _items(self, node: Schema, value: str, depth: int) -> None:
        self._line(depth, f"if {value}:")
        self.run.append(_SIZE.format(value))
        self._flush(depth + 1)
        if node["type"] == "map":
            self._line(depth + 1, f"for key, item in {value}.items():")
            self._field("string", "key", depth + 2)
            self._field(_items_of(node), "item", depth + 2)
        else:
            items = _items_of(node)
            self._line(depth + 1, f"for item in {value}:")
            if _kind(items) == "record" and _short_name(items) in SHARED_RECORDS:
                self._shared(_short_name(items), depth + 2)
            else:
                self._field(items, "item", depth + 2)
        self._flush(depth + 2)
        self.run.append(r"b'\0'")


class _DecoderSource:
    """The source of `read_<record>(body, at)`, which gives the struct and the place after it."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.name = record["name"]
        self.tables: list[str] = []
        self.lines = [f"def read_{record['name']}(body, at):"]
        variables = [f"v{i}" for i in range(len(record["fields"]))]
        for field, variable in zip(record["fields"], variables, strict=True):
            self._field(_marked(field), variable, 1)
        self._line(1, f"return make_{record['name']}({', '.join(variables)}), at")

    def _line(self, depth: int, *lines: str) -> None:
        self.lines += ["    " * depth + line for line in lines]

    def _small(self, depth: int, variable: str, otherwise: str) -> None:
        self._line(depth, *_READ_SMALL.format(variable, otherwise).splitlines())

    def _field(self, node: Schema, variable: str, depth: int) -> None:
        match _kind(node):
            case "long":
                self._line(depth, *_READ_LONG.format(variable).splitlines())
            case "instant":
                self._line(depth, *_READ_INSTANT.format(variable).splitlines())
            case "string":
                self._small(depth, "n", "read_size")
                self._line(depth, f"{variable} = body[at:(at := at + n)].decode()")
            case "repeated":
                self._small(depth, "n", "read_size")
                self._line(depth, "b = body[at:(at := at + n)]", f"{variable} = words(b)")
                self._line(depth, f"if {variable} is None:", f"    {variable} = text_of(b)")
            case "bytes":
                self._small(depth, "n", "read_size")
                self._line(depth, f"{variable} = body[at:(at := at + n)]")
            case "boolean":
                self._line(depth, f"{variable} = (False, True)[body[at]]", "at += 1")
            case "record":
                self._line(depth, f"{variable}, at = read_{_short_name(node)}(body, at)")
            case "optional":
                self._line(depth, "if given[body[at]]:", "    at += 1")
                self._field(node[1], variable, depth + 1)
                self._line(depth, "else:", f"    {variable} = None", "    at += 1")
            case "records":
                table = ", ".join(f"{2 * i}: read_{_short_name(record)}" for i, record in enumerate(node))
                readers = f"readers_{self.name}_{len(self.tables)}"
                self.tables.append(f"{readers} = {{{table}}}")
                self._line(depth, f"{variable}, at = {readers}[body[at]](body, at + 1)")
            case "array" | "map":
                self._items(node, variable, depth)
            case kind:
                raise TypeError(f"no decoder for {kind}")

    def _items(self, node: Schema, variable: str, depth: int) -> None:
        self._small(depth, "count", "read_count")
        self._line(depth, f"{variable} = {'{}' if node['type'] == 'map' else '()'}", "while count:")
        if node["type"] == "map":
            self._line(depth + 1, "for _ in range(count):")
            self._field("string", "key", depth + 2)
            self._field(_items_of(node), "item", depth + 2)
            self._line(depth + 2, f"{variable}[key] = item")
        else:
            self._line(depth + 1, "items = []", "for _ in range(count):")
            self._field(_items_of(node), "item", depth + 2)
            self._line(depth + 2, "items.append(item)")
            self._line(depth + 1, f"{variable} += tuple(items)")
        self._small(depth + 1, "count", "read_count")
