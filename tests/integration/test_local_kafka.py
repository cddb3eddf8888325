"""Tests of the stream stand on the local servers: they answer, keep data under kill -9, and never stay behind."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from deploy.local import artifacts
from deploy.local.artifacts import KAFKA, ArtifactError, ToolMissingError, fetched, find_java, find_maven
from deploy.local.kafka import LocalKafka
from deploy.local.server import ServerError
from tests.integration.brokers import BOOTSTRAP_VARIABLE, NoServerError, require_local
from tests.support.waiting import MAX_WAIT_SECONDS, wait_for

# A parent that dies without a word, having told the process id of its Kafka.
PARENT = """
import sys, time
from pathlib import Path
from deploy.local.kafka import LocalKafka

kafka = LocalKafka(Path(sys.argv[1]))
kafka.start()
print(kafka.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def java() -> None:
    try:
        require_local(KAFKA, BOOTSTRAP_VARIABLE)
    except NoServerError as missing:
        pytest.skip(str(missing))


def quiet(bootstrap: str, **settings: str | int | bool) -> dict[str, str | int | float | bool]:
    """A client's settings; its own log says only what is serious, for these tests kill brokers on purpose."""
    return {"bootstrap.servers": bootstrap, "log_level": 2, **settings}


def create_topic(bootstrap: str, topic: str) -> None:
    admin = AdminClient(quiet(bootstrap))
    for future in admin.create_topics([NewTopic(topic, num_partitions=1)]).values():
        future.result(MAX_WAIT_SECONDS)


def publish(bootstrap: str, topic: str, value: bytes) -> None:
    failures: list[str] = []

    def note(error: object, _message: Message) -> None:
        if error is not None:
            failures.append(str(error))

    producer = Producer(quiet(bootstrap, acks="all"))
    producer.produce(topic, value, partition=0, on_delivery=note)
    assert producer.flush(MAX_WAIT_SECONDS) == 0
    assert not failures


def read(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer(quiet(bootstrap) | {"group.id": "none", "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        messages = consumer.consume(count, MAX_WAIT_SECONDS)
        assert [message.error() for message in messages] == [None] * count
        return [message.value() for message in messages]
    finally:
        consumer.close()


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False  # there is no /proc, or it went just now: whoever asks does so again
    # It may be dead with nobody there to collect it, as in a container without an init.
    return status.rpartition(")")[2].split()[0] == "Z"


def test_an_acknowledged_message_comes_back(bootstrap: str, deployment: str) -> None:
    create_topic(bootstrap, f"{deployment}.facts")
    publish(bootstrap, f"{deployment}.facts", b"a coffee")
    assert read(bootstrap, f"{deployment}.facts", 1) == [b"a coffee"]


def test_a_killed_broker_starts_again_with_its_data_on_its_port(broker: LocalKafka, deployment: str) -> None:
    address, topic = broker.bootstrap, f"{deployment}.facts"
    create_topic(address, topic)
    publish(address, topic, b"before")
    broker.kill()
    assert not broker.running
    with pytest.raises(ServerError, match="does not run"):
        broker.suspend()
    broker.start()
    assert broker.bootstrap == address
    publish(address, topic, b"after")
    assert read(address, topic, 2) == [b"before", b"after"]


def test_a_paused_broker_is_silent_and_goes_on(broker: LocalKafka, deployment: str) -> None:
    topic = f"{deployment}.facts"
    create_topic(broker.bootstrap, topic)
    producer = Producer(quiet(broker.bootstrap, acks="all"))
    broker.suspend()
    producer.produce(topic, b"waits", partition=0)
    assert producer.flush(1.0) == 1
    broker.resume()
    assert producer.flush(MAX_WAIT_SECONDS) == 0
    assert read(broker.bootstrap, topic, 1) == [b"waits"]


@pytest.mark.usefixtures("java")
def test_a_second_broker_stands_beside_the_first(bootstrap: str, deployment: str, tmp_path: Path) -> None:
    topic = f"{deployment}.facts"
    with LocalKafka(tmp_path, settings={"num.partitions": "3"}) as other:
        assert other.bootstrap != bootstrap
        for address, value in ((bootstrap, b"first"), (other.bootstrap, b"second")):
            create_topic(address, topic)
            publish(address, topic, value)
        assert read(bootstrap, topic, 1) == [b"first"]
        assert read(other.bootstrap, topic, 1) == [b"second"]
        taken = LocalKafka(tmp_path / "taken", port=other.port)
        with pytest.raises(ServerError, match=f"Port {other.port} is taken"):
            taken.start()


@pytest.mark.usefixtures("java")
def test_a_broker_that_cannot_start_says_why(tmp_path: Path) -> None:
    wrong = LocalKafka(tmp_path, settings={"num.io.threads": "none"})
    with pytest.raises(ServerError, match=r"num\.io\.threads"):
        wrong.start()
    assert not wrong.running


@pytest.mark.usefixtures("java")
def test_the_broker_dies_with_whoever_started_it(repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=repository) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not is_gone(pid)
        parent.kill()
    wait_for(f"process {pid} ends", lambda: is_gone(pid))


def test_the_registry_keeps_a_schema(registry_url: str, deployment: str) -> None:
    address = urllib.parse.urlsplit(registry_url)
    versions = f"{address.path}/subjects/{deployment}-value/versions"
    schema = json.dumps({"schema": json.dumps("string"), "schemaType": "AVRO"})
    connection = http.client.HTTPConnection(address.netloc, timeout=MAX_WAIT_SECONDS)
    with contextlib.closing(connection):
        connection.request("POST", versions, schema, {"Content-Type": "application/vnd.schemaregistry.v1+json"})
        assert json.load(connection.getresponse())["id"] > 0
        connection.request("GET", versions)
        assert json.load(connection.getresponse()) == [1]


def test_a_missing_tool_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ToolMissingError, match="Install Java 17 or later"):
        find_java()
    with pytest.raises(ToolMissingError, match="Install Maven"):
        find_maven()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ToolMissingError, match="JAVA_HOME"):
        find_java()


def fake_maven(folder: Path, script: str) -> None:
    folder.mkdir()
    (folder / "mvn").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "mvn").chmod(0o755)


@pytest.fixture
def maven(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder for a stand-in of Maven, found first, and an empty cache beside it."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv(artifacts.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(artifacts, "PAUSE_SECONDS", 0.01)
    return tmp_path / "bin"


def test_what_maven_cannot_fetch_is_told_with_its_own_words(maven: Path) -> None:
    fake_maven(maven, "echo '[INFO] no matter'; echo '[ERROR] no such mirror'; exit 1")
    told: list[str] = []
    with pytest.raises(ArtifactError, match=r"ended with 1(?s:.*)\[ERROR\] no such mirror$"):
        fetched(KAFKA, told.append)
    assert len(told) == 1
    assert "65 MB" in told[0]


def test_a_download_that_hangs_is_tried_again_and_never_taken_for_whole(
    maven: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "ATTEMPT_SECONDS", 0.5)
    once = 'for last; do :; done; touch "${last#-Dto=}/kafka.jar"; [ -e "$0.was" ] || { touch "$0.was"; sleep 600; }'
    fake_maven(maven, once)
    told: list[str] = []
    folder = fetched(KAFKA, told.append)
    assert [file.name for file in folder.iterdir()] == ["kafka.jar"]
    assert "attempt 1 of 3" in told[1]
    # Another one finds it there and asks nobody.
    (maven / "mvn").unlink()
    assert fetched(KAFKA, told.append) == folder

    folder.rename(folder.with_name(f".{folder.name}-cut-off"))
    fake_maven(maven.parent / "later", "sleep 600")
    monkeypatch.setenv("PATH", f"{maven.parent / 'later'}:{os.environ['PATH']}")
    with pytest.raises(ArtifactError, match="within 3 attempts"):
        fetched(KAFKA, told.append)
    assert not folder.exists()
