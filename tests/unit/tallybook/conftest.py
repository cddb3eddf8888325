"""One small folder for all tests that only read, and a fresh copy of it for those that write."""

import shutil
from pathlib import Path

import pytest

from tests.support.small_folder import build_folder


@pytest.fixture(scope="session")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small folder; nobody may write to its books."""
    root = tmp_path_factory.mktemp("small") / "shop"
    build_folder(root)
    return root


@pytest.fixture
def folder(read_only: Path, tmp_path: Path) -> Path:
    """A copy of the small folder that a test may change; its tables are not made yet."""
    root = tmp_path / "shop"
    shutil.copytree(read_only, root, ignore=shutil.ignore_patterns("clickhouse*", "snapshots"))
    return root
