"""The published facts as the door first decodes them: taken from the schema, but five times cheaper to read.

Text patterns (no control characters) cost more than all other checks of a fact together. They are left out here,
because the door can rule out control characters for a whole record at once: valid JSON holds none unescaped, so a
record without a backslash and without DEL has none. `occurred_at` may still be text here.
"""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any, Final

import msgspec

from schemas.facts import PUBLISHED_TYPES, PublishedFact, PurchaseLine

_BOUNDS: Final = ("ge", "le", "min_length", "max_length")


def build(shape: Any) -> PublishedFact:
    """The fact that a shape holds; `occurred_at` must be a number by now, and patterns must have been ruled out."""
    values = msgspec.structs.astuple(shape)
    if isinstance(shape, PURCHASE_SHAPE):
        lines = tuple([PurchaseLine(*msgspec.structs.astuple(line)) for line in shape.lines])
        values = (*values[:_LINES_AT], lines, *values[_LINES_AT + 1 :])
    return _FACT_OF[type(shape)](*values)


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
        return typing.Union[tuple(_loosened(one) for one in arguments)]  # noqa: UP007 - built from a tuple
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
AnyShape: Final[Any] = typing.Union[tuple(SHAPES.values())]  # noqa: UP007 - built from a tuple
