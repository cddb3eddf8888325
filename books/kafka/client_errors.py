"""Turns errors of Kafka's client library into those of books.kafka.errors; repeats requests that may succeed later."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from confluent_kafka import KafkaError, KafkaException

from books.errors import BooksError
from books.kafka.errors import (
    Fenced,
    KafkaRefused,
    KafkaUnreachable,
    TopicsMissing,
    TransactionAborted,
    TransactionLost,
)

REQUEST_SECONDS: Final = 10.0
MAX_MESSAGE_BYTES: Final = 8 << 20
# How long to wait before the same request is sent again.
PAUSE_SECONDS: Final = 0.1

Answer = TypeVar("Answer")

FENCED: Final = {
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.FENCED_INSTANCE_ID,
}
UNREACHABLE: Final = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.BROKER_NOT_AVAILABLE,
    KafkaError._MSG_TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError._WAIT_COORD,
    KafkaError.NOT_CONTROLLER,
    KafkaError.CONCURRENT_TRANSACTIONS,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
    # A leader has just changed, and not everybody knows it yet; or there is none for a moment (the last one).
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError._NOENT,
}
# The coordinator has forgotten a producer's transaction, or has ended it; the next producer finds out how it ended.
LOST: Final = {
    KafkaError.INVALID_TXN_STATE,
    KafkaError.INVALID_PRODUCER_ID_MAPPING,
    KafkaError.UNKNOWN_PRODUCER_ID,
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
    KafkaError.TRANSACTION_COORDINATOR_FENCED,
}
MISSING: Final = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION}


@contextmanager
def typed_errors(bootstrap: str) -> Iterator[None]:
    """Turn the library's errors of the body into typed ones."""
    try:
        yield
    except KafkaException as error:
        raise typed_error(bootstrap, error.args[0]) from error


def ask_again(ask: Callable[[], Answer], seconds: float) -> Answer:
    """Send a request, and send it again while its error is one that passes; `seconds` after the first, give up.

    Each attempt has the time-out that the library was given for it. An error that stands inside an answer counts when
    `ask` raises it.

    Raises:
        KafkaException: the last error, or the first that does not pass.
    """
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except KafkaException as error:
            if not _passes(error.args[0]) or time.monotonic() + PAUSE_SECONDS >= give_up_at:
                raise
        time.sleep(PAUSE_SECONDS)


def _passes(cause: object) -> bool:
    """Whether the same request may be answered a moment later."""
    if not isinstance(cause, KafkaError) or cause.fatal() or cause.txn_requires_abort():
        return False
    return cause.retriable() or cause.code() in UNREACHABLE


def typed_error(bootstrap: str, cause: object) -> BooksError:
    """The typed error for one of the library's."""
    if not isinstance(cause, KafkaError):
        return KafkaRefused(f"Kafka at {bootstrap}: {cause}")
    code, said = cause.code(), cause.str()
    if code in FENCED:
        return Fenced(f"another process has taken over what this one did ({said}). Nothing is lost.")
    if code in MISSING:
        return TopicsMissing([said])
    if code in UNREACHABLE or cause.retriable():
        return KafkaUnreachable(bootstrap, said)
    if code in LOST:
        return TransactionLost(bootstrap, said)
    undone = f"a transaction was undone ({said}); what it held is made again"
    refused = f"Kafka at {bootstrap} refuses: {said} ({cause.name()})"
    return TransactionAborted(undone) if cause.txn_requires_abort() else KafkaRefused(refused)
