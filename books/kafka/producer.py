"""Sends messages to Kafka: facts one by one, the books in transactions that are seen whole or never."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from books.errors import BooksError
from books.kafka.client_errors import FENCED, REQUEST_SECONDS, ask_again, typed_error, typed_errors
from books.kafka.errors import KafkaRefused, KafkaUnreachable, TransactionAborted, TransactionLost
from books.kafka.records import GroupOffset, Place

# How long a step of a transaction is tried again before the process gives up and is started anew.
COMMIT_SECONDS: Final = 30.0
# The library forgets the time-out of offsets whose group's coordinator is changing (librdkafka issues 5456 and 5511:
# seen to wait for ever), so this one is ours. It is longer than all that the library waits for when it does not forget.
OFFSETS_SECONDS: Final = 2 * REQUEST_SECONDS
QUEUE_FULL_TRIES: Final = 600
QUEUE_FULL_SECONDS: Final = 0.1


class Publisher:
    """Sends messages one by one, outside of transactions."""

    def __init__(self, bootstrap: str, settings: dict[str, Any]) -> None:
        self._bootstrap = bootstrap
        self._settings = settings
        self._producer = Producer(settings)
        self._on_delivery: Callable[[KafkaError | None, object], None] | None = self._delivered
        self._failed: KafkaError | None = None
        self._fatal: KafkaError | None = None

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int = -1,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        """Hand over one message; whether it arrived shows in `flush`, or in the commit.

        Raises:
            KafkaRefused: it is too large.
            Fenced: somebody has replaced whoever began this transaction.
        """
        for _ in range(QUEUE_FULL_TRIES):
            try:
                self._producer.produce(
                    topic,
                    value,
                    key,
                    partition,
                    headers=list(headers.items()) if headers else None,
                    on_delivery=self._on_delivery,
                )
            except BufferError:
                self._serve(QUEUE_FULL_SECONDS)
                continue
            except KafkaException as error:
                raise self._typed(error) from error
            self._serve()
            return
        raise KafkaUnreachable(self._bootstrap, "it takes no messages")

    def flush(self, seconds: float = COMMIT_SECONDS) -> None:
        """Wait until all has arrived. Raises KafkaUnreachable and KafkaRefused."""
        try:
            left = self._producer.flush(seconds)
        except KafkaException as error:
            raise self._typed(error) from error
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise typed_error(self._bootstrap, failed)
        if left:
            raise KafkaUnreachable(self._bootstrap, f"{left} messages have not arrived in {seconds:.0f} s")

    def _serve(self, seconds: float = 0.0) -> None:
        try:
            self._producer.poll(seconds)
        except KafkaException as error:
            raise self._typed(error) from error

    def _typed(self, error: KafkaException) -> BooksError:
        """The typed error. The library names a fatal error once, and later says only that there was one: it is kept."""
        cause = error.args[0]
        if cause.code() == KafkaError._FATAL:
            with suppress(BooksError):  # this call keeps the error that is looked for, and raises it
                self._serve()
            cause = self._fatal or cause
        elif cause.fatal():
            self._fatal = cause
        return typed_error(self._bootstrap, cause)

    def _delivered(self, error: KafkaError | None, _message: object) -> None:
        if error is not None and self._failed is None:
            self._failed = error


class TransactionalProducer(Publisher):
    """Sends messages that all become visible at once, or never."""

    def __init__(self, bootstrap: str, settings: dict[str, Any]) -> None:
        super().__init__(bootstrap, settings)
        # The commit says what did not arrive. And a report that comes together with a fatal error would make the
        # library raise a SystemError, in which that error can hardly be found.
        self._on_delivery = None

    def open(self) -> None:
        """Fence all other producers of this id, and end what they left open. Raises KafkaUnreachable and others."""
        with typed_errors(self._bootstrap):
            ask_again(lambda: self._producer.init_transactions(COMMIT_SECONDS), COMMIT_SECONDS)

    def begin(self) -> None:
        """Begin a transaction. Raises Fenced."""
        with typed_errors(self._bootstrap):
            self._producer.begin_transaction()

    def commit(self, offsets: Mapping[Place, int | GroupOffset] | None = None, group: object | None = None) -> None:
        """Make all that was sent visible, and `offsets` the group's (see GroupConsumer.metadata), at once.

        Raises:
            TransactionAborted: nothing of it will ever be seen.
            Fenced: another process holds this id, or this consumer's partitions.
            KafkaUnreachable: what became of it will show when the producer is opened again.
        """
        if offsets is not None:
            if group is None:
                raise AssertionError("offsets are committed in the name of a group")
            self._do(lambda: self._send_offsets(_offsets(offsets), group))
        self._do(lambda: self._producer.commit_transaction(REQUEST_SECONDS))

    def abort(self) -> None:
        """Undo the transaction; the next one may begin.

        Raises:
            Fenced: another process holds this id.
            KafkaUnreachable: it is undone when the producer is opened again, or by its time-out.
        """
        try:
            self._undo()
        except TransactionLost:
            # The broker knows of no transaction yet when the abort overtakes what was just sent (librdkafka issue
            # 4849). The library's producer is of no use after that; opening a new one undoes what comes late.
            self.close()
            self._producer, self._fatal = Producer(self._settings), None
            self.open()

    def close(self) -> None:
        """Let go without waiting for anything; an open transaction ends by its timeout or the next of this id."""
        self._producer.purge(in_flight=True)
        with suppress(KafkaException):  # the library raises once more what an earlier call has raised
            self._producer.poll(0)

    def _send_offsets(self, offsets: list[TopicPartition], group: object) -> None:
        """Send offsets, and wait no longer than we want to; a call that never comes back keeps its thread."""
        sent: Future[None] = Future()

        def send() -> None:
            try:
                self._producer.send_offsets_to_transaction(offsets, group, REQUEST_SECONDS)
            except Exception as error:  # noqa: BLE001 - the Future raises it again in the caller
                sent.set_exception(error)
            else:
                sent.set_result(None)

        threading.Thread(target=send, name="tallybook-offsets", daemon=True).start()
        try:
            sent.result(OFFSETS_SECONDS)
        except TimeoutError as late:
            what = f"the offsets of a transaction were not taken within {OFFSETS_SECONDS:.0f} s"
            raise KafkaUnreachable(self._bootstrap, what) from late

    def _do(self, step: Callable[[], object]) -> None:
        """Do one step of a commit; the transaction is undone where the library says that it must be."""
        try:
            ask_again(step, COMMIT_SECONDS)
        except KafkaException as error:
            cause = error.args[0]
            if cause.txn_requires_abort() and cause.code() not in FENCED:
                raise self._undone(cause) from error
            raise typed_error(self._bootstrap, cause) from error

    def _undo(self) -> None:
        with typed_errors(self._bootstrap):
            ask_again(lambda: self._producer.abort_transaction(REQUEST_SECONDS), COMMIT_SECONDS)

    def _undone(self, cause: KafkaError) -> BooksError:
        """Undo a transaction that could not be committed; the error that says so.

        With TransactionLost it may have been committed: the broker then says only that a transaction has ended.
        """
        try:
            self._undo()
        except BooksError as error:
            return error
        if cause.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            return KafkaRefused(f"Kafka at {self._bootstrap} takes no message of this size: {cause.str()}")
        return TransactionAborted(f"a transaction was undone ({cause.str()}); what it held is made again")


def _offsets(offsets: Mapping[Place, int | GroupOffset]) -> list[TopicPartition]:
    found = []
    for place, offset in offsets.items():
        at = offset if isinstance(offset, GroupOffset) else GroupOffset(offset, "")
        found.append(TopicPartition(*place, at.offset, metadata=at.metadata))
    return found
