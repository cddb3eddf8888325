"""A publisher as any shop may have one: a plain Kafka producer in a thread, which sends until it is told to stop."""

import threading
import time
from random import Random
from typing import Any, Final

from confluent_kafka import KafkaError, Producer

from schemas.topics import Topics
from tests.chaos.events import Events
from tests.chaos.stage import Orders

RATES: Final = (5, 30, 60, 120)  # messages a second, drawn anew from time to time
RATE_SECONDS: Final = 4.0
TICK_SECONDS: Final = 0.05
MAX_MESSAGES: Final = 200_000
FLUSH_SECONDS: Final = 120.0
Coordinate = tuple[str, int, int]
"""A topic, a partition and an offset."""


class Publishing:
    """The thread; what has arrived stands in `delivered`, with the number of its message."""

    def __init__(self, bootstrap: str, topics: Topics, orders: Orders, seed: str) -> None:
        self.events = Events(seed)
        self.delivered: dict[Coordinate, int] = {}
        self.failed: list[str] = []
        self.seconds = 0.0
        self._rng = Random(f"rates {seed}")
        self._topics = {fact_type: topic for topic, fact_type in topics.facts.items()}
        self._orders = orders
        self._may_send = threading.Event()
        self._may_send.set()
        self._must_end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        # Not idempotent, as many are: what a broker's death leaves in doubt is sent twice.
        self._producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5, "log_level": 0})

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def pause(self) -> None:
        """Send nothing for a while, and wait until all has arrived that was sent."""
        self._may_send.clear()
        time.sleep(4 * TICK_SECONDS)
        self._flush()

    def resume(self) -> None:
        """Send again."""
        self._may_send.set()

    def end(self) -> None:
        """Send no more, and wait until all has arrived."""
        self._must_end.set()
        self._may_send.set()
        self._thread.join()
        self._flush()

    def _flush(self) -> None:
        left = self._producer.flush(FLUSH_SECONDS)
        if left:
            raise AssertionError(f"{left} messages have not arrived within {FLUSH_SECONDS:.0f} s")

    def _run(self) -> None:
        due, rate, change_at = 0.0, RATES[1], time.monotonic()
        before = time.monotonic()
        while not self._must_end.is_set() and len(self.events.sent) < MAX_MESSAGES:
            self._may_send.wait()
            now = time.monotonic()
            if now >= change_at:
                rate, change_at = self._rng.choice(RATES), now + RATE_SECONDS
            passed = min(now - before, 2 * TICK_SECONDS)
            before = now
            due += passed * rate
            self.seconds += passed
            while due >= 1:
                due -= 1
                self._send()
            self._producer.poll(0)
            time.sleep(TICK_SECONDS)

    def _send(self) -> None:
        now = self._orders.now_ms()
        message = self.events.draw(now)

        def arrived(error: KafkaError | None, place: Any) -> None:
            if error is not None:
                self.failed.append(f"message {message.number}: {error}")
            else:
                self.delivered[place.topic(), place.partition(), place.offset()] = message.number

        self._producer.produce(
            self._topics[message.fact_type],
            message.value,
            message.key,
            headers=list(message.headers),
            timestamp=now,
            on_delivery=arrived,
        )
