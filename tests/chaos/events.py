"""What publishers send: all facts in all encodings, said twice, in conflict, broken; and what must become of each."""

from collections import deque
from random import Random
from typing import Final

import msgspec

from schemas.avro.codecs import encode_record
from schemas.avro.single_object import FRAME_BYTES, frame
from schemas.bounds import DAY_MS
from schemas.facts import (
    CheckedIn,
    ContentShared,
    PublishedFact,
    PurchaseLine,
    PurchaseRecorded,
    ReferralMade,
    ReviewSubmitted,
)
from schemas.instants import format_instant

HOUR_MS: Final = 3_600_000
MEMBERS: Final = tuple(f"m-{number}" for number in range(160))
STORES: Final = ("", "north", "south", "east")
SKUS: Final = ("A", "B", "C", "D", "E")
AMOUNTS: Final = (0, 99, 100, 1250, 6000)
REMEMBERED: Final = 2_000  # facts that may be said once more
NUMBER: Final = "chaos-number"  # the header by which a message is known again
REPEATED: Final = 0.05
IN_CONFLICT: Final = 0.01
POISON: Final = 0.02

RULES: Final = """\
programme: chaos
version: "{version}"
timezone: Europe/Berlin
currency: EUR
expiry: {{kind: rolling, days: 1}}
limits:
  - {{id: a-day, per: day, points: 90}}
  - {{id: shares, per: day, times: 2}}
  - {{id: a-sku, per: lifetime, times: 1, each: sku}}
rules:
  - {{id: base, kind: spend, points: {version}, per_minor: 100, limits: [a-day]}}
  - {{id: streak, kind: streak, daily: 2, steps: [{{day: 2, bonus: 5}}], beyond: repeat}}
  - {{id: shared, kind: fixed, on: share, points: 3, limits: [shares]}}
  - {{id: reviewed, kind: fixed, on: review, points: 7, limits: [a-sku]}}
  - {{id: friends, kind: referral, referrer_points: 50, referee_points: 20, claim_ranks: [1, 2]}}
"""


class Message(msgspec.Struct, frozen=True):
    """One message, and what must become of it: it is journalled as `fact`, or refused for `reason`.

    `fact_type` says to which topic it goes.
    """

    number: int
    fact_type: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    fact: PublishedFact | None
    reason: str = ""


