"""Exported facts are those that were published, and make the same ledger in a new folder."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.avro.containers import SYNC_BYTES
from schemas.facts import PublishedFact, ReferralMade
from tallybook.exit_codes import Exit
from tests.support.command_line import run
from tests.support.small_folder import FACTS, PARTITIONS, RULES, RULES_2, at, build_folder, purchase
from tests.support.small_imports import random_facts, write_lines

PUBLISHED = [fact for _, day in FACTS for fact in day]
TIED = "2026-11-20T09:00:00Z"


def events_in(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def ledger_digest(folder: Path) -> str:
    digest: str = run(folder, "verify", "--json").json()["ledger_digest"]
    return digest


def new_folder(root: Path, rules: str = RULES) -> Path:
    """A folder as `init` makes it, under these rules."""
    made = run(root, "init", str(root), "--partitions", str(PARTITIONS), "--horizon", "30", "--deployment", "shop")
    assert made.code == Exit.DONE, made.err
    (root / "rulesets" / "starter" / "1.yaml").write_text(rules, encoding="utf-8")
    return root


def imported(folder: Path, *files: Path) -> Path:
    done = run(folder, "import", "--no-project", *map(str, files))
    assert done.code == Exit.DONE, done.err
    return folder


def test_each_published_fact_is_exported_once_and_nothing_else(read_only: Path, tmp_path: Path) -> None:
    file = tmp_path / "facts.jsonl"
    done = run(read_only, "books", "export", str(file))
    assert f"{len(PUBLISHED):,} facts exported" in done.out
    assert f"tallybook init NEW --partitions {PARTITIONS} --horizon 30" in done.out
    events = events_in(file)
    assert sorted(event["event_id"] for event in events) == sorted(fact.event_id for fact in PUBLISHED)
    (late,) = (event for event in events if event["event_id"] == "p-late")
    assert late == {
        "type": "PurchaseRecorded", "source": "pos", "event_id": "p-late", "occurred_at": "2026-11-02T08:00:00Z",
        "order_id": "order-p-late", "currency": "EUR", "member_id": "anna", "store_id": "s1",
        "lines": [{"sku": "beans", "amount_minor": 100, "category": "coffee"}],
    }  # fmt: skip


def test_standard_output_has_the_facts_alone(read_only: Path) -> None:
    done = run(read_only, "books", "export")
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == len(PUBLISHED)
    assert "facts exported" in done.err


def tied_facts() -> list[PublishedFact]:
    """Facts at one instant, of which the order matters: a limit of the day, and a referral between its parties'."""
    instant = at(TIED)
    bought = [purchase(f"p-{n}", TIED, member, 3_000) for n, member in enumerate(["zoe", "anna", "zoe", "ben"])]
    referral = ReferralMade("app", "r-9", instant, referrer_id="anna", referee_id="zoe")
    return [bought[0], bought[1], referral, *bought[2:]]


@pytest.mark.parametrize("facts", [random_facts(7), random_facts(8), tied_facts()], ids=["random", "more", "tied"])
def test_an_import_of_the_export_has_the_same_ledger(tmp_path: Path, facts: list[PublishedFact]) -> None:
    half = len(facts) // 2
    files = [write_lines(tmp_path / f"{n}.jsonl", part) for n, part in enumerate([facts[:half], facts[half:]])]
    first = imported(new_folder(tmp_path / "first"), *files)
    assert run(first, "books", "export", str(tmp_path / "all.jsonl")).code == Exit.DONE
    instants = [event["occurred_at"] for event in events_in(tmp_path / "all.jsonl")]
    assert instants == sorted(instants)
    second = imported(new_folder(tmp_path / "second"), tmp_path / "all.jsonl")
    assert ledger_digest(second) == ledger_digest(first)
    run(second, "books", "export", str(tmp_path / "again.jsonl"))
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "all.jsonl").read_bytes()


def test_rules_are_exported_as_they_were_published(tmp_path: Path) -> None:
    folder = build_folder(tmp_path / "shop").root
    (folder / "rulesets" / "corner-shop" / "2.yaml").write_text(RULES_2, encoding="utf-8")
    two = str(folder / "rulesets" / "corner-shop" / "2.yaml")
    assert run(folder, "rules", "publish", two, "--effective-from", "2026-12-01").code == Exit.DONE
    rules = tmp_path / "rules"
    told = run(folder, "books", "export", str(tmp_path / "facts.jsonl"), "--rulesets", str(rules))
    assert told.code == Exit.DONE
    texts = {str(file.relative_to(rules)): file.read_text("utf-8") for file in rules.rglob("*.yaml")}
    assert texts == {"corner-shop/1.yaml": RULES, "corner-shop/2.yaml": RULES_2}
    published = [line for line in told.out.splitlines() if "rules publish" in line]
    assert [line.rpartition("/")[2] for line in published] == [
        "1.yaml --effective-from 1970-01-01T00:00:00Z",
        "2.yaml --effective-from 2026-11-30T23:00:00Z",
    ]
    (rules / "corner-shop" / "1.yaml").write_text("mine", encoding="utf-8")
    refused = run(folder, "books", "export", str(tmp_path / "more.jsonl"), "--rulesets", str(rules))
    assert refused.code == Exit.REFUSED
    assert "is there already with another text" in refused.err
    assert not (tmp_path / "more.jsonl").exists()


def test_a_file_that_is_there_is_left_alone(read_only: Path, tmp_path: Path) -> None:
    file = tmp_path / "facts.jsonl"
    file.write_text("mine", encoding="utf-8")
    refused = run(read_only, "books", "export", str(file))
    assert refused.code == Exit.REFUSED
    assert file.read_text("utf-8") == "mine"


def test_books_that_cannot_be_read_leave_no_file(folder: Path, tmp_path: Path) -> None:
    book = folder / "books" / "journal" / "00.avro"
    content = bytearray(book.read_bytes())
    content[-SYNC_BYTES - 20] ^= 0xFF  # in the last block, before the marker that ends it
    book.write_bytes(bytes(content))
    refused = run(folder, "books", "export", str(tmp_path / "facts.jsonl"))
    assert refused.code == Exit.REFUSED
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_books_without_facts_give_an_empty_export(tmp_path: Path) -> None:
    folder = build_folder(tmp_path / "shop", days=(), rejects=()).root
    done = run(folder, "books", "export")
    assert (done.stdout, done.code) == (b"", Exit.DONE)
