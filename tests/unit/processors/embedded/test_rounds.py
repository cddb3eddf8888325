"""A round is journalled and decided in one order: its facts, then what they owe, then the tick."""

from typing import Final

from processors.embedded.rounds import Rounds, Taken
from schemas.bounds import DAY_MS
from schemas.facts import (
    CheckedIn,
    ClockTicked,
    JournalFact,
    JournalOpened,
    PublishedFact,
    PurchaseLine,
    PurchaseRecorded,
    RefereePurchased,
    ReferralMade,
    RulesetPublished,
)
from schemas.pages import MAX_PAGE_LINES, InputConsumed
from schemas.partitions import partition_of
from schemas.posting import Reason
from tests.fakes.books import MemoryBooks
from tests.reference.local_time import HOUR_MS
from tests.support import small_imports as small
from tests.support.deciders import published
from tests.support.small_imports import RULES, START, new_books, rounds_of

INPUTS: Final = ("ab" * 32, "cd" * 32)


def purchase(event_id: str, at: int, member_id: str | None, referrer_id: str | None = None) -> PurchaseRecorded:
    return PurchaseRecorded(
        "pos",
        event_id,
        START + at,
        f"o-{event_id}",
        "EUR",
        (PurchaseLine("A", 1000),),
        member_id,
        referrer_id=referrer_id,
    )


def taken(*facts: PublishedFact) -> list[Taken]:
    return [Taken(fact, INPUTS[number % 2], number) for number, fact in enumerate(facts, 1)]


def committed(rounds: Rounds) -> None:
    rounds.commit([InputConsumed(INPUTS[0], START, 1)])


def kinds(books: MemoryBooks, partition: int) -> list[type[JournalFact]]:
    return [type(line.fact) for line in small.journal(books, partition)]


def test_both_parties_of_a_referral_may_live_in_one_partition() -> None:
    books = new_books(partitions=1)
    rounds = rounds_of(books.write())
    referral = ReferralMade("crm", "r", START, referrer_id="ann", referee_id="ben")
    rounds.take(taken(referral, purchase("p", HOUR_MS, "ben")), START + DAY_MS, START + DAY_MS)
    committed(rounds)
    lines = small.journal(books, 0)
    assert [(type(line.fact), line.member_id) for line in lines] == [
        (JournalOpened, None),
        (RulesetPublished, None),
        (ReferralMade, "ben"),
        (ReferralMade, "ann"),
        (PurchaseRecorded, "ben"),
        (RefereePurchased, "ann"),
        (RefereePurchased, "ben"),
        (ClockTicked, None),
    ]
    assert [(posting.member_id, posting.reason, posting.balance) for posting in small.ledger(books, 0)] == [
        ("ben", Reason.AWAITING_PURCHASE, 0),
        ("ann", Reason.AWAITING_PURCHASE, 0),
        ("ben", None, 10),
        ("ann", None, 50),
        ("ben", None, 30),
    ]
    assert not small.verified(books).differences


def test_derived_facts_come_by_time_then_by_the_place_of_what_owes_them() -> None:
    books = new_books(partitions=1)
    rounds = rounds_of(books.write())
    facts = (
        purchase("late", 5 * HOUR_MS, "ben", "ann"),
        purchase("early", HOUR_MS, "dee", "ann"),
        purchase("also late", 5 * HOUR_MS, "cat", "ann"),
    )
    rounds.take(taken(*facts), START + DAY_MS, START + DAY_MS)
    committed(rounds)
    derived = [line.fact for line in small.journal(books, 0) if isinstance(line.fact, RefereePurchased)]
    assert [(fact.purchase_event_id, fact.member_id) for fact in derived] == [
        ("early", "ann"),
        ("early", "dee"),
        ("late", "ann"),
        ("late", "ben"),
        ("also late", "ann"),
        ("also late", "cat"),
    ]


def test_a_derived_fact_stands_in_the_round_and_the_partition_of_its_member() -> None:
    books = new_books()
    rounds = rounds_of(books.write())
    rounds.take(taken(purchase("p", 0, "m-1", "m-2")), START + HOUR_MS, START + HOUR_MS)
    rounds.take(taken(purchase("q", HOUR_MS, "m-2")), START + DAY_MS, START + DAY_MS)
    committed(rounds)
    for member_id in ("m-1", "m-2"):
        partition = partition_of(member_id, small.PARTITIONS)
        place = kinds(books, partition).index(RefereePurchased)
        assert place < kinds(books, partition).index(ClockTicked)
        line = small.journal(books, partition)[place]
        assert (line.input, line.record, line.received_at) == (0, 0, START + HOUR_MS)


