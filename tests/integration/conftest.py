"""One broker and one registry for all tests of a process, because each takes seconds to start."""

import itertools
import uuid
from collections.abc import Iterator

import pytest

from deploy.local.kafka import LocalKafka
from tests.integration.brokers import Broker, NoServerError, opened_broker, opened_registry

# Words of a session's own, since a broker of the environment still has the topics of earlier sessions.
_SESSION = uuid.uuid4().hex[:8]
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The Kafka of this session, wherever it comes from."""
    try:
        with opened_broker(tmp_path_factory.mktemp("kafka")) as broker:
            yield broker
    except NoServerError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def bootstrap(opened: Broker) -> str:
    """What clients take as bootstrap.servers."""
    return opened.bootstrap


@pytest.fixture
def broker(opened: Broker) -> Iterator[LocalKafka]:
    """The session's Kafka as a process that may be killed, paused and started; afterwards it runs again."""
    if opened.local is None:
        pytest.skip(f"the Kafka of these tests comes from {opened.origin}, so it cannot be killed from here")
    yield opened.local
    if opened.local.running:
        opened.local.resume()
    else:
        opened.local.start()


@pytest.fixture(scope="session")
def registry_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What clients take as schema.registry.url."""
    try:
        with opened_registry(tmp_path_factory.mktemp("registry")) as url:
            yield url
    except NoServerError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def deployment() -> str:
    """A deployment's name that no other test, nor an earlier session on the same broker, has used."""
    return f"test-{_SESSION}-{next(_numbers)}"
