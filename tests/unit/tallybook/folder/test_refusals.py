"""A refused record can always be sent again, in its file or by itself, and one refusal makes one reject."""

import shutil
from pathlib import Path

import msgspec
import pytest

from schemas.bounds import DAY_MS
from schemas.facts import CheckedIn
from schemas.pages import Reject
from tallybook.folder.folder import Folder
from tallybook.folder.import_files import Imported, import_files
from tallybook.folder.rejects import kept_rejects, resubmit_event
from tests.support.small_folder import RULES
from tests.support.small_imports import NOW, START, rejects_in, take, write_lines
from tests.support.small_imports import new_books as new_memory_books
from tests.support.whole_books import lines_of

MINUTE_MS = 60_000
FAST_MS = 5 * MINUTE_MS + 30_000  # by which the kiosk's clock is wrong: half a minute more than is taken
MALFORMED = b"{no json"
KIOSK = CheckedIn("kiosk", "k0", NOW + FAST_MS, "anna")


@pytest.fixture
def shop(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "shop")
    folder.create("corner-shop", 3, 200, START)
    (folder.rulesets / "1.yaml").write_text(RULES, encoding="utf-8")
    return folder


def bring(folder: Folder, file: Path, now: int = NOW) -> Imported:
    return import_files(folder, [str(file)], None, now=now)


def events(folder: Folder) -> list[str]:
    """The event ids of the journal, as often as they stand there."""
    with folder.reading() as log:
        facts = [line.fact for partition in range(log.partitions) for line in lines_of(log, partition)]
    return sorted(fact.event_id for fact in facts if isinstance(fact, CheckedIn))


def rejects(folder: Folder) -> list[Reject]:
    return kept_rejects(folder).rejects


def check_in(event_id: str, day: int) -> CheckedIn:
    return CheckedIn("kiosk", event_id, START + day * DAY_MS, "bert")


def test_the_file_of_a_kiosk_whose_clock_is_fast_comes_in_later(shop: Folder, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "kiosk-0001.jsonl", [KIOSK])
    assert bring(shop, file).rejects_by_reason == {"too_early": 1}
    bring(shop, write_lines(tmp_path / "kiosk-0002.jsonl", [check_in("k1", 99)]))
    again = bring(shop, file)
    assert (again.rejects, again.refused_again, again.has_alarm) == (0, 1, True), "it is still too early"
    assert len(rejects(shop)) == 1
    later = bring(shop, file, NOW + MINUTE_MS)
    assert (later.facts, later.has_alarm) == (1, False)
    once_more = bring(shop, file, NOW + MINUTE_MS)
    assert (once_more.facts, once_more.already, once_more.has_alarm) == (0, 1, False)
    assert events(shop) == ["k0", "k1"]


@pytest.mark.parametrize("order", ["by time", "as is"])
def test_a_refused_record_comes_in_although_the_file_was_read_to_its_end(
    shop: Folder, tmp_path: Path, order: str
) -> None:
    as_is = order == "as is"
    file = write_lines(tmp_path / "kiosk.jsonl", [KIOSK, check_in("k1", 99)])
    import_files(shop, [str(file)], None, now=NOW, as_is=as_is)
    assert events(shop) == ["k1"]
    import_files(shop, [str(file)], None, now=NOW + MINUTE_MS, as_is=as_is)
    import_files(shop, [str(file)], None, now=NOW + MINUTE_MS, as_is=as_is)
    assert events(shop) == ["k0", "k1"]


def test_a_reject_that_is_sent_again_later_comes_in_once(shop: Folder, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "kiosk-0001.jsonl", [KIOSK])
    bring(shop, file)
    refused = resubmit_event(shop, 1, None, now=NOW)
    assert (refused.facts, refused.rejects, refused.refused_again) == (0, 0, 1)
    assert not kept_rejects(shop).sent_again
    assert resubmit_event(shop, 1, None, now=NOW + MINUTE_MS).facts == 1
    assert kept_rejects(shop).sent_again == {1}
    assert bring(shop, file, NOW + MINUTE_MS).already == 1
    assert resubmit_event(shop, 1, None, now=NOW + MINUTE_MS).already == 1
    assert events(shop) == ["k0"]


