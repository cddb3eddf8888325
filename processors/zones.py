"""Reads time zone data from the pinned `tzdata` package, never from the system, whose version may differ."""

from functools import cache
from importlib import resources
from typing import Final

_TZIF_MAGIC: Final = b"TZif"


@cache
def zone_names() -> tuple[str, ...]:
    """All IANA names that the pinned package knows, in its order."""
    return tuple(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


def zone_data(timezone: str) -> bytes:
    """The TZif bytes of a zone (0.1 to 3 KB); raises KeyError for a name that the package does not know."""
    if timezone not in zone_names():
        raise KeyError(timezone)
    data = resources.files("tzdata").joinpath("zoneinfo", *timezone.split("/")).read_bytes()
    if not data.startswith(_TZIF_MAGIC):
        raise AssertionError(f"tzdata holds no TZif data for {timezone}")
    return data
