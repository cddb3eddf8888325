"""Writes random documents as the YAML that a person would write: one setting or list item a line, in flow style."""

import json
from typing import Any


class Plain(str):
    """Text that stands in the YAML without quotes: a number, a date, a word."""

    __slots__ = ()


def flow(value: Any) -> str:
    """A value in YAML flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Plain):
        return str(value)
    return json.dumps(value)


def block(document: dict[str, Any]) -> str:
    """The document in YAML, one setting or list item a line."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list) and value:
            lines.append(f"{key}:")
            lines += [f"  - {flow(item)}" for item in value]
        else:
            lines.append(f"{key}: {flow(value)}")
    return "\n".join(lines) + "\n"
