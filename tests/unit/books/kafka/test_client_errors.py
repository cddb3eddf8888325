"""What Kafka's client says becomes an error that says what to do; what passes is asked for again, within a bound.

The library's clients are replaced by ones that fail as often as they are told to, and then answer.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, Final

import pytest
from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException

from books.errors import BooksError
from books.kafka import client_errors as kafka_access
from books.kafka import cluster as kafka_cluster
from books.kafka import producer as kafka_producing
from books.kafka.client_errors import typed_error
from books.kafka.cluster import Cluster
from books.kafka.errors import (
    Fenced,
    KafkaRefused,
    KafkaUnreachable,
    TopicsMissing,
    TransactionAborted,
    TransactionLost,
)
from books.kafka.producer import TransactionalProducer
from books.kafka.records import GroupOffset, GroupView, Place
from processors.stream.faust_worker import PASSING
from tallybook.stream.stages.retry import TROUBLE

PLACE: Final = Place("facts", 0)
HERE: Final = "memory:9092"
CALLED: Final = {
    "init_transactions": "init",
    "begin_transaction": "begin",
    "send_offsets_to_transaction": "offsets",
    "commit_transaction": "commit",
    "abort_transaction": "abort",
}


class Broker:
    """Errors that are still to come, for the whole request or inside its answer, and what was asked."""

    def __init__(self) -> None:
        self.errors: list[KafkaError] = []
        self.partition_errors: list[KafkaError] = []
        self.asked: list[str] = []
        self.producers = 0
        self.seconds = 0.0

    def answer(self, what: str) -> None:
        self.asked.append(what)
        if self.errors:
            raise KafkaException(self.errors.pop(0))

    def partition_error(self) -> KafkaError | None:
        return self.partition_errors.pop(0) if self.partition_errors else None

    def future(self, what: str, value: object) -> Future[Any]:
        """As the administration client answers: what goes wrong shows in the future."""
        found: Future[Any] = Future()
        try:
            self.answer(what)
        except KafkaException as error:
            found.set_exception(error)
        else:
            found.set_result(value)
        return found

    def partition(self, error: KafkaError | None) -> SimpleNamespace:
        return SimpleNamespace(topic="facts", partition=0, offset=7, metadata="word", error=error)


class Admin:
    """Stands for the library's AdminClient."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def list_topics(self, timeout: float) -> object:
        if timeout != kafka_cluster.ANSWER_SECONDS:
            self._broker.answer("list_topics")
        topic = SimpleNamespace(partitions={0: None}, error=self._broker.partition_error())
        return SimpleNamespace(topics={"facts": topic}, brokers={1: None})

    def create_topics(self, new: list[Any], **_: object) -> dict[str, Future[Any]]:
        return {one.topic: self._broker.future("create_topics", None) for one in new}

    def describe_configs(self, resources: list[Any], **_: object) -> dict[Any, Future[Any]]:
        settings = {"a": SimpleNamespace(value="1")}
        return {one: self._broker.future("describe_configs", settings) for one in resources}

    def list_offsets(self, wanted: Mapping[Any, Any], **_: object) -> dict[Any, Future[Any]]:
        return {one: self._broker.future("list_offsets", SimpleNamespace(offset=7)) for one in wanted}

    def describe_consumer_groups(self, groups: list[str], **_: object) -> dict[str, Future[Any]]:
        described = SimpleNamespace(state=ConsumerGroupState.STABLE, members=[])
        return {one: self._broker.future("describe_consumer_groups", described) for one in groups}

    def alter_consumer_group_offsets(self, requests: list[Any], **_: object) -> dict[Any, Future[Any]]:
        kept = SimpleNamespace(topic_partitions=[self._broker.partition(self._broker.partition_error())])
        return {one: self._broker.future("alter_consumer_group_offsets", kept) for one in requests}


class Committed:
    """Stands for the library's Consumer, of which only offsets are asked."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def committed(self, *_: object, **__: object) -> list[SimpleNamespace]:
        self._broker.answer("committed")
        return [self._broker.partition(self._broker.partition_error())]

    def close(self) -> None:
        self._broker.asked.append("close")


class Producer:
    """Stands for the library's Producer; one that has met a fatal error answers nothing else, as the real one."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._fatal: KafkaException | None = None
        broker.producers += 1

    def _do(self, what: str) -> None:
        if self._fatal is not None:
            raise self._fatal
        try:
            self._broker.answer(what)
        except KafkaException as error:
            if error.args[0].fatal():
                self._fatal = error
            raise

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: self._do(CALLED[name])

    def purge(self, *, in_flight: bool) -> None:
        assert in_flight

    def poll(self, _: float) -> None:
        if self._fatal is not None:
            raise self._fatal


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """A broker that all clients ask, and a clock that only pauses move."""
    broker = Broker()
    monkeypatch.setattr(kafka_cluster, "AdminClient", lambda _: Admin(broker))
    monkeypatch.setattr(kafka_cluster, "Consumer", lambda _: Committed(broker))
    monkeypatch.setattr(kafka_producing, "Producer", lambda _: Producer(broker))

    def pause(seconds: float) -> None:
        broker.seconds += seconds

    clock = SimpleNamespace(monotonic=lambda: broker.seconds, sleep=pause)
    monkeypatch.setattr(kafka_access, "time", clock)
    return broker


def producer() -> TransactionalProducer:
    return TransactionalProducer(HERE, {})


