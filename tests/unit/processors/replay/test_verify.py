"""A verification finds what is not as the rules make it: changed, lost, added or out of place."""

import copy
from collections.abc import Callable
from functools import cache

import msgspec
import pytest

from processors.embedded.partition_group import LineToScore, LocalPartitionGroup
from processors.embedded.rounds import Rounds, Taken
from processors.partition_scorer import Owed
from processors.replay.verify import MAX_DIFFERENCES_SHOWN, Verified
from schemas.canonical import EMPTY_DIGEST, next_journal_digest, next_ledger_digest
from schemas.facts import CheckedIn, ClockTicked, PurchaseRecorded, RefereePurchased, ReferralMade, RulesetPublished
from schemas.pages import JournalLine
from schemas.partitions import partition_of
from schemas.posting import FIRST_EDITION, Posting, Reason
from tests.fakes.books import MemoryBooks
from tests.reference.local_time import DAY_MS
from tests.support import small_imports as small
from tests.support.small_imports import START, new_books, random_facts, rewrite, rounds_of, verified
from tests.support.whole_books import pages_of


@cache
def untouched() -> MemoryBooks:
    """Books of a few days, with everything in them that can be lost."""
    books = new_books()
    rounds = rounds_of(books.write())
    facts = random_facts(9, days=6, a_day=30)
    for day in range(6):
        ends_at = START + (day + 1) * DAY_MS
        mine = [fact for fact in facts if ends_at - DAY_MS <= fact.occurred_at < ends_at]
        rounds.take([Taken(fact, "ab" * 32, 1) for fact in mine], ends_at, ends_at)
    rounds.commit([])
    books.die()
    return books


@pytest.fixture
def books() -> MemoryBooks:
    """A copy whose books a test may change."""
    return copy.deepcopy(untouched())


def lines_of(books: MemoryBooks, partition: int) -> list[list[JournalLine]]:
    return [list(page.lines) for page in pages_of(books.read(), partition)]


def put_lines(books: MemoryBooks, partition: int, pages: list[list[JournalLine]]) -> None:
    both = zip(pages_of(books.read(), partition), pages, strict=True)
    rewrite(books, pages={partition: [msgspec.structs.replace(page, lines=tuple(lines)) for page, lines in both]})


def put_postings(books: MemoryBooks, partition: int, postings: list[Posting]) -> None:
    numbered = [msgspec.structs.replace(posting, number=number) for number, posting in enumerate(postings, 1)]
    rewrite(books, postings={partition: numbered})


def reseal(books: MemoryBooks) -> None:
    """Make the committed digests those of the books as they are now."""
    journals, ledgers = [], []
    for partition in range(small.PARTITIONS):
        journal_digest, ledger_digest = EMPTY_DIGEST, EMPTY_DIGEST
        for line in small.journal(books, partition):
            journal_digest = next_journal_digest(journal_digest, line.member_id, line.fact)
        for posting in small.ledger(books, partition):
            ledger_digest = next_ledger_digest(ledger_digest, posting)
        journals.append(journal_digest.hex())
        ledgers.append(ledger_digest.hex())
    last = books.read().committed()
    resealed = msgspec.structs.replace(last, journal_digests=tuple(journals), ledger_digests=tuple(ledgers))
    rewrite(books, committed=resealed)


def said(found: Verified) -> str:
    return "\n".join(f"{one.partition}: {one.place}: {one.what}" for one in found.shown)


def place_of(books: MemoryBooks, is_it: Callable[[JournalLine], bool]) -> tuple[int, int, int]:
    """Partition, page and line of the first such line in the last partition that has one."""
    return next(
        (partition, number, at)
        for partition in reversed(range(small.PARTITIONS))
        for number, lines in enumerate(lines_of(books, partition))
        for at, line in enumerate(lines)
        if is_it(line)
    )


def take_out(books: MemoryBooks, is_it: Callable[[JournalLine], bool]) -> JournalLine:
    """Take one line and its posting out of the books, as if it had never been written."""
    partition, page, at = place_of(books, is_it)
    pages = lines_of(books, partition)
    line = pages[page].pop(at)
    put_lines(books, partition, pages)
    kept = []
    for posting in small.ledger(untouched(), partition):
        if (posting.page, posting.line) == (page, at):
            continue
        moved = posting.page == page and posting.line > at
        kept.append(msgspec.structs.replace(posting, line=posting.line - moved))
    put_postings(books, partition, kept)
    return line


def test_untouched_books_are_right(books: MemoryBooks) -> None:
    reseal(books)
    found = verified(books)
    assert found.differences == 0, said(found)
    assert found.postings == len(small.postings_in(books))
    assert found.lines == len(small.lines_in(books))
    assert (found.journal_digest, found.ledger_digest) == small.digests(books)


