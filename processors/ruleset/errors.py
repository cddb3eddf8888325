"""Turns the errors of pydantic into problems in plain words, each with its path in the ruleset's file."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from processors.decider.fields.example import EXAMPLE_FACTS, example_kind
from processors.decider.fields.expiry_and_limit import FixedExpiry, NoExpiry, RollingExpiry
from processors.decider.fields.problems import Path, Problem, nearest, shown
from processors.decider.fields.scalars import ID_PATTERN
from processors.decider.kinds.registry import RULE_KINDS
from processors.decider.rules.ruleset import Ruleset

_EXPIRIES: Final[dict[str, type[BaseModel]]] = {"none": NoExpiry, "fixed": FixedExpiry, "rolling": RollingExpiry}
# Which models may stand under a key, by the kind that is found in the data.
_KINDS: Final[dict[str, Mapping[str, type[BaseModel]]]] = {
    "rules": RULE_KINDS,
    "expiry": _EXPIRIES,
    "facts": EXAMPLE_FACTS,
}
_UNION_TAGS: Final = {key: frozenset(kinds) for key, kinds in _KINDS.items()}
# Positions that the models add to the path of a condition written in its short form.
_UNWRITTEN: Final = frozenset({"any_of", "[key]"})
_ADVICE: Final = {
    "timezone": "write an IANA name, such as Europe/Berlin",
    "programme": "small letters, digits, and . _ - inside; at most 64",
    "version": "letters, digits, and . _ - inside; at most 64",
}
_ID_ADVICE: Final = "small letters, digits, and . _ - inside; at most 64, such as double-tuesday"


def problems_of(error: ValidationError, data: Any) -> list[Problem]:
    """Everything that the models found wrong with `data`, by its path in the file, in plain words."""
    found: list[Problem] = []
    for detail in error.errors(include_url=False):
        path = written_path(detail["loc"], data)
        context = detail.get("ctx") or {}
        if detail["type"] == "problems":
            for at, text, hint in context["problems"]:
                found.append(Problem(written_path((*detail["loc"], *at), data), text, hint))
        elif detail["type"] != "too_short" or not value_at(path, data):  # pydantic counts only valid items
            found.append(_problem(detail, path, context, data))
    return found


def written_path(loc: Sequence[str | int], data: Any) -> Path:
    """The path as it stands in the file: without the union tags and short forms that the models put between."""
    path: list[str | int] = []
    tags: frozenset[str] = frozenset()
    for part in loc:
        if part in tags:
            tags = frozenset()
        elif part in _UNWRITTEN and not (isinstance(data, dict) and part in data):
            continue
        else:
            tags = _UNION_TAGS.get(str(part), tags if isinstance(part, int) else frozenset())
            data = _inside(data, part)
            path.append(part)
    return tuple(path)


def value_at(path: Path, data: Any) -> Any:
    """What stands at a path of plain data; None where nothing does."""
    for part in path:
        data = _inside(data, part)
    return data


def _inside(data: Any, part: str | int) -> Any:
    if isinstance(data, dict):
        return data.get(part)
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return data[part]
    return None


def _problem(detail: ErrorDetails, path: Path, context: Mapping[str, Any], data: Any) -> Problem:
    kind = detail["type"]
    if kind == "refused":
        return Problem(path, context["message"], context["hint"])
    if kind == "extra_forbidden":
        return _unknown_key(path, data)
    if kind == "missing":
        return _missing_key(path, data)
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _unknown_kind(path, value_at(path, data))
    return _wrong_value(kind, path, detail["input"], context) or Problem(path, detail["msg"], "")


def _model_at(path: Path, data: Any) -> type[BaseModel]:
    """The model of the mapping at `path`, found from field to field; kinds are looked up in the data."""
    models: list[type[BaseModel]] = [Ruleset]
    for size, part in enumerate(path):
        if isinstance(part, str):
            fields = _model_of(models, value_at(path[:size], data)).model_fields
            field = next((field for name, field in fields.items() if part in (name, field.validation_alias)), None)
            if field is not None:  # else it is a name of the publisher's, such as an attribute's
                models = _models_in(field.annotation)
    return _model_of(models, value_at(path, data))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _model_of(models: list[type[BaseModel]], value: Any) -> type[BaseModel]:
    """The model among several that the kind of a mapping names."""
    if len(models) > 1 and isinstance(value, dict):
        kind = str(value.get("kind", example_kind(value)))
        return next(kinds[kind] for kinds in _KINDS.values() if kind in kinds and kinds[kind] in models)
    return models[0]


def _known_keys(path: Path, data: Any) -> tuple[str, ...]:
    """The keys that the mapping at `path` may have."""
    return tuple(
        field.validation_alias if isinstance(field.validation_alias, str) else name
        for name, field in _model_at(path, data).model_fields.items()
        if name not in _UNWRITTEN
    )


def _unknown_key(path: Path, data: Any) -> Problem:
    key, parent = str(path[-1]), path[:-1]
    kind = RULE_KINDS.get(str(value_at((*parent, "kind"), data)))
    if kind is not None and key in kind.keys_elsewhere:
        return Problem(path, f"a {kind.kind_name()} has no `{key}`", kind.keys_elsewhere[key])
    known = _known_keys(parent, data)
    return Problem(path, f"`{key[:60]}` is not known here{nearest(key, known)}", f"known: {', '.join(known)}")


def _missing_key(path: Path, data: Any) -> Problem:
    key, parent = path[-1], path[:-1]
    there = value_at(parent, data)
    near = nearest(str(key), [name for name in there if isinstance(name, str)] if isinstance(there, dict) else [])
    hint = f"`{key}` may stand there misspelt" if near else f"write `{key}: ...`"
    return Problem(parent, f"`{key}` is missing", hint)


def _unknown_kind(path: Path, there: Any) -> Problem:
    last = next((part for part in reversed(path) if isinstance(part, str)), "")
    kinds = tuple(_KINDS[last])
    if last == "facts":
        keys = tuple(there) if isinstance(there, dict) else ()
        near = next((found for key in keys if (found := nearest(key, kinds))), "")
        return Problem(path, f"it is not clear which fact this is{near}", f"write one of {', '.join(kinds)}")
    hint = f"the kinds are {', '.join(kinds)}"
    if not isinstance(there, dict):
        return Problem(path, f"{shown(there)} is no mapping", f"write `kind: ...`; {hint}")
    if "kind" not in there:
        return Problem(path, "`kind` is missing", hint)
    kind = there["kind"]
    near = nearest(kind, kinds) if isinstance(kind, str) else ""
    return Problem((*path, "kind"), f"{shown(kind)} is not a kind{near}", hint)


def _wrong_value(kind: str, path: Path, value: Any, context: Mapping[str, Any]) -> Problem | None:
    name = next((f"`{part}`" for part in reversed(path) if isinstance(part, str)), "this")
    if kind in ("literal_error", "enum"):
        allowed = re.findall(r"'([^']*)'", str(context["expected"]))
        near = nearest(value, allowed) if isinstance(value, str) else ""
        return Problem(path, f"{shown(value)} is not allowed for {name}{near}", f"write one of {', '.join(allowed)}")
    if kind == "string_pattern_mismatch":
        advice = _ADVICE.get(str(path[-1]), _ID_ADVICE if context["pattern"] == ID_PATTERN else "")
        return Problem(path, f"{shown(value)} cannot be a name", advice)
    bounds = {
        "greater_than": ("gt", "more than"),
        "greater_than_equal": ("ge", "at least"),
        "less_than": ("lt", "less than"),
        "less_than_equal": ("le", "at most"),
    }
    if kind in bounds:
        key, words = bounds[kind]
        return Problem(path, f"{name} is {value}; it must be {words} {context[key]}", "change the number")
    shapes = {
        "tuple_type": ("a list", "write [a, b], or one item a line after `- `"),
        "list_type": ("a list", "write [a, b], or one item a line after `- `"),
        "dict_type": ("a mapping", "write `key: value` below it"),
        "model_type": ("a mapping", "write `key: value` below it"),
        "model_attributes_type": ("a mapping", "write `key: value` below it"),
        "string_type": ("a text", "write one value"),
    }
    if kind in shapes:
        wanted, hint = shapes[kind]
        which = f"this item of {name}" if path and isinstance(path[-1], int) else name
        return Problem(path, f"{which} must be {wanted}, not {shown(value)}", hint)
    if kind in ("too_short", "string_too_short"):
        return Problem(path, f"{name} is empty", _ADVICE.get(str(path[-1]), "write a value, or delete it"))
    sizes = {
        "too_long": f"{name} holds more than {context.get('max_length')}",
        "string_too_long": f"{name} is longer than {context.get('max_length')} characters",
    }
    return Problem(path, sizes[kind], "shorten it") if kind in sizes else None
