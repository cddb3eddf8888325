"""Rounds exact points to whole ones, and writes exact points as people read them."""

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Final, Literal


def round_floor(numerator: int, denominator: int) -> int:
    """Down to a whole point."""
    return numerator // denominator


def round_ceil(numerator: int, denominator: int) -> int:
    """Up to a whole point."""
    return -(-numerator // denominator)


def round_half_up(numerator: int, denominator: int) -> int:
    """To the nearest whole point, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)


def round_half_even(numerator: int, denominator: int) -> int:
    """To the nearest whole point, halves to the even one."""
    whole, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and whole % 2):
        return whole + 1
    return whole


MAX_PRINTED_DIGITS: Final = 20
MAX_TEXTS_KEPT: Final = 65_536

Rounding = Literal["floor", "ceil", "half_up", "half_even"]
ROUNDINGS: Final[dict[Rounding, Callable[[int, int], int]]] = {
    "floor": round_floor,
    "ceil": round_ceil,
    "half_up": round_half_up,
    "half_even": round_half_even,
}


@lru_cache(MAX_TEXTS_KEPT)
def exact_text(numerator: int, denominator: int) -> str:
    """A fraction as people read it: a plain decimal where it ends, else "n/d" in lowest terms."""
    if denominator == 1:
        return str(numerator)
    value = Fraction(numerator, denominator)
    top, bottom = value.numerator, value.denominator
    if bottom == 1:
        return str(top)
    digits, scale = 0, 1
    while scale % bottom:
        digits, scale = digits + 1, scale * 10
        if digits > MAX_PRINTED_DIGITS:
            return f"{top}/{bottom}"
    whole, rest = divmod(top * (scale // bottom), scale)
    return f"{whole}.{rest:0{digits}d}"
