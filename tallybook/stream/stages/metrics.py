"""Gives `/metrics` in Prometheus's form: what a stage has counted, and what was last seen of Kafka."""

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final, NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from processors.stream.stage_counts import COMMIT_BOUNDS_SECONDS, StageCounts
from tallybook.clock import Clock
from tallybook.stream.stages.health import Health, Watched

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
LABELS: Final = ("deployment", "stage", "instance")

_COUNTERS: Final = (
    ("tallybook_records", "Records read from the publishers' topics.", "records"),
    ("tallybook_facts", "Facts taken in (intake), decided (score) or projected (project).", "facts"),
    ("tallybook_postings", "Postings written to the ledger (score) or projected (project).", "postings"),
    (
        "tallybook_conflicts",
        "Postings without effect: another fact of the same source and event id came before (score).",
        "conflicts",
    ),
    (
        "tallybook_refused_again",
        "Rejects that were sent again and refused for the same reason: no second one is kept (intake).",
        "refused_again",
    ),
    ("tallybook_take_overs", "Partitions taken over.", "take_overs"),
    ("tallybook_take_over_seconds", "Seconds that taking over took.", "take_over_seconds"),
    ("tallybook_ticks", "Ticks written into the journal.", "ticks"),
    ("tallybook_restarts", "Times the stage was started again, in this process or as a new one.", "restarts"),
)


class Shown(NamedTuple):
    """Gives what `/metrics` is made of, each time it is asked; `member` names the process in its group."""

    member: str
    counts: StageCounts
    watched: Callable[[], Watched]
    health: Callable[[], Health]
    now_ms: Clock


class StageMetrics:
    """Collects the metrics of one process."""

    def __init__(self, deployment: str, stage: str, instance: str, shown: Shown) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Stage([deployment, stage, instance], shown))

    def text(self) -> bytes:
        """Write all of them in Prometheus's text form, of CONTENT_TYPE."""
        return generate_latest(self._registry)


class _Stage(Collector):
    def __init__(self, own: list[str], shown: Shown) -> None:
        self._own = own
        self._shown = shown
        self._started_ms = shown.now_ms()

    def collect(self) -> Iterator[Metric]:
        """Collect every family that has a value."""
        yield from self._counted()
        yield self._transactions()
        yield from self._gauges()
        watched = self._shown.watched()
        if watched.looked_at and not watched.error:
            yield from self._seen(watched)

    def _counted(self) -> Iterator[Metric]:
        counts = self._shown.counts
        for name, said, field in _COUNTERS:
            family = CounterMetricFamily(name, said, labels=LABELS)
            family.add_metric(self._own, getattr(counts, field))
            yield family
        refused = CounterMetricFamily("tallybook_rejects", "Records refused at the door.", labels=(*LABELS, "reason"))
        for reason, count in sorted(dict(counts.rejects).items()):
            refused.add_metric([*self._own, reason], count)
        yield refused

    def _transactions(self) -> Metric:
        counts = self._shown.counts
        said = "Seconds that committing a transaction (project: bringing a batch into the tables) took."
        family = HistogramMetricFamily("tallybook_transaction_seconds", said, labels=LABELS)
        bounds = [*(str(bound) for bound in COMMIT_BOUNDS_SECONDS), "+Inf"]
        buckets = list(zip(bounds, map(float, accumulate(counts.commit_buckets)), strict=True))
        family.add_metric(self._own, buckets, counts.committing_seconds)
        return family

    def _gauges(self) -> Iterator[Metric]:
        shown, counts, health = self._shown, self._shown.counts, self._shown.health()
        watched = shown.watched()
        until = counts.held_back_until
        values = (
            ("start_time_seconds", "When this process started, seconds since 1970.", self._started_ms / 1000),
            ("alive", "1 if the stage is alive: see /health.", health.alive),
            ("ready", "1 if the stage is ready: see /health.", health.ready),
            (
                "kafka_answers",
                "1 if Kafka answered when it was last asked.",
                watched.looked_at > 0 and not watched.error,
            ),
            ("longest_transaction_seconds", "The longest transaction so far.", counts.longest_commit_seconds),
            ("tick_held_back", "1 while a fact not taken in holds back time (tick).", until > 0),
            ("tick_held_back_until_seconds", "How far time may go on, seconds since 1970; 0: not held.", until / 1000),
        )
        for name, said, value in values:
            yield self._gauge(name, said, float(value))

    def _seen(self, watched: Watched) -> Iterator[Metric]:
        lag = GaugeMetricFamily(
            "tallybook_lag",
            "Offsets between where the stage goes on and the last record; 0: nothing waits. score: of what it holds.",
            labels=(*LABELS, "topic", "partition"),
        )
        for one in watched.waiting:
            lag.add_metric([*self._own, one.place.topic, str(one.place.partition)], one.waiting)
        yield lag
        member = watched.group.consumer(self._shown.member)
        held = 0 if member is None else len(member.places)
        yield self._gauge("partitions_held", "Partitions that the group has given to this process.", held)
        yield self._gauge("group_members", "Processes in the stage's group.", len(watched.group.consumers))
        if any(one.oldest_at for one in watched.waiting) or self._own[1] == "intake":
            oldest = min((one.oldest_at for one in watched.waiting if one.oldest_at), default=0)
            age = max(0, self._shown.now_ms() - oldest) / 1000 if oldest else 0.0
            yield self._gauge("oldest_fact_age_seconds", "Age of the oldest fact not taken in; 0: none waits.", age)

    def _gauge(self, name: str, said: str, value: float) -> Metric:
        family = GaugeMetricFamily(f"tallybook_{name}", said, labels=LABELS)
        family.add_metric(self._own, value)
        return family
