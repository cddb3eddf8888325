"""What holds for every test: how far hypothesis searches, and that CI searches the same way each time."""

import os
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


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent
