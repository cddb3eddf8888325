"""The door: admits a record as a fact, or refuses it with a typed reason. It raises nothing on data and knows no rules.

A record is first decoded straight into the shape of a fact. Only if that fails, or if the record might hide something
(an escape, a key given twice, blanks around an id), it is decoded into a dictionary, brought into the form that all
formats have in common, and decoded once more; there the first problem is found and explained.
"""

import re
import typing
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from processors.intake import cloud_events, json_text
from processors.intake.diagnosis import diagnose
from processors.intake.doubtful_ids import NOBODY_AS_WRITTEN
from processors.intake.fact_shapes import (
    PURCHASE_SHAPE,
    SHAPES,
    AnyShape,
    are_plain,
    build,
    keys_of,
    texts_in_bounds,
    texts_of,
)
from processors.intake.normal_form import normal_form
from processors.intake.refusal import Problem, Refusal, quoted
from processors.intake.unknown_fields import UnknownFields, nearest_name
from schemas.bounds import (
    DAY_MS,
    EARLIEST_AT,
    MAX_AMOUNT_MINOR,
    MAX_EVENT_BYTES,
    MAX_FUTURE_MS,
    MAX_ID_LENGTH,
    MAX_QUANTITY_MILLI,
    MAX_SOURCE_LENGTH,
    UNLIKE_SECONDS,
)
from schemas.currencies import DECIMALS, format_minor
from schemas.facts import PUBLISHED_TYPES, PublishedFact, PurchaseLine, PurchaseRecorded, ReferralMade, Source
from schemas.instants import EARLIEST_MS, NoInstant, format_instant, parse_instant

LATEST_AT: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z: the last instant that RFC 3339 can write
# Days since 1970 of the years 1997 to 2243, which as seconds would lie in the first two days of 1970.
LIKE_DAYS: Final = range(10_000, 100_000)
MAX_SOURCES_REMEMBERED: Final = 4_096
# JSON is less than twenty times as long as Avro of the same event, so a body up to here is not too large as JSON.
MAX_QUICK_BYTES: Final = 32_768
# Nor is an order of so many lines, if all its texts keep their bounds.
MAX_QUICK_LINES: Final = 300
# What JSON needs at most for one printable character, and for names and numbers of a line; those of the rest of a fact,
# attributes too, take no more than eight lines.
MAX_CHARACTER_BYTES: Final = 4
MAX_LINE_BYTES: Final = 256
MAX_HEAD_LINES: Final = 8

Judge = Callable[[PublishedFact], Refusal | None]

# An event without a `type` is decoded as the kind that it is known to be; with none known (""), its type is looked at.
_decoders: Final[dict[str, Callable[[bytes], Any]]] = {
    name: msgspec.json.Decoder(shape).decode for name, shape in ({"": AnyShape} | SHAPES).items()
}
_encode: Final = msgspec.json.Encoder().encode
# UnicodeEncodeError: half of a surrogate pair in a field's name, which msgspec cannot put into its message.
_MISFITS: Final = (msgspec.ValidationError, RecursionError, UnicodeEncodeError)
_source_pattern: Final = re.compile(typing.get_args(Source)[1].pattern)
_FACTS: Final = {kind.__name__: kind for kind in PUBLISHED_TYPES}
_FIELDS: Final = {kind.__name__: frozenset(kind.__struct_fields__) | {"type"} for kind in PUBLISHED_TYPES}
_NAMES: Final = {kind.__name__: kind.__struct_fields__ for kind in PUBLISHED_TYPES}
_LINE_NAMES: Final = PurchaseLine.__struct_fields__
_LINE_FIELDS: Final = frozenset(_LINE_NAMES)
_REFERRAL_SHAPE: Final[Any] = SHAPES["ReferralMade"]


