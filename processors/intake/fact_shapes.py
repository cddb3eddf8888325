"""Structs into which the door decodes published facts: made from the schema, but five times quicker to decode.

Text patterns (no control characters) cost more than all other checks of a fact together. They are left out here, as the
door rules out control characters for a whole record at once: valid JSON holds none unescaped, so a
record without a backslash and without DEL has none. `occurred_at` may still be text here.

A fact from Avro has its types already; `keeps_bounds` looks at the rest of what the schema asks, in generated code.
"""

import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Final

import msgspec
from msgspec import inspect

from schemas.facts import PUBLISHED_TYPES, PublishedFact, PurchaseLine
from schemas.generated import define

_BOUNDS: Final = ("ge", "le", "min_length", "max_length")


def build(shape: Any) -> PublishedFact:
    """The fact that a shape holds; `occurred_at` must be a number by now, and patterns must have been ruled out."""
    values = msgspec.structs.astuple(shape)
    if isinstance(shape, PURCHASE_SHAPE):
        lines = tuple([PurchaseLine(*msgspec.structs.astuple(line)) for line in shape.lines])
        values = (*values[:_LINES_AT], lines, *values[_LINES_AT + 1 :])
    return _FACT_OF[type(shape)](*values)


def keeps_bounds(fact: PublishedFact) -> bool:
    """Whether a fact of the right types surely keeps the bounds of its fields, and holds no control characters.

    False leaves that open: texts with rare characters are not looked at closely. What no field alone can show, and the
    pattern of `source`, are left to the door.
    """
    return _BOUNDS_OF[type(fact)](fact)


def _loosened(annotation: Any) -> Any:
    """An annotation without its patterns, and with the shape of a line in place of the line."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is PurchaseLine:
        return _LINE_SHAPE
    if origin is Annotated:
        loosened = _loosened(arguments[0])
        for meta in arguments[1:]:
            bounds = {name: getattr(meta, name) for name in _BOUNDS if getattr(meta, name) is not None}
            if bounds:
                loosened = Annotated[loosened, msgspec.Meta(**bounds)]
        return loosened
    if origin in {typing.Union, types.UnionType}:
        return typing.Union[tuple(_loosened(one) for one in arguments)]  # noqa: UP007 - X | Y cannot take a tuple
    if origin is dict:
        return dict[tuple(_loosened(one) for one in arguments)]  # type: ignore[misc] # built at run time
    if origin is tuple:
        return tuple[_loosened(arguments[0]), ...]  # type: ignore[misc] # built at run time
    return annotation


def _shape_of(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The struct with the same fields, in the same order, with the same defaults."""
    annotations = typing.get_type_hints(kind, include_extras=True)
    fields: list[Any] = []
    for field in msgspec.structs.fields(kind):
        annotation = int | str if field.name == "occurred_at" else _loosened(annotations[field.name])
        if field.default_factory is not msgspec.NODEFAULT:
            fields.append((field.name, annotation, msgspec.field(default_factory=field.default_factory)))
        elif field.default is not msgspec.NODEFAULT:
            fields.append((field.name, annotation, field.default))
        else:
            fields.append((field.name, annotation))
    tag = kind.__name__ if kind is not PurchaseLine else None
    tag_field = "type" if tag else None
    return msgspec.defstruct(
        f"{kind.__name__}Shape", fields, tag_field=tag_field, tag=tag, forbid_unknown_fields=True, gc=False
    )


_LINE_SHAPE: Final = _shape_of(PurchaseLine)
SHAPES: Final[dict[str, type[msgspec.Struct]]] = {kind.__name__: _shape_of(kind) for kind in PUBLISHED_TYPES}
PURCHASE_SHAPE: Final[Any] = SHAPES["PurchaseRecorded"]
_FACT_OF: Final[dict[type, type[PublishedFact]]] = {SHAPES[kind.__name__]: kind for kind in PUBLISHED_TYPES}
_LINES_AT: Final = [field.name for field in msgspec.structs.fields(PURCHASE_SHAPE)].index("lines")
AnyShape: Final[Any] = typing.Union[tuple(SHAPES.values())]  # noqa: UP007 - X | Y cannot take a tuple


