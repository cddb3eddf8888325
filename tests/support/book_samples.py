"""Small books for tests of the books themselves: what they say does not matter, only that it comes back unchanged."""

from schemas.facts import CheckedIn, ClockTicked, JournalFact, JournalOpened, PurchaseRecorded, RulesetPublished
from schemas.pages import InputConsumed, JournalLine, JournalPage, Reject, RoundCommitted
from schemas.posting import EditionOpened, Entry, EntryType, Posting, RuleLayer, RuleSpan

DAY_MS = 86_400_000
START_AT = 1_700_000_000_000
OPENED = JournalOpened(
    deployment="corner-shop",
    generation=1,
    partitions=2,
    partition=0,
    horizon_ms=90 * DAY_MS,
    referral_window_ms=30 * DAY_MS,
    opened_at=START_AT,
)


def check_in(member_id: str, n: int) -> JournalLine:
    fact = CheckedIn("app", f"check-{n}", START_AT + n, member_id, attributes={"mood": "ünïcode"})
    return JournalLine(fact, START_AT + n, member_id, record=n)


def guest(n: int) -> JournalLine:
    return book_fact(PurchaseRecorded("pos", f"sale-{n}", START_AT + n, f"order-{n}", "EUR", ()))


def tick(at: int) -> JournalLine:
    return book_fact(ClockTicked(at))


def book_fact(fact: JournalFact) -> JournalLine:
    return JournalLine(fact, START_AT)


def page(number: int, *lines: JournalLine) -> JournalPage:
    return JournalPage(number, lines or (check_in("ann", number),), ("", "ab" * 32))


def posting(number: int, page: int = 0, line: int = 0, sub: int = 0, *, member_id: str = "ann") -> Posting:
    entry = Entry(f"app/check-{number}/{member_id}/1", EntryType.POINTS_AWARDED, 5, START_AT, number)
    return Posting(
        member_id=member_id,
        seq=number,
        fact_type="CheckedIn",
        source="app",
        event_id=f"check-{number}",
        occurred_at=START_AT,
        balance=5 * number,
        number=number,
        page=page,
        line=line,
        sub=sub,
        entries=(entry,),
    )


def postings(first: int, count: int) -> list[Posting]:
    return [posting(number, page=number) for number in range(first, first + count)]


def reject(n: int) -> Reject:
    return Reject("malformed", f"line {n} is not JSON", b"\xff\x00{" * n, input="cd" * 32, record=n)


def round_of(facts: int) -> RoundCommitted:
    """A commit as its maker gives it: the log fills in the rest."""
    return RoundCommitted(
        0, (), (InputConsumed("cd" * 32, START_AT, facts, name="sales.jsonl"),), START_AT, facts, facts, 0
    )


def second_layers() -> tuple[RuleLayer, ...]:
    rules = RulesetPublished("2", "ef" * 32, START_AT, 1, "version: 2", "Europe/Berlin", b"TZif")
    return (RuleLayer(1, (RuleSpan(START_AT, rules, START_AT + 1), RuleSpan(START_AT + 1, rules))),)


def second_edition(name: str = "0002") -> EditionOpened:
    return EditionOpened(name, OPENED.deployment, OPENED.generation, OPENED.partitions, second_layers(), START_AT)
