"""Structs into which the door decodes published facts: made from the schema, but five times quicker to decode.

Text patterns (no control characters) cost more than all other checks of a fact together. They are left out here, as the
door looks at all texts of a record at once (`are_plain`). `occurred_at` may still be text here.

A fact from Avro has its types already; `texts_in_bounds` looks at the rest of what the schema asks.
"""

import re
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Final

import msgspec
from msgspec import inspect

from processors.intake.doubtful_ids import DOUBTFUL_TEXT, LOST, MASKED_TEXT
from schemas.bounds import MAX_ID_BYTES
from schemas.facts import ONE_UNIT_MILLI, PUBLISHED_TYPES, PublishedFact, PurchaseLine
from schemas.generated import define

_BOUNDS: Final = ("ge", "le", "min_length", "max_length")
# Doubles from here on stand for several whole numbers each, so that the last digits of an id would be lost.
FIRST_INEXACT: Final = 2**53
# Defaults by the names that they have: encoders leave out what is the default, not what equals it.
_DEFAULTS: Final[dict[object, str]] = {ONE_UNIT_MILLI: "ONE_UNIT_MILLI"}
_ATTRIBUTE: Final = "texts += f\"{key}|{text or ' '}|\""
_LONGEST_CHARACTER: Final = 4  # bytes of UTF-8
# A number as spreadsheets and programs write a long one that they have rounded: 4.98765E+15, 4,98765E+15, 4.98765E15.
_SCIENTIFIC: Final = r"[+-]?[0-9]+(?:[.,][0-9]+[eE][+-]?|[eE]\+)[0-9]{1,3}"
SCIENTIFIC: Final = re.compile(_SCIENTIFIC, re.ASCII)
# One of the texts with bars between them is such a number.
_SCIENTIFIC_TEXT: Final = re.compile(rf"\|{_SCIENTIFIC}\|", re.ASCII)
_MAX_CHARACTERS: Final = MAX_ID_BYTES // _LONGEST_CHARACTER


def build(shape: Any) -> PublishedFact:
    """The fact that a shape holds; `occurred_at` must be a number by now, and patterns must have been ruled out."""
    return _BUILD[type(shape)](shape)


def keys_of(shape: Any) -> int:
    """How many keys the JSON of a shape had, that of its kind and repeated ones apart."""
    return _KEYS_OF[type(shape)](shape)


def texts_in_bounds(fact: PublishedFact) -> str | None:
    """All texts of a fact of the right types, as `texts_of` has them; None if a field is out of its bounds.

    What no field alone can show, and the pattern of `source`, are left to the door.
    """
    return _TEXTS_IN_BOUNDS[type(fact)](fact)


def texts_of(fact: Any) -> str:
    """All texts of a fact, or of its shape, in one, as one look at it is the quickest: bars stand between them.

    The instant and the kind are left out. A blank stands for the value of an empty attribute.
    """
    return _TEXTS_OF[type(fact)](fact)


def are_plain(texts: str, *, is_json: bool = False) -> bool:
    """Whether all of `texts_of` surely are as they are meant; False leaves that open.

    They have no blanks around them and no control characters, ids keep their bound in bytes, are no numbers in
    scientific notation, not doubtful and not masked, and no attribute is empty. `is_json`: the texts stood in JSON
    without backslash and DEL, where no control character can stand.
    """
    if " " in texts and ("| " in texts or " |" in texts):
        return False
    if ("." in texts or "+" in texts or "," in texts) and _SCIENTIFIC_TEXT.search(texts):
        return False
    is_ascii = texts.isascii()
    may_pool = "0000000|" in texts or "?" in texts or "#" in texts or "Err:" in texts
    if (may_pool and DOUBTFUL_TEXT.search(texts)) or (
        (may_pool or not is_ascii or "*" in texts or "xxx" in texts or "XXX" in texts) and MASKED_TEXT.search(texts)
    ):
        return False
    if is_ascii:
        return is_json or texts.isprintable()
    if not texts.isprintable() or LOST in texts:
        return False
    return len(texts.encode()) <= MAX_ID_BYTES or max(map(len, texts.split("|"))) <= _MAX_CHARACTERS


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
        return dict[tuple(_loosened(one) for one in arguments)]  # type: ignore[misc] # mypy cannot follow types made of variables
    if origin is tuple:
        return tuple[_loosened(arguments[0]), ...]  # type: ignore[misc] # mypy cannot follow types made of variables
    return annotation