class Events:
    """Draws messages, one after the other; the same seed draws the same ones but for the instants."""

    def __init__(self, seed: str) -> None:
        self._rng = Random(f"events {seed}")
        self._told: deque[PublishedFact] = deque(maxlen=REMEMBERED)
        self.sent: list[Message] = []

    def draw(self, now: int) -> Message:
        """The next message, as of `now` (UTC ms)."""
        rng, number = self._rng, len(self.sent)
        choice = rng.random()
        if choice < POISON:
            message = self._poison(number, now)
        else:
            if self._told and choice < POISON + REPEATED:
                fact = rng.choice(self._told)
            elif self._told and choice < POISON + REPEATED + IN_CONFLICT:
                fact = _changed(rng.choice(self._told))
            else:
                fact = self._fact(number, now)
                self._told.append(fact)
            message = self._encoded(number, fact)
        self.sent.append(message)
        return message

    def _instant(self, now: int) -> int:
        """Mostly a moment ago; sometimes hours, rarely days."""
        rng = self._rng
        span = rng.choices((60_000, 6 * HOUR_MS, 3 * DAY_MS), (7, 2, 1))[0]
        return now - rng.randrange(span)

    def _fact(self, number: int, now: int) -> PublishedFact:
        rng = self._rng
        event_id, at, member = f"e{number}", self._instant(now), rng.choice(MEMBERS)
        kind = rng.random()
        if kind < 0.5:
            return PurchaseRecorded(
                source="pos",
                event_id=event_id,
                occurred_at=at,
                order_id=f"o{number}",
                currency="CHF" if rng.random() < 0.02 else "EUR",
                lines=tuple(PurchaseLine(sku, rng.choice(AMOUNTS)) for sku in rng.sample(SKUS, rng.choice((1, 2)))),
                member_id=None if rng.random() < 0.05 else member,
                referrer_id=rng.choice(MEMBERS) if rng.random() < 0.05 else None,
                store_id=rng.choice(STORES),
                attributes={"till": str(rng.randrange(9))} if rng.random() < 0.2 else {},
            )
        if kind < 0.7:
            return CheckedIn("app", event_id, at, member, rng.choice(STORES))
        if kind < 0.83:
            return ContentShared("app", event_id, at, member, network="net", content_id=f"c{number % 50}")
        if kind < 0.96:
            return ReviewSubmitted("shop", event_id, at, member, rng.choice(SKUS), rng.randrange(6), rng.randrange(500))
        referrer, referee = rng.sample(MEMBERS, 2)
        return ReferralMade("crm", event_id, at, referrer, referee)

    def _encoded(self, number: int, fact: PublishedFact) -> Message:
        """The fact in one of the encodings, under any key, among any headers."""
        rng = self._rng
        name = type(fact).__name__
        headers = [("trace", rng.randbytes(8))] if rng.random() < 0.5 else []
        headers.append((NUMBER, str(number).encode()))
        form = rng.randrange(4)
        document = msgspec.to_builtins(fact)
        if form == 0:
            value = frame(name, encode_record(fact))
        elif form == 1:
            value = msgspec.json.encode(document)
        elif form == 2:
            envelope = {"specversion": "1.0", "id": fact.event_id, "source": fact.source, "type": f"chaos.{name}"}
            value = msgspec.json.encode({**envelope, "data": document})
        else:
            del document["type"]
            document["occurred_at"] = format_instant(fact.occurred_at)
            attributes = {"specversion": "1.0", "id": fact.event_id, "source": fact.source, "type": name}
            headers += [(f"ce_{key}", text.encode()) for key, text in attributes.items()]
            value = msgspec.json.encode(document)
        return Message(number, name, self._key(fact), value, headers, fact)

    def _key(self, fact: PublishedFact) -> bytes | None:
        return self._rng.choice((None, self._rng.randbytes(4), fact.event_id.encode()))

    def _poison(self, number: int, now: int) -> Message:
        """What the door must refuse, each for its reason."""
        rng = self._rng
        fact = CheckedIn("app", f"p{number}", now - 1, rng.choice(MEMBERS))
        document = msgspec.to_builtins(fact)
        avro = frame("CheckedIn", encode_record(fact))
        poisons: list[tuple[bytes | None, str]] = [
            (None, "malformed"),
            (b"{not JSON", "malformed"),
            (rng.randbytes(30).replace(b"\0", b"x").replace(b"\xc3", b"x").join((b"x", b"")), "malformed"),
            (_json({key: text for key, text in document.items() if key != "member_id"}), "missing_field"),
            (_json(document | {"member_id": [7]}), "wrong_type"),
            (_json(document | {"occurred_at": now + DAY_MS}), "too_early"),
            (_json(document | {"occurred_at": "1969-12-31T00:00:00Z"}), "too_old"),
            (_json(document | {"type": "Danced"}), "unknown_type"),
            (_json({**_referral(number, now), "referee_id": "m-1"}), "self_referral"),
            (avro[: FRAME_BYTES + 3], "bad_frame"),
            (avro[:2] + b"01234567" + avro[FRAME_BYTES:], "bad_frame"),
            (b"\0\0\0\0\1" + avro[FRAME_BYTES:], "bad_frame"),
        ]
        value, reason = rng.choice(poisons)
        return Message(number, "CheckedIn", None, value, [(NUMBER, str(number).encode())], None, reason)


def _json(document: object) -> bytes:
    return msgspec.json.encode(document)


def _referral(number: int, now: int) -> dict[str, object]:
    referral = ReferralMade("crm", f"p{number}", now - 1, "m-1", "m-2")
    document: dict[str, object] = msgspec.to_builtins(referral)
    return document


def _changed(fact: PublishedFact) -> PublishedFact:
    """The same key, another content."""
    return msgspec.structs.replace(fact, occurred_at=fact.occurred_at - 1)
