"""What Kafka's client says becomes an error that says what one can do about it."""

import pytest
from confluent_kafka import KafkaError

from books.errors import BooksError
from books.kafka.client_errors import typed_error
from books.kafka.errors import Fenced, KafkaRefused, KafkaUnreachable, TopicsMissing, TransactionLost
from processors.stream.faust_worker import PASSING
from tallybook.stream.stages.retry import TROUBLE

CODES = [
    KafkaError.INVALID_TXN_STATE,
    KafkaError.INVALID_PRODUCER_ID_MAPPING,
    KafkaError.UNKNOWN_PRODUCER_ID,
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
    KafkaError.TRANSACTION_COORDINATOR_FENCED,
    KafkaError.NOT_COORDINATOR,
    KafkaError._MSG_TIMED_OUT,
]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("fatal", [False, True])
def test_what_passes_is_tried_again_by_every_stage(code: int, *, fatal: bool) -> None:
    told = typed_error("kafka:9092", KafkaError(code, "what the broker said", fatal))
    assert isinstance(told, TROUBLE)
    assert isinstance(told, PASSING)
    assert "what the broker said" in str(told)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError.PRODUCER_FENCED, Fenced),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, TopicsMissing),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaRefused),
        (KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, KafkaRefused),
        (KafkaError.MSG_SIZE_TOO_LARGE, KafkaRefused),
    ],
)
def test_what_does_not_pass_is_not(code: int, kind: type[BooksError]) -> None:
    assert type(typed_error("kafka:9092", KafkaError(code, "said"))) is kind


def test_a_lost_transaction_says_what_happens_next() -> None:
    told = typed_error("kafka:9092", KafkaError(KafkaError.INVALID_TXN_STATE, "invalid state"))
    assert isinstance(told, TransactionLost)
    assert isinstance(told, KafkaUnreachable)
    assert "made again" in str(told)
    assert "does not answer" not in str(told)
