"""The members that memory and restarts are measured with are what the tables say they are."""

from pathlib import Path

import msgspec

from benchmarks.memory import load, take_over
from benchmarks.regulars import history, member_ids, opened, publication
from benchmarks.restart import make_books
from processors.decider.accounts_digest import accounts_digest
from processors.decider.partition_machine import PartitionMachine
from schemas.pages import JournalLine
from tallybook.demo.year import DEMO_YEAR_STARTS_AT
from tallybook.folder.folder import Folder
from tallybook.folder.recovered_partitions import RecoveredPartitions

MEMBERS = 6
LOTS = 4


def machine() -> PartitionMachine:
    return PartitionMachine(opened(), (), load, live_accounts=2)


def test_every_member_comes_until_it_holds_its_lots(tmp_path: Path) -> None:
    one, other = machine(), machine()
    one.feed(JournalLine(publication(), 0))
    for line in history(member_ids(MEMBERS), LOTS, one):
        one.feed(line)
    assert len(one.accounts) == MEMBERS
    assert all(len(account.lots) >= LOTS for account in one.accounts)
    kept = (list(one.accounts.members()), list(one.accounts.packed()), one.due_work())
    (tmp_path / "state").write_bytes(msgspec.msgpack.encode(kept))
    take_over(other, str(tmp_path / "state"))
    other.partition.pass_tick(one.partition.last_tick)
    assert accounts_digest(other) == accounts_digest(one)


def test_a_start_finds_every_member_with_snapshots_and_without(tmp_path: Path) -> None:
    assert make_books(str(tmp_path), members=20, visits=2) == 40
    folder = Folder(tmp_path)
    digests = []
    for _ in range(2):
        with folder.writing(DEMO_YEAR_STARTS_AT) as log:
            scorers = RecoveredPartitions(folder, log, range(log.partitions)).group.scorers
        assert sum(len(scorer.machine.accounts) for scorer in scorers) == 20
        digests.append([accounts_digest(scorer.machine) for scorer in scorers])
        if folder.snapshots.exists():
            folder.snapshots.rename(tmp_path / "away")
    assert digests[0] == digests[1]
