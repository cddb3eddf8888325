"""`verify` and `audit` find nothing in books that are right, and name what is wrong in books that are not."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from processors.partition_scorer import PartitionScorer
from processors.replay.recovery import recover_partition
from schemas.facts import CheckedIn
from schemas.pages import JournalLine, JournalPage, RoundCommitted
from schemas.partitions import partition_of
from schemas.posting import FIRST_EDITION
from tallybook.folder.folder import Folder, load_published
from tests.support.command_line import run
from tests.support.small_folder import OPENED_AT, at

FACT = CheckedIn("app", "c-forged", at("11-15T09:00"), "cleo")


def forge(root: Path, *, balance: int = 0) -> None:
    """Put a fact into the books whose posting pays two points more than the rules say (and as much in the balance)."""
    with Folder(root).writing(OPENED_AT) as log:
        partition = partition_of("cleo", log.partitions)
        scorer = PartitionScorer(partition, log.opened(), (), load_published)
        recover_partition(log, FIRST_EDITION, scorer)
        page = log.next_page(partition)
        line = JournalLine(FACT, FACT.occurred_at, "cleo")
        (posting,) = scorer.machine.feed(line)
        (award,) = posting.entries
        forged = msgspec.structs.replace(
            posting,
            number=log.next_number(FIRST_EDITION, partition),
            page=page,
            balance=posting.balance + balance,
            entries=(msgspec.structs.replace(award, points=award.points + 2),),
        )
        log.append_page(partition, JournalPage(page, (line,)))
        log.append_postings(FIRST_EDITION, partition, [forged])
        log.commit(RoundCommitted(number=0, lengths=(), facts=1, postings=1))


def test_right_books_are_proven(read_only: Path) -> None:
    verified = run(read_only, "verify", "--json")
    assert verified.code == 0
    found: dict[str, Any] = verified.json()
    assert (found["differences"], found["shown"]) == (0, [])
    assert found["postings"] > 20
    out = run(read_only, "verify").out
    assert f"journal digest {found['journal_digest']}" in out
    assert f"ledger digest  {found['ledger_digest']}" in out


def test_digests_depend_on_the_facts_alone(read_only: Path, folder: Path) -> None:
    digests = [
        {name: value for name, value in run(root, "verify", "--json").json().items() if name.endswith("digest")}
        for root in (read_only, folder)
    ]
    assert digests[0] == digests[1]


def test_right_tables_pass_every_audit(read_only: Path) -> None:
    audited = run(read_only, "audit", "--json")
    assert audited.code == 0
    assert audited.json()["found"] == {}
    assert len(audited.json()["audits"]) >= 5
    assert "nothing found" in run(read_only, "audit").out


def test_posting_that_no_rule_makes_is_found(folder: Path) -> None:
    forge(folder, balance=2)
    result = run(folder, "verify")
    assert result.code == 4
    assert "posting 3 of cleo: balance is 4, the rules make 2" in " ".join(result.out.split())
    found = run(folder, "verify", "--json").json()
    assert (found["differences"], len(found["shown"])) == (1, 1)


def test_posting_that_no_account_can_have_is_found(folder: Path) -> None:
    forge(folder)
    result = run(folder, "verify", "--json")
    assert result.code == 4
    assert any("its entries give 4" in difference["what"] for difference in result.json()["shown"])


@pytest.mark.parametrize("balance", [0, 2])
def test_points_out_of_nothing_are_found(folder: Path, balance: int) -> None:
    forge(folder, balance=balance)
    result = run(folder, "audit", "--json")
    assert result.code == 4
    assert result.json()["found"]
    assert "✗" in run(folder, "audit").out


def test_books_in_use_are_said_to_be(folder: Path) -> None:
    with Folder(folder).writing(OPENED_AT):
        result = run(folder, "import", "-", stdin=b"{}\n")
    assert result.code == 5
    assert "in use by process" in result.err


def test_damaged_books_are_refused_by_file(folder: Path) -> None:
    file = folder / "books" / "journal" / "00.avro"
    content = bytearray(file.read_bytes())
    content[-100] ^= 0xFF
    file.write_bytes(bytes(content))
    result = run(folder, "verify")
    assert result.code == 3
    assert "journal/00.avro" in result.err
