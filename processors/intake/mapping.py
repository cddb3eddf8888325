"""Column mappings: which column of a table is which field of a fact, declared by a shop once for its exports."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Final, Literal, Self

import msgspec
from msgspec import inspect
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from processors.intake.fact_shapes import struct_type
from processors.intake.unknown_fields import nearest_name
from processors.zones import zone_names
from schemas.facts import PUBLISHED_TYPES, PublishedType, PurchaseLine

MAX_COLUMNS: Final = 200
MAX_PROBLEMS: Final = 20

Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=500)]
SCALES: Final = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
Rounding = Literal["floor", "ceil", "half_up", "half_even"]

_KINDS: Final[dict[str, type[msgspec.Struct]]] = {kind.__name__: kind for kind in PUBLISHED_TYPES}
_NOT_MAPPED: Final = {"lines", "attributes"}


def _is_scale(value: int) -> int:
    if value not in SCALES:
        raise ValueError(f"a scale is one of {', '.join(map(str, SCALES))}")
    return value


def _is_tab(value: object) -> object:
    return "\t" if isinstance(value, str) and value in {"tab", "\\t"} else value


Scale = Annotated[int, AfterValidator(_is_scale)]


class MappingRefused(ValueError):
    """A column mapping that cannot be used; `problems` are (path in the mapping, what to change)."""

    def __init__(self, name: str, problems: list[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{name}: {path}: {message}" for path, message in problems))
        self.problems = problems


class ColumnMapping(BaseModel):
    """How the rows of a table become facts of one kind.

    `fields`, `lines` and `attributes` name a column for each field. `constants` and `line_constants` are values that
    hold for every row. `scale` makes an integer field of a decimal column (100: 12.50 becomes 1250), exactly, or
    by the `rounding` named for that field. Rows with the same value in `group_by` are one order; purchases need it. A
    cell that equals one of `null_values`, or is empty or null, leaves its field out. Times without an offset are local
    to `timezone`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)

    type: PublishedType
    source: Text = ""
    timezone: str | None = None
    fields: Annotated[dict[str, Column], Field(max_length=MAX_COLUMNS)]
    constants: Annotated[dict[str, Text], Field(max_length=MAX_COLUMNS)] = {}
    lines: Annotated[dict[str, Column], Field(max_length=MAX_COLUMNS)] = {}
    line_constants: Annotated[dict[str, Text], Field(max_length=MAX_COLUMNS)] = {}
    attributes: Annotated[dict[str, Column], Field(max_length=MAX_COLUMNS)] = {}
    scale: dict[str, Scale] = {}
    rounding: dict[str, Rounding] = {}
    group_by: Column | None = None
    delimiter: Annotated[Literal[",", ";", "|", "\t"], BeforeValidator(_is_tab)] = ","
    null_values: Annotated[tuple[Text, ...], Field(max_length=MAX_COLUMNS)] = ()

    @model_validator(mode="after")
    def _fits_the_fact(self) -> Self:
        problems = [f"{path}: {message}" for path, message in _misfits(self)]
        if problems:
            raise ValueError("\n".join(problems[:MAX_PROBLEMS]))
        return self

    def columns(self) -> list[str]:
        """The columns that the mapping reads, each once, in the order in which it names them."""
        named = [*self.fields.values(), *self.lines.values(), *self.attributes.values()]
        return list(dict.fromkeys([*named, self.group_by] if self.group_by else named))


def parse_mapping(document: object, name: str = "mapping") -> ColumnMapping:
    """The mapping that a parsed YAML document holds; numbers may come as text. `name` is its file, for messages.

    Raises MappingRefused.
    """
    if not isinstance(document, dict):
        raise MappingRefused(name, [("(the whole file)", "a mapping has settings such as type, fields and lines")])
    try:
        return ColumnMapping.model_validate(document)
    except ValidationError as error:
        raise MappingRefused(name, list(_told(error))[:MAX_PROBLEMS]) from error


