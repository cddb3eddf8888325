"""Serves over HTTP what one stage shows of itself: its metrics, its health, and a worker's accounts."""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, Protocol

from books.kafka.cluster import Cluster
from books.kafka.create import TICKER
from books.kafka.records import Place
from processors.stream.intake import STAGE as INTAKE
from processors.stream.scoring import STAGE as SCORING
from processors.stream.scoring import StreamScorer
from processors.stream.stage_counts import StageCounts
from processors.stream.ticker import intake_positions
from projections.serving.http_server import HttpAnswer, HttpServer
from projections.stream.projection import STAGE as PROJECTION
from tallybook.clock import now_ms
from tallybook.stream.lag import Waiting, lag_on, projection_positions
from tallybook.stream.open import Stream
from tallybook.stream.settings import StreamRefused
from tallybook.stream.stages.accounts import PATH as ACCOUNTS
from tallybook.stream.stages.accounts import Accounts, Owner, Owners, later
from tallybook.stream.stages.accounts import Worker as AccountsWorker
from tallybook.stream.stages.health import Health, Pulse, StageWatch, Watched, judge
from tallybook.stream.stages.http import LIMITS, Asked, StageSite, json_answer
from tallybook.stream.stages.log import StageLog
from tallybook.stream.stages.metrics import CONTENT_TYPE, Shown, StageMetrics

# The consumer group of each command that is a stage.
GROUPS: Final[Mapping[str, str]] = {"intake": INTAKE, "tick": TICKER, "score": SCORING, "project": PROJECTION}
PROBE_SECONDS: Final = 2.0
_EVERYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, never bound unless one asks for it
_PATHS: Final = "/metrics, /health, /health/live and /health/ready"


class Worker(AccountsWorker, Protocol):
    """What the observer asks of this process's scoring worker."""

    scorers: dict[int, StreamScorer]

    def answers(self, wait_seconds: float) -> bool:
        """Whether its event loop answers in time."""