def _shape_of(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The struct with the same fields, in the same order; what is not given is UNSET, so that keys can be counted."""
    annotations = typing.get_type_hints(kind, include_extras=True)
    fields: list[Any] = []
    for field in msgspec.structs.fields(kind):
        annotation = int | str if field.name == "occurred_at" else _loosened(annotations[field.name])
        if field.required:
            fields.append((field.name, annotation))
        else:
            fields.append((field.name, annotation | msgspec.UnsetType, msgspec.UNSET))
    tag = kind.__name__ if kind is not PurchaseLine else None
    tag_field = "type" if tag else None
    return msgspec.defstruct(
        f"{kind.__name__}Shape", fields, tag_field=tag_field, tag=tag, forbid_unknown_fields=True, gc=False
    )


_LINE_SHAPE: Final = _shape_of(PurchaseLine)
SHAPES: Final[dict[str, type[msgspec.Struct]]] = {kind.__name__: _shape_of(kind) for kind in PUBLISHED_TYPES}
PURCHASE_SHAPE: Final[Any] = SHAPES["PurchaseRecorded"]
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
        self.lines = ["def texts_in_bounds(fact):", "    texts = '|'"]
        self._struct(struct_type(kind), "fact", 1)
        self.lines.append("    return texts")

    def _line(self, depth: int, line: str) -> None:
        self.lines.append("    " * depth + line)

    def _refuse_unless(self, tests: list[str], depth: int) -> None:
        self._line(depth, f"if not ({' and '.join(tests)}):")
        self._line(depth + 1, "return None")

    def _struct(self, described: inspect.StructType, value: str, depth: int) -> None:
        names = [f"{value}_{field.name}" for field in described.fields]
        self._line(depth, f"{', '.join(names)}, = fields_of({value})")
        checks = [(name, field.type) for name, field in zip(names, described.fields, strict=True)]
        self._refuse_unless([test for name, kind in checks for test in _tests(kind, name)], depth)
        texts = [
            f"{{{name} or ''}}" if _is_optional(kind) else f"{{{name}}}"
            for name, kind in checks
            if isinstance(given_type(kind), inspect.StrType)
        ]
        self._line(depth, f'texts += f"{"|".join(texts)}|"')
        for name, kind in checks:
            if isinstance(kind, inspect.VarTupleType) and isinstance(kind.item_type, inspect.StructType):
                self._line(depth, f"for line in {name}:")
                self._struct(kind.item_type, "line", depth + 1)
            elif isinstance(kind, inspect.DictType):
                self._line(depth, f"for key, text in {name}.items():")
                self._refuse_unless([*_tests(kind.key_type, "key"), *_tests(kind.value_type, "text")], depth + 1)
                self._line(depth + 1, _ATTRIBUTE)


def _texts_source(kind: type[PublishedFact]) -> str:
    lines = ["def texts_of(fact):", f'    texts = f"|{_bars(kind, "fact")}|"']
    for field in struct_type(kind).fields:
        if field.name == "lines":
            lines += ["    for line in fact.lines:", f'        texts += f"{_bars(PurchaseLine, "line")}|"']
        elif isinstance(field.type, inspect.DictType):
            lines.append(f"    for key, text in (fact.{field.name} or {{}}).items():")
            lines.append(f"        {_ATTRIBUTE}")
    return "\n".join([*lines, "    return texts"])


def _build_source(kind: type[PublishedFact]) -> str:
    return f"def build(shape):\n    return {_call(kind, 'shape')}"


def _call(kind: type[msgspec.Struct], value: str) -> str:
    """The expression that makes a struct of its shape."""
    arguments = []
    for field in struct_type(kind).fields:
        given = f"{value}.{field.name}"
        if field.name == "lines":
            given = f"tuple([{_call(PurchaseLine, 'line')} for line in {given}])"
        elif not field.required:
            given = or_default(field, given, "UNSET")
        arguments.append(given)
    return f"{kind.__name__}({', '.join(arguments)})"


def or_default(field: inspect.Field, given: str, nothing: str) -> str:
    """The expression for a field that may be left out: its default where what is given is `nothing` (UNSET or None)."""
    default = "{}" if field.default is msgspec.NODEFAULT else _DEFAULTS.get(field.default, repr(field.default))
    # UNSET and None are false: where the default is false too, `or` gives the same in less time.
    is_false = default in {"''", "0", "{}"}
    return f"{given} or {default}" if is_false else f"{default} if {given} is {nothing} else {given}"


def _keys_source(kind: type[PublishedFact]) -> str:
    lines = ["def keys_of(shape):", f"    keys = {_count(kind, 'shape')}"]
    for field in struct_type(kind).fields:
        if field.name == "lines":
            lines += ["    for line in shape.lines:", f"        keys += {_count(PurchaseLine, 'line')}"]
        elif isinstance(field.type, inspect.DictType):
            lines += [f"    if shape.{field.name}:", f"        keys += len(shape.{field.name})"]
    return "\n".join([*lines, "    return keys"])


def _count(kind: type[msgspec.Struct], value: str) -> str:
    """The expression that counts the fields of a struct that are given."""
    fields = struct_type(kind).fields
    required = sum(field.required for field in fields)
    return " + ".join([str(required), *(f"({value}.{one.name} is not UNSET)" for one in fields if not one.required)])


def _bars(kind: type[msgspec.Struct], value: str) -> str:
    """The texts of a struct with bars between them, as a format string has them."""
    return "|".join(
        f"{{{value}.{field.name}}}" if field.required else f"{{{value}.{field.name} or ''}}"
        for field in struct_type(kind).fields
        if isinstance(given_type(field.type), inspect.StrType)
    )


def _is_optional(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.UnionType)


def given_type(kind: inspect.Type) -> inspect.Type:
    """The type of a field where it is not None."""
    if isinstance(kind, inspect.UnionType):
        (kind,) = (one for one in kind.types if not isinstance(one, inspect.NoneType))
    return kind


def _tests(kind: inspect.Type, name: str) -> list[str]:
    """The expressions that are true where a value keeps the bounds of its type; TypeError for a type not met yet."""
    given = given_type(kind)
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


def _compiled(
    name: str, source: Callable[[type[PublishedFact]], str], kind: type[PublishedFact]
) -> Callable[[Any], Any]:
    names = {one.__name__: one for one in (*PUBLISHED_TYPES, PurchaseLine)} | {
        "UNSET": msgspec.UNSET,
        "ONE_UNIT_MILLI": ONE_UNIT_MILLI,
        "fields_of": msgspec.structs.astuple,
    }
    compiled: Callable[[Any], Any] = define(f"{name} of {kind.__name__}", source(kind), names)[name]
    return compiled


_TEXTS_IN_BOUNDS: Final[dict[type, Callable[[Any], str | None]]] = {
    kind: _compiled("texts_in_bounds", lambda kind: "\n".join(_BoundsSource(kind).lines), kind)
    for kind in PUBLISHED_TYPES
}
_TEXTS_OF: Final[dict[type, Callable[[Any], str]]] = {
    kind: _compiled("texts_of", _texts_source, kind) for kind in PUBLISHED_TYPES
}
_TEXTS_OF.update({SHAPES[kind.__name__]: _TEXTS_OF[kind] for kind in PUBLISHED_TYPES})
_BUILD: Final[dict[type, Callable[[Any], PublishedFact]]] = {
    SHAPES[kind.__name__]: _compiled("build", _build_source, kind) for kind in PUBLISHED_TYPES
}
_KEYS_OF: Final[dict[type, Callable[[Any], int]]] = {
    SHAPES[kind.__name__]: _compiled("keys_of", _keys_source, kind) for kind in PUBLISHED_TYPES
}
