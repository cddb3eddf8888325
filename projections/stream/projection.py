"""Projects a stream: what its group assigns is inserted into ClickHouse a moment after it is committed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from books.kafka.cluster import Cluster
from projections.projector import BATCH_BYTES, Projected, Projector, marker_positions, require_same_books
from projections.store import Store
from projections.stream.feed import Position, StreamFeed
from schemas.topics import Topics

POLL_SECONDS: Final = 0.1
# The pause between two projections: each makes a part of every table, which ClickHouse has to merge.
GAP_SECONDS: Final = 0.4


class StreamProjection:
    """One projection process into an opened, migrated store. It does nothing between two calls of `step`."""

    def __init__(self, cluster: Cluster, topics: Topics, edition: str, store: Store, *, instance: str) -> None:
        self._store = store
        self._edition = edition
        self._projector: Projector | None = None
        self._last_at = 0.0
        self._feed = StreamFeed(cluster, topics, edition, instance=instance, on_assigned=self._assigned)

    def open(self) -> None:
        """Join the group. Raises KafkaUnreachable, StoreUnreachable, StoreOfOtherBooks."""
        # Before any marker is read: those of other books would be taken for positions in these.
        require_same_books(self._feed.opened(), self._store)
        self._feed.open()

    def step(self) -> Projected | None:
        """Fetch, and project if it is time; what was projected, None for nothing.

        Raises:
            StoreUnreachable, KafkaUnreachable: start anew; no answer changes by it.
            StoreOfOtherBooks: the tables hold another deployment's books.
        """
        self._feed.poll(POLL_SECONDS)
        feed, projector = self._feed, self._projector
        if projector is None or not feed.waiting_bytes:
            return None
        is_time = time.monotonic() - self._last_at >= GAP_SECONDS
        if not is_time and feed.waiting_bytes < BATCH_BYTES:
            return None
        done = projector.project()
        self._last_at = time.monotonic()
        feed.note_progress()
        return done

    def close(self) -> None:
        """Leave the group."""
        self._feed.close()

    def _assigned(self, partitions: tuple[int, ...], *, rejects: bool) -> Mapping[Position, int]:
        self._projector = Projector(self._feed, self._store, self._edition, partitions=partitions, rejects=rejects)
        return marker_positions(self._store, self._edition)