CHANGES: dict[str, Callable[[Posting], object]] = {
    "balance": lambda posting: posting.balance + 1,
    "reason": lambda _: Reason.ZERO_POINTS,
    "late": lambda posting: not posting.late,
    "ruleset_version": lambda _: "2",
    "local_day": lambda posting: (posting.local_day or 0) + 1,
    "workings": lambda posting: posting.workings[1:],
    "charges": lambda posting: posting.charges[1:],
    "totals": lambda posting: posting.totals[1:],
    "store_id": lambda _: "another",
    "seq": lambda posting: posting.seq + 1,
    "entries": lambda posting: (
        msgspec.structs.replace(posting.entries[0], points=posting.entries[0].points + 1),
        *posting.entries[1:],
    ),
}


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_posting_is_named(books: MemoryBooks, name: str, *, sealed: bool) -> None:
    postings = small.ledger(books, 1)
    place = next(n for n, posting in enumerate(postings) if posting.charges and posting.fact_type != "ClockTicked")
    changed = msgspec.structs.replace(postings[place], **{name: CHANGES[name](postings[place])})
    put_postings(books, 1, [*postings[:place], changed, *postings[place + 1 :]])
    if sealed:
        reseal(books)
    found = verified(books)
    assert f"posting {changed.number} of {changed.member_id}: {name} is" in said(found)
    assert f"1: page {changed.page}, line {changed.line}" in said(found)


def test_a_changed_fact_is_found(books: MemoryBooks) -> None:
    partition, page, at = place_of(books, lambda line: isinstance(line.fact, CheckedIn) and line.record == 1)
    pages = lines_of(books, partition)
    fact = pages[page][at].fact
    assert isinstance(fact, CheckedIn)
    changed = msgspec.structs.replace(fact, attributes={"nobody": "asks for it"})
    pages[page][at] = msgspec.structs.replace(pages[page][at], fact=changed)
    put_lines(books, partition, pages)
    found = verified(books)
    assert found.differences == 1
    assert f"{partition}: the whole journal" in said(found)


def test_a_changed_amount_is_found_even_if_the_digests_were_made_anew(books: MemoryBooks) -> None:
    partition, page, at = place_of(books, lambda line: isinstance(line.fact, PurchaseRecorded) and bool(line.member_id))
    pages = lines_of(books, partition)
    fact = pages[page][at].fact
    assert isinstance(fact, PurchaseRecorded)
    dearer = (msgspec.structs.replace(fact.lines[0], amount_minor=fact.lines[0].amount_minor + 100),)
    pages[page][at] = msgspec.structs.replace(pages[page][at], fact=msgspec.structs.replace(fact, lines=dearer))
    put_lines(books, partition, pages)
    reseal(books)
    assert f"{partition}: page {page}, line {at}: posting" in said(verified(books))


def is_derived(line: JournalLine) -> bool:
    return isinstance(line.fact, RefereePurchased) and line.member_id == line.fact.referrer_id


class Forgetful(LocalPartitionGroup):
    """A group that forgets to tell referrers, as a faulty program might."""

    def owed(self) -> list[Owed]:
        return [item for item in super().owed() if item.fact.member_id != item.fact.referrer_id]


def test_a_lost_derived_fact_is_named(books: MemoryBooks) -> None:
    log = books.write()
    (whole,) = rounds_of(log).groups
    assert isinstance(whole, LocalPartitionGroup)
    group = Forgetful(log, whole.scorers, FIRST_EDITION, whole.places())
    faulty = Rounds(log, [group], group.last_tick, group.publications)
    buyer = PurchaseRecorded("pos", "buys", START + 6 * DAY_MS, "o", "EUR", (), "new", referrer_id="m-1")
    faulty.take([Taken(buyer, "ab" * 32, 1)], START + 7 * DAY_MS, START + 7 * DAY_MS)
    faulty.commit([])
    found = verified(books)
    assert found.differences == 1, said(found)
    assert "tallybook/new/claim:1/purchase:1 for m-1: this derived fact is owed and not in the journal" in said(found)


def test_a_derived_fact_that_was_taken_out_is_named_although_nothing_behind_it_follows(books: MemoryBooks) -> None:
    line = take_out(books, is_derived)
    assert isinstance(line.fact, RefereePurchased)
    reseal(books)
    found = verified(books)
    text = f"tallybook/{line.fact.event_id} for {line.member_id}: this derived fact is owed and not in the journal"
    assert text in said(found)
    assert "the rest of this partition was not decided again" in said(found)
    assert "digest" not in said(found), "the digests are those of the books, and are told to the end"
    assert found.postings == len(small.postings_in(books))


