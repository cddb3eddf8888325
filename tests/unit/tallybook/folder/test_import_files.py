"""An import cuts its rounds by day, refuses what it must, and takes every record once, however often it is killed."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from books.files.writer import FileLogWriter
from processors.embedded.rounds import Taken
from processors.journal_pages import FULL_PAGE_BYTES
from schemas.bounds import DAY_MS
from schemas.facts import (
    CheckedIn,
    ClockTicked,
    JournalOpened,
    PublishedFact,
    PurchaseLine,
    PurchaseRecorded,
    RefereePurchased,
    ReferralMade,
    RulesetPublished,
)
from schemas.pages import MAX_PAGE_LINES, Reject
from tallybook.folder.folder import Folder, load_published
from tallybook.folder.import_files import import_files
from tests.fakes.books import FOLDER, HOLDER, MemoryBooks
from tests.reference.local_time import HOUR_MS
from tests.support import small_imports as small
from tests.support.small_folder import RULES
from tests.support.small_imports import NOW, START, Died, new_books, random_facts, rounds_of, take, write_lines
from tests.support.whole_books import lines_of, pages_of, rejects_of

MALFORMED = b"{no json"
TOO_EARLY = CheckedIn("app", "future", NOW + DAY_MS, "ann")
SEEDS = range(3)


def check_in(event_id: str, at: int, member_id: str = "ann") -> CheckedIn:
    return CheckedIn("app", event_id, START + at, member_id)


def ticks(books: MemoryBooks) -> list[int]:
    """The ticks of the journal, the same in every partition, since START."""
    found = [
        [line.fact.at - START for line in small.journal(books, partition) if isinstance(line.fact, ClockTicked)]
        for partition in range(small.PARTITIONS)
    ]
    assert all(each == found[0] for each in found)
    return found[0]


def received(books: MemoryBooks) -> dict[str, int]:
    """When each published fact reached the books, since START."""
    return {at: instant - START for at, instant in small.received(books).items()}


def test_rounds_end_at_midnight_and_the_last_one_at_its_last_fact(tmp_path: Path) -> None:
    books = new_books()
    facts = [
        check_in("late on day 0", DAY_MS - 1),
        check_in("midnight of day 1", DAY_MS),
        check_in("day 1", DAY_MS + HOUR_MS),
        check_in("day 4", 4 * DAY_MS + HOUR_MS),
    ]
    take(books, [write_lines(tmp_path / "a.jsonl", list(reversed(facts)))])
    assert ticks(books) == [DAY_MS, 2 * DAY_MS, 4 * DAY_MS + HOUR_MS], "days 2 and 3 have no facts"
    assert received(books) == {
        "late on day 0": DAY_MS,
        "midnight of day 1": 2 * DAY_MS,
        "day 1": 2 * DAY_MS,
        "day 4": 4 * DAY_MS + HOUR_MS,
    }
    take(books, [write_lines(tmp_path / "b.jsonl", [check_in("same day", 4 * DAY_MS + 2 * HOUR_MS)])])
    assert ticks(books)[2:] == [4 * DAY_MS + HOUR_MS, 4 * DAY_MS + 2 * HOUR_MS]


def test_a_last_fact_at_the_last_tick_gives_no_second_tick(tmp_path: Path) -> None:
    books = new_books()
    take(books, [write_lines(tmp_path / "a.jsonl", [check_in("a", HOUR_MS), check_in("b", DAY_MS)])])
    assert ticks(books) == [DAY_MS]


def test_as_is_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    books = new_books()
    facts = [check_in("day 1", DAY_MS), check_in("day 0", HOUR_MS), check_in("day 2", 2 * DAY_MS)]
    take(books, [write_lines(tmp_path / "a.jsonl", facts)], as_is=True)
    assert [fact.event_id for fact in small.facts_in(books) if isinstance(fact, CheckedIn)] == [
        "day 1",
        "day 0",
        "day 2",
    ]
    assert ticks(books) == [2 * DAY_MS]


def test_late_facts_reach_the_books_no_earlier_than_what_was_there_before(tmp_path: Path) -> None:
    books = new_books()
    take(books, [write_lines(tmp_path / "a.jsonl", [check_in("on time", 5 * DAY_MS)])])
    take(books, [write_lines(tmp_path / "b.jsonl", [MALFORMED, check_in("late", DAY_MS)])])
    assert ticks(books) == [5 * DAY_MS]
    assert received(books) == {"on time": 5 * DAY_MS, "late": 5 * DAY_MS}
    assert [reject.received_at - START for reject in small.rejects_in(books)] == [5 * DAY_MS]
    (late,) = [posting for posting in small.postings_in(books) if posting.late]
    assert late.event_id == "late"


def test_rejects_come_in_order_with_the_round_that_they_came_in(tmp_path: Path) -> None:
    books = new_books()
    lines: list[bytes | PublishedFact] = [
        MALFORMED,
        check_in("day 0", HOUR_MS),
        b'{"type": 1}',
        check_in("day 1", DAY_MS + HOUR_MS),
        TOO_EARLY,
        b'"text"',
    ]
    done = take(books, [write_lines(tmp_path / "a.jsonl", lines)])
    rejects = small.rejects_in(books)
    assert [(reject.number, reject.record) for reject in rejects] == [(1, 1), (2, 3), (3, 5), (4, 6)]
    assert [reject.received_at - START for reject in rejects] == [DAY_MS, DAY_MS, DAY_MS + HOUR_MS, DAY_MS + HOUR_MS]
    assert ticks(books) == [DAY_MS, DAY_MS + HOUR_MS], "a fact from the future moves no tick"
    assert (done.rejects, done.facts, done.first_reject) == (4, 2, 1)
    assert done.rejects_by_reason == {"malformed": 1, "too_early": 1, "wrong_type": 2}


def test_an_import_of_nothing_but_rejects_keeps_them_once(tmp_path: Path) -> None:
    books = new_books()
    file = write_lines(tmp_path / "a.jsonl", [MALFORMED, TOO_EARLY])
    assert take(books, [file]).rejects == 2
    assert [reject.received_at for reject in small.rejects_in(books)] == [NOW, NOW], "no tick says when it was"
    assert ticks(books) == []
    assert take(books, [file]).rejects == 0
    assert len(small.rejects_in(books)) == 2


class CountsRejects(FileLogWriter):
    """A writer that notes how many rejects it was given at a time."""

    appended: tuple[int, ...] = ()

    def append_rejects(self, rejects: Sequence[Reject]) -> tuple[Reject, ...]:
        self.appended += (len(rejects),)
        return super().append_rejects(rejects)


def test_rejects_do_not_pile_up_until_a_round_ends(tmp_path: Path) -> None:
    books = new_books()
    lines = [b"{%d" % number + b"x" * 900_000 for number in range(20)]
    log = CountsRejects(FOLDER, HOLDER, files=books.disk)
    assert take(books, [write_lines(tmp_path / "a.jsonl", [*lines])], log=log).rejects == len(lines)
    assert max(log.appended) < sum(log.appended) == len(lines), "more than 16 MiB of them are not held at once"
    assert [reject.raw for reject in small.rejects_in(books)] == lines


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    books = new_books()
    before = books.read().committed().number
    file = tmp_path / "empty.jsonl"
    file.touch()
    assert take(books, [file]).records == 0
    assert books.read().committed().number == before


def test_the_ruleset_that_an_import_publishes_stays_even_if_there_is_nothing_to_import(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "shop")
    folder.create("corner-shop", 3, 30, START)
    (folder.rulesets / "1.yaml").write_text(RULES, encoding="utf-8")
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    for said in (True, False):
        report = import_files(folder, [str(empty)], None, now=NOW).report()
        assert any("published" in line for line in report) == said
    with folder.reading() as log:
        lines = lines_of(log, 0)
    assert [type(line.fact) for line in lines] == [JournalOpened, RulesetPublished]


def test_what_the_clock_refuses_keeps_the_bytes_that_came(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "shop")
    folder.create("corner-shop", 3, 30, START)
    (folder.rulesets / "1.yaml").write_text(RULES, encoding="utf-8")
    lines = [b'{ "unknown": 1, ' + msgspec.json.encode(fact)[1:] for fact in (check_in("now", 40 * DAY_MS), TOO_EARLY)]
    old = b'{"unknown": 2, ' + msgspec.json.encode(check_in("old", DAY_MS))[1:]
    import_files(folder, [str(write_lines(tmp_path / "a.jsonl", [*lines]))], None, now=NOW)
    import_files(folder, [str(write_lines(tmp_path / "b.jsonl", [old]))], None, now=NOW, accept_too_old=True)
    with folder.reading() as log:
        rejects = rejects_of(log)
    assert [(reject.reason, reject.raw) for reject in rejects] == [("too_early", lines[1]), ("too_old", old)]


def test_a_report_tells_what_came_again(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "shop")
    folder.create("corner-shop", 3, 30, START)
    (folder.rulesets / "1.yaml").write_text(RULES, encoding="utf-8")
    first, other = check_in("a", HOUR_MS), check_in("b", DAY_MS)
    changed = msgspec.structs.replace(other, store_id="b2")
    one = import_files(folder, [str(write_lines(tmp_path / "a.jsonl", [first, other]))], None, now=NOW).report()
    assert not any("no effect" in line for line in one)
    again = import_files(folder, [str(write_lines(tmp_path / "b.jsonl", [first, changed]))], None, now=NOW).report()
    assert [line.partition(" had no effect")[0] for line in again if "(duplicate)" in line] == ["1 posting"]
    assert [line.partition(":")[0] for line in again if "conflict" in line] == ["1 conflict"]


def test_what_becomes_too_old_on_the_way_is_kept_as_an_event(tmp_path: Path) -> None:
    books = new_books(horizon_days=3)
    facts = [check_in("a", HOUR_MS), check_in("b", 9 * DAY_MS), check_in("c", 10 * DAY_MS), check_in("old", HOUR_MS)]
    take(books, [write_lines(tmp_path / "a.jsonl", [*facts])], as_is=True)
    (reject,) = small.rejects_in(books)
    assert reject.reason == "too_old"
    assert msgspec.json.decode(reject.raw, type=CheckedIn) == facts[-1]


def test_the_same_content_is_taken_once(tmp_path: Path) -> None:
    books = new_books()
    facts = random_facts(1)
    file, copy = write_lines(tmp_path / "a.jsonl", [*facts]), write_lines(tmp_path / "b.jsonl", [*facts])
    assert take(books, [file, copy]).facts == len(facts)
    once = books.read().committed()
    for files in ([file], [copy], [copy, file]):
        assert take(books, files).facts == 0
        assert take(books, files, as_is=True).facts == 0
    assert books.read().committed() == once


def test_of_a_file_that_grew_only_what_is_new_has_an_effect(tmp_path: Path) -> None:
    grown, plain = new_books(), new_books()
    facts = random_facts(2)
    take(grown, [write_lines(tmp_path / "a.jsonl", facts[:40])])
    take(grown, [write_lines(tmp_path / "a.jsonl", [*facts])])
    take(plain, [write_lines(tmp_path / "b.jsonl", facts[:40])])
    take(plain, [write_lines(tmp_path / "c.jsonl", facts[40:])])
    assert balances(grown) == balances(plain)
    assert not small.verified(grown).differences


def balances(books: MemoryBooks) -> dict[str, int]:
    return {posting.member_id: posting.balance for posting in small.postings_in(books)}


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("dies_after", range(5))
def test_every_record_is_taken_once_though_the_order_of_the_import_changes(
    dies_after: int, tmp_path: Path, *, first: bool
) -> None:
    facts = random_facts(4, days=5)
    shuffled = [*facts[1::2], *facts[::2]]
    file = write_lines(tmp_path / "a.jsonl", [*shuffled])
    books = new_books()
    with suppress(Died):
        take(books, [file], as_is=first, dies_after=dies_after)
    if dies_after % 2 == 1:
        with suppress(Died):
            take(books, [file], as_is=not first, dies_after=1)
    take(books, [file], as_is=first)
    taken = [fact for fact in small.facts_in(books) if isinstance(fact, PublishedFact)]
    by_id = sorted(fact.event_id for fact in taken if not isinstance(fact, ReferralMade))
    assert by_id == sorted(fact.event_id for fact in facts if not isinstance(fact, ReferralMade))


def test_the_order_of_attributes_changes_no_digest(tmp_path: Path) -> None:
    one, other = new_books(), new_books()
    facts = random_facts(5)
    turned = [msgspec.structs.replace(fact, attributes=dict(sorted(fact.attributes.items()))) for fact in facts]
    assert any(list(a.attributes) != list(b.attributes) for a, b in zip(facts, turned, strict=True))
    take(one, [write_lines(tmp_path / "a.jsonl", [*facts])])
    take(other, [write_lines(tmp_path / "b.jsonl", [*turned])])
    assert small.digests(one) == small.digests(other)


def test_a_guest_is_journalled_by_the_order_and_has_no_posting(tmp_path: Path) -> None:
    books = new_books()
    guests = [fact for fact in random_facts(6) if isinstance(fact, PurchaseRecorded) and fact.member_id is None]
    assert guests
    take(books, [write_lines(tmp_path / "a.jsonl", [*guests])])
    assert [fact for fact in small.facts_in(books) if isinstance(fact, PurchaseRecorded)] != []
    assert not small.postings_in(books)
    assert not any(isinstance(fact, RefereePurchased) for fact in small.facts_in(books))


AT = 1_735_689_600_000


def test_large_facts_close_a_page_before_it_is_too_large(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "shop")
    folder.create("shop", 1, 90, AT)
    lines = tuple(PurchaseLine(f"sku-{n:0>180}", 100, category="c" * 190, brand="b" * 190) for n in range(1000))
    facts = [PurchaseRecorded("pos", str(n), AT + n, f"o{n}", "EUR", lines, member_id="m") for n in range(12)]
    with folder.writing(AT) as log:
        rounds = rounds_of(log, load=load_published)
        rounds.take([Taken(fact, "input", n) for n, fact in enumerate(facts, start=1)], AT + 100, AT + 100)
        rounds.commit([])
    with folder.reading() as log:
        pages = pages_of(log, 0)
    assert sum(len(page.lines) for page in pages) == 1 + len(facts) + 1
    assert max(len(page.lines) for page in pages) < MAX_PAGE_LINES
    assert len(pages) > len(facts) * 500_000 // FULL_PAGE_BYTES
