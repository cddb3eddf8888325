"""The reference ledger stays a second reading: it shares no code with the decider that it audits."""

import ast
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
FILES = [TESTS / "reference" / f"{name}.py" for name in ("account", "ledger", "local_time", "rules")]
ALLOWED = {"schemas", "yaml"} | sys.stdlib_module_names


def imported(source: str) -> set[str]:
    """The modules that a file imports, by full name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module in {"tests", "tests.reference"}:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_reference_imports_only_schemas(path: Path) -> None:
    ours = {f"tests.reference.{file.stem}" for file in FILES}
    for name in imported(path.read_text("utf-8")):
        assert name.split(".")[0] in ALLOWED or name in ours, name


def test_the_reference_is_looked_at() -> None:
    assert all(file.is_file() for file in FILES)
    assert imported("from processors.decider import decide\nfrom tests import histories") == {
        "processors.decider",
        "tests.histories",
    }
