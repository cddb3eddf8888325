"""Several processes make the same books, byte for byte, and whoever of them dies leaves nobody at the files."""

import os
import signal
from collections.abc import Iterator
from multiprocessing import active_children
from pathlib import Path

import msgspec
import pytest

from books.errors import FolderHeld
from processors.decider.partition_state import UnknownSemanticsError
from processors.embedded.partition_group import LineToScore, LocalPartitionGroup
from processors.embedded.rounds import Rounds, Taken
from schemas.bounds import DAY_MS
from schemas.facts import ClockTicked, PublishedFact
from schemas.posting import FIRST_EDITION
from tallybook.folder.folder import Folder
from tallybook.folder.import_files import import_files
from tallybook.folder.session import processes_for, writing_session
from tallybook.folder.workers import WorkerDied, decode_lines, decode_owed, encode, encode_lines
from tests.support import small_imports as small
from tests.support.deciders import published
from tests.support.small_imports import NOW, RULES, START, random_facts, rounds_of, write_lines

PARTITIONS = 4


def fresh(root: Path) -> Folder:
    """A folder whose rules are those of small_imports."""
    folder = Folder(root)
    folder.create("imports", PARTITIONS, 90, START)
    (folder.rulesets / "imports").mkdir()
    (folder.rulesets / "imports" / "1.yaml").write_text(RULES, encoding="utf-8")
    return folder


def contents(folder: Folder) -> dict[str, bytes]:
    """Journal and ledger, byte for byte."""
    return {str(file.relative_to(folder.books)): file.read_bytes() for file in sorted(folder.books.glob("*/*.avro"))}


def taken(facts: list[PublishedFact]) -> list[Taken]:
    return [Taken(fact, "ab" * 32, number) for number, fact in enumerate(facts, 1)]


def take_in_days(rounds: Rounds, days: range, seed: int) -> None:
    """Some days of facts, a round each, committed one by one."""
    for day in days:
        ends_at = START + (day + 1) * DAY_MS
        rounds.take(taken(random_facts(seed + day, days=1, a_day=40, first_day=day)), ends_at, ends_at)
        rounds.commit([])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    yield fresh(tmp_path / "shop")
    assert active_children() == []


@pytest.mark.long
def test_any_number_of_processes_makes_the_same_books(tmp_path: Path) -> None:
    file = str(write_lines(tmp_path / "events.jsonl", random_facts(1, a_day=40)))
    made = []
    for processes in (1, 2, PARTITIONS + 3):
        folder = fresh(tmp_path / str(processes))
        done = import_files(folder, [file], None, now=NOW, processes=processes)
        made.append((contents(folder), (done.facts, done.postings, done.entries, done.duplicates)))
    assert made[0][1][0] > 100
    assert all(each == made[0] for each in made[1:])


@pytest.mark.long
def test_a_snapshot_of_one_number_serves_any_other(tmp_path: Path) -> None:
    whole, turns = fresh(tmp_path / "whole"), fresh(tmp_path / "turns")
    with writing_session(whole, NOW) as session:
        session.rounds.publish(published(RULES, "Europe/Berlin", version="1", effective_from=0), START)
        take_in_days(session.rounds, range(5), 1)
    with writing_session(turns, NOW, 2) as session:
        session.rounds.publish(published(RULES, "Europe/Berlin", version="1", effective_from=0), START)
        take_in_days(session.rounds, range(2), 1)
        session.keep_snapshots()
    kept = sorted(file.name for file in turns.snapshots.iterdir())
    assert [name for name in kept if name.startswith(f"ledger.{FIRST_EDITION}")], kept
    with writing_session(turns, NOW, 3) as session:
        take_in_days(session.rounds, range(2, 4), 1)
        session.keep_snapshots()
    with writing_session(turns, NOW) as session:
        take_in_days(session.rounds, range(4, 5), 1)
    assert contents(turns) == contents(whole)


def test_a_worker_that_is_killed_ends_the_run_and_the_next_one_goes_on(folder: Folder) -> None:
    def with_a_kill() -> None:
        with writing_session(folder, NOW, 2) as session:
            session.rounds.publish(published(RULES, "Europe/Berlin", version="1", effective_from=0), START)
            take_in_days(session.rounds, range(1), 1)
            pid = active_children()[0].pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            take_in_days(session.rounds, range(1, 3), 1)

    with pytest.raises(WorkerDied, match="signal 9"):
        with_a_kill()
    with writing_session(folder, NOW, 2) as session:
        take_in_days(session.rounds, range(1, 3), 1)
    undisturbed = fresh(folder.root.parent / "undisturbed")
    with writing_session(undisturbed, NOW) as session:
        session.rounds.publish(published(RULES, "Europe/Berlin", version="1", effective_from=0), START)
        take_in_days(session.rounds, range(3), 1)
    assert contents(folder) == contents(undisturbed)


def test_the_folder_stays_held_until_the_last_worker_has_gone(folder: Folder) -> None:
    with writing_session(folder, NOW, 2) as session:
        handle = session.log.lock_handle()
        assert handle is not None
        # As if this process had died: its own hold on the lock is gone, only the workers' copies are left.
        other = os.open(folder.books / "LOCK", os.O_RDWR)
        os.dup2(other, handle, inheritable=False)
        os.close(other)
        with pytest.raises(FolderHeld), writing_session(folder, NOW):
            pass
    with writing_session(folder, NOW):
        pass


def test_what_goes_wrong_in_a_worker_is_raised_here(folder: Folder) -> None:
    unknown = msgspec.structs.replace(published(RULES, "Europe/Berlin", version="1", effective_from=0), semantics=99)

    def publish_it() -> None:
        with writing_session(folder, NOW, 2) as session:
            session.rounds.publish(unknown, START)
            session.rounds.commit([])

    with pytest.raises(UnknownSemanticsError, match="semantics 99") as raised:
        publish_it()
    assert "In a deciding process" in "".join(raised.value.__notes__)


def test_snapshots_that_cannot_be_kept_end_nothing(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    folder.snapshots.write_text("in the way")
    with writing_session(folder, NOW, 2) as session:
        session.rounds.publish(published(RULES, "Europe/Berlin", version="1", effective_from=0), START)
        take_in_days(session.rounds, range(1), 1)
        session.keep_snapshots()
        take_in_days(session.rounds, range(1, 2), 1)
    assert "the next start reads the books instead of a snapshot" in capfd.readouterr().err


def test_messages_bring_every_kind_of_fact_as_it_was() -> None:
    publication = published(RULES, "Europe/Berlin", version="1", effective_from=0)
    facts = random_facts(3, a_day=30)
    orders = [LineToScore(number % 3, fact, "m", "ab" * 32, number) for number, fact in enumerate(facts)]
    orders += [LineToScore(0, ClockTicked(START)), LineToScore(1, publication)]
    told, received_at = decode_lines(encode_lines(orders, START))
    assert (told, received_at) == (orders, START)
    assert [type(order.fact) for order in told] == [type(order.fact) for order in orders]
    books = small.new_books()
    rounds = rounds_of(books.write())
    (group,) = rounds.groups
    assert isinstance(group, LocalPartitionGroup)
    group.score([order for order in orders if order.partition == 0][:-1], START)
    owed = group.owed()
    assert decode_owed(encode(owed)) == owed


def test_few_bytes_are_not_worth_other_processes(folder: Folder) -> None:
    assert processes_for(None, folder, 1_000) == 1
    assert processes_for(3, folder, 1_000) == 3
