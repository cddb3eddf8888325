"""Explains an event: how far it came, and what it did to each account that it concerns."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from books.log import LogReader
from processors.decider.local_time import Zone
from schemas.canonical import content_hash
from schemas.facts import MemberFact, PurchaseRecorded, RefereePurchased, RulesetPublished
from schemas.instants import format_instant
from schemas.partitions import guest_key
from schemas.posting import EntryType, Posting
from tallybook.explain.account_walk import AccountWalk
from tallybook.explain.contents import content_of, side_by_side
from tallybook.explain.model import EventExplained, LaterContent, PostingSeen, Repeat, Station
from tallybook.explain.posting import explain_posting, reason_of
from tallybook.explain.search import Found, Hit

Reached = Callable[[Hit, int], bool | None]
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MAX_CONTENTS: Final = 20
UNKNOWN: Final = "not known: the tables cannot be opened now (`tallybook status` says why)"


def explain_events(
    log: LogReader, found: Found, is_projected: Reached, on_line: Callable[[], object]
) -> list[EventExplained]:
    """Explain each (source, event id) that a search met, in the order of the books.

    `is_projected` says whether a hit, and its posting of a number (0: none), stand in the tables (None: not known).
    """
    names = log.input_names()
    events: dict[tuple[str, str], list[Hit]] = {}
    for hit in found.hits:
        fact = _fact(hit)
        events.setdefault((fact.source, fact.event_id), []).append(hit)
    return [_explain_event(log, hits, names, is_projected, on_line) for hits in events.values()]


def local_time(at: int, published: RulesetPublished | None) -> str:
    """Show an instant (UTC ms) on the programme's own clock, such as `Tuesday 2026-11-03 10:00:00 in Europe/Berlin`."""
    if published is None:
        return ""
    wall: datetime = Zone(published.timezone, published.tzif).local(at)
    return f"{DAYS[wall.weekday()]} {wall:%Y-%m-%d %H:%M:%S} in {published.timezone}"


def came_from(hit: Hit, names: dict[str, str]) -> str:
    """Say where a journal line was read from."""
    fact = hit.journalled.fact
    if isinstance(fact, RefereePurchased):
        return f"derived by Tallybook from purchase {fact.purchase_source}/{fact.purchase_event_id}"
    # A file is known by its SHA-256, a place of a stream by its name.
    known = hit.input if "/" in hit.input else hit.input[:12]
    name = names.get(hit.input, known) or known
    return f"{name}, record {hit.journalled.record:,}"


def _explain_event(
    log: LogReader, hits: Sequence[Hit], names: dict[str, str], is_projected: Reached, on_line: Callable[[], object]
) -> EventExplained:
    fact = _fact(hits[0])
    by_member: dict[str | None, list[Hit]] = {}
    for hit in hits:
        by_member.setdefault(hit.journalled.member_id, []).append(hit)
    postings: list[PostingSeen] = []
    published: RulesetPublished | None = None
    for member_id, mine in by_member.items():
        if member_id is not None:
            walking = AccountWalk(log, member_id, on_line)
            postings += _explain_account(walking, mine, names)
            published = walking.machine.partition.published_at(fact.occurred_at)
    notes = _notes(fact, by_member)
    return EventExplained(
        source=fact.source,
        event_id=fact.event_id,
        fact_type=type(fact).__name__,
        occurred_at=format_instant(fact.occurred_at),
        local_time=local_time(fact.occurred_at, published),
        fact=content_of(fact),
        stations=_stations(hits, by_member, names, postings, is_projected),
        postings=postings,
        notes=notes,
        later_contents=_later_contents(hits, names),
    )


def _later_contents(hits: Sequence[Hit], names: dict[str, str]) -> list[LaterContent]:
    """Put what came later with other content beside the first fact, each content once."""
    first = _fact(hits[0])
    seen, found = {content_hash(first)}, list[LaterContent]()
    for hit in hits[1:]:
        fact = _fact(hit)
        if content_hash(fact) not in seen and len(found) < MAX_CONTENTS:
            seen.add(content_hash(fact))
            member_id = hit.journalled.member_id or ""
            found.append(LaterContent(_place(hit), came_from(hit, names), member_id, side_by_side(first, fact)))
    return found


