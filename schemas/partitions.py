"""Which partition an account lives in: computed by us, so that no client's partitioner can move it."""

from zlib import crc32

from schemas.facts import JournalFact, PurchaseRecorded


def partition_of(key: str, partitions: int) -> int:
    """The partition of a member id (or a guest's order id): CRC-32 of its UTF-8 bytes modulo `partitions`."""
    return crc32(key.encode()) % partitions


def partition_of_line(fact: JournalFact, member_id: str | None, partitions: int) -> int:
    """The partition of a fact in a member's account, or of a guest's purchase."""
    return partition_of(guest_key(fact) if member_id is None else member_id, partitions)


def guest_key(fact: JournalFact) -> str:
    """The order id of a guest's purchase, which decides its partition in place of a member."""
    if isinstance(fact, PurchaseRecorded):
        return fact.order_id
    raise AssertionError(f"a {type(fact).__name__} has a member")
