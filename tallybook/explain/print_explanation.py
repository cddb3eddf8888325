"""Prints an explanation: from top to bottom, how a fact became points, or why it did not."""

from typing import Any

from msgspec.structs import asdict

from schemas.currencies import format_minor
from schemas.pages import Reject
from tallybook.explain.model import (
    EntrySeen,
    EventExplained,
    LaterContent,
    MemberExplained,
    PostingSeen,
    RejectState,
    RuleSeen,
)
from tallybook.explain.sentences import limit_line
from tallybook.screen import counted, say, show_table

MARKS = {True: "✓", False: "·", None: "?"}
AWARD = "PointsAwarded"
MAX_LOTS_SHOWN = 20
MAX_FIELDS_SHOWN = 40
DIFFERS = "≠"
NOT_GIVEN = "(not given)"
LEFT_TO_DO = {
    RejectState.NOT_TAKEN_IN: "; send it again: tallybook rejects resubmit {number}",
    RejectState.MENDED: ". It was sent again and taken in (see below): nothing is left to do about it",
    RejectState.SAME: ". What was taken in (see below) says the same: nothing is left to do about it",
    RejectState.OTHER: (
        ". What was taken in (see below) has other content, and counts: if this one is right, send a correction "
        "with an event id of its own"
    ),
    RejectState.NOT_READABLE: (
        ". An event of this source and id was taken in (see below): compare the two. If a part of the refused record "
        "is missing there, send that as an event with an id of its own"
    ),
}


def print_event(event: EventExplained) -> None:
    """Print one event for people."""
    when = f"{event.occurred_at}" + (f" ({event.local_time})" if event.local_time else "")
    say(f"{event.source}/{event.event_id}: {event.fact_type}, {when}")
    for note in event.notes:
        say(f"  {note}")
    say("\nHow far it came")
    for station in event.stations:
        say(f"  {MARKS[station.reached]} {station.name:<10} {station.what}")
    say("\nThe fact")
    for name, value in event.fact.items():
        if name not in {"type", "source", "event_id", "occurred_at"}:
            for line in _field(name, value, str(event.fact.get("currency", ""))):
                say(f"  {line}")
    first = event.stations[0].what.partition(" (")[0]
    for later in event.later_contents:
        is_guest = event.fact_type == "PurchaseRecorded" and not event.fact.get("member_id") and not later.member_id
        counts = "of a guest, who has no points for either" if is_guest else "the first one counts"
        _print_later(first, later, str(event.fact.get("currency", "")), counts)
    for posting in event.postings:
        _print_posting(posting)


def print_member(member: MemberExplained) -> None:
    """Print one member for people."""
    say(f"{member.member_id}: {counted(member.balance, 'point')} as of {member.as_of or 'before the first tick'}")
    say(f"  earned {member.earned:,} in all; {counted(member.postings, 'posting')} in partition {member.partition}")
    for note in member.notes:
        say(f"  {note}")
    columns = {"rule_id": "rule", "awards": "awards", "awarded": "awarded", "expired": "expired", "left": "left"}
    say("")
    show_table("Where the points come from", [asdict(each) for each in member.rules], columns)
    lots = {"lot": "lot", "left": "left", "rule_id": "rule", "event_id": "event", "last_day": "last day"}
    say("")
    show_table("What can be used, soonest expiry first", [asdict(each) for each in member.lots[:MAX_LOTS_SHOWN]], lots)
    if len(member.lots) > MAX_LOTS_SHOWN:
        say(f"… and {len(member.lots) - MAX_LOTS_SHOWN:,} more lots (all of them with --json)")
    if member.limits:
        say("")
        columns = {"limit_id": "limit", "window": "window", "allows": "allows", "of": "of", "used_before": "used"}
        show_table("Limits", [asdict(each) for each in member.limits], columns | {"left": "left"})
    say("\nNewest facts")
    for fact in member.newest:
        expired = f", {fact.expired:,} expired" if fact.expired else ""
        say(f"  {fact.occurred_at} {fact.fact_type} {fact.source}/{fact.event_id}: {fact.points:+,}{expired}")
        for line in fact.arithmetic:
            say(f"      {line}")
        if fact.why:
            say(f"      {fact.reason}: {fact.why}")


