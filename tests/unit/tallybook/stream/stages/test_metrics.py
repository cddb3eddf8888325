"""What a stage counted comes out as Prometheus reads it, and what was not seen of Kafka is not made up."""

from prometheus_client.parser import text_string_to_metric_families

from books.kafka.records import ConsumerInGroup, GroupView, Place
from processors.stream.stage_counts import COMMIT_BOUNDS_SECONDS, StageCounts
from tallybook.stream.lag import Waiting
from tallybook.stream.stages.health import Health, Watched
from tallybook.stream.stages.metrics import Shown, StageMetrics

MEMBER = "shop-intake-1"
OWN = {"deployment": "shop", "stage": "intake", "instance": "1"}
NOW_MS = 1_700_000_000_000
PLACE = Place("shop.facts.purchases", 3)
SEEN = Watched(
    1.0,
    GroupView(is_settled=True, consumers=(ConsumerInGroup(MEMBER, frozenset({PLACE})),)),
    (Waiting(PLACE, 10, 7, NOW_MS - 2_500),),
)


def samples(counts: StageCounts, watched: Watched = SEEN) -> dict[str, float]:
    """Every sample by its name and the labels that are not the process's own."""
    shown = Shown(MEMBER, counts, lambda: watched, lambda: Health(alive=True, ready=False, reasons=()), lambda: NOW_MS)
    text = StageMetrics("shop", "intake", "1", shown).text().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            assert sample.labels.items() >= OWN.items()
            rest = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()) if name not in OWN)
            found[f"{sample.name}{{{rest}}}" if rest else sample.name] = sample.value
    return found


def test_counters_lag_and_age_are_there() -> None:
    counts = StageCounts(records=12, facts=10, restarts=1, held_back_until=NOW_MS)
    counts.rejects["too_old"] = 2
    counts.refused_again = 3
    counts.committed(0.1, postings=5, conflicts=1)
    counts.took_over(1.5)
    found = samples(counts)
    assert found["tallybook_records_total"] == 12
    assert found["tallybook_facts_total"] == 10
    assert found["tallybook_rejects_total{reason=too_old}"] == 2
    assert found["tallybook_refused_again_total"] == 3
    assert found["tallybook_conflicts_total"] == 1
    assert found["tallybook_take_overs_total"] == 1
    assert found["tallybook_take_over_seconds_total"] == 1.5
    assert found["tallybook_restarts_total"] == 1
    assert found["tallybook_tick_held_back"] == 1
    assert found["tallybook_tick_held_back_until_seconds"] == NOW_MS / 1000
    assert found["tallybook_start_time_seconds"] == NOW_MS / 1000
    assert (found["tallybook_alive"], found["tallybook_ready"]) == (1, 0)
    assert found["tallybook_lag{partition=3,topic=shop.facts.purchases}"] == 7
    assert found["tallybook_oldest_fact_age_seconds"] == 2.5
    assert found["tallybook_partitions_held"] == 1
    assert found["tallybook_group_members"] == 1


def test_transactions_are_a_histogram() -> None:
    counts = StageCounts()
    for seconds in (0.001, 0.002, 0.03, 60.0):
        counts.committed(seconds, postings=5)
    found = samples(counts)
    buckets = [found[f"tallybook_transaction_seconds_bucket{{le={bound}}}"] for bound in COMMIT_BOUNDS_SECONDS]
    assert buckets[:5] == [2, 2, 2, 2, 3]
    assert buckets[-1] == 3
    assert found["tallybook_transaction_seconds_bucket{le=+Inf}"] == 4
    assert found["tallybook_transaction_seconds_count"] == 4
    assert found["tallybook_transaction_seconds_sum"] == counts.committing_seconds
    assert found["tallybook_postings_total"] == 20
    assert found["tallybook_longest_transaction_seconds"] == 60.0


def test_a_kafka_that_does_not_answer_has_no_lag() -> None:
    for watched in (Watched(), Watched(error="Kafka does not answer")):
        found = samples(StageCounts(), watched)
        assert found["tallybook_kafka_answers"] == 0
        assert not [name for name in found if "lag" in name or "oldest" in name]
    assert samples(StageCounts())["tallybook_kafka_answers"] == 1


def test_nothing_that_waits_has_no_age() -> None:
    watched = Watched(1.0, GroupView(), (Waiting(PLACE, 10, 0),))
    found = samples(StageCounts(), watched)
    assert found["tallybook_oldest_fact_age_seconds"] == 0
    assert found["tallybook_partitions_held"] == 0
