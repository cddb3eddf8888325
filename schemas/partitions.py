"""Which partition an account lives in: computed by us, so that no client's partitioner can move it."""

from zlib import crc32


def partition_of(key: str, partitions: int) -> int:
    """The partition of a member id (or a guest's order id): CRC-32 of its UTF-8 bytes modulo `partitions`."""
    return crc32(key.encode()) % partitions
