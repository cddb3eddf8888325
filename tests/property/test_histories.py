"""The decider and the reference ledger agree on every posting of many random histories (law 1, read twice)."""

import ast
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.property import histories

COUNT = 300  # `make histories` tells many more


def test_decider_and_reference_agree() -> None:
    seen: Counter[str] = Counter()
    wrong = next((seed for seed in range(1, COUNT + 1) if not histories.holds(seed, seen)), None)
    assert wrong is None, histories.report(wrong or 0)
    assert seen["postings"] > COUNT


def test_a_history_is_the_same_whenever_it_is_made() -> None:
    histories.setting_of.cache_clear()
    first = histories.history_of(77)
    histories.setting_of.cache_clear()
    assert histories.history_of(77) == first


def test_a_wrong_history_is_shrunk_to_the_facts_that_matter() -> None:
    history = histories.history_of(5)
    wanted = history.items[len(history.items) // 2]

    def is_wrong(shorter: histories.History) -> bool:
        return wanted in shorter.items

    assert histories.shrunk(history, is_wrong).items == (history.items[0], wanted)


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