def test_a_reject_refused_for_another_reason_is_another_one_and_both_are_settled_together(
    shop: Folder, tmp_path: Path
) -> None:
    bring(shop, write_lines(tmp_path / "a.jsonl", [MALFORMED]))
    early = msgspec.json.encode(KIOSK)
    assert resubmit_event(shop, 1, early, now=NOW).rejects == 1
    first, second = rejects(shop)
    assert (second.reason, second.resubmit_of, second.raw) == ("too_early", 1, early)
    assert resubmit_event(shop, 1, early, now=NOW).refused_again == 1
    assert resubmit_event(shop, second.number, None, now=NOW + MINUTE_MS).facts == 1
    assert kept_rejects(shop).sent_again == {first.number, second.number}
    again = bring(shop, tmp_path / "a.jsonl", NOW + MINUTE_MS)
    assert (again.already, again.refused_again) == (1, 0), "what was mended is not judged again"


def test_a_line_that_is_refused_again_in_a_grown_file_makes_no_second_reject(shop: Folder, tmp_path: Path) -> None:
    day: list[bytes | CheckedIn] = [check_in("k1", 1), MALFORMED, KIOSK]
    first = bring(shop, write_lines(tmp_path / "day.jsonl", day))
    assert (first.facts, first.rejects) == (1, 2)
    grown = write_lines(tmp_path / "grown.jsonl", [*day, check_in("k2", 2)])
    second = bring(shop, grown)
    assert (second.facts, second.duplicates, second.rejects, second.refused_again) == (2, 1, 0, 2)
    third = bring(shop, grown, NOW + MINUTE_MS)
    assert (third.facts, third.already, third.refused_again) == (1, 2, 1), "its clock has come, the other stays refused"
    assert bring(shop, tmp_path / "day.jsonl", NOW + MINUTE_MS).facts == 0
    assert events(shop) == ["k0", "k1", "k1", "k2"]
    assert [reject.input_name for reject in rejects(shop)] == ["day.jsonl", "day.jsonl"]


def test_what_is_refused_in_two_files_of_one_command_makes_one_reject(shop: Folder, tmp_path: Path) -> None:
    files = [
        write_lines(tmp_path / "a.jsonl", [MALFORMED]),
        write_lines(tmp_path / "b.jsonl", [MALFORMED, check_in("k1", 1)]),
    ]
    done = import_files(shop, list(map(str, files)), None, now=NOW)
    assert (done.rejects, done.refused_again, len(rejects(shop))) == (1, 1, 1)


def test_two_refused_lines_of_one_file_that_are_alike_are_two_rejects(tmp_path: Path) -> None:
    books = new_memory_books()
    file = write_lines(tmp_path / "a.jsonl", [MALFORMED, MALFORMED])
    assert take(books, [file]).rejects == 2
    again = take(books, [file])
    assert (again.rejects, again.refused_again) == (0, 2)
    assert [reject.record for reject in rejects_in(books)] == [1, 2]


def test_another_reason_for_the_same_bytes_is_another_reject(shop: Folder, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "kiosk.jsonl", [KIOSK])
    bring(shop, file)
    bring(
        shop,
        write_lines(tmp_path / "year.jsonl", [CheckedIn("app", "x", NOW + 300 * DAY_MS, "ann")]),
        NOW + 300 * DAY_MS,
    )
    late = import_files(shop, [str(file)], None, now=NOW + 300 * DAY_MS, accept_too_old=True)
    assert late.rejects_by_reason == {"too_old": 1}
    assert [(one.reason, one.resubmit_of) for one in rejects(shop)] == [("too_early", 0), ("too_old", 1)]


def test_nothing_depends_on_the_caches(shop: Folder, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "day.jsonl", [MALFORMED, KIOSK])
    bring(shop, file)
    grown = write_lines(tmp_path / "grown.jsonl", [MALFORMED, KIOSK, check_in("k2", 2)])
    bring(shop, grown)
    with shop.reading() as log:
        shop.consumed_cache().save(log)
    bring(shop, grown, NOW + MINUTE_MS)
    with_cache = bring(shop, grown, NOW + MINUTE_MS)
    shutil.rmtree(shop.snapshots, ignore_errors=True)
    without = bring(shop, grown, NOW + MINUTE_MS)
    assert (with_cache.already, with_cache.refused_again) == (without.already, without.refused_again) == (2, 1)
