"""A real schema registry on loopback, because its compatibility checks are what guards the contracts."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from pathlib import Path

from deploy.local.artifacts import REGISTRY, Say, fetched, find_java, say_aloud
from deploy.local.server import ANSWER_SECONDS, LOOPBACK, LocalServer, ServerError

API = "/apis/ccompat/v7"

JAVA_OPTIONS = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


class LocalRegistry(LocalServer):
    """One Apicurio Registry that speaks Confluent's registry API; its schemas and their ids stay in `folder`."""

    def __init__(self, folder: Path, *, port: int = 0, say: Say = say_aloud) -> None:
        super().__init__(folder, name="registry", port=port)
        self._say = say

    @property
    def url(self) -> str:
        """What confluent_kafka's SchemaRegistryClient takes as url. Raises ServerError while it has no port yet."""
        if self.port == 0:
            raise ServerError("This registry has no port yet. Start it first.")
        return f"http://{LOOPBACK}:{self.port}{API}"

    def _prepare(self) -> None:
        pass  # it makes its database by itself

    def _command(self) -> Sequence[str]:
        (runner,) = fetched(REGISTRY, self._say).glob("*-runner.jar")
        return [
            find_java(),
            *JAVA_OPTIONS,
            f"-Dquarkus.http.host={LOOPBACK}",
            f"-Dquarkus.http.port={self.port}",
            "-Dquarkus.http.access-log.enabled=false",
            # Without a delay a schema whose id was told is on the disk, so that ids mean the same after a kill.
            f"-Dapicurio.datasource.url=jdbc:h2:file:{self.folder / 'schemas'};WRITE_DELAY=0",
            "-jar",
            str(runner),
        ]

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", f"{API}/subjects")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False  # not there yet: whoever asks does so until the time is up
        finally:
            connection.close()
