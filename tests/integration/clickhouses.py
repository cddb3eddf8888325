"""Gives tests a ClickHouse to write to over HTTP: one that is named, else one in a container, else chDB behind HTTP.

TALLYBOOK_TEST_CLICKHOUSE names a server by its URL, for a user `default` without a password. Tests drop the databases
`tallybook` and `tallybook_rows` there, and must not run beside one another on it. The names of the tests say which of
the three they ran on.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final, Self
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import pytest

from projections.clickhouse.client import open_server

NAMED: Final = "TALLYBOOK_TEST_CLICKHOUSE"
IMAGE: Final = "clickhouse/clickhouse-server"
HTTP_PORT: Final = 8123
MAX_WAIT_SECONDS: Final = 60.0
MAX_TRIES: Final = 240
TRY_SECONDS: Final = 0.25
_DOCKER_SOCKET: Final = Path("/var/run/docker.sock")
_REPOSITORY: Final = Path(__file__).resolve().parents[2]


def _docker_answers() -> bool:
    if not os.environ.get("DOCKER_HOST") and not _DOCKER_SOCKET.exists():
        return False
    done = subprocess.run(["docker", "info"], capture_output=True, timeout=MAX_WAIT_SECONDS, check=False)
    return done.returncode == 0


@cache
def kind_of_clickhouse() -> str:
    """What `clickhouse_url` leads to: `named-server`, `server-in-container` or `chdb-over-http`."""
    if os.environ.get(NAMED):
        return "named-server"
    return "server-in-container" if _docker_answers() else "chdb-over-http"


@pytest.fixture(scope="session", params=[kind_of_clickhouse()])
def clickhouse_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a ClickHouse to write to as the user `default`; what is in it, the tests before have left."""
    if request.param == "named-server":
        yield os.environ[NAMED]
    elif request.param == "server-in-container":
        with _in_container() as url:
            yield url
    else:
        with ChdbOverHttp(tmp_path_factory.mktemp("clickhouse")) as server:
            yield server.url


def drop_all(url: str, password: str = "") -> None:
    """Take away what an earlier test has left."""
    with open_server(url, "default", password) as store:
        for name in ("tallybook", "tallybook_rows"):
            store.command(f"DROP DATABASE IF EXISTS {name} SYNC")


class ChdbOverHttp:
    """A process that serves chDB (see `clickhouse_over_http`), which can be killed, stopped and started again."""

    def __init__(self, folder: Path, password: str = "") -> None:
        self.url = ""
        self._folder = folder
        self._password = password
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.runs:
            self.kill()

    @property
    def runs(self) -> bool:
        """Whether it was started and not killed since."""
        return self._process is not None

    def start(self) -> None:
        """Start it, on the port that it had before if there was one, and wait until it says where it is."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-m", "tests.support.clickhouse_over_http", "--path", str(self._folder / "chdb")]
        command += ["--port", port, "--password", self._password, "--until-stdin-ends"]
        self._process = subprocess.Popen(
            command, cwd=_REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise AssertionError(f"the server ended with {self._process.wait(MAX_WAIT_SECONDS)}")

    def kill(self) -> None:
        """End it at once, as kill -9 does."""
        process = self._running()
        process.kill()
        process.wait(MAX_WAIT_SECONDS)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        self._process = None

    def pause(self) -> None:
        """Have it do nothing, with its connections open."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Have it go on."""
        self._running().send_signal(signal.SIGCONT)

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise AssertionError("the server does not run")
        return self._process


@contextmanager
def _in_container() -> Iterator[str]:
    # Only where Docker answers: the library asks it while it is imported.
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - see the line above

    # The version of the embedded engine, so that both kinds of test ask the same ClickHouse.
    tag = ".".join(version("chdb-core").split(".")[:2])
    container = DockerContainer(f"{IMAGE}:{tag}").with_exposed_ports(HTTP_PORT)
    with container.with_env("CLICKHOUSE_SKIP_USER_SETUP", "1") as running:
        url = f"http://{running.get_container_host_ip()}:{running.get_exposed_port(HTTP_PORT)}"
        _wait_for(url)
        yield url


def _wait_for(url: str) -> None:
    opener = build_opener(ProxyHandler({}))
    for _ in range(MAX_TRIES):
        try:
            with opener.open(f"{url}/ping", timeout=MAX_WAIT_SECONDS):
                return
        except (URLError, OSError):
            time.sleep(TRY_SECONDS)
    raise AssertionError(f"{url} does not answer")