def _explain_account(walking: AccountWalk, hits: Sequence[Hit], names: dict[str, str]) -> list[PostingSeen]:
    """Explain the first time an event came into one account, and list the later times."""
    places = {(hit.page, hit.line): hit for hit in hits}
    seen: PostingSeen | None = None
    expired: dict[int, int] = {}
    for moment in walking:
        for posting in moment.postings:
            _note_expiries(posting, expired)
        hit = places.get((moment.walked.folio.page, moment.walked.folio.line))
        if hit is None or not moment.postings:
            continue
        posting, fact = moment.postings[0], _fact(hit)
        if seen is None:
            seen = explain_posting(moment, fact, posting)
            seen.partition = hit.partition
            continue
        repeat = Repeat(
            place=_place(hit),
            came_from=came_from(hit, names),
            reason=posting.reason or "",
            why=reason_of(moment, fact, posting),
            differs_in=_differing(_fact(hits[0]), fact),
        )
        seen.repeats.append(repeat)
    if seen is None:
        return []
    left = {lot.number: lot.remaining for lot in walking.account.lots}
    for entry in seen.entries:
        if entry.type == EntryType.POINTS_AWARDED:
            entry.left = left.get(entry.lot, 0)
            if entry.lot in expired:
                entry.expired_at = format_instant(expired[entry.lot])
    return [seen]


def _note_expiries(posting: Posting, expired: dict[int, int]) -> None:
    for entry in posting.entries:
        if entry.type == EntryType.POINTS_EXPIRED:
            expired[entry.lot] = entry.effective_at


def _stations(
    hits: Sequence[Hit],
    by_member: dict[str | None, list[Hit]],
    names: dict[str, str],
    postings: Sequence[PostingSeen],
    is_projected: Reached,
) -> list[Station]:
    first = hits[0]
    # This is not when the file was read: a round dates what it takes, so that the same files make the same books.
    dated = format_instant(first.journalled.received_at)
    stations = [Station("read", True, f"{came_from(first, names)} (dated {dated} by its round)")]
    numbers = {posting.member_id: posting for posting in postings}
    for member_id, mine in by_member.items():
        whose = f" for {member_id or 'a guest'}" if len(by_member) > 1 else ""
        hit = mine[0]
        stations.append(Station("journalled", True, f"{_place(hit)}{whose}"))
        if member_id is None:
            key = guest_key(hit.journalled.fact)
            stations.append(Station("scored", False, f"never: order {key} is a guest's, and earns no points"))
            stations.append(_projected(is_projected(hit, 0), whose))
            continue
        posting = numbers.get(member_id)
        if posting is None:
            stations.append(Station("scored", False, f"not yet{whose}"))
        else:
            points = sum(entry.points for entry in posting.entries if not entry.is_due_work)
            what = f"posting {posting.number} of the partition, {posting.seq} of the account{whose}: "
            stations.append(
                Station(
                    "scored",
                    True,
                    what + (posting.reason or f"{points:+,} {'point' if abs(points) == 1 else 'points'}"),
                )
            )
        stations.append(_projected(is_projected(hit, 0 if posting is None else posting.number), whose))
    return stations


def _projected(reached: bool | None, whose: str) -> Station:
    said = {True: "in the tables", False: "not yet in the tables: the next reader brings it in", None: UNKNOWN}
    return Station("projected", reached, said[reached] + (whose if reached else ""))


def _notes(fact: MemberFact, by_member: dict[str | None, list[Hit]]) -> list[str]:
    members = [member_id for member_id in by_member if member_id is not None]
    if len(members) > 1 and not hasattr(fact, "referee_id"):
        return [f"the same source and event id came for {len(members)} members ({', '.join(members)}): see `audit`"]
    if members and None in by_member:
        return [f"it came for a guest and for {members[0]}, who alone has points for it"]
    if isinstance(fact, RefereePurchased):
        told = f"told to {fact.referrer_id} and {fact.referee_id} because of claim {fact.claim_rank}"
        made = format_instant(fact.claimed_at)
        return [f"purchase {fact.purchase_rank} of {fact.referee_id}, {told}, made at {made}"]
    return []


def _place(hit: Hit) -> str:
    return f"partition {hit.partition}, page {hit.page}, line {hit.line}"


def _fact(hit: Hit) -> MemberFact:
    fact = hit.journalled.fact
    if isinstance(fact, MemberFact):
        return fact
    raise AssertionError(f"{_place(hit)} is no fact of a member")


def _differing(first: MemberFact, again: MemberFact) -> list[str]:
    before, after = content_of(first), content_of(again)
    names = [name for name in before | after if before.get(name) != after.get(name)]
    if isinstance(first, PurchaseRecorded) and isinstance(again, PurchaseRecorded) and "lines" in names:
        return [
            f"{name} (total {_total(first)} and {_total(again)} minor)" if name == "lines" else name for name in names
        ]
    return names


def _total(fact: PurchaseRecorded) -> int:
    return sum(line.amount_minor for line in fact.lines)
