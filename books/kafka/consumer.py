"""Reads committed records from Kafka, from given places or as one consumer of a group."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import methodcaller
from typing import Any, Final

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, TopicPartition

from books.kafka.client_errors import MISSING, UNREACHABLE, typed_error, typed_errors
from books.kafka.errors import Fenced, TopicsMissing
from books.kafka.records import UNREADABLE, Place, Polled, Record, header_text

# Errors that pass by themselves while polling goes on.
PASSING: Final = {KafkaError._PARTITION_EOF, *UNREACHABLE}
# At a name that is not UTF-8 the library fails in a way that Python finds out (as a SystemError) only where a function
# is called from C. Called in the plain way, it would now and then give a list with a hole, at which the process dies.
_ASK_HEADERS: Final = methodcaller("headers")


class Reader:
    """Reads committed records of given places (see `set_on`). Not for several threads; `close` it."""

    def __init__(self, bootstrap: str, settings: dict[str, Any]) -> None:
        self._bootstrap = bootstrap
        self._consumer = Consumer(settings)

    def set_on(self, places: Mapping[Place, int]) -> None:
        """Read these places, each from an offset on, and no others."""
        with typed_errors(self._bootstrap):
            self._consumer.assign([TopicPartition(*place, offset) for place, offset in places.items()])

    def leave(self, places: Iterable[Place]) -> None:
        """Read no more of these places, and go on with the others as before."""
        with typed_errors(self._bootstrap):
            self._consumer.incremental_unassign([TopicPartition(*place) for place in places])

    def poll(self, most: int, wait_seconds: float) -> Polled:
        """Up to `most` records: the first is waited for, the rest is what is there already."""
        messages = self._consumer.consume(1, wait_seconds)
        if messages and most > 1:
            messages += self._consumer.consume(most - 1, 0.0)
        records: list[Record] = []
        at_end: dict[Place, int] = {}
        for message in messages:
            error = message.error()
            if error is None:
                records.append(_record(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                at_end[Place(str(message.topic()), int(message.partition() or 0))] = int(message.offset() or 0)
            elif error.code() in MISSING:
                raise TopicsMissing([str(message.topic())])
            elif error.code() == KafkaError._FATAL:
                # There is only one such error for a consumer of a group; the library hides its code.
                raise Fenced(f"another process has this one's name in its group ({error.str()}). Nothing is lost.")
            elif error.fatal() or error.code() not in PASSING:
                raise typed_error(self._bootstrap, error)
        return Polled(records, at_end)

    def close(self) -> None:
        """Stop reading, and leave the group if there is one."""
        self._consumer.close()


class GroupConsumer(Reader):
    """One consumer of a group: places are given to it, and taken away, while it polls."""

    def subscribe(
        self,
        topics: Sequence[str],
        on_assigned: Callable[[set[Place]], Mapping[Place, int] | None],
        on_revoked: Callable[[set[Place]], None],
    ) -> None:
        """Join for these topics; `on_assigned` may say from which offsets to read (None: those the group committed)."""

        def assigned(consumer: Consumer, given: list[TopicPartition]) -> None:
            offsets = on_assigned({Place(each.topic, each.partition) for each in given})
            if offsets is not None:
                for each in given:
                    each.offset = offsets[Place(each.topic, each.partition)]
                consumer.assign(given)

        def revoked(_: Consumer, taken: list[TopicPartition]) -> None:
            on_revoked({Place(each.topic, each.partition) for each in taken})

        with typed_errors(self._bootstrap):
            self._consumer.subscribe(list(topics), on_assign=assigned, on_revoke=revoked, on_lost=revoked)

    def pause(self, places: Iterable[Place]) -> None:
        """Fetch nothing from these places until they are resumed."""
        with typed_errors(self._bootstrap):
            self._consumer.pause([TopicPartition(*place) for place in places])

    def resume(self, places: Iterable[Place]) -> None:
        """Fetch from these places again."""
        with typed_errors(self._bootstrap):
            self._consumer.resume([TopicPartition(*place) for place in places])

    def note(self, offsets: Mapping[Place, int]) -> None:
        """Commit offsets for others to see, later and if possible: nothing depends on them."""
        with typed_errors(self._bootstrap):
            self._consumer.commit(
                offsets=[TopicPartition(*place, offset) for place, offset in offsets.items()], asynchronous=True
            )

    def metadata(self) -> object:
        """Who this is in its group, for a transaction that commits its offsets."""
        return self._consumer.consumer_group_metadata()


def _record(message: Any) -> Record:
    kind, at = message.timestamp()
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        at if kind != confluent_kafka.TIMESTAMP_NOT_AVAILABLE and at > 0 else 0,
        message.key(),
        message.value(),
        _headers(message),
    )


def _headers(message: Any) -> Mapping[str, str]:
    """The headers; of several with one name the last. Ask once for a message: a failed call leaves half a list."""
    try:
        headers = _ASK_HEADERS(message)
    except SystemError:
        return UNREADABLE
    if not headers:
        return {}
    return {name: header_text(value) for name, value in headers}