@cache
def struct_type(kind: type[msgspec.Struct]) -> inspect.StructType:
    """A struct and the types of its fields, as msgspec describes them."""
    described = inspect.type_info(kind)
    if not isinstance(described, inspect.StructType):
        raise TypeError(f"{kind.__name__} is no struct")
    return described


class _BoundsSource:
    """The source of one function that looks at the fields of a struct, and at those of the structs it lists."""

    def __init__(self, kind: type[msgspec.Struct]) -> None:
        self.lines = ["def keeps_bounds(fact):"]
        self._struct(struct_type(kind), "fact", 1)
        self.lines.append("    return True")

    def _line(self, depth: int, line: str) -> None:
        self.lines.append("    " * depth + line)

    def _refuse_unless(self, tests: list[str], depth: int) -> None:
        self._line(depth, f"if not ({' and '.join(tests)}):")
        self._line(depth + 1, "return False")

    def _struct(self, described: inspect.StructType, value: str, depth: int) -> None:
        names = [f"{value}_{field.name}" for field in described.fields]
        self._line(depth, f"{', '.join(names)}, = fields_of({value})")
        checks = [(name, field.type) for name, field in zip(names, described.fields, strict=True)]
        tests = [test for name, kind in checks for test in _tests(kind, name)]
        # Text of which every character can be printed holds no control character, and one look at all is the quickest.
        texts = "".join(
            f"{{{name} or ''}}" if _is_optional(kind) else f"{{{name}}}" for name, kind in checks if _is_text(kind)
        )
        self._refuse_unless([*tests, f'f"{texts}".isprintable()'], depth)
        for name, kind in checks:
            if isinstance(kind, inspect.VarTupleType) and isinstance(kind.item_type, inspect.StructType):
                self._line(depth, f"for line in {name}:")
                self._struct(kind.item_type, "line", depth + 1)
            elif isinstance(kind, inspect.DictType):
                self._line(depth, f"for key, text in {name}.items():")
                tests = [*_tests(kind.key_type, "key"), *_tests(kind.value_type, "text")]
                self._refuse_unless([*tests, 'f"{key}{text}".isprintable()'], depth + 1)


def _is_optional(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.UnionType)


def _is_text(kind: inspect.Type) -> bool:
    return isinstance(_given(kind), inspect.StrType)


def _given(kind: inspect.Type) -> inspect.Type:
    """The type of a field where it is not None."""
    if isinstance(kind, inspect.UnionType):
        (kind,) = (one for one in kind.types if not isinstance(one, inspect.NoneType))
    return kind


def _tests(kind: inspect.Type, name: str) -> list[str]:
    """The expressions that are true where a value keeps the bounds of its type; TypeError for a type not met yet."""
    given = _given(kind)
    tests: list[str] = []
    if isinstance(given, inspect.IntType):
        if (given.ge is None) != (given.le is None):
            raise TypeError(f"{name} has one bound: give it both")
        if given.ge is not None:
            tests = [f"{given.ge} <= {name} <= {given.le}"]
    elif isinstance(given, inspect.StrType | inspect.VarTupleType | inspect.DictType):
        if given.max_length is not None:
            tests = [f"{given.min_length or 0} <= len({name}) <= {given.max_length}"]
    else:
        raise TypeError(f"{name}: no way to tell whether a {given!r} keeps its bounds")
    return [f"({name} is None or {test})" for test in tests] if _is_optional(kind) else tests


def _bounds_of(kind: type[PublishedFact]) -> Callable[[Any], bool]:
    source = "\n".join(_BoundsSource(kind).lines)
    compiled: Callable[[Any], bool] = define(
        f"bounds of {kind.__name__}", source, {"fields_of": msgspec.structs.astuple}
    )["keeps_bounds"]
    return compiled


_BOUNDS_OF: Final[dict[type, Callable[[Any], bool]]] = {kind: _bounds_of(kind) for kind in PUBLISHED_TYPES}
