"""The purchases that all processes of the Kafka benchmark read: seeded, Avro, keyed by member, on one topic.

The same number, members and seed give the same bytes on every machine. They come in order of time, a year long, from
the demo's menu, 1 to 5 lines each; who buys is as uneven as in the demo, and there are no guests, because a guest's
purchase makes no posting anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.avro.codecs import encode_record
from schemas.bounds import DAY_MS
from schemas.facts import ONE_UNIT_MILLI, PurchaseLine, PurchaseRecorded
from schemas.partitions import partition_of
from tallybook.demo.year import DAYS, DEMO_YEAR_STARTS_AT, MENU, STORES

DEFAULT_SEED: Final = 7
FACTS_PER_MEMBER: Final = 30
MAX_LINES: Final = 5
COMPRESSION: Final = "lz4"
FLUSH_SECONDS: Final = 60.0
POLL_EVERY: Final = 10_000  # messages; far below the producer's own limit of 100,000 that wait
WARNINGS: Final = 3  # of syslog's levels; below it the client tells what it does by itself about a busy broker
ADMIN_SECONDS: Final = 30.0
_PICKS: Final = tuple(item[:4] for item in MENU for _ in range(item[4]))


class Purchase(NamedTuple):
    """One purchase: whose it is, and its schemaless Avro body."""

    member_id: str
    body: bytes


def members_for(facts: int) -> int:
    """How many members so many purchases are spread over."""
    return max(10, facts // FACTS_PER_MEMBER)


def purchases(facts: int, members: int, seed: int = DEFAULT_SEED) -> Iterator[Purchase]:
    """So many purchases in order of time; only `Random.random` is used, whose sequence Python promises to keep."""
    random = Random(seed).random
    step = DAYS * DAY_MS / facts
    for number in range(facts):
        member_id = f"m{int(random() ** 1.4 * members) + 1:06d}"
        fact = PurchaseRecorded(
            source="pos",
            event_id=f"pos-{number:08d}",
            occurred_at=DEMO_YEAR_STARTS_AT + int(number * step + random() * step),
            order_id=f"order-{number:08d}",
            currency="EUR",
            lines=tuple(_line(random(), random()) for _ in range(1 + int(random() * MAX_LINES))),
            member_id=member_id,
            channel="app" if random() < 0.3 else "store",
            store_id=STORES[int(random() ** 1.5 * len(STORES))],
            tender="card" if random() < 0.7 else "cash",
        )
        yield Purchase(member_id, encode_record(fact))


def _line(which: float, how_many: float) -> PurchaseLine:
    sku, category, brand, price = _PICKS[int(which * len(_PICKS))]
    count = 1 if how_many < 0.85 else 2
    return PurchaseLine(
        sku=sku,
        category=category,
        brand=brand,
        quantity_milli=count * ONE_UNIT_MILLI,
        amount_minor=price * count,
    )


def create_topics(bootstrap: str, names: Iterable[str], partitions: int) -> None:
    """Create topics of one replica, and wait until they are there.

    Raises:
        KafkaException: the broker does not answer within ADMIN_SECONDS, or has such a topic already.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": WARNINGS})
    new = [NewTopic(name, num_partitions=partitions, replication_factor=1) for name in names]
    for created in admin.create_topics(new, operation_timeout=ADMIN_SECONDS).values():
        created.result(ADMIN_SECONDS)


def delete_topics(bootstrap: str, prefix: str) -> None:
    """Delete every topic whose name begins with `prefix`, changelogs of the peers among them."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": WARNINGS})
    names = [name for name in admin.list_topics(timeout=ADMIN_SECONDS).topics if name.startswith(prefix)]
    if names:
        for deleted in admin.delete_topics(names, operation_timeout=ADMIN_SECONDS).values():
            deleted.result(ADMIN_SECONDS)


def publish(bootstrap: str, topic: str, partitions: int, of: Iterable[Purchase], head: bytes = b"") -> int:
    """Publish purchases in their order, each in its member's partition; gives how many.

    `head` is put before each Avro body: the frame of a registry, or of an Avro single object.

    Raises:
        KafkaException: the broker refused one.
        TimeoutError: some were not acknowledged within FLUSH_SECONDS.
    """
    settings: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "log_level": WARNINGS,
        "enable.idempotence": True,
        "compression.type": COMPRESSION,
        "linger.ms": 50,
        "delivery.report.only.error": True,
        "on_delivery": _refused,
    }
    producer = Producer(settings)
    count = 0
    for purchase in of:
        producer.produce(
            topic,
            key=purchase.member_id.encode(),
            value=head + purchase.body,
            partition=partition_of(purchase.member_id, partitions),
        )
        count += 1
        if count % POLL_EVERY == 0:
            _flush(producer, topic)
    _flush(producer, topic)
    return count


def _refused(error: KafkaError | None, _: Message) -> None:
    """Raised here, it comes out of the producer's flush."""
    if error is not None:
        raise KafkaException(error)


def _flush(producer: Producer, topic: str) -> None:
    waiting = producer.flush(FLUSH_SECONDS)
    if waiting:
        raise TimeoutError(f"{waiting} purchases for {topic} were not acknowledged within {FLUSH_SECONDS:g} s")