CALLS: Final[dict[str, tuple[Callable[[], object], object]]] = {
    "partitions": (lambda: Cluster(HERE).partitions(["facts", "others"]), {"facts": 1}),
    "brokers": (lambda: Cluster(HERE).brokers(), 1),
    "create_topic": (lambda: Cluster(HERE).create_topic("facts", 1, 1, {}), True),
    "topic_settings": (lambda: Cluster(HERE).topic_settings(["facts"]), {"facts": {"a": "1"}}),
    "ends": (lambda: Cluster(HERE).ends([PLACE]), {PLACE: 7}),
    "begins": (lambda: Cluster(HERE).begins([PLACE]), {PLACE: 7}),
    "group_offsets": (lambda: Cluster(HERE).group_offsets("group", [PLACE]), {PLACE: GroupOffset(7, "word")}),
    "group_view": (lambda: Cluster(HERE).group_view("group"), GroupView(is_settled=True)),
    "keep_texts": (lambda: Cluster(HERE).keep_texts("group", {PLACE: "word"}), None),
    "open": (lambda: producer().open(), None),
    "commit": (lambda: producer().commit(), None),
    "commit with offsets": (lambda: producer().commit({PLACE: 7}, "group"), None),
    "abort": (lambda: producer().abort(), None),
}
INSIDE: Final = ("partitions", "group_offsets", "keep_texts")
# Each call, and where its answer has an error: for the whole request, or inside.
ASKED: Final = [(call, "errors") for call in CALLS] + [(call, "partition_errors") for call in INSIDE]
TRANSIENT: Final = [
    KafkaError(KafkaError.NOT_COORDINATOR),
    KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS),
    KafkaError(KafkaError.LEADER_NOT_AVAILABLE),
    KafkaError(KafkaError.NOT_CONTROLLER),
    KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT),
    KafkaError(KafkaError._STATE, "which the library calls retriable", retriable=True),
]


# What stands inside an answer is never called retriable.
PASSES: Final = [
    (*asked, error) for asked in ASKED for error in (TRANSIENT if asked[1] == "errors" else TRANSIENT[:-1])
]


@pytest.mark.parametrize(("call", "where", "error"), PASSES)
def test_what_passes_is_asked_again(broker: Broker, call: str, where: str, error: KafkaError) -> None:
    ask, answer = CALLS[call]
    left = [error] * 3
    setattr(broker, where, left)
    assert ask() == answer
    assert left == []


@pytest.mark.parametrize(("call", "where"), ASKED)
def test_what_does_not_pass_in_time_is_raised(broker: Broker, call: str, where: str) -> None:
    ask, _ = CALLS[call]
    setattr(broker, where, [TRANSIENT[0]] * 1_000)
    with pytest.raises(KafkaUnreachable, match="does not answer"):
        ask()
    seconds = kafka_producing.COMMIT_SECONDS if where == "errors" else kafka_access.REQUEST_SECONDS
    assert broker.seconds < seconds + 1


REFUSED: Final[list[tuple[KafkaError, type[BooksError]]]] = [
    (KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), KafkaRefused),
    (KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), TopicsMissing),
    (KafkaError(KafkaError.PRODUCER_FENCED), Fenced),
    (KafkaError(KafkaError.NOT_COORDINATOR, "for good", fatal=True), KafkaUnreachable),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("error", "kind"), REFUSED, ids=[error.name() for error, _ in REFUSED])
def test_what_does_not_pass_is_raised_at_once(
    broker: Broker, call: str, error: KafkaError, kind: type[BooksError]
) -> None:
    ask, _ = CALLS[call]
    broker.errors = [error]
    with pytest.raises(BooksError) as told:
        ask()
    assert type(told.value) is kind
    assert broker.seconds == 0


def test_a_topic_that_was_made_by_a_request_without_an_answer_exists(broker: Broker) -> None:
    broker.errors = [KafkaError(KafkaError.REQUEST_TIMED_OUT), KafkaError(KafkaError.TOPIC_ALREADY_EXISTS)]
    assert Cluster(HERE).create_topic("facts", 1, 1, {}) is False


def test_an_abort_that_overtakes_what_was_sent_is_one_all_the_same(broker: Broker) -> None:
    one = producer()
    one.open()
    one.begin()
    broker.errors = [KafkaError(KafkaError.INVALID_TXN_STATE, "Failed to end transaction", fatal=True)]
    one.abort()
    one.begin()
    one.commit()
    assert broker.asked == ["init", "begin", "abort", "init", "begin", "commit"]
    assert broker.producers == 2


def test_an_abort_cannot_be_taken_for_one_where_the_producer_cannot_be_opened_anew(broker: Broker) -> None:
    one = producer()
    lost = KafkaError(KafkaError.INVALID_TXN_STATE, "Failed to end transaction", fatal=True)
    broker.errors = [lost, KafkaError(KafkaError.PRODUCER_FENCED)]
    with pytest.raises(Fenced):
        one.abort()


def test_whoever_was_replaced_is_told_so_by_its_abort(broker: Broker) -> None:
    broker.errors = [KafkaError(KafkaError.PRODUCER_FENCED, "replaced", fatal=True)]
    with pytest.raises(Fenced):
        producer().abort()
    assert broker.producers == 1


def must_abort(code: int) -> KafkaError:
    return KafkaError(code, "said", txn_requires_abort=True)


@pytest.mark.parametrize("code", [KafkaError._TIMED_OUT, KafkaError.ILLEGAL_GENERATION])
def test_a_commit_that_must_be_undone_is(broker: Broker, code: int) -> None:
    broker.errors = [must_abort(code)]
    with pytest.raises(TransactionAborted):
        producer().commit()
    assert broker.asked == ["commit", "abort"]


def test_a_commit_whose_undoing_is_refused_may_have_happened(broker: Broker) -> None:
    broker.errors = [must_abort(KafkaError._TIMED_OUT), KafkaError(KafkaError.INVALID_TXN_STATE, "said", fatal=True)]
    with pytest.raises(TransactionLost, match="looked up"):
        producer().commit()
    assert broker.producers == 1


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
