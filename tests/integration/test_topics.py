"""Topics are made once, and what drifts from what they should be is told before facts or points are lost by it."""

from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from books.kafka.cluster import Cluster
from books.kafka.create import check_topics, create_topics, open_stream
from schemas.bounds import DAY_MS
from schemas.facts import JournalOpened
from schemas.posting import FIRST_EDITION
from schemas.topics import Topics
from tests.support.command_line import run

PARTITIONS = 2


def alter(bootstrap: str, topic: str, **settings: str) -> None:
    entries = [
        ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for name, value in settings.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    (future,) = admin.incremental_alter_configs([resource]).values()
    future.result(10)


def opened(deployment: str) -> JournalOpened:
    return JournalOpened(deployment, 1, PARTITIONS, 0, 90 * DAY_MS, 30 * DAY_MS, 1_700_000_000_000)


def test_topics_are_made_once_and_are_as_they_should_be(bootstrap: str, deployment: str) -> None:
    cluster, topics = Cluster(bootstrap), Topics(deployment)
    table = topics.table(PARTITIONS, 2)
    assert sorted(create_topics(cluster, table)) == sorted(topic.name for topic in table)
    assert open_stream(cluster, topics, opened(deployment))
    assert not create_topics(cluster, table)
    assert not open_stream(cluster, topics, opened(deployment))
    assert check_topics(cluster, table) == []


def test_what_would_lose_facts_or_points_is_told(bootstrap: str, deployment: str) -> None:
    cluster, topics = Cluster(bootstrap), Topics(deployment)
    table = topics.table(PARTITIONS, 2)
    create_topics(cluster, table)
    sales, visits = f"{deployment}.facts.purchases", f"{deployment}.facts.check-ins"
    alter(bootstrap, sales, retention_ms="3600000")
    alter(bootstrap, visits, message_timestamp_type="CreateTime")
    alter(bootstrap, topics.journal, retention_ms="86400000", max_message_bytes="1000000")
    alter(bootstrap, topics.ledger(FIRST_EDITION), cleanup_policy="compact")
    alter(bootstrap, topics.rejects, max_message_bytes="65536")
    found = {(drift.topic, drift.is_dangerous): drift.what for drift in check_topics(cluster, table)}
    assert "keeps facts for 1 hours" in found[sales, True]
    assert "CreateTime" in found[visits, False]
    assert {topic for topic, is_dangerous in found if is_dangerous} == {
        sales, topics.journal, topics.ledger(FIRST_EDITION), topics.rejects,
    }  # fmt: skip
    said = [drift.what for drift in check_topics(cluster, table)]
    for words in ("books are kept for ever", "max.message.bytes is 1000000", "cleanup.policy is compact", "too small"):
        assert any(words in what for what in said), words


def test_a_topic_that_is_missing_is_told(bootstrap: str, deployment: str) -> None:
    cluster, topics = Cluster(bootstrap), Topics(deployment)
    table = topics.table(PARTITIONS, 2)
    create_topics(cluster, tuple(topic for topic in table if topic.kind != "rejects"))
    assert [(drift.topic, drift.what) for drift in check_topics(cluster, table)] == [(topics.rejects, "does not exist")]


def test_the_command_ends_with_4_where_something_has_drifted(bootstrap: str, deployment: str, tmp_path: Path) -> None:
    create = ("topics", "create", "--bootstrap", bootstrap, "--deployment", deployment, "--partitions", "2")
    assert run(tmp_path, *create).code == 0
    assert run(tmp_path, "topics", "check").code == 0
    alter(bootstrap, f"{deployment}.facts.purchases", retention_ms="3600000")
    result = run(tmp_path, "topics", "check")
    assert result.code == 4
    assert f"{deployment}.facts.purchases" in result.out


def test_a_topic_that_somebody_else_uses_is_no_journal(bootstrap: str, deployment: str, tmp_path: Path) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    (future,) = admin.create_topics([NewTopic(f"{deployment}.journal", 2, 1)]).values()
    future.result(10)
    publisher = Cluster(bootstrap).publisher()
    publisher.send(f"{deployment}.journal", b"somebody else's", partition=0)
    publisher.flush()
    create = ("topics", "create", "--bootstrap", bootstrap, "--deployment", deployment, "--partitions", "2")
    result = run(tmp_path, *create)
    assert result.code == 3
    assert "Traceback" not in result.err
    assert "somebody else" in result.err


@pytest.mark.parametrize("name", ["", "my shop", "a.b", "-x", "x" * 65])
def test_a_name_that_cannot_name_topics_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a deployment"):
        Topics(name)


def test_the_options_of_create_are_those_of_its_folder(bootstrap: str, deployment: str, tmp_path: Path) -> None:
    given = ("--bootstrap", bootstrap, "--deployment", deployment)
    unknown = run(tmp_path, "topics", "create", *given, "--programme", "nosuch")
    assert (unknown.code, "there is no shipped programme 'nosuch'" in unknown.err) == (3, True)
    assert list(tmp_path.iterdir()) == []
    assert Cluster(bootstrap).partitions([f"{deployment}.journal"]) == {}
    options = ("--partitions", "2", "--fact-partitions", "1", "--horizon", "3650")
    assert run(tmp_path, "topics", "create", *given, *options).code == 0
    again = run(tmp_path, "topics", "create")
    assert (again.code, "open already" in again.out) == (0, True)
    other = run(tmp_path, "topics", "create", "--deployment", f"{deployment}-b")
    assert (other.code, f"deployment = '{deployment}', and --deployment" in other.err) == (3, True)
    elsewhere = run(tmp_path, "topics", "create", "--bootstrap", "elsewhere:9092")
    assert (elsewhere.code, "Leave out --bootstrap" in elsewhere.err) == (3, True)
    assert Cluster(bootstrap).partitions([f"{deployment}-b.journal"]) == {}
