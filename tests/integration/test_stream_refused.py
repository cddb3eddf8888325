"""What a stage cannot work with ends it with words that say what it is and what to do, and nothing is written."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from books.kafka.messages import page_message
from books.kafka.records import Place
from books.kafka.tick_state import TickState
from processors.decider.partition_state import SEMANTICS
from processors.stream.message_door import NO_REGISTRY
from schemas.facts import RulesetPublished
from schemas.pages import JournalLine
from schemas.posting import FIRST_EDITION
from tallybook.folder.folder import Folder
from tests.fakes.registry import FakeSchemas
from tests.integration.clickhouses import ChdbOverHttp
from tests.integration.streams import Deployment, Message, take_in
from tests.support import hostile
from tests.support.command_line import run
from tests.support.encodings import plain_json
from tests.support.fact_samples import CHECK_IN
from tests.support.waiting import MAX_WAIT_SECONDS, wait_for
from tests.support.whole_books import lines_of

START: Final = "from tallybook.cli.main import main; main()"
# A program of the future, which knows one more behaviour of the decider.
UNKNOWN: Final = 99
NEWER: Final = f"import processors.decider.partition_state as known; known.KNOWN_SEMANTICS |= {{{UNKNOWN}}}; {START}"
MEMBERS: Final = 20


@contextmanager
def started(folder: Path, *arguments: str, program: str = START) -> Iterator[subprocess.Popen[str]]:
    """A `tallybook` process, which is ended with the body at the latest."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, "-C", str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def refused(folder: Path, *arguments: str) -> str:
    """What a command says that refuses, in this process."""
    done = run(folder, *arguments)
    assert done.code == 3, done.out + done.err
    assert "Traceback" not in done.err
    return done.err.splitlines()[-1]


def create(bootstrap: str, partitions: dict[str, int]) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topics = [NewTopic(name, num_partitions=count) for name, count in partitions.items()]
    for future in admin.create_topics(topics).values():
        future.result(MAX_WAIT_SECONDS)


