"""Gives tests a real Kafka and a real registry from wherever this machine has them, or the reason why it has none."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.artifacts import KAFKA, REGISTRY, Artifact, ToolMissingError, cache_folder, find_java, find_maven
from deploy.local.kafka import LocalKafka
from deploy.local.registry import API, LocalRegistry

BOOTSTRAP_VARIABLE = "TALLYBOOK_TEST_BOOTSTRAP"
REGISTRY_VARIABLE = "TALLYBOOK_TEST_REGISTRY"

DOCKER_HOST = "unix:///var/run/docker.sock"
DOCKER_SECONDS = 5.0
CONTAINER_SECONDS = 120
KAFKA_IMAGE = "confluentinc/cp-kafka:7.9.1"
REGISTRY_IMAGE = f"apicurio/apicurio-registry:{REGISTRY.version}"
REGISTRY_PORT = 8080

# A transaction left open is ended soon after its own timeout, so that a test that leaves one need not wait 10 s more.
SETTINGS = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000"}


class NoServerError(Exception):
    """This machine has no such server for tests; the message says what was missing."""


@dataclass(frozen=True)
class Broker:
    """A Kafka to test with: its address, where it comes from, and itself where it runs here and can be killed."""

    bootstrap: str
    origin: str
    local: LocalKafka | None = None


@contextmanager
def opened_broker(folder: Path) -> Iterator[Broker]:
    """The environment's Kafka, else a container, else a local one in `folder`.

    Raises NoServerError if there is none of them; a Kafka that is there and fails is an error of its own.
    """
    if address := os.environ.get(BOOTSTRAP_VARIABLE):
        yield Broker(address, BOOTSTRAP_VARIABLE)
    elif docker_answers():
        with _kafka_container() as address:
            yield Broker(address, KAFKA_IMAGE)
    else:
        require_local(KAFKA, BOOTSTRAP_VARIABLE)
        with LocalKafka(folder, settings=SETTINGS) as kafka:
            yield Broker(kafka.bootstrap, "local", kafka)


@contextmanager
def opened_registry(folder: Path) -> Iterator[str]:
    """The URL of the environment's registry, else of a container, else of a local one in `folder`.

    Raises NoServerError if there is none of them.
    """
    if url := os.environ.get(REGISTRY_VARIABLE):
        yield url
    elif docker_answers():
        with _registry_container() as url:
            yield url
    else:
        require_local(REGISTRY, REGISTRY_VARIABLE)
        with LocalRegistry(folder) as registry:
            yield registry.url


def require_local(artifact: Artifact, variable: str) -> None:
    """Raises NoServerError, naming `variable` as a way out, where a local server can be neither run nor fetched."""
    try:
        find_java()
        if not (cache_folder() / f"{artifact.name}-{artifact.version}").is_dir():
            find_maven()
    except ToolMissingError as missing:
        raise NoServerError(
            f"no {artifact.title}: {variable} is not set, no Docker daemon answers, and it cannot run here: {missing}"
        ) from missing


def docker_answers() -> bool:
    """Whether a Docker daemon can be asked to run containers: that of $DOCKER_HOST, else the usual socket.

    Asked without Docker's own library, which leaves its socket open where nobody answers.
    """
    scheme, _, address = os.environ.get("DOCKER_HOST", DOCKER_HOST).partition("://")
    host, _, port = address.rpartition(":")
    try:
        with socket.socket(socket.AF_UNIX if scheme == "unix" else socket.AF_INET) as daemon:
            daemon.settimeout(DOCKER_SECONDS)
            daemon.connect(address if scheme == "unix" else (host, int(port)))
            daemon.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in daemon.recv(64)
    except (OSError, ValueError):
        return False  # nobody there, or an address such as ssh://, which testcontainers may know and we do not


@contextmanager
def _kafka_container() -> Iterator[str]:
    # Here and below: only where Docker answers is it worth the half second that this import takes.
    from testcontainers.community.kafka import KafkaContainer  # noqa: PLC0415 - only where Docker answers

    container = KafkaContainer(KAFKA_IMAGE).with_kraft()
    settings = {
        **SETTINGS,
        "auto.create.topics.enable": "false",
        "group.min.session.timeout.ms": "1000",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
    }
    for name, value in settings.items():
        container.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
    container.start(CONTAINER_SECONDS)
    try:
        yield container.get_bootstrap_server()
    finally:
        container.stop()


@contextmanager
def _registry_container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - only where Docker answers
    from testcontainers.core.wait_strategies import HttpWaitStrategy  # noqa: PLC0415 - only where Docker answers

    answer = HttpWaitStrategy(REGISTRY_PORT, f"{API}/subjects").with_startup_timeout(CONTAINER_SECONDS)
    with DockerContainer(REGISTRY_IMAGE).with_exposed_ports(REGISTRY_PORT).waiting_for(answer) as container:
        yield f"http://{container.get_container_host_ip()}:{container.get_exposed_port(REGISTRY_PORT)}{API}"
