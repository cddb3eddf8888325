"""The demo on a real Kafka: a plain producer publishes a coffee chain's year, every stage shows what it made of it.

    python -m scripts.demo_kafka [--facts 20000] [--members 1000] [--folder tallybook-demo-kafka]

Fetches Apache Kafka by Maven on its first run (61 MB, kept in a cache), and starts it on a free port of loopback. On a
terminal everything goes on running at the end, for you to look around, until Ctrl-C; elsewhere it ends.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import Producer

from books.kafka.log import KafkaLogReader
from deploy.local.kafka import LocalKafka
from deploy.local.server import ServerError
from projections.store import Store, StoreError
from schemas.canonical import printed_digest
from schemas.posting import FIRST_EDITION
from schemas.topics import FACT_TOPICS
from tallybook.demo.year import DemoYear, write_demo_year
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.screen import progress, say, show_table
from tallybook.stream.open import open_stream
from tallybook.tables.catch_up import caught_up
from tallybook.tables.reports import print_leaderboard

DEPLOYMENT = "demo"
PROGRAMME = "coffee-chain"
MARKER = ".tallybook-demo-kafka"
HORIZON_DAYS = 3_650  # the year of the demo may lie well behind us
PARTITIONS = 8
PATIENCE_SECONDS = 300.0  # without any progress
LOOK_SECONDS = 0.25
STOP_SECONDS = 30.0


def main() -> int:
    """Run the demo; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, default=20_000, help="how many events (default: %(default)s)")
    parser.add_argument("--members", type=int, default=1_000, help="of how many members (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("tallybook-demo-kafka"), help="where it keeps its files")
    arguments = parser.parse_args()
    try:
        with ExitStack() as running:
            return show(running, arguments.folder, arguments.facts, arguments.members)
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1


def show(running: ExitStack, root: Path, facts: int, members: int) -> int:
    """Start everything, publish, wait, compare, and say what to type next; the exit code."""
    fresh_folder(root)
    kafka = running.enter_context(LocalKafka(root / "kafka"))
    say(f"A year of a coffee chain through Apache Kafka at {kafka.bootstrap}: {facts:,} events of {members:,} members")
    create = ("--bootstrap", kafka.bootstrap, "--deployment", DEPLOYMENT, "--partitions", str(PARTITIONS))
    tallybook(root, "topics", "create", *create, "--horizon", str(HORIZON_DAYS), "--programme", PROGRAMME)
    tallybook(root, "rules", "publish", str(newest_rules(root)))
    running.enter_context(stages(root, "up", "--workers", "2", "--tickers", "0"))
    with progress("generating events", facts) as tick:
        files = write_demo_year(root / "events", DemoYear(facts, members), tick)
    started = time.perf_counter()
    sent = publish(kafka.bootstrap, files)
    published_in = time.perf_counter() - started
    say(f"{sent:,} messages published by a plain Kafka producer, as JSON, to {len(FACT_TOPICS)} topics")
    with caught_up_when_served(root) as store:
        wait_until_level(root, store, sent)
        seconds = time.perf_counter() - started
        # The year is long past: only now does time go on, so that its points expire after they were earned.
        running.enter_context(stages(root, "tick", "--instance", "1"))
        level = wait_until_level(root, store, sent, is_ticked=True)
        show_table(
            "Rates",
            [
                {"stage": "publish", "count": sent, "seconds": published_in, "per second": int(sent / published_in)},
                {
                    "stage": "until all is in ClickHouse",
                    "count": sent,
                    "seconds": seconds,
                    "per second": int(sent / seconds),
                },
            ],
        )
        show_table("In ClickHouse", [level])
        print_leaderboard(store, period="all", at=None, store_id="", limit=10)
    return prove(root) or look_around(root)


def fresh_folder(root: Path) -> None:
    """Make the demo's folder anew; refuse one that something else has made."""
    if root.exists():
        if not (root / MARKER).exists() and any(root.iterdir()):
            raise ServerError(f"{root} is there already and was not made by this demo: name another one with --folder")
        shutil.rmtree(root)
    (root / "events").mkdir(parents=True)
    (root / MARKER).write_text("Made by `make demo-kafka`, which deletes and makes it again.\n", encoding="utf-8")


def newest_rules(root: Path) -> Path:
    """The ruleset that `topics create` copied."""
    return Folder(root).ruleset_files()[-1]


def tallybook(root: Path, *words: str) -> None:
    """Run one command of the program, and show it."""
    say(f"$ tallybook -C {root} {' '.join(words)}")
    command = [str(Path(sys.executable).parent / "tallybook"), "-C", str(root), *words]
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
        raise ServerError(f"`tallybook {' '.join(words)}` failed; its message is above")


@contextmanager
def stages(root: Path, *words: str) -> Iterator[None]:
    """One or all stages, while the body runs; their log is in the folder."""
    file = root / f"{words[0]}.log"
    say(f"$ tallybook -C {root} {' '.join(words)}        (its log: {file})")
    with file.open("wb") as log:
        command = [str(Path(sys.executable).parent / "tallybook"), "-C", str(root), *words]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def publish(bootstrap: str, files: list[Path]) -> int:
    """Send every line as it is, by time, to the topic of its kind; what is no event goes with the purchases."""
    topics = {fact_type: f"{DEPLOYMENT}.{name}" for name, fact_type in FACT_TOPICS.items()}
    lines = [line for file in files for line in file.read_bytes().splitlines()]
    said = [(described(line), line) for line in lines]
    said.sort(key=lambda item: item[0][0])
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "enable.idempotence": True})
    for (_, kind), line in said:
        producer.produce(topics.get(kind, topics["PurchaseRecorded"]), line)
        producer.poll(0)
        while len(producer) > 50_000:
            producer.poll(0.1)
    if left := producer.flush(STOP_SECONDS):
        raise ServerError(f"{left} messages did not reach Kafka")
    return len(said)


