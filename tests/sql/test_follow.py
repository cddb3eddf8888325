"""The real `run --follow`: fed by files and by a pipe, read while it runs, stopped, killed, and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest

from tests.support.processes import ended

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 240
COMMAND = (sys.executable, "-c", "from tallybook.cli.main import main; main()")


class Followed:
    """A folder that is followed by real processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.fed = 0
        self.log = root.parent / "follow.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.run("init", str(root))

    def run(self, *words: str) -> str:
        """The output of another command on this folder."""
        done = ended(*COMMAND, "-C", self.root, *words, cwd=ROOT, timeout=WAIT_SECONDS)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    def start(self, *words: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start it, and wait until its tables are served."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "-C", str(self.root), "run", "--follow", *words], cwd=ROOT, stdin=stdin, stderr=log
            )
        wait_for(lambda: "tables served" in self.said() or self.process_ended(), self.said)
        assert not self.process_ended(), self.said()
        return self.process

    def process_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8") if self.log.exists() else "nothing yet"

    def events(self, count: int) -> bytes:
        """So many new check-ins of anna."""
        lines = []
        for _ in range(count):
            self.fed += 1
            lines.append(
                {"type": "CheckedIn", "source": "app", "event_id": f"c-{self.fed}", "member_id": "anna",
                 "occurred_at": time.time_ns() // 1_000_000}
            )  # fmt: skip
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    def feed(self, count: int, name: str) -> None:
        """A file appears in the inbox."""
        part = self.root / "inbox" / f"{name}.part"
        part.write_bytes(self.events(count))
        part.rename(part.with_suffix(""))

    def address(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("address", "--json"))
        return found

    def journalled(self) -> int:
        return int(json.loads(self.run("status", "--json"))["facts"])


def wait_for(condition: Callable[[], object], said: Callable[[], str]) -> None:
    """Until the condition holds; how long that takes is nobody's business, unless it never ends."""
    for _ in range(WAIT_SECONDS * 10):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(said())


def postings_over_http(address: dict[str, Any]) -> int:
    client = clickhouse_connect.get_client(
        host=address["host"], port=address["port"], username=address["user"], password=address["token"],
        database="tallybook",
    )  # fmt: skip
    try:
        return int(client.query("SELECT count(DISTINCT event_id) FROM ledger").result_rows[0][0])
    finally:
        client.close()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")  # a zombie that nobody waits for is gone too
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    found = Followed(tmp_path / "shop")
    yield found
    if found.process is not None and found.process.poll() is None:
        found.process.kill()
        found.process.wait(WAIT_SECONDS)


def test_fed_read_stopped(followed: Followed) -> None:
    process = followed.start()
    followed.feed(20, "a.jsonl")
    address = followed.address()
    wait_for(lambda: postings_over_http(address) == 20, followed.said)
    assert json.loads(followed.run("balance", "anna", "--json"))["postings"] == 20
    assert "anna" in followed.run("leaderboard", "--period", "all")
    held = ended(*COMMAND, "-C", followed.root, "run", "--follow", cwd=ROOT)
    assert held.returncode == 5, "a second one"
    assert "in use by process" in held.stderr
    followed.feed(5, "b.jsonl")
    wait_for((followed.root / "inbox" / "taken" / "b.jsonl").exists, followed.said)
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_SECONDS) == 0, followed.said()
    assert "stopped: 25 facts, 25 postings, 2 files" in followed.said()
    assert not is_alive(address["pid"])
    assert followed.journalled() == 25
    followed.run("verify")
    assert json.loads(followed.run("balance", "anna", "--json"))["postings"] == 25
    edited = next((followed.root / "rulesets").glob("*/*.yaml"))
    edited.write_text(edited.read_text(encoding="utf-8") + "# a word more\n", encoding="utf-8")
    refused = ended(*COMMAND, "-C", followed.root, "run", "--follow", cwd=ROOT)
    assert refused.returncode == 3
    assert edited.name in refused.stderr


def test_killed_and_started_again(followed: Followed) -> None:
    process = followed.start()
    for number in range(5):
        followed.feed(300, f"{number}.jsonl")
    wait_for(lambda: list((followed.root / "inbox").glob("taken/*.jsonl")), followed.said)
    tables = followed.address()["pid"]
    process.kill()
    process.wait(WAIT_SECONDS)
    wait_for(lambda: not is_alive(tables), followed.said)
    process = followed.start()
    followed.feed(1, "last.jsonl")
    wait_for((followed.root / "inbox" / "taken" / "last.jsonl").exists, followed.said)
    wait_for(lambda: not list((followed.root / "inbox").glob("*.jsonl")), followed.said)
    process.send_signal(signal.SIGINT)
    assert process.wait(WAIT_SECONDS) == 0, followed.said()
    assert followed.journalled() == 1_501
    followed.run("verify")


def test_tables_whose_process_dies_are_filled_by_another(followed: Followed) -> None:
    process = followed.start()
    first = followed.address()["pid"]
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: "it is started again" in followed.said(), followed.said)
    followed.feed(3, "a.jsonl")
    wait_for(lambda: followed.said().count("tables served") == 2, followed.said)
    address = followed.address()
    assert address["pid"] != first
    wait_for(lambda: postings_over_http(address) == 3, followed.said)
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_SECONDS) == 0, followed.said()


def test_standard_input_to_its_end(followed: Followed) -> None:
    process = followed.start("-", stdin=subprocess.PIPE)
    assert process.stdin is not None
    content = followed.events(40)
    process.stdin.write(content[: len(content) // 2])
    process.stdin.flush()
    wait_for(lambda: list((followed.root / "inbox").glob("taken/stdin-*.jsonl")), followed.said)
    process.stdin.write(content[len(content) // 2 :].rstrip(b"\n"))
    process.stdin.close()
    assert process.wait(WAIT_SECONDS) == 0, followed.said()
    assert followed.journalled() == 40
    pieces = sorted((followed.root / "inbox" / "taken").glob("stdin-*.jsonl"))
    assert b"".join(piece.read_bytes() for piece in pieces) == content.rstrip(b"\n")


def test_without_an_inbox(followed: Followed) -> None:
    (followed.root / "inbox").rmdir()
    refused = ended(*COMMAND, "-C", followed.root, "run", "--follow", cwd=ROOT)
    assert refused.returncode == 3
    assert "inbox is not there" in refused.stderr
