"""The Faust worker scores committed pages alone, which Faust by itself does not, and waits for no dead writer."""

import sys
import time
from pathlib import Path

import pytest
from confluent_kafka.admin import ConfigResource, ResourceType

from books.kafka.cluster import Cluster
from books.kafka.records import Place
from books.kafka.take_over import TRANSACTION_SECONDS
from schemas.partitions import partition_of
from tests.integration.small_stream import PARTITIONS, SmallStream, check_in, member_in
from tests.support.small_imports import RULES
from tests.support.waiting import wait_for

# Longer than the test takes: the transaction ends when the test ends it.
LONG_SECONDS = 300.0
CLEANUP = "transaction.abort.timed.out.transaction.cleanup.interval.ms"
# What a reader may take beyond the two waits, on a machine that is busy with other tests.
READ_SECONDS = 60.0

# A worker whose consumer is what Faust itself would make; `%s` is what else is different about it.
CARELESS = """
from faust.transport.drivers import aiokafka as driver
from processors.stream import faust_worker

class Careless(faust_worker._Thread):
    _create_worker_consumer = driver.AIOKafkaConsumerThread._create_worker_consumer
    %s

faust_worker._Thread = Careless
from tallybook.cli.main import main
main()
"""
WITHOUT_ASSERTION = "on_start = driver.AIOKafkaConsumerThread.on_start"

# An intake that stands still between the sending of a transaction's messages and its commit.
STANDING = """
import time
from books.kafka.producer import TransactionalProducer

def stand(self, *_):
    self.flush()
    print("all is sent", flush=True)
    time.sleep(600)

TransactionalProducer.commit = stand
from tallybook.cli.main import main
main()
"""
FIRST, SECOND = member_in(0), member_in(1)


@pytest.fixture
def stream(bootstrap: str, deployment: str, tmp_path: Path) -> SmallStream:
    return SmallStream(bootstrap, deployment, tmp_path)


def write_aborted(stream: SmallStream, event_id: str) -> None:
    producer = stream.producer("test-aborting")
    producer.begin()
    stream.send_page(producer, 0, [check_in(event_id, FIRST)])
    producer.abort()


def test_aborted_and_open_pages_are_not_scored(stream: SmallStream) -> None:
    write_aborted(stream, "aborted-1")
    stream.write_page(0, [check_in("before", FIRST)])
    hanging = stream.producer("test-hanging", timeout_seconds=LONG_SECONDS)
    hanging.begin()
    stream.send_page(hanging, 0, [check_in("open-1", FIRST)])
    stream.write_page(0, [check_in("behind-1", FIRST)])
    write_aborted(stream, "aborted-2")
    stream.write_page(1, [check_in("elsewhere-1", SECOND)])
    with stream.process("score") as worker:
        worker.wait_until("both partitions are scored", lambda: stream.events(0) and stream.events(1))
        stream.write_page(0, [check_in("behind-2", FIRST)])
        stream.write_page(1, [check_in("elsewhere-2", SECOND)])
        elsewhere = ["elsewhere-1", "elsewhere-2"]
        worker.wait_until("the other partition goes on", lambda: stream.events(1) == elsewhere)
        assert stream.events(0) == ["before"]
        hanging.commit()
        scored = ["before", "open-1", "behind-1", "behind-2"]
        worker.wait_until("a transaction that ended lets its partition go on", lambda: stream.events(0) == scored)

        hanging.begin()
        stream.send_page(hanging, 0, [check_in("open-2", FIRST)])
        stream.write_page(0, [check_in("behind-3", FIRST)])
        stream.write_page(1, [check_in("elsewhere-3", SECOND)])
        worker.wait_until("the other partition goes on", lambda: len(stream.events(1)) == 3)
        assert stream.events(0) == scored
        hanging.abort()
        worker.wait_until("so does one that is undone", lambda: stream.events(0) == [*scored, "behind-3"])


def test_a_worker_that_would_read_the_uncommitted_ends_and_says_why(stream: SmallStream) -> None:
    write_aborted(stream, "aborted")
    stream.write_page(0, [check_in("committed", FIRST)])
    with stream.process("score", code=CARELESS % "") as worker:
        assert worker.ended() != 0
        assert "does not read committed records alone; it cannot be used" in worker.said()
    assert stream.events(0) == []


def test_faust_as_it_comes_would_score_what_was_aborted(stream: SmallStream) -> None:
    write_aborted(stream, "aborted")
    stream.write_page(0, [check_in("committed", FIRST)])
    with stream.process("score", code=CARELESS % WITHOUT_ASSERTION) as worker:
        worker.wait_until("the worker scores", lambda: "committed" in stream.events(0))
    assert stream.events(0) == ["aborted", "committed"], "the tests above find nothing: Faust has learnt it"


def broker_setting(cluster: Cluster, name: str) -> str:
    """One setting of one of the brokers."""
    admin = cluster._client()
    broker = next(iter(admin.list_topics(timeout=cluster.timing.request_seconds).brokers))
    resource = ConfigResource(ResourceType.BROKER, str(broker))
    return str(admin.describe_configs([resource])[resource].result()[name].value)


def test_a_transaction_that_a_killed_intake_left_open_ends_by_its_timeout(
    stream: SmallStream, capsys: pytest.CaptureFixture[str]
) -> None:
    members = [FIRST, SECOND]
    assert [partition_of(member, PARTITIONS) for member in members] == [0, 1]
    stream.publish_rules(RULES)
    first = stream.pages(0)[-1].offset
    stream.publish([check_in(f"waiting-{member}", member) for member in members])
    with stream.process("intake", code=STANDING) as intake:
        intake.wait_until("the intake has sent a page to both", lambda: intake.said().count("all is sent") == 1)
        begun = time.monotonic()
        intake.kill()
    stream.write_page(0, [check_in("behind", FIRST)])
    cleanup = int(broker_setting(stream.cluster, CLEANUP)) / 1000
    bound = TRANSACTION_SECONDS + cleanup
    place = Place(stream.topics.journal, 0)
    reader = stream.cluster.reader()
    try:
        reader.set_on({place: 1 + first})
        wait_for("the page behind is read", lambda: reader.poll(10, 0.1).records, bound + READ_SECONDS)
        delay = time.monotonic() - begun
    finally:
        reader.close()
    with capsys.disabled():
        figures = f"transaction.timeout.ms {TRANSACTION_SECONDS * 1000:.0f}, {CLEANUP} {cleanup * 1000:.0f}"
        sys.stdout.write(f"\n  {figures}: a page behind a killed intake's transaction was read after {delay:.1f} s\n")
    assert stream.facts(0)[2:] == [check_in("behind", FIRST)]
    assert stream.facts(1)[2:] == []

    with stream.process("intake") as successor:
        facts = [[check_in(f"waiting-{member}", member)] for member in members]
        successor.wait_until("what it left is taken in", lambda: [stream.facts(n)[2:][-1:] for n in (0, 1)] == facts)
    assert stream.facts(0)[2:] == [check_in("behind", FIRST), *facts[0]]
    assert stream.facts(1)[2:] == facts[1]
