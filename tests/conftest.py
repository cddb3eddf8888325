"""What holds for every test: how far hypothesis searches, and that CI searches the same way each time."""

import os
import re
from pathlib import Path

import hypothesis
import pytest

# Tests never assert timing, so no example has a deadline; a slow machine may take its time to draw one.
_base = hypothesis.settings(
    deadline=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
# CI repeats the same examples on each run, so that a red run is red again on your machine. `thorough` is for a night.
hypothesis.settings.register_profile("ci", _base, max_examples=100, derandomize=True, database=None)
hypothesis.settings.register_profile("quick", _base, max_examples=50)
hypothesis.settings.register_profile("thorough", _base, max_examples=5_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "quick"))

# A module may also have such tests from another one that it imports.
_MAY_BE_LONG = re.compile(r"pytest\.mark\.long\b|^from tests\.\S+\.test_", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pass over modules without a long test where only those are asked for: each process imports what it collects."""
    if config.option.markexpr != "long" or not collection_path.match("test_*.py"):
        return None
    return None if _MAY_BE_LONG.search(collection_path.read_text("utf-8")) else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what is named first: pytest takes `tests/unit/tallybook tests/unit` for `tests/unit` alone."""
    first = config.invocation_params.dir / config.args[0].partition("::")[0]
    items.sort(key=lambda item: not item.path.is_relative_to(first))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent
