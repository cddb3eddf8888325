"""Column mappings: which column of a table is which field of a fact, declared by a shop once for its exports."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal, NamedTuple, Self, get_args

import msgspec
from msgspec import inspect
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    field_serializer,
    model_validator,
)

from processors.intake.fact_shapes import struct_type
from processors.intake.normal_form import currency_code
from processors.intake.refusal import quoted
from processors.intake.unknown_fields import nearest_name
from processors.zones import zone_names
from schemas.currencies import DECIMALS
from schemas.facts import PUBLISHED_TYPES, PublishedFact, PublishedType, PurchaseLine

MAX_COLUMNS: Final = 200
MAX_COLUMN_LENGTH: Final = 200
MAX_PARTS: Final = 8
MAX_PROBLEMS: Final = 20

# Columns that every file has: the number of the row (the first below the header is 1), and the name of the file.
ROW: Final = "@row"
FILE: Final = "@file"
PLACE_COLUMNS: Final = frozenset({ROW, FILE})
_WIDE_COMMAS: Final = "\uff0c\u3001"
# In `only` and `leave_out`: the first cell of a row, whatever its column is called.
FIRST_CELL: Final = "*first"
ENDS_AT: Final = "ends_at"
ABOVE_HEADER: Final = "(above the header)"
REPEATS_HEADER: Final = "(repeats the header)"
BY_CURRENCY: Final = "currency"

SCALES: Final = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
SECONDS: Final = 1_000  # the scale of times that are seconds since 1970
Rounding = Literal["floor", "ceil", "half_up", "half_even"]
DateOrder = Literal["ymd", "dmy", "mdy"]
Encoding = Literal[
    "utf-8",
    "utf-16",
    "gb18030",
    "big5",
    "shift-jis",
    "euc-jp",
    "euc-kr",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "cp850",
    "mac-roman",
]

_KINDS: Final[dict[str, type[PublishedFact]]] = {kind.__name__: kind for kind in PUBLISHED_TYPES}
# Where rows differ in these, they are not of one order.
_SAME_IN_ALL_ROWS: Final = frozenset({"event_id", "order_id", "source", "member_id", "currency"})
_NOT_MAPPED: Final = {"lines", "attributes"}
# The names of encodings without their hyphens, each read by one that has all of its characters.
_ENCODINGS: Final[dict[str, Encoding]] = {
    **{name.replace("-", ""): name for name in get_args(Encoding)},
    "utf16le": "utf-16",
    "utf16be": "utf-16",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "cp936": "gb18030",
    "cp950": "big5",
    "shiftjis": "shift-jis",
    "sjis": "shift-jis",
    "cp932": "shift-jis",
    "windows31j": "shift-jis",
    "cp949": "euc-kr",
    "ksc5601": "euc-kr",
    "cp1250": "windows-1250",
    "cp1251": "windows-1251",
    "cp1252": "windows-1252",
    "latin1": "windows-1252",
    "iso88591": "windows-1252",
    "cp1253": "windows-1253",
    "cp1254": "windows-1254",
    "iso88599": "windows-1254",
    "ibm850": "cp850",
    "macroman": "mac-roman",
    "macintosh": "mac-roman",
}


class AllOf(NamedTuple):
    """Several columns that make one text: an id from store, till and number; a time from a date and a time of day."""

    columns: tuple[str, ...]


class FirstOf(NamedTuple):
    """Several columns of which the first that is not blank gives the text."""

    columns: tuple[str, ...]


class Computed(NamedTuple):
    """A number computed from columns: the product of `times`, and the sum of `plus`, without the sum of `minus`."""

    times: tuple[str, ...]
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order in which they are named."""
        return (*self.times, *self.plus, *self.minus)


FieldSource = str | AllOf | FirstOf | Computed


