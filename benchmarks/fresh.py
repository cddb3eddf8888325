"""Runs one measurement in a process of its own, so that no other one has left anything behind in it."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

_STATM: Final = Path("/proc/self/statm")
_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


def measured_apart(measure: Callable[_Given, _Found], *args: _Given.args, **kwargs: _Given.kwargs) -> _Found:
    """What `measure` gives in a fresh process; it stands at the top of a module and takes and gives plain data."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *args, **kwargs).result()


def resident_bytes() -> int:
    """What this process has in memory now, as the system counts it.

    Raises:
        SystemExit: the system does not tell (only Linux does).
    """
    if not _STATM.exists():
        sys.exit("resident memory is read from /proc/self/statm, which this system does not have: run it on Linux")
    return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
