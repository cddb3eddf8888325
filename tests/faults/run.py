"""Puts the faults of the lists beside this file into copies of the code, one by one, to see what catches each.

A fault that is not caught shows a hole in the tests.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.faults.catalogue import DECIDER, PLUMBING, RESCORING, ROOT, STREAMING, Fault, faults
from tests.run.given import Given, say
from tests.run.seeds import over_threads
from tests.support.processes import ended

COPIED = ("schemas", "books", "processors", "projections", "tallybook", "rulesets", "tests", "pyproject.toml")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "hostile", "fixtures")
MAX_SECONDS = 600
RUN = ("-m", "tests.run")
PYTEST = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")
# From the quickest to the most thorough; the first that fails has caught the fault.
SUITES: dict[str, tuple[str, ...]] = {
    "scenarios": (*PYTEST, "tests/scenarios"),
    "histories": (*RUN, "histories", "--count", "3000", "--brief"),
    "laws": (*PYTEST, "tests/property"),
    "simulation": (*RUN, "simulate", "--count", "1000", "--brief"),
    "some seeds": (*RUN, "simulate", "--count", "50", "--brief"),
    "streams": (*RUN, "streams", "--count", "300", "--brief"),
    "worlds": (
        *PYTEST,
        "tests/unit/processors/replay/rescore",
        "tests/unit/processors/replay/test_layered_editions.py",
        "tests/unit/processors/decider/rules/test_timeline.py",
        "tests/scenarios/test_rescoring.py",
        "tests/property/test_two_worlds.py",
    ),
    "runs": (*PYTEST, *(f"tests/unit/tallybook/rescore/test_{name}.py" for name in ("plan", "present", "runs", "why"))),
    "imports": (*PYTEST, "tests/unit/tallybook/folder/test_import_orders.py"),
    "some streams": (*RUN, "streams", "--count", "20", "--brief"),
    "some histories": (*RUN, "histories", "--count", "60", "--brief"),
    "some laws": (*PYTEST, "tests/property/test_bounds.py", "tests/property/test_packing.py"),
    "some worlds": (*PYTEST, "tests/scenarios/test_rescoring.py"),
}
JUDGES: dict[str, tuple[str, ...]] = {
    DECIDER.name: ("scenarios", "histories", "laws"),
    PLUMBING.name: ("simulation", "imports"),
    STREAMING.name: ("streams",),
    RESCORING.name: ("worlds", "runs"),
}


# Without a fault a few seeds are enough: the simulations have stages of their own.
WITHOUT_FAULT = {"simulation": "some seeds", "streams": "some streams"}
# For a few faults that are drawn as a sample, a part of the others is enough too: CI runs the whole beside them.
BEFORE_SOME_FAULTS = {**WITHOUT_FAULT, "histories": "some histories", "laws": "some laws", "worlds": "some worlds"}


def caught_by(fault: Fault | None, suites: Sequence[str]) -> str | None:
    """The first suite that fails on a copy with the fault; None if all pass."""
    with tempfile.TemporaryDirectory(prefix="tallybook-fault-") as folder:
        copy = Path(folder)
        for name in COPIED:
            _copy(ROOT / name, copy / name)
        if fault is not None:
            fault.put_into(copy)
        for suite in suites:
            if _fails(copy, SUITES[suite]):
                return suite
    return None


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=LEFT_OUT)
    elif source.exists():
        shutil.copy(source, target)


def _fails(copy: Path, command: Sequence[str]) -> bool:
    """True if a suite fails, by a test or by running longer than any should."""
    try:
        done = ended(sys.executable, *command, cwd=copy, timeout=MAX_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def run(given: Given) -> list[str]:
    """Try the faults of the chosen lists, or as many as are asked for, and print a line for each; those not caught."""
    lists = [
        listed for listed in (DECIDER, PLUMBING, STREAMING, RESCORING) if not given.only or listed.stem in given.only
    ]
    chosen = [fault for listed in lists for fault in faults(listed)]
    if given.count:
        chosen = Random(given.seed).sample(chosen, min(given.count, len(chosen)))
    without = BEFORE_SOME_FAULTS if given.count else WITHOUT_FAULT
    suites = {without.get(suite, suite) for fault in chosen for suite in JUDGES[fault.list]}
    broken = caught_by(None, sorted(suites))
    if broken is not None:
        return [f"{broken} fail without any fault: mend that first, for now everything would seem caught"]
    missed = []
    for fault, suite in over_threads(lambda fault: caught_by(fault, JUDGES[fault.list]), chosen, given.processes):
        say(f"{suite or 'NOT CAUGHT':<12}{fault.breaks}")
        missed += [] if suite else [f"not caught: {fault.breaks}"]
    say(f"{len(chosen) - len(missed)} of {len(chosen)} faults caught")
    return missed