class MappingRefused(ValueError):
    """A column mapping that cannot be used; `problems` are (path in the mapping, what to change)."""

    def __init__(self, name: str, problems: list[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{name}: {path}: {message}" for path, message in problems))
        self.problems = problems


def columns_of(source: FieldSource) -> tuple[str, ...]:
    """The columns from which a field is read."""
    return (source,) if isinstance(source, str) else source.columns


def _is_scale(value: object) -> object:
    number = int(value) if isinstance(value, str) and value.isdigit() and len(value) < MAX_PARTS else value
    if value != BY_CURRENCY and (isinstance(number, bool) or number not in SCALES):
        raise ValueError(
            f"a scale is one of {', '.join(map(str, SCALES))}, or {BY_CURRENCY} (by the decimals of the row's "
            f"currency), not {quoted(value)}"
        )
    return number


def _is_tab(value: object) -> object:
    return "\t" if isinstance(value, str) and value in {"tab", "\\t"} else value


def _encoding(value: object) -> object:
    if not isinstance(value, str):
        return value
    return _ENCODINGS.get(value.lower().replace("_", "").replace("-", ""), value)


def _column(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_COLUMN_LENGTH:
        raise ValueError(f"write the name of a column, not {quoted(value)}")
    return value


def _names(value: object) -> tuple[str, ...]:
    """One or more names of columns."""
    if isinstance(value, str):
        return (_column(value),)
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MAX_PARTS:
        raise ValueError(f"write a list of at most {MAX_PARTS} columns such as [Store, Number], not {quoted(value)}")
    return tuple(_column(one) for one in value)


def _names_if_any(value: object) -> tuple[str, ...]:
    """No, one or more names of columns."""
    return _names(value) if value else ()


def _field_source(value: object) -> FieldSource:
    """Where a field comes from: a column, a list of columns, the first of several, or a computation."""
    if isinstance(value, AllOf | FirstOf | Computed):
        return value
    if isinstance(value, Mapping):
        return _first_of(value) if "first" in value else _computed(value)
    names = _names(value)
    return names[0] if len(names) == 1 else AllOf(names)


def _written(source: FieldSource) -> Any:
    """A source as a mapping writes it."""
    if isinstance(source, Computed):
        return {name: list(columns) for name, columns in source._asdict().items()}
    if isinstance(source, FirstOf):
        return {"first": list(source.columns)}
    return source if isinstance(source, str) else list(source.columns)


def _first_of(value: Mapping[Any, Any]) -> FirstOf:
    if len(value) > 1:
        raise ValueError("first: [A, B] stands alone: it takes the first of the columns that is not blank")
    return FirstOf(_names(value["first"]))


def _computed(value: Mapping[Any, Any]) -> Computed:
    unknown = [name for name in value if name not in {"of", "times", "plus", "minus"}]
    if unknown:
        raise ValueError(f"a number is computed from of or times, plus and minus: there is no {quoted(unknown[0])}")
    if ("of" in value) == ("times" in value):
        raise ValueError("write either of: COLUMN, or times: [COLUMN, COLUMN] for a product")
    times = (_column(value["of"]),) if "of" in value else _names(value["times"])
    return Computed(times, *(_names_if_any(value.get(name)) for name in ("plus", "minus")))


def _with_code(constants: dict[str, str]) -> dict[str, str]:
    """Constants with the currency's code in capital letters, by which amounts are scaled."""
    return constants | ({"currency": currency_code(constants["currency"])} if "currency" in constants else {})


Column = Annotated[str, StringConstraints(min_length=1, max_length=MAX_COLUMN_LENGTH)]
Text = Annotated[str, StringConstraints(max_length=500)]
Scale = Annotated[int | Literal["currency"], PlainValidator(_is_scale)]
Source = Annotated[FieldSource, PlainValidator(_field_source)]
Columns = Annotated[tuple[str, ...], PlainValidator(_names)]
ColumnsIfAny = Annotated[tuple[str, ...], PlainValidator(_names_if_any)]
Values = Annotated[tuple[Text, ...], Field(min_length=1, max_length=MAX_COLUMNS)]
Sources = Annotated[dict[str, Source], Field(max_length=MAX_COLUMNS)]
Constants = Annotated[dict[str, Text], Field(max_length=MAX_COLUMNS), AfterValidator(_with_code)]
Filters = Annotated[dict[Column, Values], Field(max_length=MAX_COLUMNS)]


class Spread(BaseModel):
    """Amounts of a whole order that its lines share: `plus` adds them to what was paid, `minus` takes them off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plus: ColumnsIfAny = ()
    minus: ColumnsIfAny = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the order in which they are named."""
        return (*self.plus, *self.minus)


class ColumnMapping(BaseModel):
    """How the rows of a table become facts of one kind.

    `fields`, `lines` and `attributes` name for each field the column, or the columns, from which it is read.
    `constants` and `line_constants` are values that hold for every row. `scale` makes an integer field of a decimal
    column (100: 12.50 becomes 1250; currency: by the decimals of the row's currency), exactly, or by the `rounding`
    named for that field. Rows with the same values in `group_by` are one order; purchases need it. A cell that equals
    one of `null_values`, or is blank or null, leaves its field out. Times without an offset are local to `timezone`.

    `only` and `leave_out` choose rows by a column's value, and the table ends at a row whose first cell is in
    `ends_at`. With `fill` a blank cell of the order's own fields is taken from its first row, and the fields in
    `of_first_row` always are. `spread` shares amounts of the whole order among its lines. `date_order` and `decimal`
    say how dates and numbers are written where that is not plain, None that nothing was said: ymd with four digits of
    the year, and a decimal point.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)

    type: PublishedType
    source: Text = ""
    timezone: str | None = None
    fields: Sources
    constants: Constants = {}
    lines: Sources = {}
    line_constants: Constants = {}
    attributes: Sources = {}
    scale: dict[str, Scale] = {}
    rounding: dict[str, Rounding] = {}
    spread: Spread = Spread()
    group_by: Columns | None = None
    fill: bool = False
    of_first_row: ColumnsIfAny = ()
    only: Filters = {}
    leave_out: Filters = {}
    ends_at: Annotated[tuple[Text, ...], Field(max_length=MAX_COLUMNS)] = ()
    date_order: DateOrder | None = None
    decimal: Literal[".", ","] | None = None
    encoding: Annotated[Encoding, BeforeValidator(_encoding)] = "utf-8"
    delimiter: Annotated[Literal[",", ";", "|", "\t"], BeforeValidator(_is_tab)] = ","
    null_values: Annotated[tuple[Text, ...], Field(max_length=MAX_COLUMNS)] = ()

    @model_validator(mode="after")
    def _fits_the_fact(self) -> Self:
        problems = [f"{path}: {message}" for path, message in _misfits(self)]
        if problems:
            raise ValueError("\n".join(problems[:MAX_PROBLEMS]))
        return self

    @field_serializer("fields", "lines", "attributes")
    def _as_written(self, sources: dict[str, FieldSource]) -> dict[str, Any]:
        return {field: _written(source) for field, source in sources.items()}

    def columns(self) -> list[str]:
        """The columns of the file that the mapping reads, each once, in the order in which it names them."""
        return [name for name in self._named() if name not in PLACE_COLUMNS]

    def asks_for_place(self) -> bool:
        """Whether a field is read from the number of the row or the name of the file."""
        return not PLACE_COLUMNS.isdisjoint(self._named())

    def _named(self) -> list[str]:
        sources = (*self.fields.values(), *self.lines.values(), *self.attributes.values())
        named = [name for source in sources for name in columns_of(source)]
        chosen = [name for name in (*self.only, *self.leave_out) if name != FIRST_CELL]
        return list(dict.fromkeys([*named, *(self.group_by or ()), *self.spread.columns, *chosen]))


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


def kind_of(mapping: ColumnMapping) -> type[PublishedFact]:
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
    yield from _misread("fields", mapping.fields, integer_fields(kind))
    yield from _misread("lines", mapping.lines, integer_fields(PurchaseLine))
    yield from _misread("attributes", mapping.attributes, frozenset())
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
        yield from _misgrouped(mapping)
    else:
        for path, given_here in (
            ("lines", mapping.lines),
            ("group_by", mapping.group_by),
            ("spread", mapping.spread.columns),
            ("of_first_row", mapping.of_first_row),
        ):
            if given_here:
                yield path, "only a PurchaseRecorded has lines"
    for field in mapping.of_first_row:
        if field not in mapping.fields or field in _SAME_IN_ALL_ROWS:
            shown = ", ".join(sorted(mapping.fields.keys() - _SAME_IN_ALL_ROWS))
            yield f"of_first_row.{field}", f"can be a field in which rows of one order may differ: {shown}"
    yield from _misscaled(mapping, kind)
    yield from _misfiltered(mapping)
    if mapping.timezone is not None and mapping.timezone not in zone_names():
        yield "timezone", f"{quoted(mapping.timezone)} is no IANA time zone such as Europe/Berlin"


def _misfiltered(mapping: ColumnMapping) -> Iterator[tuple[str, str]]:
    for path, filters in (("only", mapping.only), ("leave_out", mapping.leave_out)):
        for column, values in filters.items():
            for value in values:
                if any(mark in value for mark in _WIDE_COMMAS):
                    hint = "write each value by itself, with an ordinary comma between them"
                    yield f"{path}.{column}", f"{quoted(value)} is one value, as its comma is a wide one: {hint}"
    for column in mapping.only.keys() & mapping.leave_out.keys():
        yield f"leave_out.{column}", "stands in only as well: leave one of them out"


def _misnamed(path: str, names: Iterable[str], kind: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
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


def _misread(path: str, sources: Mapping[str, FieldSource], whole: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Fields that several columns cannot make in the way that is asked for."""
    for field, source in sources.items():
        place = f"{path}.{field}"
        if field == "occurred_at":
            if isinstance(source, AllOf) and len(source.columns) != 2:
                yield place, "is one column, or a column of dates and one of times: [Date, Time]"
            elif isinstance(source, Computed):
                yield place, "is a time, which cannot be computed: name its column, or [Date, Time]"
        elif field in whole and isinstance(source, AllOf | FirstOf):
            yield place, "is a number: name one column, or compute it: {times: [Quantity, Price], minus: [Discount]}"
        elif field not in whole and isinstance(source, Computed):
            yield place, "is text, which cannot be computed: name its column, or a list of columns"


def _misgrouped(mapping: ColumnMapping) -> Iterator[tuple[str, str]]:
    event_id = mapping.fields.get("event_id")
    named = columns_of(event_id) if event_id is not None else ()
    if mapping.group_by is None:
        # A second row of an order would be another fact of the same id, a conflict; but a row's number comes once.
        if ROW not in named:
            shown = f"[{', '.join(named)}]" if len(named) > 1 else (*named, "the column of event_id")[0]
            yield "group_by", f"an order may have several rows: add group_by: {shown}"
    elif ROW in named and ROW not in mapping.group_by:
        yield "fields.event_id", f"has {ROW}, so the rows of one order would differ in it: leave out {ROW}, or group_by"
    elif isinstance(event_id, str | AllOf) and set(named) < set(mapping.group_by):
        wanted = f"[{', '.join(mapping.group_by)}]"
        yield (
            "fields.event_id",
            f"names fewer columns than group_by, so two orders could get one id: write event_id: {wanted}",
        )


def _misscaled(mapping: ColumnMapping, kind: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    whole = integer_fields(kind) | (integer_fields(PurchaseLine) if mapping.lines else frozenset())
    if mapping.scale.get("occurred_at", SECONDS) != SECONDS:
        yield "scale.occurred_at", f"is {SECONDS} where numbers are seconds since 1970, and else not needed"
    if "occurred_at" in mapping.scale and isinstance(mapping.fields.get("occurred_at"), AllOf):
        yield "scale.occurred_at", "is for one column of seconds since 1970, not for a date and a time"
    for path, names in (("scale", mapping.scale), ("rounding", mapping.rounding)):
        for name in names:
            if name not in whole and (path, name) != ("scale", "occurred_at"):
                yield f"{path}.{name}", f"only a whole number can have it: {', '.join(sorted(whole))}"
    decimals = DECIMALS.get(mapping.constants.get("currency", ""))
    for name, scale in mapping.scale.items():
        if decimals is not None and name.endswith("_minor") and scale not in {1, 10**decimals, BY_CURRENCY}:
            yield (
                f"scale.{name}",
                f"does not fit {mapping.constants['currency']}, of {decimals} decimals: write currency",
            )
        if scale == BY_CURRENCY and name in whole and not name.endswith("_minor"):
            yield f"scale.{name}", f"is no amount of money: write one of {', '.join(map(str, SCALES))}"


def _told(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Pydantic's findings in our words."""
    for found in error.errors(include_url=False):
        path = ".".join(str(part) for part in found["loc"]) or "(the whole file)"
        if found["type"] == "extra_forbidden":
            known = Spread if found["loc"][0] == "spread" else ColumnMapping
            nearest = nearest_name(str(found["loc"][-1]), tuple(known.model_fields))
            yield path, f"there is no such setting{f': is {nearest} meant?' if nearest else ''}"
        elif found["type"] == "missing":
            yield path, "is missing: add it"
        elif found["type"] == "value_error" and not found["loc"]:
            for line in str(found["ctx"]["error"]).split("\n"):
                place, _, message = line.partition(": ")
                yield place, message
        elif found["type"] == "value_error":
            yield path, str(found["ctx"]["error"])
        else:
            yield path, f"{found['msg']}, not {_shown(found['input'])}"


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"
