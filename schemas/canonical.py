"""The canonical form of facts and postings, on which identity and the two digests rest.

Canonical form: JSON without white space, fields in declared order, map keys sorted, fields equal to their default left
out. So a field that is added at the end with a default changes no identity and no digest of what was written before.
"""

from hashlib import blake2b, sha256
from typing import Final

import msgspec

from schemas.facts import JournalFact, JournalOpened
from schemas.posting import Entry, Posting

CONTENT_HASH_BYTES: Final = 8
EMPTY_DIGEST: Final = bytes(32)

_canonical = msgspec.json.Encoder(order="deterministic")
_no_content: Final = blake2b(digest_size=CONTENT_HASH_BYTES)  # to copy it takes half as long as to make it
_last_fact: tuple[JournalFact | None, bytes] = (None, b"")


class _DigestedPosting(msgspec.Struct, omit_defaults=True):
    """The part of a posting that the ledger digest covers."""

    member: str
    source: str
    event_id: str
    balance: int
    entries: tuple[Entry, ...] = ()
    reason: str | None = None
    ruleset_hash: str = ""


class _DigestedOpening(msgspec.Struct):
    """The part of JournalOpened that the journal digest covers."""

    generation: int
    partitions: int
    horizon_ms: int
    referral_window_ms: int


def canonical_fact(fact: JournalFact) -> bytes:
    """The canonical JSON of a fact, its type included.

    The last one is kept: a fact that is scored is asked for it by the journal digest and again by its account.
    """
    global _last_fact  # noqa: PLW0603 - one fact and its form, replaced together
    last, form = _last_fact
    if last is not fact:
        form = _canonical.encode(fact)
        _last_fact = (fact, form)
    return form


def content_hash(fact: JournalFact) -> bytes:
    """Eight bytes that tell whether two facts with one key say the same."""
    content = _no_content.copy()
    content.update(canonical_fact(fact))
    return content.digest()


def next_ledger_digest(digest: bytes, posting: Posting) -> bytes:
    """The chain after one more posting: SHA-256 over the 32 bytes so far and the posting's canonical form.

    Folio, number, edition and every arrival instant are outside.
    """
    covered = _DigestedPosting(
        posting.member_id,
        posting.source,
        posting.event_id,
        posting.balance,
        posting.entries,
        posting.reason,
        posting.ruleset_hash,
    )
    return sha256(digest + _canonical.encode(covered)).digest()


def journal_form(member_id: str | None, fact: JournalFact) -> bytes:
    """What the journal digest covers of one line: the account it stands in and the fact, without `received_at`."""
    if isinstance(fact, JournalOpened):
        opening = _DigestedOpening(fact.generation, fact.partitions, fact.horizon_ms, fact.referral_window_ms)
        covered = _canonical.encode(opening)
    else:
        covered = canonical_fact(fact)
    return (member_id or "").encode() + b"\0" + covered


def next_journal_digest(digest: bytes, member_id: str | None, fact: JournalFact) -> bytes:
    """The chain after one more journal line."""
    return chained(digest, journal_form(member_id, fact))


def chained(digest: bytes, form: bytes) -> bytes:
    """SHA-256 over the 32 bytes so far and one more form."""
    return sha256(digest + form).digest()


def printed_digest(partitions: list[bytes]) -> str:
    """The digest that people compare: SHA-256 over the partitions' digests in order, as hex."""
    return sha256(b"".join(partitions)).hexdigest()