def described(line: bytes) -> tuple[str, str]:
    """When an event happened and what kind it is, as far as it says so."""
    try:
        event = json.loads(line)
    except ValueError:
        return "", ""
    return str(event.get("occurred_at", "")), str(event.get("type", ""))


@contextmanager
def caught_up_when_served(root: Path) -> Iterator[Store]:
    """The tables, as soon as the projection serves them."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    with ExitStack() as opened:
        store: Store | None = None
        while store is None:
            try:
                store = opened.enter_context(caught_up(Folder(root)))
            except (StoreError, FolderRefused):
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(LOOK_SECONDS)
        yield store


def wait_until_level(root: Path, store: Store, sent: int, *, is_ticked: bool = False) -> dict[str, object]:
    """Wait until every message has become a line of the journal or a reject, is scored and is in the tables.

    With `is_ticked`, until all partitions have had their tick, too.
    """
    question = (
        "SELECT (SELECT count() FROM tallybook.facts WHERE record > 0) AS lines, "
        "(SELECT uniqExact(input, record) FROM tallybook.facts WHERE record > 0) AS facts, "
        "(SELECT count() FROM tallybook.rejects) AS rejects, "
        "(SELECT sum(records) FROM tallybook.progress WHERE book = 'ledger') AS postings, "
        "(SELECT count() FROM tallybook_rows.ticks FINAL) AS ticked"
    )
    last, moved_at = -1, time.monotonic()
    with progress("journalled, scored, projected", sent) as tick:
        while True:
            (row,) = store.rows(question)
            done = int(str(row["facts"])) + int(str(row["rejects"]))
            tick(max(0, done - max(last, 0)))
            if done != last:
                last, moved_at = done, time.monotonic()
            is_due = not is_ticked or int(str(row["ticked"])) == PARTITIONS
            if done >= sent and is_due and is_scored(root, int(str(row["postings"]))):
                del row["ticked"]
                return row
            if time.monotonic() - moved_at > PATIENCE_SECONDS:
                raise ServerError(f"nothing has moved for {PATIENCE_SECONDS:.0f} s; the stages' log is {root}/up.log")
            time.sleep(LOOK_SECONDS)


def is_scored(root: Path, postings: int) -> bool:
    """Whether the ledger covers the whole journal, and the tables the whole ledger."""
    log = open_stream(root).log()
    ends = [log.last_posting(FIRST_EDITION, partition) for partition in range(log.partitions)]
    pages = [log.last_page(partition) for partition in range(log.partitions)]
    scored = [log.scored_page(FIRST_EDITION, partition) for partition in range(log.partitions)]
    numbers = sum(end.number for end in ends if end is not None)
    covered = all(page is None or page.page <= (done or 0) for page, done in zip(pages, scored, strict=True))
    return covered and postings >= numbers


def prove(root: Path) -> int:
    """Copy the books, decide everything again on this machine alone, and compare the digests; the exit code."""
    copy = root / "copy"
    tallybook(root, "books", "copy", str(copy))
    say(f"$ tallybook -C {copy} verify --json")
    command = [str(Path(sys.executable).parent / "tallybook"), "-C", str(copy), "verify", "--json"]
    result = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    found = json.loads(result.stdout or "{}")
    streamed = stream_digests(open_stream(root).log())
    decided = tuple(found.get(f"{book}_digest", "") for book in ("journal", "ledger"))
    # One below the other, so that one can see that they are the same.
    rows = [
        {"book": book, "as": told, "digest": digest}
        for book, pair in zip(("journal", "ledger"), zip(streamed, decided, strict=True), strict=True)
        for told, digest in zip(("written", "redecided"), pair, strict=True)
    ]
    show_table("Digests, as the stream wrote them and as they come out when the copy is decided again", rows)
    is_same = streamed == decided
    if result.returncode or not is_same:
        say(f"DIFFERENT: {found.get('differences')} differences. This must never be; please report it.")
        return 1
    say(f"The same: {found['postings']:,} postings decided again on one machine, 0 differences.")
    return 0


def stream_digests(log: KafkaLogReader) -> tuple[str, str]:
    """The digests of journal and ledger that the scoring workers wrote with their last batches."""
    batches = [log.last_batch(FIRST_EDITION, partition) for partition in range(log.partitions)]
    last = [batch[1] for batch in batches if batch is not None]
    return (
        printed_digest([bytes.fromhex(batch.journal_digest) for batch in last]),
        printed_digest([bytes.fromhex(batch.ledger_digest) for batch in last]),
    )


def look_around(root: Path) -> int:
    """On a terminal: leave everything running, say what to type, and wait for Ctrl-C."""
    say("")
    say("Look around, in another terminal, while this one runs:" if sys.stdin.isatty() else "What one could type:")
    program = Path(sys.executable).parent / "tallybook"
    for words in (
        "status",
        "leaderboard --period month --at 2025-11-01",
        "rejects list",
        "explain --member m00001",
        "audit",
    ):
        say(f"  {shown(program)} -C {root} {words}")
    if sys.stdin.isatty():
        say("Ctrl-C ends Kafka and all stages.")
        try:
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            say("")
    return 0


def shown(program: Path) -> str:
    """The program as one would type it from here."""
    try:
        return str(program.relative_to(Path.cwd()))
    except ValueError:
        return str(program)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