def admit_json(
    raw: bytes, unknown: UnknownFields | None = None, default_type: str = "", envelope: Mapping[str, str] | None = None
) -> PublishedFact | Refusal:
    """The fact that one JSON object says (or the `data` of a CloudEvents envelope), or why it is refused.

    `raw` is UTF-8 without a byte order mark. Fields that no fact has are counted in `unknown`. `default_type` is the
    kind of an event that says none (KeyError if there is no such kind). `envelope` has the CloudEvents attributes that
    came beside the event.
    """
    if len(raw) > MAX_EVENT_BYTES:
        return Refusal("too_large", f"the event has {len(raw):,} bytes: at most {MAX_EVENT_BYTES:,} are taken")
    try:
        # An envelope's kind goes before the default one, so inside one only events that name their kind are decoded.
        shape = _decoders["" if envelope else default_type](raw)
        if b"\\" in raw or b"\x7f" in raw or json_text.has_amounts_with_decimals(raw):
            return _admit_parsed(raw, unknown, default_type, envelope)
        texts = texts_of(shape)
        if not are_plain(texts, is_json=True) or _may_repeat_a_key(
            raw, shape, texts, is_typed=bool(envelope) or not default_type
        ):
            return _admit_parsed(raw, unknown, default_type, envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _admit_parsed(raw, unknown, default_type, envelope)
    try:
        return _finished(shape)
    except Problem:
        return _admit_parsed(raw, unknown, default_type, envelope)


def admit(document: Mapping[str, Any], unknown: UnknownFields | None = None) -> PublishedFact | Refusal:
    """The fact that a decoded record says, or why it is refused. `document` has the fields of the JSON form.

    Fields that no fact has are counted in `unknown`.
    """
    try:
        name = _known_type(document)
        quickly = _as_it_stands(document, name)
        if quickly is not None:
            return quickly
        document = _normal_form(document, name)
        return _checked(_shape_of(document, name, unknown), document, name)
    except Problem as problem:
        return refusal_of(problem, document)


def admit_fact(fact: PublishedFact, size: int) -> PublishedFact | Refusal:
    """A fact read from an Avro body of `size` bytes by its own schema; refused if JSON that says the same would be.

    Its fields have the right types, and nothing else about them need have been checked.
    """
    return fact if size <= MAX_QUICK_BYTES and _is_whole(fact) else admit(msgspec.to_builtins(fact))


def without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record of Avro or Parquet without those that are null, in its lines too: these were not given.

    In Avro a line that is one of several records comes as (name, fields).
    """
    event = {name: value for name, value in fields.items() if value is not None}
    lines = event.get("lines")
    if isinstance(lines, list):
        lines = [line[1] if isinstance(line, tuple) else line for line in lines]
        event["lines"] = [
            {name: value for name, value in line.items() if value is not None}
            if isinstance(line, dict) and None in line.values()
            else line
            for line in lines
        ]
    return event


class Door:
    """The door for the readers of inputs: what it admits is judged once more, while the record's bytes are at hand.

    `unknown` counts the fields that no fact has. `judge` says what else is wrong with a fact, such as its time; the
    callable must give the same answer however often it is asked.
    """

    def __init__(self, unknown: UnknownFields | None = None, judge: Judge | None = None) -> None:
        self.unknown = unknown
        self._judge = judge

    def admit_json(
        self, raw: bytes, default_type: str = "", envelope: Mapping[str, str] | None = None
    ) -> PublishedFact | Refusal:
        """See the function of this name."""
        return self._judged(admit_json(raw, self.unknown, default_type, envelope))

    def admit_fact(self, fact: PublishedFact, size: int) -> PublishedFact | Refusal:
        """See the function of this name."""
        return self._judged(admit_fact(fact, size))

    def admit_quickly(self, fact: PublishedFact) -> PublishedFact | Refusal | None:
        """A fact made of a table's cells as they were read; None if it has to be looked at as an event.

        A Problem may stand in it for a cell that could not be read, and None for one that says nothing.
        """
        try:
            is_long = isinstance(fact, PurchaseRecorded) and len(fact.lines) > MAX_QUICK_LINES
            is_whole = not is_long and _is_whole(fact)
        except TypeError:  # there is such a cell
            return None
        return self._judged(fact) if is_whole else None

    def admit(self, document: Mapping[str, Any]) -> PublishedFact | Refusal:
        """See the function of this name."""
        return self._judged(admit(document, self.unknown))

    def _judged(self, admitted: PublishedFact | Refusal) -> PublishedFact | Refusal:
        if self._judge is None or isinstance(admitted, Refusal):
            return admitted
        return self._judge(admitted) or admitted


def judge_time(fact: PublishedFact, *, received_at: int, last_tick: int, horizon_ms: int, now: int) -> Refusal | None:
    """Whether a fact comes too early or too late for a partition, all in UTC ms; None if it is in time.

    Too early: more than five minutes after the earlier of `received_at` and `now` (the door's own clock). Too old:
    more than `horizon_ms` before `last_tick`, or before 1970.
    """
    at = fact.occurred_at
    problem: Problem | None = None
    clock = min(received_at, now)
    if at > clock + MAX_FUTURE_MS:
        message = (
            f"occurred_at {format_instant(at)} lies in the future: it is now {format_instant(clock)}. "
            "Check the clock and the time zone of the source"
        )
        problem = Problem("too_early", message, "occurred_at")
    elif at < EARLIEST_AT:
        problem = _before_1970(at)
    elif at < last_tick - horizon_ms:
        message = (
            f"occurred_at {format_instant(at)} lies more than {horizon_ms // 86_400_000} days (the horizon) before "
            f"{format_instant(last_tick)}, up to which the book is scored: use a longer horizon in a fresh book"
        )
        problem = Problem("too_old", message, "occurred_at")
    if problem is None:
        return None
    return refusal_of(problem, msgspec.structs.asdict(fact) | {"type": type(fact).__name__})


def _may_repeat_a_key(raw: bytes, shape: Any, texts: str, *, is_typed: bool) -> bool:
    """Whether a key could stand twice in the JSON of a shape, which holds no backslash; `is_typed` if it has a type."""
    at = shape.occurred_at
    keys = json_text.keys_without(raw, texts if isinstance(at, int) else texts + at) - keys_of(shape)
    if is_typed:
        return keys != 1
    return keys != 0 if b'"type"' not in raw else keys != 1 or "|type|" in texts


def _admit_parsed(
    raw: bytes, unknown: UnknownFields | None, default_type: str, envelope: Mapping[str, str] | None
) -> PublishedFact | Refusal:
    """Admit a record by way of a dictionary."""
    document: Mapping[str, Any] = {}
    try:
        document = json_text.parse_object(raw)
        if cloud_events.is_envelope(document):
            document = cloud_events.unwrap(document)
        elif envelope:
            document = cloud_events.unwrap({**envelope, "data": document})
        if default_type and "type" not in document:
            document = {**document, "type": default_type}
    except Problem as problem:
        return refusal_of(problem, document)
    return admit(document, unknown)


def _as_it_stands(document: Mapping[str, Any], name: str) -> PublishedFact | None:
    """The fact of a document that surely is in its normal form and may be admitted; None leaves that open."""
    try:
        shape = msgspec.convert(document, SHAPES[name])
        texts = texts_of(shape)
        return _finished(shape) if are_plain(texts) and _is_small(shape, texts) else None
    except (*_MISFITS, Problem):
        return None


def _normal_form(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The normal form of a document; fields that no fact has still stand there, as they may be misspelt."""
    return {**normal_form(document, _FACTS[name]), "type": name}


def _shape_of(document: Mapping[str, Any], name: str, unknown: UnknownFields | None) -> Any:
    """The shape of the fact in a document in its normal form, fields that no fact has apart; raises Problem."""
    try:
        return msgspec.convert(_without_unknown(document, name, unknown), SHAPES[name])
    except _MISFITS as error:
        raise _explained(document, name, str(error)) from error


def _checked(shape: Any, document: Mapping[str, Any], name: str) -> PublishedFact:
    """The fact of a shape, if its texts keep their bounds and patterns and its size the bound; raises Problem."""
    try:
        text = _encode(shape)
    except UnicodeEncodeError as error:
        raise _explained(document, name, "half of a surrogate pair is not valid Unicode text") from error
    if len(text) > MAX_EVENT_BYTES:
        raise Problem("too_large", f"the event has {len(text):,} bytes as JSON: at most {MAX_EVENT_BYTES:,} are taken")
    if not are_plain(texts_of(shape)):
        problem = diagnose(document, _FACTS[name])
        if problem is not None:
            raise problem
    return _finished(shape)


def _is_small(shape: Any, texts: str) -> bool:
    """Whether a shape surely is not too large as JSON."""
    lines = len(shape.lines) if type(shape) is PURCHASE_SHAPE else 0
    return len(texts) * MAX_CHARACTER_BYTES + (lines + MAX_HEAD_LINES) * MAX_LINE_BYTES <= MAX_EVENT_BYTES


def _explained(document: Mapping[str, Any], name: str, message: str) -> Problem:
    problem = diagnose(document, _FACTS[name])
    if problem is not None:
        return problem
    at = document.get("occurred_at")
    if isinstance(at, bool) or not isinstance(at, int | str):
        return _not_an_instant(at)
    if isinstance(at, int) and not _is_taken(at):
        return _beyond_time(at)
    return Problem("wrong_type", message)


def _known_type(document: Mapping[str, Any]) -> str:
    name = document.get("type")
    if isinstance(name, str) and (name := name.strip()) in _FACTS:
        return name
    kinds = ", ".join(_FACTS)
    if name is None:
        raise Problem("missing_field", f"type is missing: it is one of {kinds}", "type")
    if not isinstance(name, str):
        raise Problem("wrong_type", f"type must be text, one of {kinds}", "type")
    nearest = nearest_name(name, tuple(kind.lower() for kind in _FACTS))
    meant = next((f": is {kind} meant?" for kind in _FACTS if kind.lower() == nearest), f": it is one of {kinds}")
    raise Problem("unknown_type", f"there is no kind of fact {quoted(name)}{meant}", "type")


def _without_unknown(document: Mapping[str, Any], name: str, unknown: UnknownFields | None) -> Mapping[str, Any]:
    """The document with only those fields that the fact has; the others are counted."""
    source = str(document.get("source", ""))
    known = _FIELDS[name]
    if not document.keys() <= known:
        for field in document.keys() - known:
            if unknown is not None:
                unknown.add(source, name, str(field), _NAMES[name])
        document = {field: value for field, value in document.items() if field in known}
    lines = document.get("lines")
    if name != "PurchaseRecorded" or not isinstance(lines, list | tuple):
        return document
    return {**document, "lines": [_known_part(line, source, name, unknown) for line in lines]}


def _known_part(line: Any, source: str, name: str, unknown: UnknownFields | None) -> Any:
    if not isinstance(line, dict) or line.keys() <= _LINE_FIELDS:
        return line
    for field in line.keys() - _LINE_FIELDS:
        if unknown is not None:
            unknown.add(source, name, f"lines[].{field}", _LINE_NAMES)
    return {field: value for field, value in line.items() if field in _LINE_FIELDS}


def _finished(shape: Any) -> PublishedFact:
    """The fact of a shape whose texts hold no control characters; raises Problem for what no schema can check."""
    shape.occurred_at = _instant(shape.occurred_at)
    if not _is_plain_source(shape.source):
        raise _explained({"source": shape.source}, _type_name(shape), "source")
    fact = build(shape)
    _check_people(fact)
    if isinstance(fact, PurchaseRecorded):
        _check_purchase(fact)
    elif type(shape) is _REFERRAL_SHAPE and shape.referrer_id == shape.referee_id:
        message = f"referrer_id and referee_id are both {quoted(shape.referee_id)}: a member cannot refer itself"
        raise Problem("self_referral", message, "referee_id")
    return fact


def _is_whole(fact: PublishedFact) -> bool:
    """Whether a fact of the right types surely is one that the door admits; False leaves that open."""
    if not (_is_taken(fact.occurred_at) and _is_plain_source(fact.source)):
        return False
    texts = texts_in_bounds(fact)
    if texts is None or not are_plain(texts):
        return False
    if isinstance(fact, ReferralMade) and fact.referrer_id == fact.referee_id:
        return False
    try:
        _check_people(fact)
        if isinstance(fact, PurchaseRecorded):
            _check_purchase(fact)
    except Problem:
        return False
    return True


def _check_people(fact: PublishedFact) -> None:
    """Raises Problem for a person's id that names nobody: all of whom it is said would share one account."""
    if isinstance(fact, ReferralMade):
        _check_person(fact.referrer_id, "referrer_id")
        _check_person(fact.referee_id, "referee_id")
        return
    if fact.member_id in NOBODY_AS_WRITTEN:
        _check_person(fact.member_id, "member_id")
    if isinstance(fact, PurchaseRecorded) and fact.referrer_id is not None:
        _check_person(fact.referrer_id, "referrer_id")


def _check_person(person: str | None, field: str) -> None:
    if person in NOBODY_AS_WRITTEN:
        hint = "give null, or leave the field out, where nobody is meant"
        raise Problem("wrong_type", f"{field} is {quoted(person)}: many people would share one account: {hint}", field)


def _check_purchase(shape: Any) -> None:
    if shape.currency not in DECIMALS:
        message = f"currency {quoted(shape.currency)} is no ISO 4217 code: write three capital letters such as EUR"
        raise Problem("unknown_currency", message, "currency")
    # What is above 0 is bounded by itself, as a rule may count it without what the other lines take off.
    amounts = quantities = 0
    is_above = True
    for line in shape.lines:
        amount, quantity = line.amount_minor, line.quantity_milli
        if amount > 0:
            amounts += amount
        if quantity > 0:
            quantities += quantity
        is_above = is_above and amount >= 0 <= quantity
    if not is_above:
        _check_below_zero(shape)
    if amounts > MAX_AMOUNT_MINOR or quantities > MAX_QUANTITY_MILLI:
        _check_sum("amount_minor", amounts, MAX_AMOUNT_MINOR)
        _check_sum("quantity_milli", quantities, MAX_QUANTITY_MILLI)


def _check_below_zero(shape: Any) -> None:
    total = 0
    for place, line in enumerate(shape.lines):
        amount, quantity = line.amount_minor, line.quantity_milli
        total += amount
        if quantity < 0 < amount:
            path = f"lines[{place}].quantity_milli"
            message = (
                f"{path} is {quantity} and the line's amount_minor is {amount}: write the quantity without a minus, "
                "or the amount with one if the line takes something off the order"
            )
            raise Problem("out_of_range", message, path)
    if total < 0:
        shown = format_minor(total, shape.currency)
        hint = "send what was bought, and leave the order out if more was given back (returns are not taken yet)"
        raise Problem("negative_order", f"the lines of the order add up to {shown}, which is below 0: {hint}", "lines")


def _check_sum(field: str, total: int, most: int) -> None:
    if total > most:
        message = f"the lines' {field} add up to {total:,}: at most {most:,} are taken in one order"
        raise Problem("out_of_range", message, "lines")


def _instant(value: int | str) -> int:
    if isinstance(value, str):
        try:
            at = parse_instant(value)
        except NoInstant as error:
            raise Problem("invalid_time", f"occurred_at {quoted(value)} {error.why}", "occurred_at") from error
        if EARLIEST_AT <= at <= LATEST_AT:
            return at
        raise _before_1970(at)
    if _is_taken(value):
        return value
    raise _beyond_time(value)


def _is_taken(at: int) -> bool:
    """Whether a number is taken for an instant."""
    return UNLIKE_SECONDS <= at <= LATEST_AT or at == EARLIEST_AT


def _beyond_time(value: int) -> Problem:
    if value in LIKE_DAYS:
        day = format_instant(value * DAY_MS)[: len("1970-01-01")]
        message = (
            f"occurred_at is {value}: that looks like days since 1970, {day}, as Avro's type date has them: write a "
            f"time with its zone such as {day}T18:00:00Z, or whole ms"
        )
        return Problem("too_old", message, "occurred_at")
    if EARLIEST_AT < value < UNLIKE_SECONDS:
        message = (
            f"occurred_at is {value}: that looks like seconds; write milliseconds, {value * 1000}, "
            f"or as text {format_instant(value)} if it was in 1970"
        )
        return Problem("too_old", message, "occurred_at")
    if value < EARLIEST_AT:
        return _before_1970(value)
    if value <= LATEST_AT * 1000:
        message = f"occurred_at is {value}: that looks like microseconds; write milliseconds, {value // 1000}"
        return Problem("invalid_time", message, "occurred_at")
    return Problem("invalid_time", f"occurred_at is {quoted(value)}: that is after the year 9999", "occurred_at")


def _before_1970(value: int) -> Problem:
    shown = format_instant(value) if value >= EARLIEST_MS else quoted(value)
    return Problem("too_old", f"occurred_at {shown} is before 1970-01-01: no book goes back so far", "occurred_at")


def _not_an_instant(value: object) -> Problem:
    message = f"occurred_at is {quoted(value)}: write a time with a zone such as 2026-01-31T18:00:00Z, or whole ms"
    return Problem("invalid_time" if isinstance(value, float) else "wrong_type", message, "occurred_at")


@lru_cache(maxsize=MAX_SOURCES_REMEMBERED)
def _is_plain_source(source: str) -> bool:
    return _source_pattern.fullmatch(source) is not None


def _type_name(shape: Any) -> str:
    return str(type(shape).__struct_config__.tag)


def refusal_of(problem: Problem, document: Mapping[str, Any]) -> Refusal:
    """The refusal for a problem, with type, source, id and time of the document as far as these could be read."""
    return Refusal(
        problem.reason,
        problem.message,
        problem.field,
        fact_type=_said(document, "type", MAX_ID_LENGTH),
        source=_said(document, "source", MAX_SOURCE_LENGTH),
        event_id=_said(document, "event_id", MAX_ID_LENGTH),
        occurred_at=_said_instant(document),
    )


def _said(document: Mapping[str, Any], name: str, length: int) -> str:
    """A text field of a refused record, cut to `length` bytes; empty if it is no text."""
    value = document.get(name)
    if not isinstance(value, str):
        return ""
    return value[:length].encode("utf-8", "replace")[:length].decode("utf-8", "ignore")


def _said_instant(document: Mapping[str, Any]) -> int | None:
    value = document.get("occurred_at")
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return _instant(value)
    except Problem:
        return None
