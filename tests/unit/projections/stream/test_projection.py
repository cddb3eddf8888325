"""A projection holds no more of the journal than it must, however far behind the ledger is."""

from typing import cast

import pytest

from books.kafka.cluster import Cluster
from books.kafka.create import create_topics, open_stream
from books.kafka.messages import message_of, page_message
from projections.stream import projection as stream_feed
from projections.stream.projection import StreamFeed
from schemas.facts import CheckedIn, JournalOpened
from schemas.pages import JournalLine
from schemas.posting import PostingBatch
from schemas.topics import Topics
from tests.fakes.kafka import FakeCluster

AT = 1_700_000_000_000
MAX_HELD_BYTES = 20_000


def page(number: int) -> bytes:
    fact = CheckedIn("app", f"c-{number}", AT, "m-1", attributes={"text": "x" * 500})
    return page_message((JournalLine(fact, AT, "m-1"),))


def from_the_beginning(partitions: tuple[int, ...], *, rejects: bool) -> dict[tuple[str, int], int]:
    del partitions, rejects
    return {}


def test_pages_that_the_ledger_does_not_cover_are_not_fetched_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_feed, "MAX_HELD_BYTES", MAX_HELD_BYTES)
    monkeypatch.setattr(stream_feed, "POLL_RECORDS", 10)
    fake, topics = FakeCluster(lambda: AT), Topics("shop")
    cluster = cast(Cluster, fake)
    create_topics(cluster, topics.table(1, 1))
    open_stream(cluster, topics, JournalOpened("shop", 1, 1, 0, 1, 1, AT))
    offsets = [fake.publish(topics.journal, 0, page(number)) for number in range(200)]
    feed = StreamFeed(cluster, topics, "0001", instance="one", on_assigned=from_the_beginning)
    feed.open()

    def held() -> int:
        return sum(len(block.data) for blocks in feed._held.values() for block in blocks)

    for _ in range(50):
        feed.poll(0.0)
    assert MAX_HELD_BYTES <= held() < MAX_HELD_BYTES + 10 * 1_000
    fake.publish(topics.ledger("0001"), 0, message_of(PostingBatch((), offsets[-1])))
    seen = 0
    for _ in range(50):
        feed.poll(0.0)
        assert held() < MAX_HELD_BYTES + 10 * 1_000
        seen += sum(block.records for block in feed.journal_blocks(0))
    assert seen >= 200
    assert held() == 0