def test_an_extra_derived_fact_is_named(books: MemoryBooks) -> None:
    partition, page, at = place_of(books, is_derived)
    again = lines_of(books, partition)[page][at]
    assert isinstance(again.fact, RefereePurchased)
    rounds = rounds_of(books.write())
    order = LineToScore(partition_of(again.fact.member_id, small.PARTITIONS), again.fact, again.fact.member_id)
    rounds.groups[0].score([order], again.received_at)
    rounds.commit([])
    text = said(verified(books))
    assert f"{again.fact.event_id} for {again.member_id}: this derived fact is in the journal and owed by no" in text


def test_a_derived_fact_that_says_something_else_than_what_was_owed_is_named(books: MemoryBooks) -> None:
    partition, page, at = place_of(books, is_derived)
    pages = lines_of(books, partition)
    fact = pages[page][at].fact
    assert isinstance(fact, RefereePurchased)
    other = msgspec.structs.replace(fact, purchase_event_id="another")
    pages[page][at] = msgspec.structs.replace(pages[page][at], fact=other)
    put_lines(books, partition, pages)
    reseal(books)
    text = said(verified(books))
    assert f"{fact.event_id} for {fact.member_id}: this derived fact is owed and not in the journal" in text
    assert f"{fact.event_id} for {fact.member_id}: this derived fact is in the journal and owed by no posting" in text


def test_a_referral_that_stands_for_one_party_alone_is_named(books: MemoryBooks) -> None:
    line = take_out(books, lambda line: isinstance(line.fact, ReferralMade) and line.member_id == line.fact.referrer_id)
    assert isinstance(line.fact, ReferralMade)
    reseal(books)
    text = f"crm/{line.fact.event_id} of {line.fact.referee_id}: this referral stands 1 times more for the referee"
    assert text in said(verified(books))


def test_a_fact_in_another_partition_than_its_members_is_named(books: MemoryBooks) -> None:
    line = JournalLine(CheckedIn("app", "lost", START + 6 * DAY_MS, "m-1"), START, "m-1")
    rounds = rounds_of(books.write())
    rounds.groups[0].score([LineToScore(n, line.fact, line.member_id) for n in range(small.PARTITIONS)], START)
    rounds.commit([])
    found = verified(books)
    assert found.differences == small.PARTITIONS - 1
    assert "m-1" in said(found)
    assert "partition" in said(found)


def test_a_fact_in_the_account_of_somebody_else_is_named(books: MemoryBooks) -> None:
    fact = CheckedIn("app", "foreign", START + 6 * DAY_MS, "m-1")
    rounds = rounds_of(books.write())
    rounds.groups[0].score([LineToScore(partition_of("m-2", small.PARTITIONS), fact, "m-2")], START)
    rounds.commit([])
    assert "app/foreign" in said(verified(books))


@pytest.mark.parametrize("kind", [ClockTicked, RulesetPublished])
def test_book_facts_that_differ_between_partitions_are_named(
    books: MemoryBooks, kind: type[ClockTicked | RulesetPublished]
) -> None:
    (again,) = [line for line in small.journal(books, 0) if isinstance(line.fact, kind)][-1:]
    fact = ClockTicked(again.fact.at + 1) if isinstance(again.fact, ClockTicked) else again.fact
    rounds = rounds_of(books.write())
    rounds.groups[0].score([LineToScore(1, fact)], again.received_at)
    rounds.commit([])
    found = verified(books)
    assert found.differences == 1, said(found)
    assert "1: the whole journal: its ticks and publications are not those" in said(found)


def test_a_tick_that_lost_a_posting_is_named(books: MemoryBooks) -> None:
    ledgers = [small.ledger(books, partition) for partition in range(small.PARTITIONS)]
    partition, place = next(
        (partition, n)
        for partition, postings in enumerate(ledgers)
        for n, posting in enumerate(postings)
        if posting.fact_type == "ClockTicked" and postings[n + 1].sub == 0
    )
    put_postings(books, partition, [*ledgers[partition][:place], *ledgers[partition][place + 1 :]])
    reseal(books)
    text = said(verified(books))
    assert (
        f"{ledgers[partition][place].sub} postings stand here, the rules make {ledgers[partition][place].sub + 1}"
        in text
    )


def test_of_many_differences_the_first_are_shown_and_all_are_counted(books: MemoryBooks) -> None:
    many = 0
    for partition in range(small.PARTITIONS):
        postings = [msgspec.structs.replace(posting, store_id="another") for posting in small.ledger(books, partition)]
        put_postings(books, partition, postings)
        many += len(postings)
    found = verified(books)
    assert found.differences == many > MAX_DIFFERENCES_SHOWN == len(found.shown)
