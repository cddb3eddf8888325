"""Nothing grows too long to be read in one sitting, and every module says why it exists."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tracked import read, tracked

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 50


def long_functions(source: str) -> Iterator[str]:
    """Names and lengths of the functions in `source` that have MAX_FUNCTION_LINES lines or more."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines >= MAX_FUNCTION_LINES:
                yield f"{node.name} (line {node.lineno}) has {lines} lines"


@pytest.mark.parametrize("path", tracked(".py", ".sql", ".sh"), ids=str)
def test_file_is_short(path: Path) -> None:
    lines = len(read(path).splitlines())
    assert lines <= MAX_FILE_LINES, f"{path} has {lines} lines: split it into files named after the thing each does"


@pytest.mark.parametrize("path", tracked(".py"), ids=str)
def test_functions_are_short(path: Path) -> None:
    assert not list(long_functions(read(path)))


@pytest.mark.parametrize("path", tracked(".py"), ids=str)
def test_module_says_why_it_exists(path: Path) -> None:
    assert (ast.get_docstring(ast.parse(read(path))) or "").strip(), f"{path} has no module docstring"


def test_a_long_function_is_noticed_wherever_it_stands() -> None:
    body = "\n".join(f"        x = {n}" for n in range(MAX_FUNCTION_LINES))
    source = f"class Outer:\n    async def grown(self):\n{body}\n\ndef short():\n    pass\n"
    assert list(long_functions(source)) == [f"grown (line 2) has {MAX_FUNCTION_LINES + 1} lines"]
