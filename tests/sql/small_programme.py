"""A small programme of a few members over one year, in which everything happens that the views and questions show."""

from schemas.facts import PurchaseLine
from schemas.posting import Factor, Working
from tests.sql.bookkeeper import Bookkeeper

# Midnight at the end of 30 June in Berlin.
END_OF_JUNE = "2026-06-30T22:00"
LAST_TICK = "2026-12-01T00:00"


def small_programme() -> Bookkeeper:
    """Ann earns and loses points, Bob meets limits and a campaign, Cat is referred, Dan comes late in the year."""
    book = Bookkeeper(partitions=3)
    tea = PurchaseLine("tea", 2000, category="drinks")
    cake = PurchaseLine("cake", 1000, category="food")
    first = book.purchase("ann", "2026-01-05T10:00", lines=[tea, cake], earned={"base": 30}, expires=END_OF_JUNE)
    doubled = Working("base", 2000, "minor", "1/100", "40", 40, 40, factors=(Factor("double", "2", 2000),))
    book.purchase("bob", "2026-01-06T10:00", amount=2000, store="s2", earned={"base": 40}, workings=(doubled,))
    book.purchase(None, "2026-01-07T10:00", amount=1000, event_id="guest-1")
    book.purchase(None, "2026-01-07T10:00", amount=1000, event_id="guest-1")
    for day, run in (("08", 1), ("09", 2), ("10", 3)):
        book.check_in("ann", f"2026-01-{day}T08:00", run, earned={"streak": 5})
    book.check_in("bob", "2026-01-10T08:00", 1, earned={"streak": 5})
    limited = Working("share", 1, "event", "10", "10", 10, 0, limit_ids=("one-share-a-day",))
    book.share("bob", "2026-01-10T09:00", reason="limit_reached", workings=(limited,))
    book.review("ann", "2026-01-11T09:00", "tea", 8, earned={"review": 50}, expires=END_OF_JUNE)
    book.review("bob", "2026-01-12T09:00", "tea", media=2)
    book.referral("ann", "cat", "2026-02-01T12:00")
    bought = book.purchase("cat", "2026-02-02T12:00", amount=1500, earned={"base": 15})
    book.referee_purchased("ann", "cat", "2026-02-02T12:00", bought=bought, to_referrer=500, to_referee=250)
    book.purchase("ann", "2026-01-05T10:00", lines=[tea, cake], event_id=first, reason="duplicate")
    book.purchase("bob", "2026-01-20T10:00", amount=1000, store="s2", earned={"base": 10}, late=True)
    book.purchase("ann", "2026-03-01T10:00", amount=1000, earned={"base": 10})
    book.tick("2026-07-02T00:00")
    # 1 July in Berlin, still June in UTC.
    book.purchase("dan", "2026-06-30T22:30", amount=500, earned={"base": 5}, expires="2027-06-30T22:00")
    book.tick(LAST_TICK)
    book.reject("malformed", b"\xff{", input_name="events.jsonl", record=7, at_line=7)
    book.reject("missing_field", '{"größe": 1}'.encode(), input_name="events.jsonl", field="source", headers={"k": "v"})
    return book