class Observer:
    """Observes the stage of this process, and serves what it sees; with port 0 it does nothing."""

    def __init__(self, stream: Stream, stage: str, instance: str, counts: StageCounts, say: StageLog) -> None:
        # A client of its own: threads that share one would wait for each other.
        self._cluster = Cluster(stream.settings.bootstrap, stream.settings.kafka)
        self._settings = stream.settings
        self._topics = stream.topics
        self._edition = stream.edition
        self._stage = stage
        self._instance = instance
        self._member = f"{stream.topics.group(GROUPS[stage])}-{instance}"
        self._counts = counts
        self._say = say
        self._watch = StageWatch(self._look, say)
        self._worker: Worker | None = None
        self._owners: Owners | None = None
        self._accounts: Accounts | None = None
        self._answered_at = 0.0
        self._differs_since = 0.0
        self._url = ""
        self._lag = lag_on(self._cluster, with_age=stage == "intake")
        self._looks: dict[str, Callable[[], tuple[Waiting, ...]]] = {
            "intake": lambda: self._lag.look(intake_positions(self._cluster, self._topics)),
            "score": self._look_at_scoring,
            "project": self._look_at_projection,
        }

    def wake(self) -> None:
        """Look at Kafka again soon: partitions have changed hands."""
        self._watch.wake()

    def watch_over(self, worker: Worker, partitions: int) -> None:
        """Observe this scoring worker from now on, and answer for its accounts; the journal has `partitions`."""
        cluster = Cluster(self._settings.bootstrap, self._settings.kafka)
        owners = Owners(cluster, self._topics, partitions)
        self._accounts = Accounts(
            worker,
            owners,
            partitions,
            deployment=self._topics.deployment,
            edition=self._edition,
            token=self._settings.accounts_token,
        )
        self._owners = owners
        self._worker = worker

    @contextmanager
    def serving(self, port: int) -> Iterator[None]:
        """While the body runs, serve on a port; raises StreamRefused where it cannot be had."""
        if not port:
            yield
            return
        deployment = self._topics.deployment
        shown = Shown(self._member, self._counts, lambda: self._watch.latest, self._health, now_ms)
        metrics = StageMetrics(deployment, self._stage, self._instance, shown)
        routes: dict[str, Callable[[Asked], HttpAnswer]] = {
            "/metrics": lambda _: HttpAnswer(HTTPStatus.OK, metrics.text(), {"Content-Type": CONTENT_TYPE}),
            "/health": lambda _: self._health_answer(lambda health: health.ready),
            "/health/ready": lambda _: self._health_answer(lambda health: health.ready),
            "/health/live": lambda _: self._health_answer(lambda health: health.alive),
        }
        if self._stage == "score":
            routes[ACCOUNTS] = self._account_answer
        server = self._server(port)
        self._watch.start()
        server.start(StageSite(self._settings.serve_host, lambda asked: _route(routes, asked)))
        self._say(f"metrics and health on {self._url}")
        try:
            yield
        finally:
            server.end()
            self._watch.end()

    def _server(self, port: int) -> HttpServer:
        host = self._settings.serve_host
        try:
            server = HttpServer(host, port, LIMITS)
        except OSError as error:
            said = f"cannot serve on {host}:{port}: {error.strerror or error}. Choose another port with --metrics"
            raise StreamRefused(said) from error
        reached = socket.gethostname() if host in _EVERYWHERE else host
        self._url = f"http://{f'[{reached}]' if ':' in reached else reached}:{server.port}"
        return server

    def _look(self) -> Watched:
        group = self._cluster.group_view(self._topics.group(GROUPS[self._stage]))
        look = self._looks.get(self._stage)
        return Watched(time.monotonic(), group, look() if look is not None else ())

    def _look_at_scoring(self) -> tuple[Waiting, ...]:
        worker = self._worker
        scorers = worker.scorers if worker is not None else {}
        positions = {
            Place(self._topics.journal, number): scorer.committed_page + 1 for number, scorer in tuple(scorers.items())
        }
        if self._owners is not None:
            self._owners.announce(frozenset(positions), Owner(self._member, self._url))
        return self._lag.look(positions)

    def _look_at_projection(self) -> tuple[Waiting, ...]:
        ledger = self._topics.ledger(self._edition)
        partitions = self._cluster.partitions([ledger]).get(ledger, 0)
        return self._lag.look(projection_positions(self._cluster, self._topics, partitions, self._edition))

    def _health(self) -> Health:
        now = time.monotonic()
        return judge(self._pulse(now), self._watch.latest, self._member, now)

    def _pulse(self, now: float) -> Pulse:
        counts, worker = self._counts, self._worker
        if worker is None:
            alive, stepped = counts.alive_at, counts.stepped_at
            return Pulse(now - alive if alive else None, now - stepped if stepped else None, counts.trouble)
        if worker.answers(PROBE_SECONDS) or not self._answered_at:
            self._answered_at = now
        silent = now - self._answered_at
        held = frozenset(Place(self._topics.journal, number) for number in tuple(worker.scorers))
        return Pulse(silent, silent, counts.trouble, held, self._differs_seconds(held, now))

    def _differs_seconds(self, held: frozenset[Place], now: float) -> float:
        """The seconds for which the worker has held other places than its group gives it."""
        watched = self._watch.latest
        member = watched.group.consumer(self._member)
        differs = watched.group.is_settled and not watched.error and member is not None and member.places != held
        self._differs_since = (self._differs_since or now) if differs else 0.0
        return now - self._differs_since if differs else 0.0

    def _health_answer(self, is_good: Callable[[Health], bool]) -> HttpAnswer:
        health = self._health()
        said = {
            "stage": self._stage,
            "instance": self._instance,
            "alive": health.alive,
            "ready": health.ready,
            "reasons": health.reasons,
        }
        return json_answer(HTTPStatus.OK if is_good(health) else HTTPStatus.SERVICE_UNAVAILABLE, said)

    def _account_answer(self, asked: Asked) -> HttpAnswer:
        accounts = self._accounts
        return later("the worker is starting") if accounts is None else accounts.answer(asked)


def _route(routes: Mapping[str, Callable[[Asked], HttpAnswer]], asked: Asked) -> HttpAnswer:
    path = ACCOUNTS if asked.path.startswith(ACCOUNTS) else asked.path
    respond = routes.get(path)
    if respond is None:
        also = ", and /accounts/MEMBER" if ACCOUNTS in routes else ""
        return json_answer(HTTPStatus.NOT_FOUND, {"error": f"there is nothing here; there are {_PATHS}{also}"})
    return respond(asked)