def _print_posting(posting: PostingSeen) -> None:
    role = f", the {posting.role}" if posting.role else ""
    say(f"\nFor {posting.member_id}{role}: balance {posting.balance_before:,} → {posting.balance_after:,}")
    if posting.reason:
        say(f"  No points: {posting.reason}. {posting.why}")
    if posting.late:
        say("  It came late: the account held something later already; it is decided as of when it happened.")
    if posting.rules is not None:
        rules = posting.rules
        say(f"  Rules: version {rules.version} (hash {rules.ruleset_hash[:12]}…), {rules.because}")
    for rule in posting.considered:
        if rule.takes_part:
            _print_rule(rule)
    missed: dict[str, list[str]] = {}
    for rule in posting.considered:
        if not rule.takes_part:
            missed.setdefault(rule.arithmetic or rule.because, []).append(rule.rule_id)
    for because, names in missed.items():
        say(f"    {MARKS[False]} {', '.join(names)}: {because}")
    for entry in posting.entries:
        say(f"  {_entry(entry)}")
    for note in posting.notes:
        say(f"  {note}")
    for again in posting.repeats:
        differs = f" It differs in {', '.join(again.differs_in)}." if again.differs_in else ""
        say(f"  Came again ({again.came_from}; {again.place}): {again.reason}. {again.why}{differs}")


def _print_rule(rule: RuleSeen) -> None:
    what = rule.arithmetic or rule.because
    say(f"    {MARKS[rule.takes_part]} {rule.rule_id}: {what}")
    for limit in rule.limits:
        say(f"        {limit_line(limit)}")


def _entry(entry: EntrySeen) -> str:
    if entry.type != AWARD:
        why = "was due before this fact" if entry.is_due_work else "was past its expiry already"
        return f"{entry.points:+,} expired: lot {entry.lot} {why} ({entry.effective_at})"
    until = "never expires" if entry.expires_at is None else f"good until {entry.last_day} (expires {entry.expires_at})"
    now = f"expired {entry.expired_at}" if entry.expired_at else f"{entry.left or 0:,} left now"
    return f"{entry.points:+,} {entry.rule_id}: lot {entry.lot}, {until}; {now}"


def _field(name: str, value: Any, currency: str) -> list[str]:
    if name == "lines":
        parts = [[f"{key} {_money(key, part, currency)}" for key, part in line.items()] for line in value]
        return [f"{name:<14} {len(value)}", *(f"  {', '.join(line)}" for line in parts)]
    if name == "attributes":
        return [f"{name:<14} {', '.join(f'{key}={part}' for key, part in value.items())}"]
    return [f"{name:<14} {_money(name, value, currency)}"]


def _money(name: str, value: Any, currency: str) -> str:
    if name.endswith("_minor") and isinstance(value, int) and currency:
        return f"{value:,} ({format_minor(value, currency)})"
    return str(value)


def print_reject(reject: Reject, state: RejectState) -> None:
    """Print a refused record in short, with what is left to do about it."""
    again = f" (a new attempt of reject {reject.resubmit_of})" if reject.resubmit_of else ""
    said = f"{reject.source or '?'}/{reject.event_id or '?'}"
    refused = f"refused: reject {reject.number}{again}, {reject.reason}"
    is_taken_in = state in {RejectState.MENDED, RejectState.SAME}
    say(f"{said} was taken in (see below), and it was also {refused}" if is_taken_in else f"{said} was {refused}")
    say(f"  {reject.input_name}, record {reject.record:,}, line {reject.at_line:,}")
    say(f"  {f'{reject.field}: ' if reject.field else ''}{reject.message}")
    say(f"  See it: tallybook rejects show {reject.number}{LEFT_TO_DO[state].format(number=reject.number)}")


def _print_later(first: str, later: LaterContent, currency: str, counts: str) -> None:
    """Print a later content beside the first one, and which `counts`: the fields that differ, and then the others."""
    rows = [
        {
            "": DIFFERS if field.differs else "",
            "field": field.field,
            "first": _cell(field.field, field.first, currency),
            "later": _cell(field.field, field.later, currency),
        }
        for field in later.fields[:MAX_FIELDS_SHOWN]
    ]
    columns = {"": "", "field": "field", "first": f"first ({first})", "later": f"later ({later.came_from})"}
    say("")
    show_table(f"Came with other content too ({later.place}): {counts}", rows, columns)
    if len(later.fields) > MAX_FIELDS_SHOWN:
        say(f"… and {len(later.fields) - MAX_FIELDS_SHOWN:,} more fields (all of them with --json)")


def _cell(field: str, value: Any, currency: str) -> str:
    return NOT_GIVEN if value is None else _money(field, value, currency)
