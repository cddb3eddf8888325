"""The books on a Kafka name the version of their form, too, and whoever opens books of another one is told."""

from typing import cast

import msgspec
import pytest

from books.kafka.cluster import Cluster
from books.kafka.create import create_topics, open_stream
from books.kafka.log import KafkaLogReader
from books.opening import BooksOfOtherVersion
from schemas.facts import BOOKS_VERSION, JournalOpened
from schemas.posting import FIRST_EDITION
from schemas.topics import Topics
from tests.fakes.kafka import FakeCluster
from tests.support.book_samples import OPENED


def of_version(version: int) -> JournalOpened:
    return msgspec.structs.replace(OPENED, deployment="shop", books_version=version)


def opened_stream(version: int) -> tuple[Cluster, Topics]:
    """A deployment whose books have this version of their form."""
    cluster, topics = cast(Cluster, FakeCluster(lambda: 0)), Topics("shop")
    create_topics(cluster, topics.table(OPENED.partitions, 1))
    assert open_stream(cluster, topics, of_version(version))
    return cluster, topics


@pytest.mark.parametrize("version", [0, BOOKS_VERSION])
def test_streams_of_a_known_version_are_read_and_count_as_open(version: int) -> None:
    cluster, topics = opened_stream(version)
    assert KafkaLogReader(cluster, topics, FIRST_EDITION).opened() == of_version(version)
    assert open_stream(cluster, topics, of_version(BOOKS_VERSION)) is False


def test_a_stream_of_a_newer_version_is_refused_by_name() -> None:
    cluster, topics = opened_stream(BOOKS_VERSION + 1)
    with pytest.raises(BooksOfOtherVersion, match="have version 2 of their form, and this program"):
        KafkaLogReader(cluster, topics, FIRST_EDITION)
    with pytest.raises(BooksOfOtherVersion, match="`tallybook books export FILE`"):
        open_stream(cluster, topics, of_version(BOOKS_VERSION))
