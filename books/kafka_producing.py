"""Sends messages to Kafka: facts one by one, the books in transactions that are seen whole or never."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from books.errors import BooksError
from books.kafka_access import FENCED, REQUEST_SECONDS, GroupOffset, Place, clear, told
from books.kafka_errors import KafkaRefused, KafkaUnreachable, TransactionAborted

# How long a step of a transaction is tried again before the process gives up and is started anew.
COMMIT_SECONDS: Final = 30.0
QUEUE_FULL_TRIES: Final = 600
QUEUE_FULL_SECONDS: Final = 0.1


class Publisher:
    """Sends messages that stand for themselves."""

    def __init__(self, bootstrap: str, settings: dict[str, Any]) -> None:
        self._bootstrap = bootstrap
        self._producer = Producer(settings)
        self._failed: KafkaError | None = None

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int = -1,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        """Hand over one message; whether it arrived shows in `flush`. Raises KafkaRefused for one that is too large."""
        for _ in range(QUEUE_FULL_TRIES):
            try:
                self._producer.produce(
                    topic,
                    value,
                    key,
                    partition,
                    headers=list(headers.items()) if headers else None,
                    on_delivery=self._delivered,
                )
            except BufferError:
                self._producer.poll(QUEUE_FULL_SECONDS)
                continue
            except KafkaException as error:
                raise clear(self._bootstrap, error.args[0]) from error
            self._producer.poll(0)
            return
        raise KafkaUnreachable(self._bootstrap, "it takes no messages")

    def flush(self, seconds: float = COMMIT_SECONDS) -> None:
        """Wait until all has arrived. Raises KafkaUnreachable and KafkaRefused."""
        left = self._producer.flush(seconds)
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise clear(self._bootstrap, failed)
        if left:
            raise KafkaUnreachable(self._bootstrap, f"{left} messages have not arrived in {seconds:.0f} s")

    def _delivered(self, error: KafkaError | None, _message: object) -> None:
        if error is not None and self._failed is None:
            self._failed = error


class TransactionalProducer(Publisher):
    """Sends messages that all become visible at once, or never."""

    def open(self) -> None:
        """Fence all other producers of this id, and end what they left open. Raises KafkaUnreachable and others."""
        with told(self._bootstrap):
            self._producer.init_transactions(COMMIT_SECONDS)

    def begin(self) -> None:
        """Begin a transaction. Raises Fenced."""
        with told(self._bootstrap):
            self._producer.begin_transaction()

    def commit(self, offsets: Mapping[Place, int | GroupOffset] | None = None, group: object | None = None) -> None:
        """Make all that was sent visible, and `offsets` the group's (see Member.metadata), at once.

        Raises:
            TransactionAborted: nothing of it will ever be seen.
            Fenced: another process holds this id, or this member's partitions.
            KafkaUnreachable: what became of it will show when the producer is opened again.
        """
        if offsets is not None and group is not None:
            self._retried(lambda: self._producer.send_offsets_to_transaction(_offsets(offsets), group, REQUEST_SECONDS))
        self._retried(lambda: self._producer.commit_transaction(REQUEST_SECONDS))

    def abort(self) -> None:
        """Undo the transaction. Raises as `commit` does."""
        self._failed = None
        self._retried(lambda: self._producer.abort_transaction(REQUEST_SECONDS), undo=False)

    def close(self) -> None:
        """Let go without waiting for anything; an open transaction ends by its timeout or the next of this id."""
        self._producer.purge(in_flight=True)
        self._producer.poll(0)

    def _retried(self, effect: Callable[[], object], *, undo: bool = True) -> None:
        """Do one step of a transaction, again while the library says that it may be."""
        give_up_at = time.monotonic() + COMMIT_SECONDS
        while True:
            try:
                effect()
            except KafkaException as error:
                cause = error.args[0]
                if cause.retriable() and time.monotonic() < give_up_at:
                    continue
                if undo and cause.txn_requires_abort() and cause.code() not in FENCED:
                    raise self._undone(cause) from error
                raise clear(self._bootstrap, error.args[0]) from error
            return

    def _undone(self, cause: KafkaError) -> BooksError:
        reason = self._failed or cause
        try:
            self.abort()
        except BooksError as error:
            return error
        if reason.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            return KafkaRefused(f"Kafka at {self._bootstrap} takes no message of this size: {reason.str()}")
        return TransactionAborted(f"a transaction was undone ({reason.str()}); what it held is made again")


def _offsets(offsets: Mapping[Place, int | GroupOffset]) -> list[TopicPartition]:
    found = []
    for place, offset in offsets.items():
        at = offset if isinstance(offset, GroupOffset) else GroupOffset(offset, "")
        found.append(TopicPartition(*place, at.offset, metadata=at.metadata))
    return found
