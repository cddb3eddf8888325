"""Makes facts of the cells of a table directly, without an event between them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from processors.intake.fact_shapes import or_default, struct_type
from schemas.facts import ONE_UNIT_MILLI, PublishedFact, PurchaseLine, PurchaseRecorded
from schemas.generated import define

# Makes a fact of the cells of a head and of those of its lines. It raises TypeError if a field is missing.
FactOf = Callable[[Sequence[Any], Sequence[Sequence[Any]]], PublishedFact]


def fact_maker(  # noqa: PLR0917 - the parts of a mapping, given by one caller
    kind: type[PublishedFact],
    head: Sequence[str],
    attributes: Sequence[str],
    line: Sequence[str],
    fixed: Mapping[str, Any],
    fixed_line: Mapping[str, Any],
) -> FactOf:
    """A function that makes facts of this kind; the types of the cells are not looked at.

    `head` and `line` name the fields that the cells fill; the cells of `attributes` stand after those of the head.
    A cell that is None says nothing. `fixed` and `fixed_line` hold the fields that are the same in all facts.
    """
    arguments = _arguments(kind, "head", head, "fixed", fixed)
    if attributes:
        pairs = ", ".join(f"({name!r}, head_{at})" for at, name in enumerate(attributes, len(head)))
        arguments.append(f"attributes={{name: text for name, text in [{pairs}] if text is not None}}")
    if kind is PurchaseRecorded:
        of_line = ", ".join(_arguments(PurchaseLine, "line", line, "fixed_line", fixed_line))
        arguments.append(f"lines=tuple([PurchaseLine({of_line}) for {_targets('line', len(line))} in lines])")
    source = (
        "def fact_of(head, lines):\n"
        f"    {_targets('head', len(head) + len(attributes))} = head\n"
        f"    return {kind.__name__}({', '.join(arguments)})"
    )
    names = {one.__name__: one for one in (kind, PurchaseLine)} | {
        "ONE_UNIT_MILLI": ONE_UNIT_MILLI,
        "fixed": fixed,
        "fixed_line": fixed_line,
    }
    fact_of: FactOf = define(f"fact_of {kind.__name__}", source, names)["fact_of"]
    return fact_of


def _arguments(
    kind: type[msgspec.Struct], cells: str, fields: Sequence[str], constants: str, fixed: Mapping[str, Any]
) -> list[str]:
    """The arguments that make a struct of cells and constants, as source."""
    arguments = []
    for field in struct_type(kind).fields:
        if field.name in fixed:
            arguments.append(f"{field.name}={constants}[{field.name!r}]")
        elif field.name in fields:
            cell = f"{cells}_{fields.index(field.name)}"
            arguments.append(f"{field.name}={cell if field.required else or_default(field, cell, 'None')}")
    return arguments


def _targets(cells: str, count: int) -> str:
    return f"[{', '.join(f'{cells}_{at}' for at in range(count))}]"
