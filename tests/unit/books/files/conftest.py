"""Books that are written once, because each test spoils a copy of its own."""

from pathlib import Path

import pytest

from tests.support.book_folders import make_books


@pytest.fixture(scope="session")
def two_rounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with books of two rounds, to be copied."""
    folder = tmp_path_factory.mktemp("shop")
    make_books(folder)
    return folder
