"""Puts two facts of one source and event id side by side, the fields in which they differ first."""

from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.facts import MemberFact
from schemas.instants import format_instant
from tallybook.explain.model import FieldSeen


def content_of(fact: MemberFact) -> dict[str, Any]:
    """Give the fact as a publisher wrote it, without what was not given; instants as RFC 3339."""
    content: dict[str, Any] = msgspec.to_builtins(fact)
    return {name: format_instant(value) if name.endswith("_at") else value for name, value in content.items()}


def side_by_side(first: MemberFact, later: MemberFact) -> list[FieldSeen]:
    """Give all fields of two facts: those that differ, in the order of the fields, and then the others."""
    before, after = dict(_leaves("", content_of(first))), dict(_leaves("", content_of(later)))
    fields = [
        FieldSeen(name, before.get(name), after.get(name), differs=before.get(name) != after.get(name))
        for name in before | after
    ]
    return sorted(fields, key=lambda field: not field.differs)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Each value that holds no others, by its path such as `lines[0].amount_minor`."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(f"{name}.{key}" if name else key, part)
    elif isinstance(value, list | tuple):
        for at, part in enumerate(value):
            yield from _leaves(f"{name}[{at}]", part)
    else:
        yield name, value