def test_nothing_is_seen_before_the_commit() -> None:
    books = new_books()
    before = small.lines_in(books)
    rounds = rounds_of(books.write())
    many = [CheckedIn("app", f"{number}", START, "m-1") for number in range(2 * MAX_PAGE_LINES)]
    rounds.take(taken(*many), START + 1, START + 1)
    assert small.lines_in(books) == before
    committed(rounds)
    partition = partition_of("m-1", small.PARTITIONS)
    pages = [page for _, page in books.read().read_journal(partition)]
    assert [page.page for page in pages] == list(range(len(pages)))
    assert max(len(page.lines) for page in pages) == MAX_PAGE_LINES
    assert len(small.ledger(books, partition)) == len(many)


def test_each_line_names_its_input_in_its_own_page() -> None:
    books = new_books(partitions=1)
    rounds = rounds_of(books.write())
    many = [CheckedIn("app", f"{number}", START, "m-1") for number in range(MAX_PAGE_LINES + 3)]
    rounds.take(taken(*many), START + 1, START + 1)
    committed(rounds)
    found = {
        line.fact.event_id: (page.inputs[line.input], line.record)
        for _, page in books.read().read_journal(0)
        for line in page.lines
        if isinstance(line.fact, CheckedIn)
    }
    assert found == {fact.event_id: (source, record) for fact, source, record in taken(*many) if fact in many}


def test_rules_published_between_rounds_hold_in_every_partition_from_their_instant_on() -> None:
    books = new_books()
    rounds = rounds_of(books.write())
    rounds.take(taken(*(purchase(f"a-{m}", 0, m) for m in small.MEMBERS)), START + HOUR_MS, START + HOUR_MS)
    doubled = RULES.replace('version: "1"', 'version: "2"').replace("points: 1, per", "points: 2, per")
    fact = published(doubled, "Europe/Berlin", version="2", effective_from=START + 2 * HOUR_MS)
    rounds.publish(fact, START + HOUR_MS)
    later = [purchase(f"b-{m}", 2 * HOUR_MS - 1, m) for m in small.MEMBERS]
    latest = [purchase(f"c-{m}", 2 * HOUR_MS, m) for m in small.MEMBERS]
    rounds.take(taken(*later, *latest), START + DAY_MS, START + DAY_MS)
    committed(rounds)
    postings = small.postings_in(books)
    points = {posting.event_id: sum(entry.points for entry in posting.entries) for posting in postings}
    assert {points[f"{kind}-{m}"] for m in small.MEMBERS for kind in "ab"} == {10}
    assert {points[f"c-{m}"] for m in small.MEMBERS} == {20}
    assert {posting.ruleset_version for posting in postings if posting.event_id.startswith("c-")} == {"2"}
    assert not small.verified(books).differences


def test_a_tick_at_or_before_the_last_one_is_not_written() -> None:
    books = new_books()
    rounds = rounds_of(books.write())
    for at in (DAY_MS, DAY_MS, HOUR_MS):
        rounds.take(taken(purchase(f"p-{at}", HOUR_MS, "m-1")), START + at, START + at)
    committed(rounds)
    assert [kinds(books, partition).count(ClockTicked) for partition in range(small.PARTITIONS)] == [1, 1, 1]


def test_a_commit_counts_what_it_covers() -> None:
    books = new_books()
    rounds = rounds_of(books.write())
    rounds.take(taken(purchase("p", 0, "m-1", "m-2"), purchase("g", 0, None)), START + 1, START + 1)
    counts = rounds.commit([InputConsumed(INPUTS[0], START, 2)])
    assert (counts.facts, counts.lines, counts.postings, counts.entries) == (2, 2 + 2 + small.PARTITIONS, 3, 3)
    assert rounds.is_empty
    last = books.read().committed()
    assert (last.facts, last.postings, last.last_tick) == (2, 3, START + 1)
