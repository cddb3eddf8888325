"""From event to visible: facts fed to `run --follow` at a steady rate, and how long until a reader sees their points.

    python -m benchmarks.follow [--rate R] [--seconds S] [--stdin] [--markdown]

Every file (or every piece on standard input) ends with a check-in of the probe, a member whose ledger an unmodified
clickhouse-connect client asks for over HTTP all the while: the time of a file runs from its renaming into the inbox to
the answer that shows its posting. The command line asks for a balance and a leaderboard meanwhile. Times are those of
the wall clock, which is what a user waits by; on a machine with other work they are an upper bound.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import IO, Any, Final

import clickhouse_connect

from benchmarks.report import table, versions, write_block
from schemas.instants import format_instant

ROOT: Final = Path(__file__).resolve().parent.parent
TALLYBOOK: Final = (sys.executable, "-c", "from tallybook.cli.main import main; main()")
FILES_PER_SECOND: Final = 10
MEMBERS: Final = 5_000
PROBE: Final = "the-probe"
ASK_SECONDS: Final = 0.05  # between two questions of the HTTP client
COMMAND_EVERY_SECONDS: Final = 10.0
START_SECONDS: Final = 120.0
CATCH_UP_SECONDS: Final = 120.0
HEADS: Final = ("what", "figure")
SEEN: Final = "SELECT seq, event_id FROM ledger WHERE member_id = {member:String} AND seq > {seq:UInt64} ORDER BY seq"


class Run:
    """One run: when each file was fed, when its posting was seen, and what was asked meanwhile."""

    def __init__(self, folder: Path, rate: int, seconds: int, *, by_stdin: bool) -> None:
        self.folder = folder
        self.rate = rate
        self.seconds = seconds
        self.by_stdin = by_stdin
        self.fed: dict[str, float] = {}
        self.seen: dict[str, float] = {}
        self.facts = 0
        self.questions = 0
        self.commands: list[tuple[str, float]] = []
        self.is_over = threading.Event()

    def feed(self, stdin: IO[bytes] | None) -> float:
        """Feed all files at their time; the seconds that it took."""
        rng = Random(7)
        per_file = max(1, self.rate // FILES_PER_SECOND)
        started = time.monotonic()
        for number in range(self.seconds * self.rate // per_file):
            due = started + number * per_file / self.rate
            time.sleep(max(0.0, due - time.monotonic()))
            content = b"".join(self._lines(rng, number, per_file))
            if stdin is not None:
                stdin.write(content)
                stdin.flush()
            else:
                part = self.folder / "inbox" / f"{number:06d}.jsonl.part"
                part.write_bytes(content)
                part.rename(part.with_suffix(""))
            self.fed[f"probe-{number}"] = time.monotonic()
        return time.monotonic() - started

    def watch(self, address: dict[str, Any]) -> None:
        """Ask for the probe's ledger until all of it was seen."""
        client = clickhouse_connect.get_client(
            host=address["host"], port=address["port"], username=address["user"], password=address["token"],
            database="tallybook",
        )  # fmt: skip
        last = 0
        while not (self.is_over.is_set() and len(self.seen) >= len(self.fed)):
            rows = client.query(SEEN, parameters={"member": PROBE, "seq": last}).result_rows
            now = time.monotonic()
            self.questions += 1
            for seq, event_id in rows:
                self.seen.setdefault(event_id, now)
                last = max(last, seq)
            time.sleep(ASK_SECONDS)
        client.close()

    def ask_commands(self) -> None:
        """Ask by the command line too, now and then."""
        for number in range(1_000_000):
            if self.is_over.wait(COMMAND_EVERY_SECONDS if number else COMMAND_EVERY_SECONDS / 2):
                return
            words = ("balance", PROBE) if number % 2 == 0 else ("leaderboard",)
            started = time.monotonic()
            tallybook(self.folder, *words)
            self.commands.append((words[0], time.monotonic() - started))

    def _lines(self, rng: Random, number: int, count: int) -> Iterator[bytes]:
        at = format_instant(time.time_ns() // 1_000_000)
        for n in range(count - 1):
            self.facts += 1
            yield _line(
                type="PurchaseRecorded", source="pos", event_id=f"p-{number}-{n}", occurred_at=at,
                order_id=f"o-{number}-{n}", currency="EUR", member_id=f"m-{rng.randrange(MEMBERS)}", store_id="s1",
                lines=[{"sku": f"sku-{rng.randrange(200)}", "amount_minor": rng.randrange(100, 9_000)}],
            )  # fmt: skip
        self.facts += 1
        yield _line(type="CheckedIn", source="app", event_id=f"probe-{number}", occurred_at=at, member_id=PROBE)


def _line(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def tallybook(folder: Path, *words: str) -> str:
    """The output of a command. Raises CalledProcessError."""
    done = subprocess.run(
        [*TALLYBOOK, "-C", str(folder), *words], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


@contextmanager
def following(folder: Path, *, by_stdin: bool) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """`run --follow`, and the address where its tables are served once they are."""
    words = [*TALLYBOOK, "-C", str(folder), "run", "--follow", *(["-"] if by_stdin else [])]
    stdin = subprocess.PIPE if by_stdin else subprocess.DEVNULL
    with (folder / "follow.log").open("wb") as log:
        process = subprocess.Popen(words, cwd=ROOT, stdin=stdin, stderr=log)
        try:
            ends_at = time.monotonic() + START_SECONDS
            while "tables served" not in (folder / "follow.log").read_text(encoding="utf-8"):
                if process.poll() is not None or time.monotonic() > ends_at:
                    raise RuntimeError((folder / "follow.log").read_text(encoding="utf-8"))
                time.sleep(0.1)
            yield process, json.loads(tallybook(folder, "address", "--json"))
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(CATCH_UP_SECONDS)


def cpu_seconds(pid: int) -> float:
    """The CPU time of a process so far, where the system tells it in /proc; else 0."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder: Path, rate: int, seconds: int, *, by_stdin: bool) -> list[tuple[str, str]]:
    """Run it once; the rows of the table."""
    tallybook(folder.parent, "init", str(folder))
    run = Run(folder, rate, seconds, by_stdin=by_stdin)
    with following(folder, by_stdin=by_stdin) as (process, address):
        threads = [
            threading.Thread(target=run.watch, args=(address,), daemon=True),
            threading.Thread(target=run.ask_commands, daemon=True),
        ]
        before = cpu_seconds(process.pid), cpu_seconds(address["pid"])
        for thread in threads:
            thread.start()
        took = run.feed(process.stdin)
        run.is_over.set()
        threads[0].join(CATCH_UP_SECONDS)
        after = cpu_seconds(process.pid), cpu_seconds(address["pid"])
        if process.stdin is not None:
            process.stdin.close()
    status = json.loads(tallybook(folder, "status", "--json"))
    if status["facts"] != run.facts or len(run.seen) != len(run.fed):
        raise AssertionError(f"{run.facts} facts fed, {status['facts']} in the books; {len(run.seen)} probes seen")
    return _rows(run, took, [b - a for a, b in zip(before, after, strict=True)], status["commits"], process.returncode)


def _rows(run: Run, took: float, cpu: list[float], commits: int, code: int) -> list[tuple[str, str]]:
    waits = sorted(run.seen[event_id] - fed for event_id, fed in run.fed.items())
    rows = [
        ("fed by", "standard input" if run.by_stdin else f"{len(run.fed):,} files renamed into the inbox"),
        ("facts", f"{run.facts:,} in {took:.0f} s: {run.facts / took:,.0f}/s"),
    ]
    rows += [
        (f"event to visible, p{share}", f"{waits[min(len(waits) - 1, len(waits) * share // 100)]:.2f} s")
        for share in (50, 95, 99)
    ]
    rows += [
        ("event to visible, longest", f"{waits[-1]:.2f} s"),
        ("commits", f"{commits:,}"),
        ("CPU of the deciding process", f"{cpu[0]:.1f} s ({cpu[0] / took:.0%} of a core)"),
        ("CPU of the tables' process", f"{cpu[1]:.1f} s ({cpu[1] / took:.0%} of a core)"),
        ("questions over HTTP", f"{run.questions:,}"),
    ]
    for name in ("balance", "leaderboard"):
        times = sorted(taken for asked, taken in run.commands if asked == name)
        if times:
            rows.append((f"`tallybook {name}` meanwhile", f"{len(times)} times, {times[len(times) // 2]:.1f} s"))
    rows.append(("ended with", str(code)))
    return rows


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=int, default=500, help="facts per second")
    parser.add_argument("--seconds", type=int, default=30, help="for how long")
    parser.add_argument("--stdin", action="store_true", help="feed standard input instead of the inbox")
    parser.add_argument("--markdown", action="store_true", help="write the table into docs/benchmarks.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tallybook-follow-") as scratch:
        rows = measure(Path(scratch) / "shop", given.rate, given.seconds, by_stdin=given.stdin)
    lines = [versions(), "", *table(HEADS, rows)]
    print("\n".join(lines))
    if given.markdown:
        write_block("follow", ["", *lines, ""])


if __name__ == "__main__":
    main()
