"""Every contract test that asks for a home runs in each kind of it, and those of reading on a real Kafka as well."""

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from books.log import LogWriter
from tests.contract.homes import HOMES, KAFKA, BookWriter, Home, LogHome, home_of
from tests.contract.kafka_home import KafkaHome
from tests.integration.brokers import NoServerError, opened_broker

# A session's own words: a broker of the environment still has the topics of earlier sessions.
_SESSION = uuid.uuid4().hex[:8]
_numbers = itertools.count(1)


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    return home_of(request.param, tmp_path)


@pytest.fixture
def writer(home: Home) -> Iterator[LogWriter]:
    with closing(home.write()) as opened:
        yield opened


@pytest.fixture(params=(*HOMES, KAFKA))
def log_home(request: pytest.FixtureRequest, tmp_path: Path) -> LogHome:
    """A home of any kind, for what holds whether or not a log commits in rounds."""
    if request.param == KAFKA:
        kafka_home: KafkaHome = request.getfixturevalue("kafka_home")
        return kafka_home
    return home_of(request.param, tmp_path)


@pytest.fixture
def log_writer(log_home: LogHome) -> Iterator[BookWriter]:
    with closing(log_home.write()) as opened:
        yield opened


@pytest.fixture(scope="session")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The Kafka of this session, wherever it comes from."""
    try:
        with opened_broker(tmp_path_factory.mktemp("kafka")) as broker:
            yield broker.bootstrap
    except NoServerError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def new_deployment() -> Callable[[], str]:
    """Gives names of deployments that nobody has used before."""
    return lambda: f"contract-{_SESSION}-{next(_numbers)}"


@pytest.fixture
def kafka_home(bootstrap: str, new_deployment: Callable[[], str]) -> KafkaHome:
    """New books on Kafka."""
    return KafkaHome(bootstrap, new_deployment())
