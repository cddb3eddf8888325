"""A deployment outlives the absence of Kafka and ClickHouse: `python -m tests.run outages`, without the waiting."""

from pathlib import Path

import pytest

from deploy.local.artifacts import KAFKA
from tests.integration.brokers import BOOTSTRAP_VARIABLE, NoServerError, require_local
from tests.integration.outages import run_outages


def test_kafka_and_clickhouse_go_and_come_back(tmp_path: Path) -> None:
    try:
        require_local(KAFKA, BOOTSTRAP_VARIABLE)
    except NoServerError as missing:
        pytest.skip(f"only a Kafka of one's own can be taken away: {missing}")
    run_outages(tmp_path, 0.0, lambda _: None)
