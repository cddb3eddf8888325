"""The walls stand, between the rooms and within: imports run one way, the decider is pure, a client has one door."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.house.tracked import ROOT, read, tracked

ROOMS = ("schemas", "books", "processors", "projections", "tallybook")
# How many files may import a client.
CLIENTS = {
    "aiokafka": 1,
    "chdb": 1,
    "clickhouse_connect": 1,
    "confluent_kafka": 4,  # errors, consumer, producer and administration, each behind a door of its own
    "fastavro": 1,
    "faust": 1,
    "fsspec": 1,
    "jinja2": 1,
    "prometheus_client": 1,
    "pyarrow": 2,  # files, and the columns in them
    "pydantic_settings": 1,
    "pygal": 1,
    "urllib3": 1,
    "waitress": 1,
    "yaml": 1,
}
OUTSIDE_THE_PRODUCT = ("tests", "benchmarks", "scripts", "deploy")

# All that the decider may import beside schemas and itself. datetime and zoneinfo are there for reckoning with instants
# that it is given; io to read a zone's bytes from a publication.
DECIDER_MAY_IMPORT = {
    "__future__", "abc", "bisect", "calendar", "collections", "contextlib", "dataclasses", "datetime", "decimal",
    "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "io", "itertools", "json", "math", "msgspec",
    "operator", "pydantic", "pydantic_core", "re", "string", "types", "typing", "zlib", "zoneinfo",
}  # fmt: skip
# Ways to ask the machine for the time, for a file or for a word on the terminal that need no forbidden import.
IMPURE_NAMES = {"open", "print", "input", "breakpoint", "exec", "eval", "__import__"}
IMPURE_METHODS = {"now", "utcnow", "today"}


# Two ways to import that run when nobody looks.
LATE = "def later() -> None:\n    import {}\n"
FOR_TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {}\n"


def module(path: str) -> str:
    """The name of the module in a file."""
    return path.removesuffix(".py").replace("/", ".")


@cache
def imports_of(path: Path) -> tuple[str, ...]:
    """What a file of the repository imports."""
    return tuple(imports(read(path)))


def imports(source: str) -> Iterator[str]:
    """The full names of all modules that `source` imports, at whatever depth of the code."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


def impure_calls(source: str) -> Iterator[str]:
    """The calls in `source` that would make it depend on more than its arguments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            by_name = isinstance(node.func, ast.Name) and node.func.id in IMPURE_NAMES
            by_method = isinstance(node.func, ast.Attribute) and node.func.attr in IMPURE_METHODS
            if by_name or by_method:
                yield f"line {node.lineno}: {ast.unparse(node.func)}"


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts of pyproject.toml on the packages in `folder`."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--config", "pyproject.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def copy_of_the_rooms(tmp_path: Path) -> Path:
    for path in tracked(".py"):
        if path.parts[0] in ROOMS:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, tmp_path / path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_all_contracts_are_kept(copy_of_the_rooms: Path) -> None:
    result = lint_imports(copy_of_the_rooms)
    assert result.returncode == 0, result.stdout + result.stderr


FORBIDDEN = {
    "processors/decider/clock.py": "random",
    "processors/decider/waiting.py": "time",
    "processors/decider/telling.py": "logging",
    "processors/decider/packing.py": "fastavro",
    "processors/decider/keeping.py": "books",
    "processors/decider/asking.py": "processors.intake",
    "processors/intake/filling.py": "projections",
    "projections/deciding.py": "processors.decider",
    "books/scoring.py": "processors",
    "books/drawing.py": "rich",
    "schemas/writing.py": "books",
    "processors/commanding.py": "tallybook",
    "processors/querying.py": "clickhouse_connect",
    "books/files/streaming.py": "books.kafka",
    "processors/intake/running.py": "processors.stream",
    "tallybook/folder/printing.py": "tallybook.cli",
}


@pytest.mark.parametrize("import_line", ["import {}\n", LATE, FOR_TYPES], ids=["at the top", "late", "for types"])
def test_forbidden_imports_break_a_contract(copy_of_the_rooms: Path, import_line: str) -> None:
    for planted, imported in FORBIDDEN.items():
        (copy_of_the_rooms / planted).write_text(import_line.format(imported))
    result = lint_imports(copy_of_the_rooms)
    assert result.returncode == 1, result.stdout + result.stderr
    missed = [
        f"{planted} imports {imported}"
        for planted, imported in FORBIDDEN.items()
        if not re.search(rf"{module(planted)} ->\s+{imported}\b", result.stdout)
    ]
    assert not missed, result.stdout


@pytest.mark.parametrize("import_line", ["import {}\n", LATE, FOR_TYPES], ids=["at the top", "late", "for types"])
@pytest.mark.parametrize(
    ("there", "back"),
    [
        ("schemas/heads.py", "schemas/tails.py"),
        ("processors/decider/rules/heads.py", "processors/decider/rules/tails.py"),
        ("processors/decider/rules/heads.py", "processors/decider/tails.py"),
    ],
)
def test_a_circle_breaks_a_contract(copy_of_the_rooms: Path, there: str, back: str, import_line: str) -> None:
    (copy_of_the_rooms / there).write_text(f"import {module(back)}\n")
    (copy_of_the_rooms / back).write_text(import_line.format(module(there)))
    result = lint_imports(copy_of_the_rooms)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"No cycles are allowed in {module(back).rpartition('.')[0]}." in result.stdout


@pytest.mark.parametrize("client", CLIENTS)
def test_client_library_has_one_door(client: str) -> None:
    doors = [
        str(path)
        for path in tracked(".py")
        if path.parts[0] not in OUTSIDE_THE_PRODUCT and any(name.split(".")[0] == client for name in imports_of(path))
    ]
    assert len(doors) <= CLIENTS[client], f"{client} is imported in {', '.join(doors)}: let one of them do it for all"


@pytest.mark.parametrize(
    "path", [path for path in tracked(".py") if path.is_relative_to("processors/decider")], ids=str
)
def test_decider_imports_and_calls_nothing_impure(path: Path) -> None:
    allowed = {*DECIDER_MAY_IMPORT, "schemas"}
    strangers = [
        name
        for name in imports_of(path)
        if name.split(".")[0] not in allowed and not name.startswith("processors.decider")
    ]
    assert not strangers, f"{path} imports {', '.join(strangers)}; the decider knows schemas and pure libraries alone"
    assert not list(impure_calls(read(path)))


def test_imports_and_calls_are_found_where_they_hide() -> None:
    source = """
def late():
    import os.path
    from books import walk
    return datetime.datetime.now(), open("x"), lots.open()
"""
    assert list(imports(source)) == ["os.path", "books"]
    assert list(impure_calls(source)) == ["line 5: datetime.datetime.now", "line 5: open"]