@cache
def integer_fields(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The fields of a fact or a line that hold whole numbers, `occurred_at` aside."""
    found = set()
    for field in struct_type(kind).fields:
        types = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        if any(isinstance(one, inspect.IntType) for one in types):
            found.add(field.name)
    return frozenset(found - {"occurred_at"})


def kind_of(mapping: ColumnMapping) -> type[msgspec.Struct]:
    """The struct of the facts that a mapping makes."""
    return _KINDS[mapping.type]


def _misfits(mapping: ColumnMapping) -> Iterator[tuple[str, str]]:
    kind = kind_of(mapping)
    yield from _misnamed("fields", mapping.fields, kind)
    yield from _misnamed("constants", mapping.constants, kind)
    yield from _misnamed("lines", mapping.lines, PurchaseLine)
    yield from _misnamed("line_constants", mapping.line_constants, PurchaseLine)
    given = {*mapping.fields, *mapping.constants, *({"source"} if mapping.source else ())}
    yield from _missing("fields", given, kind)
    for path, one, other in (
        ("constants", mapping.constants, mapping.fields),
        ("line_constants", mapping.line_constants, mapping.lines),
    ):
        for twice in one.keys() & other.keys():
            yield f"{path}.{twice}", "has a column as well: leave one of them out"
    if mapping.source and "source" in {*mapping.fields, *mapping.constants}:
        yield "source", "is given twice: leave one of them out"
    if mapping.type == "PurchaseRecorded":
        yield from _missing("lines", {*mapping.lines, *mapping.line_constants}, PurchaseLine)
        if mapping.group_by is None:  # a second row of an order would be another fact of the same id: a conflict
            column = mapping.fields.get("event_id", "the column of event_id")
            yield "group_by", f"an order may have several rows: add group_by: {column}"
    else:
        for path, given_here in (("lines", mapping.lines), ("group_by", mapping.group_by)):
            if given_here:
                yield path, "only a PurchaseRecorded has lines"
    yield from _misscaled(mapping, kind)
    if mapping.timezone is not None and mapping.timezone not in zone_names():
        yield "timezone", f"{_shown(mapping.timezone)} is no IANA time zone such as Europe/Berlin"


def _misnamed(path: str, names: dict[str, str], kind: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    known = tuple(name for name in kind.__struct_fields__ if name not in _NOT_MAPPED)
    for name in names:
        if name not in known:
            nearest = nearest_name(name, known)
            meant = f": is {nearest} meant?" if nearest else f": it has {', '.join(known)}"
            yield f"{path}.{name}", f"{kind.__name__} has no such field{meant}"


def _missing(path: str, given: set[str], kind: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in given | _NOT_MAPPED:
            constant = ", or write source: NAME for all rows, beside fields:" if field.name == "source" else ""
            yield f"{path}.{field.name}", f"a {kind.__name__} needs it: name the column that holds it{constant}"


def _misscaled(mapping: ColumnMapping, kind: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    whole = integer_fields(kind) | (integer_fields(PurchaseLine) if mapping.lines else frozenset())
    for path, names in (("scale", mapping.scale), ("rounding", mapping.rounding)):
        for name in names:
            if name not in whole:
                yield f"{path}.{name}", f"only a whole number can have it: {', '.join(sorted(whole))}"


def _told(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Pydantic's findings in our words."""
    for found in error.errors(include_url=False):
        path = ".".join(str(part) for part in found["loc"]) or "(the whole file)"
        if found["type"] == "extra_forbidden":
            nearest = nearest_name(str(found["loc"][-1]), tuple(ColumnMapping.model_fields))
            yield path, f"there is no such setting{f': is {nearest} meant?' if nearest else ''}"
        elif found["type"] == "missing":
            yield path, "is missing: add it"
        elif found["type"] == "value_error" and not found["loc"]:
            for line in str(found["ctx"]["error"]).split("\n"):
                place, _, message = line.partition(": ")
                yield place, message
        else:
            yield path, f"{found['msg']}, not {_shown(found['input'])}"


def _shown(value: Any) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"
