"""The arithmetic of a rule in one readable line, from what the posting recorded and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.posting import Working

_UNITS: Final = {"minor": "minor", "milli": "thousandths", "event": "event", "line": "line", "day": "day"}
_COUNTED: Final = frozenset({"event", "line", "day"})


def arithmetic_line(
    working: Working, cuts: Sequence[tuple[str, int]] = (), stacking: str = "multiply", *, per_line: bool = False
) -> str:
    """Such as `1,234 minor × 1/100 × 2 (double-tuesday) = 24.68 → floor → 24, limit day cut 4 → 20 paid`.

    `cuts` names the limits that cut, with how many points each (default: as far as the posting says); `stacking` is
    how several factors combine, `per_line` whether each line of the order was rounded.
    """
    text = f"{_counted(working.basis, working.unit)} × {working.rate}{_factors(working, stacking)} = {working.exact}"
    if working.exact != str(working.rounded):
        text += f" → {working.rounding}{' per line' if per_line else ''} → {working.rounded:,}"
    if working.paid != working.rounded:
        known = cuts or [(" and ".join(working.limit_ids), working.rounded - working.paid)]
        text += "".join(f", limit {limit_id} cut {points:,}" for limit_id, points in known) + f" → {working.paid:,}"
    return f"{text} paid"


def _counted(basis: int, unit: str) -> str:
    name = _UNITS.get(unit, unit)
    return f"{basis:,} {name}{'s' if unit in _COUNTED and basis != 1 else ''}"


def _factors(working: Working, stacking: str) -> str:
    def of(basis: int) -> str:
        return "" if basis == working.basis else f" on {basis:,} of them"

    factors = working.factors
    if len(factors) > 1 and stacking != "multiply":
        return f" × {stacking} of " + ", ".join(f"{f.factor} ({f.rule_id}{of(f.basis)})" for f in factors)
    return "".join(f" × {f.factor} ({f.rule_id}{of(f.basis)})" for f in factors)
