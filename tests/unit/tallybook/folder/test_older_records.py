"""A file that comes again grown: what the journal holds is told apart from what is too old, beyond the horizon too."""

from pathlib import Path

import msgspec
import pytest

from schemas.bounds import DAY_MS
from schemas.facts import CheckedIn, PublishedFact, ReferralMade
from tallybook.folder import journal_keys
from tallybook.folder.check_inputs import Checked, checked
from tallybook.folder.folder import Folder, FolderRefused
from tallybook.folder.import_files import Imported, import_files
from tallybook.folder.inputs import opened_inputs
from tallybook.folder.rejects import kept_rejects
from tests.support.small_folder import RULES, purchase
from tests.support.small_imports import NOW, START, random_facts, write_lines

OLD = [CheckedIn("kiosk", f"o{number}", START + number * DAY_MS, "anna") for number in range(4)]
REFERRED = ReferralMade("kiosk", "r1", START + DAY_MS, referrer_id="anna", referee_id="bert")
NEW = CheckedIn("kiosk", "n1", START + 90 * DAY_MS, "anna")
PURCHASE = purchase("p", "2026-05-01T09:00:00Z", "anna", 100)
CHANGED = msgspec.structs.replace(OLD[1], store_id="b2")


@pytest.fixture
def shop(tmp_path: Path) -> Folder:
    """Books with a horizon of 30 days, in which OLD lies beyond it."""
    folder = Folder(tmp_path / "shop")
    folder.create("corner-shop", 3, 30, START)
    (folder.rulesets / "1.yaml").write_text(RULES, encoding="utf-8")
    bring(folder, write_lines(tmp_path / "first.jsonl", [*OLD, REFERRED]))
    bring(folder, write_lines(tmp_path / "then.jsonl", [CheckedIn("kiosk", "t1", START + 80 * DAY_MS, "bert")]))
    return folder


def bring(folder: Folder, file: Path, *, accept_too_old: bool = False) -> Imported:
    return import_files(folder, [str(file)], None, now=NOW, accept_too_old=accept_too_old)


def foresee(folder: Folder, *files: Path) -> Checked:
    with opened_inputs(list(map(str, files)), None) as inputs:
        return checked(folder, inputs, NOW)


def test_a_grown_file_brings_in_its_new_lines_alone(shop: Folder, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "grown.jsonl", [*OLD, REFERRED, NEW])
    found = foresee(shop, file)
    assert (found.taken, found.again, found.conflicts, found.refusals) == (1, 5, 0, [])
    done = bring(shop, file)
    assert (done.facts, done.already, done.rejects, done.has_alarm) == (1, 5, 0, False)


def test_a_changed_line_beyond_the_horizon_is_a_conflict_and_kept(shop: Folder, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "grown.jsonl", [OLD[0], CHANGED, NEW])
    found = foresee(shop, file)
    assert (found.taken, found.again, found.conflicts) == (1, 1, 1)
    assert [(row["event_id"], row["came_before"]) for row in found.contradictions] == [("o1", "the books")]
    done = bring(shop, file)
    assert (done.facts, done.already, done.conflicts, done.has_alarm) == (1, 1, 1, True)
    (reject,) = kept_rejects(shop).rejects
    assert (reject.reason, reject.event_id, reject.raw) == ("conflict", "o1", msgspec.json.encode(CHANGED))
    again = bring(shop, write_lines(tmp_path / "more.jsonl", [OLD[0], CHANGED, NEW, OLD[2]]))
    assert (again.rejects, again.refused_again) == (0, 1)


def test_a_line_beyond_the_horizon_that_was_never_sent_is_too_old(shop: Folder, tmp_path: Path) -> None:
    late = [CheckedIn("kiosk", "late", START, "anna"), msgspec.structs.replace(OLD[1], member_id="bert")]
    file = write_lines(tmp_path / "grown.jsonl", [OLD[0], *late, NEW])
    assert [row["reason"] for row in foresee(shop, file).refusals] == ["too_old", "too_old"]
    with pytest.raises(FolderRefused, match=r"2 of 4 records happened before .* \(1 more happened before it"):
        bring(shop, file)
    done = bring(shop, file, accept_too_old=True)
    assert (done.facts, done.already, done.rejects_by_reason) == (1, 1, {"too_old": 2})


def test_the_journal_is_read_in_several_passes_where_there_are_many_keys(
    shop: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_keys, "KEYS_A_PASS", 2)
    done = bring(shop, write_lines(tmp_path / "grown.jsonl", [*OLD, REFERRED, NEW]))
    assert (done.facts, done.already) == (1, 5)


@pytest.mark.parametrize("seed", range(6))
def test_check_foresees_what_import_then_does(tmp_path: Path, seed: int) -> None:
    folder = Folder(tmp_path / "shop")
    folder.create("corner-shop", 3, 30, START)
    (folder.rulesets / "1.yaml").write_text(RULES, encoding="utf-8")
    facts = [fact for fact in random_facts(seed, days=6) if not isinstance(fact, ReferralMade)]
    members = [fact for fact in facts if fact.member_id is not None]
    bring(folder, write_lines(tmp_path / "first.jsonl", members[: len(members) // 2]))
    changed = [msgspec.structs.replace(fact, attributes={"changed": "yes"}) for fact in members[::3]]
    files = [
        write_lines(tmp_path / "second.jsonl", [*members, *members[::4]]),
        write_lines(tmp_path / "third.jsonl", changed),
    ]
    found = foresee(folder, *files)
    done = import_files(folder, list(map(str, files)), None, now=NOW)
    assert (found.again, found.conflicts) == (done.duplicates + done.already, done.conflicts)
    assert found.taken == done.facts - done.duplicates - done.conflicts
    assert found.conflicts >= len(changed) > 0


def test_check_names_a_key_of_two_members_but_not_a_guest_who_became_a_member(tmp_path: Path) -> None:
    def facts(*members: str | None) -> list[PublishedFact]:
        return [msgspec.structs.replace(PURCHASE, member_id=member_id) for member_id in members]

    two = foresee(Folder(tmp_path), write_lines(tmp_path / "two.jsonl", facts("bert", "anna")))
    assert (two.other_members, two.conflicts, two.taken) == (1, 0, 2)
    (row,) = two.contradictions
    assert (row["what"], row["came_before"]) == ("another member", "two.jsonl, line 1")
    guest = foresee(Folder(tmp_path), write_lines(tmp_path / "guest.jsonl", facts(None, "anna")))
    assert (guest.other_members, guest.conflicts, guest.taken) == (0, 0, 2)


def test_a_key_that_comes_again_after_the_horizon_is_a_new_one(tmp_path: Path) -> None:
    year = [msgspec.structs.replace(OLD[0], occurred_at=START + day * DAY_MS) for day in (0, 20, 95)]
    found = foresee(Folder(tmp_path), write_lines(tmp_path / "year.jsonl", year))
    assert (found.conflicts, found.taken) == (1, 2)
