"""Shares an amount of a whole order among its lines, exactly."""

from collections.abc import Sequence


def shares(total: int, amounts: Sequence[int]) -> list[int] | None:
    """Parts of `total`, one for each line, in proportion to the lines' amounts; they add up to it exactly.

    Lines at or below 0 get nothing. What division leaves over goes, a unit each, to the lines with the largest
    remainders, the first line first. None if no line is above 0.
    """
    weights = [max(amount, 0) for amount in amounts]
    base = sum(weights)
    if not base:
        return None
    magnitude = abs(total)
    parts = [magnitude * weight // base for weight in weights]
    largest_first = sorted(range(len(weights)), key=lambda at: -(magnitude * weights[at] % base))
    for at in largest_first[: magnitude - sum(parts)]:
        parts[at] += 1
    return parts if total >= 0 else [-part for part in parts]
