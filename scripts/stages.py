"""Runs the stages of `make test` and `make prove`, each even if an earlier one failed: one run shows all that is wrong.

    python scripts/stages.py [--install-seconds S] [NAME ...]     a NAME is a stage, or `test`, `prove`, `all` of them

Prints the seconds of each stage in a table, then one closing line that counts the tests as pytest does. Ends with 1 if
anything failed.
"""

import argparse
import dataclasses
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET  # reads only the reports that our own pytest has just written
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

# Three quarters of an hour off every whole one, with summer time in the south: no machine has it by chance.
ODD_TIMEZONE = "Pacific/Chatham"
COMMAND_TIMEOUT_SECONDS = 3_600
FAULTS_IN_CI = {"decider": 2, "plumbing": 1, "streaming": 1, "rescoring": 1}
FEW_HISTORIES = 1_000  # in `make test`
HISTORIES_IN_CI = 4_000
SIMULATIONS_IN_CI = 1_000
STREAMS_IN_CI = 200
EXPORTS_IN_CI = 1_000
RESCORED_IN_CI = 300
FUZZ_SECONDS_IN_CI = 10
FACTS_IN_CI = 300  # of each benchmark: they are to run, and nobody looks at their times
KILLS_IN_CI = 12
BLOWS_IN_CI = 6
A_LOCAL_KAFKA = ("java", "mvn")  # what starts one; tests that can use another say so themselves
SLOWEST_SHOWN = 12  # tests of each stage
MAX_PROCESSES = 4
PROCESSES = str(min(os.cpu_count() or 1, MAX_PROCESSES))
SPREAD_BY_FILE = ("-n", PROCESSES, "--dist", "loadfile", "--no-loadscope-reorder")
LONG = "long"
WITH_LONG = ("sql", "house", "unit")
FIRST_OF_LONG = "tests/house/test_pages_run.py"  # begun last, it would end alone


@dataclasses.dataclass(frozen=True)
class Step:
    """One command of a stage; `tools` are programs without which it cannot run."""

    command: tuple[str, ...]
    tools: tuple[str, ...] = ()


@dataclasses.dataclass
class Outcome:
    """What a stage came to: its seconds, those of CPU, the tests by result, what failed, and the reasons for skips."""

    name: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    failed: list[str] = dataclasses.field(default_factory=list)
    skipped: list[str] = dataclasses.field(default_factory=list)

    def verdict(self) -> str:
        """The right-hand column of the table."""
        said = [tell(self.counts)] if self.counts else []
        said += [f"failed: {command}" for command in self.failed]
        said += [f"skipped: {reason}" for reason in self.skipped]
        return "; ".join(said) or "passed"


def tests(folder: str, *options: str) -> list[Step]:
    """The one step of a stage that is a folder of tests."""
    return [Step(("pytest", f"tests/{folder}", *options))]


def at_once(folder: str, first: str) -> list[Step]:
    """A stage that is a folder of tests, spread over several processes by file: a file's tests share costly fixtures.

    `first` is where the longest of them are: begun last, they would end alone. Tests marked `long` are left out.
    """
    return [Step(("pytest", f"tests/{folder}/{first}", f"tests/{folder}", "-m", f"not {LONG}", *SPREAD_BY_FILE))]


def marked_long() -> list[Step]:
    """The stage of all tests that `at_once` leaves out."""
    folders = (f"tests/{folder}" for folder in WITH_LONG)
    return [Step(("pytest", FIRST_OF_LONG, *folders, "-m", LONG, *SPREAD_BY_FILE))]


def benchmark(name: str, *options: str) -> list[Step]:
    """One benchmark over few facts."""
    command = ("python", "-m", f"benchmarks.{name}", "--facts", str(FACTS_IN_CI), *options)
    return [Step(command)]


def run(command: str, count: int, *options: str, tools: tuple[str, ...] = ()) -> Step:
    """So many runs of one of the commands of `python -m tests.run`."""
    return Step(("python", "-m", "tests.run", command, "--count", str(count), *options), tools=tools)


SPREAD = ("--processes", PROCESSES)
STAGES: dict[str, list[Step]] = {
    "lint": [
        Step(("ruff", "check", ".")),
        Step(("ruff", "format", "--check", ".")),
        Step(("mypy",)),
        Step(("lint-imports", "--no-cache")),
    ],
    "unit": at_once("unit", "tallybook"),
    "scenarios": tests("scenarios"),
    "property": [*at_once("property", "test_late_facts.py"), run("histories", FEW_HISTORIES, *SPREAD)],
    "contract": at_once("contract", "test_log.py"),
    "sql": at_once("sql", "test_server_store.py"),
    "house": at_once("house", "test_walls.py"),
    "simulation": [
        run("histories", HISTORIES_IN_CI, *SPREAD),
        run("simulate", SIMULATIONS_IN_CI, *SPREAD),
        run("streams", STREAMS_IN_CI, *SPREAD),
        run("exports", EXPORTS_IN_CI, *SPREAD),
        run("rescore", RESCORED_IN_CI, *SPREAD),
        run("late", RESCORED_IN_CI, *SPREAD),
    ],
    "long": marked_long(),
    "integration": at_once("integration", "test_observed.py"),
    "faults": [run("faults", count, "--only", which, *SPREAD) for which, count in FAULTS_IN_CI.items()],
    "crash": [run("crash", KILLS_IN_CI, *SPREAD)],
    "chaos": [run("chaos", BLOWS_IN_CI, tools=A_LOCAL_KAFKA)],
    "bench": [
        *benchmark("embedded", "--profile"),
        *benchmark("projection", "--repeats", "1", "--calls", "1"),
        *benchmark("processes"),
        Step(
            ("python", "-m", "benchmarks.kafka", "--facts", str(FACTS_IN_CI), "--no-peers"),
            tools=A_LOCAL_KAFKA,
        ),
    ],
    "fuzz": [Step(("python", "-m", "tests.run", "fuzz", "--seconds", str(FUZZ_SECONDS_IN_CI), *SPREAD))],
}
# What a newcomer waits for, and what takes longer.
TEST = ("lint", "unit", "scenarios", "property", "contract", "sql", "house")
PROVE = tuple(name for name in STAGES if name not in TEST)
GROUPS = {"test": TEST, "prove": PROVE, "all": (*TEST, *PROVE)}


