"""Runs Kafka, and a schema registry if wanted, in a terminal, because a first try should need two commands at most."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from deploy.local.artifacts import CACHE_VARIABLE, ArtifactError
from deploy.local.kafka import LocalKafka
from deploy.local.registry import LocalRegistry
from deploy.local.server import LOOPBACK, LocalServer, ServerError

KAFKA_PORT = 19_092
REGISTRY_PORT = 18_081
LOOK_SECONDS = 0.5

_EPILOG = f"""\
example:
  python -m deploy.local --registry
  python -m deploy.local --port 19093 --folder kafka-data     # finds the data again the next time

It needs Java 17 and Maven, fetches 65 MB once (104 MB more for the registry) and keeps them in ~/.cache/tallybook
(${CACHE_VARIABLE} names another folder). It listens on {LOOPBACK} only, for any user of this machine.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the servers until Ctrl-C or SIGTERM; 0, or 1 if one cannot be started or ends by itself."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with ExitStack() as opened:
            folder = options.folder
            if folder is None:
                folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="tallybook-kafka-")))
            kafka = opened.enter_context(LocalKafka(folder / "kafka", port=options.port))
            servers: list[LocalServer] = [kafka]
            print(f"Kafka listens at {kafka.bootstrap}; clients take it as bootstrap.servers.")
            if options.registry:
                registry = opened.enter_context(LocalRegistry(folder / "registry", port=options.registry_port))
                servers.append(registry)
                print(f"The schema registry is {registry.url}; clients take it as schema.registry.url.")
                print(f"Tests use it too: export TALLYBOOK_TEST_REGISTRY={registry.url}")
            print(f"Tests use Kafka too: export TALLYBOOK_TEST_BOOTSTRAP={kafka.bootstrap}")
            kept = "stays there" if options.folder else "goes when this ends"
            print(f"The data is in {folder} and {kept}. Ctrl-C ends it.", flush=True)
            return _watch(servers)
    except KeyboardInterrupt:
        print("Ended.")
        return 0
    except (ArtifactError, ServerError) as error:
        print(error, file=sys.stderr)
        return 1


def _watch(servers: Sequence[LocalServer]) -> int:
    """Looks on until a server ends, which it should not; a person ends it otherwise."""
    while True:
        for server in servers:
            if not server.running:
                print(f"{server.name} has ended by itself; see {server.log}.", file=sys.stderr)
                return 1
        time.sleep(LOOK_SECONDS)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local",
        description="Runs a real Apache Kafka on this machine, for trying things out.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=KAFKA_PORT, help="Kafka's port (%(default)s); 0 takes a free one")
    parser.add_argument("--registry", action="store_true", help="run a schema registry too")
    parser.add_argument(
        "--registry-port", type=int, default=REGISTRY_PORT, help="its port (%(default)s); 0 takes a free one"
    )
    parser.add_argument("--folder", type=Path, help="keep the data here; otherwise it goes when this ends")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
