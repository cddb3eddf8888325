"""Runs a real Apache Kafka in one process on loopback, because only Kafka itself shows how it behaves."""

from __future__ import annotations

import base64
import shutil
import socket
import struct
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.artifacts import KAFKA, Say, fetched, find_java, say_aloud
from deploy.local.server import ANSWER_SECONDS, LOOPBACK, LocalServer, ServerError, free_ports

FORMAT_SECONDS = 60.0

# Small, and quick to start. The second compiler is left out: it costs most of a short run's time.
JAVA_OPTIONS = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
)
_LOG_OPTIONS = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)

# What differs from Kafka's defaults and may be set otherwise.
DEFAULT_SETTINGS: Mapping[str, str] = {
    "auto.create.topics.enable": "false",  # a misspelt topic is an error
    "num.partitions": "1",
    # One node cannot replicate, and few partitions are quickly there.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Tests join groups all the time, and let members die.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # Two cores, a small heap.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.threads": "1",
    "log.cleaner.dedupe.buffer.size": "4194304",
    # A killed broker is let in again only when its old self has been silent for this long: 9 s by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}

_API_VERSIONS = 18  # the request that every broker answers first
_CORRELATION = 1


class LocalKafka(LocalServer):
    """One Kafka node, broker and controller in one (KRaft), that listens on 127.0.0.1 only.

    `settings` are lines of server.properties, and override DEFAULT_SETTINGS; `java_options` replace JAVA_OPTIONS (give
    "-Xmx1g" alone to measure throughput with all of Java's compilers). The data is in `folder`/data and stays.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        settings: Mapping[str, str] = {},
        java_options: Sequence[str] = JAVA_OPTIONS,
        say: Say = say_aloud,
    ) -> None:
        super().__init__(folder, name="kafka", port=port)
        self._settings = {**DEFAULT_SETTINGS, **settings}
        self._java_options = tuple(java_options)
        self._say = say
        self._controller_port = 0

    @property
    def bootstrap(self) -> str:
        """What clients take as bootstrap.servers. Raises ServerError before the first start, if no port was given."""
        if self.port == 0:
            raise ServerError("This Kafka has no port yet. Start it first.")
        return f"{LOOPBACK}:{self.port}"

    def _prepare(self) -> None:
        if self._controller_port == 0:
            # Two, because the one that was given may be the first that is free.
            self._controller_port = next(port for port in free_ports(2) if port != self.port)
        self._write_properties("server.properties", data=self._data)
        if not self._data.exists():
            self._format()

    def _command(self) -> Sequence[str]:
        return self._java("kafka.Kafka", str(self.folder / "server.properties"))

    def _answers(self) -> bool:
        """Asks for the API versions, as every client does first; a broker that is not ready for others is silent."""
        request = struct.pack(">hhih", _API_VERSIONS, 0, _CORRELATION, -1)
        try:
            with socket.create_connection((LOOPBACK, self.port), ANSWER_SECONDS) as connection:
                connection.sendall(struct.pack(">i", len(request)) + request)
                head = connection.makefile("rb").read(10)
        except OSError:
            return False  # not there yet: whoever asks does so until the time is up
        return len(head) == 10 and struct.unpack(">iih", head)[1:] == (_CORRELATION, 0)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _java(self, *command: str) -> list[str]:
        jars = str(fetched(KAFKA, self._say) / "*")
        return [find_java(), *self._java_options, *_LOG_OPTIONS, "-cp", jars, *command]

    def _write_properties(self, name: str, *, data: Path) -> Path:
        lines = {
            **self._settings,
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{LOOPBACK}:{self._controller_port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "BROKER",
            "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "listeners": f"BROKER://{LOOPBACK}:{self.port},CONTROLLER://{LOOPBACK}:{self._controller_port}",
            "advertised.listeners": f"BROKER://{LOOPBACK}:{self.port}",
            "log.dirs": str(data),
        }
        file = self.folder / name
        file.write_text("".join(f"{key}={value}\n" for key, value in lines.items()), "utf-8")
        return file

    def _format(self) -> None:
        """Makes an empty cluster, whole or not at all: a format that is cut off leaves only the other folder."""
        forming = self.folder / "data.forming"
        if forming.exists():
            shutil.rmtree(forming)
        properties = self._write_properties("format.properties", data=forming)
        cluster_id = base64.urlsafe_b64encode(b"t" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        arguments = ["format", "--cluster-id", cluster_id, "--config", str(properties)]
        command = self._java("kafka.tools.StorageTool", *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_SECONDS, check=False)
        if done.returncode != 0:
            raise ServerError(f"Kafka cannot format {forming}:\n{done.stdout}{done.stderr}")
        forming.rename(self._data)