def environment() -> dict[str, str]:
    """The environment of every step: the tools of this virtual environment first, and an odd time zone.

    Compiled modules are kept even where the shell says otherwise: the steps start some thousand processes, and half of
    what a command costs, and of what pytest costs before its first test, would go into compiling the same files again.
    """
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return given | {"TZ": ODD_TIMEZONE, "PATH": f"{BIN}{os.pathsep}{given.get('PATH', os.defpath)}"}


def count_report(report: Path) -> Counter[str]:
    """The tests of one pytest report by result: passed, failed, skipped, errors."""
    counts: Counter[str] = Counter()
    for suite in ET.parse(report).getroot().iter("testsuite"):
        failed, errors, skipped = (int(suite.get(name, 0)) for name in ("failures", "errors", "skipped"))
        counts["failed"] += failed
        counts["errors"] += errors
        counts["skipped"] += skipped
        counts["passed"] += int(suite.get("tests", 0)) - failed - errors - skipped
    return counts


def run_step(step: Step, outcome: Outcome, scratch: Path) -> None:
    """Run one command with its output on the terminal, and note in `outcome` what became of it."""
    shown = shlex.join(step.command)
    if missing := [tool for tool in step.tools if shutil.which(tool) is None]:
        outcome.skipped.append(f"{shown}: {' and '.join(missing)} not installed")
        print(f"-- {shown}: skipped, {' and '.join(missing)} not installed", flush=True)
        return
    print(f"-- {shown}", flush=True)
    command = list(step.command)
    report = scratch / f"{outcome.name}.xml"
    if command[0] == "pytest":
        command += [f"--junitxml={report}", f"--durations={SLOWEST_SHOWN}"]
    command[0] = sys.executable if command[0] == "python" else str(BIN / command[0])
    try:
        code = subprocess.run(
            command, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, check=False, timeout=COMMAND_TIMEOUT_SECONDS
        ).returncode
    except subprocess.TimeoutExpired:
        code = -1
        print(f"-- {shown} was stopped after {COMMAND_TIMEOUT_SECONDS} seconds", flush=True)
    if report.exists():
        outcome.counts += count_report(report)
        report.unlink()
    if code != 0:
        outcome.failed.append(shown)


def run_stage(name: str, scratch: Path) -> Outcome:
    """Run all steps of a stage, also those after a failed one."""
    print(f"\n== {name}", flush=True)
    outcome = Outcome(name)
    started, used = time.monotonic(), cpu_of_children()
    for step in STAGES[name]:
        run_step(step, outcome, scratch)
    outcome.seconds, outcome.cpu_seconds = time.monotonic() - started, cpu_of_children() - used
    return outcome


def cpu_of_children() -> float:
    """The CPU seconds of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tell(counts: Counter[str]) -> str:
    """Counts as pytest words them: `1 failed, 311 passed, 2 skipped`."""
    words = {"failed": "failed", "passed": "passed", "skipped": "skipped", "errors": "error(s)"}
    return ", ".join(f"{counts[kind]} {word}" for kind, word in words.items() if counts[kind])


def report(outcomes: list[Outcome], install_seconds: float) -> int:
    """Print the table and the closing line; the exit code."""
    total = install_seconds + sum(outcome.seconds for outcome in outcomes)
    print(f"\n{'stage':<12}{'seconds':>8}{'of CPU':>8}  result")
    print(f"{'install':<12}{install_seconds:>8.1f}{'':>8}  ready")
    for outcome in outcomes:
        print(f"{outcome.name:<12}{outcome.seconds:>8.1f}{outcome.cpu_seconds:>8.1f}  {outcome.verdict()}")
    counts = sum((outcome.counts for outcome in outcomes), Counter[str]())
    broken = [outcome.name for outcome in outcomes if outcome.failed]
    words = tell(counts) or "no tests"
    if broken:
        words = f"FAILED stages: {', '.join(broken)}; {words}"
    print(f"\n{f' {words} in {total:.2f}s ':=^100}")
    return 1 if broken else 0


def main() -> int:
    """Read the arguments, run the stages, report; the exit code."""
    parser = argparse.ArgumentParser(description="Run the stages of `make test` and `make prove`.")
    parser.add_argument("--install-seconds", type=float, default=0.0, help="what the set-up before this took")
    parser.add_argument("names", nargs="*", metavar="NAME", default=["all"], help=f"of {', '.join([*GROUPS, *STAGES])}")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in GROUPS and name not in STAGES]
    if unknown:
        parser.error(f"no stage is called {unknown[0]!r}; there are {', '.join([*GROUPS, *STAGES])}")
    names = dict.fromkeys(stage for name in arguments.names for stage in GROUPS.get(name, (name,)))
    with tempfile.TemporaryDirectory(prefix="tallybook-stages-") as scratch:
        outcomes = [run_stage(name, Path(scratch)) for name in names]
    return report(outcomes, arguments.install_seconds)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