def delete(bootstrap: str, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.delete_topics([topic])[topic].result(MAX_WAIT_SECONDS)


def publish_rules(folder: Path) -> Path:
    """Publish the starter programme's rules; their file."""
    file = Folder(folder).copy_ruleset("starter")
    assert run(folder, "rules", "publish", str(file)).code == 0
    return file


def feed(stream: Deployment, name: str) -> None:
    """Check-ins of all members, taken in."""
    topic = next(topic for topic, kind in stream.topics.facts.items() if kind == "CheckedIn")
    messages = []
    for number in range(MEMBERS):
        event = CHECK_IN | {"event_id": f"{name}-{number}", "member_id": f"m-{number}"}
        messages.append(Message(topic, plain_json(event, FakeSchemas())[0]))
    stream.send(messages)
    intake = stream.intake(NO_REGISTRY)
    intake.open()
    take_in(intake, MEMBERS)
    intake.close()


def scored_pages(stream: Deployment) -> list[int]:
    """Up to which page each partition is scored."""
    log = stream.log()
    return [log.scored_page(FIRST_EDITION, partition) or 0 for partition in range(log.partitions)]


def last_pages(stream: Deployment) -> list[int]:
    """The last page of each partition."""
    pages = [stream.log().last_page(partition) for partition in range(stream.opened.partitions)]
    return [-1 if page is None else page.page for page in pages]


def published_again(stream: Deployment, **changed: object) -> RulesetPublished:
    """The last publication of the stream with other fields."""
    found = [line.fact for line in lines_of(stream.log(), 0)]
    last = [fact for fact in found if isinstance(fact, RulesetPublished)][-1]
    return msgspec.structs.replace(last, **changed)


def test_journal_and_ledger_of_different_size(bootstrap: str, deployment: str, tmp_path: Path) -> None:
    create(bootstrap, {f"{deployment}.journal": 2, f"{deployment}.ledger.0001": 1, f"{deployment}.rejects": 1})
    given = ("--bootstrap", bootstrap, "--deployment", deployment, "--partitions", "2")
    asked = (*given, "--horizon", "90")
    assert "1 partitions, and 2 were asked for" in refused(tmp_path, "topics", "create", *asked)
    assert not (tmp_path / "stream.toml").exists()
    folder = stream_folder(bootstrap, deployment, tmp_path / "folder")
    for command in (["topics", "create"], ["intake"], ["tick"], ["score"], ["project"], ["verify"]):
        said = refused(folder, *command)
        assert f"{deployment}.ledger.0001 has 1 partitions" in said
        assert "They must have the same number" in said


def test_a_topic_that_is_not_there(bootstrap: str, deployment: str, tmp_path: Path) -> None:
    assert f"There is no topic {deployment}.journal" in refused(
        stream_folder(bootstrap, deployment, tmp_path / "none"), "intake"
    )
    stream = Deployment(bootstrap, deployment, has_rules=False)
    folder = stream.folder(tmp_path / "folder")
    missing = list(stream.topics.facts)[2]
    delete(bootstrap, missing)
    wait_for("the topic to go", lambda: missing not in stream.cluster.partitions([missing]))
    assert refused(folder, "intake") == f"There is no topic {missing}: run `tallybook topics create` first."
    assert missing in run(folder, "topics", "check").out
    assert stream.log().end(Place(stream.topics.rejects, 0)) == 0


def stream_folder(bootstrap: str, deployment: str, folder: Path) -> Path:
    """A folder that speaks of a deployment without topics."""
    folder.mkdir()
    (folder / "stream.toml").write_text(f'bootstrap = "{bootstrap}"\ndeployment = "{deployment}"\n')
    return folder


def test_a_journal_that_is_somebody_elses(bootstrap: str, deployment: str, tmp_path: Path) -> None:
    stream = Deployment(bootstrap, deployment, has_rules=False)
    folder = stream.folder(tmp_path)
    other = refused(folder, "topics", "create", "--partitions", "3")
    assert "has 2 partitions, and 3 were asked for" in other
    assert "a horizon of 90 days, and not as" in refused(
        folder, "topics", "create", "--partitions", "2", "--horizon", "9"
    )


def test_a_version_that_is_published_with_another_text(bootstrap: str, deployment: str, tmp_path: Path) -> None:
    stream = Deployment(bootstrap, deployment, has_rules=False)
    folder = stream.folder(tmp_path)
    file = publish_rules(folder)
    before = last_pages(stream)
    file.write_text(file.read_text() + "\n# one more line\n")
    said = refused(folder, "rules", "publish", str(file))
    assert "is not what was published as version 1" in said
    assert last_pages(stream) == before


def test_a_worker_that_does_not_know_the_semantics_of_the_rules(
    bootstrap: str, deployment: str, tmp_path: Path
) -> None:
    stream = Deployment(bootstrap, deployment, has_rules=False)
    folder = stream.folder(tmp_path)
    publish_rules(folder)
    feed(stream, "before")
    before = last_pages(stream)
    page = page_message((JournalLine(published_again(stream, version="2", semantics=UNKNOWN), hostile.NOW),))
    stream.write(page, TickState(0, is_published=True))
    feed(stream, "after")
    with started(folder, "score", "--instance", "a") as worker:
        said, _ = worker.communicate(timeout=MAX_WAIT_SECONDS)
    assert worker.returncode == 3
    assert f"ruleset 2 was published for decider semantics {UNKNOWN}" in said
    assert f"this program knows [{SEMANTICS}]: use a newer Tallybook" in said
    assert "Traceback" not in said
    assert all(scored <= page for scored, page in zip(scored_pages(stream), before, strict=True))
    with started(folder, "score", "--instance", "a", program=NEWER) as worker:
        wait_for("all to be scored", lambda: scored_pages(stream) == last_pages(stream))
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=MAX_WAIT_SECONDS)
    assert "use a newer Tallybook" in refused(folder, "verify")


def test_tables_that_hold_another_deployments_books(bootstrap: str, deployment: str, tmp_path: Path) -> None:
    with ChdbOverHttp(tmp_path / "clickhouse") as clickhouse:
        first, second = (
            Deployment(bootstrap, f"{deployment}-{name}", partitions=1, has_rules=False).folder(
                tmp_path / name, clickhouse=clickhouse.url
            )
            for name in ("first", "second")
        )
        publish_rules(first)
        with started(first, "score"), started(first, "project"):
            wait_for("the rules to be in the tables", lambda: rules_in_tables(first) == 1)
        publish_rules(second)
        said = refused(second, "project")
    assert f"filled from the books of '{deployment}-first'" in said
    assert "DROP DATABASE tallybook" in said


def rules_in_tables(folder: Path) -> int:
    """How many publications the tables show; none before there are tables."""
    done = run(folder, "sql", "SELECT count() AS n FROM tallybook.rulesets", "--json")
    return int(done.json()[0]["n"]) if done.code == 0 else 0


@pytest.mark.parametrize("command", [["intake"], ["topics", "check"], ["rejects", "list"]])
def test_settings_that_cannot_be_used(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "stream.toml").write_text('bootstrap = "nowhere:1"\n')
    assert "deployment is missing: set it in" in refused(tmp_path, *command)
