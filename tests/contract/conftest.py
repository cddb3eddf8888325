"""Every contract test that asks for a home runs in each kind of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from books.log import LogWriter
from tests.contract.homes import HOMES, Home, home_of


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    return home_of(request.param, tmp_path)


@pytest.fixture
def writer(home: Home) -> Iterator[LogWriter]:
    with closing(home.write()) as opened:
        yield opened
