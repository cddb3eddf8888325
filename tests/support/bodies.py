"""Decodes one fact or one posting alone; the product decodes the pages and blocks that hold them."""

from schemas import facts
from schemas.avro.codecs import decode_record
from schemas.facts import JournalFact
from schemas.posting import Posting


def decode_fact(type_name: str, body: bytes, writer_schema: str | None = None) -> JournalFact:
    """A fact of a type (such as "PurchaseRecorded") from its Avro body; raises BodyDamaged.

    The bounds of the door are not checked here.
    """
    fact: JournalFact = decode_record(vars(facts)[type_name], body, writer_schema)
    return fact


def decode_posting(body: bytes, writer_schema: str | None = None) -> Posting:
    """A posting from its Avro body; raises BodyDamaged."""
    return decode_record(Posting, body, writer_schema)
