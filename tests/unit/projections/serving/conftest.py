"""A store without an engine, served over HTTP."""

from collections.abc import Iterator

import pytest

from projections.serving.serve import serving
from tests.support.http_asking import TOKEN, Kept


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def port(kept: Kept) -> Iterator[int]:
    with serving(kept, token=TOKEN) as address:
        yield address.port
