"""Runs scoring on Faust, which distributes the journal's partitions among workers; no other file uses Faust.

Faust gives group membership, rebalances and the flow of pages; it keeps no state and commits nothing that matters.
Three things that it does by default are prevented here: reading uncommitted records, going on from the group's offsets,
and acknowledging a page whose processing failed.
"""

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, cast

import faust
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from books.errors import BooksError
from books.kafka.errors import Fenced, KafkaUnreachable, TransactionAborted
from books.kafka.records import Record
from books.kafka.security import Security, security_of
from books.kafka.take_over import USUAL, Timing
from processors.decider.partition_state import UnknownSemanticsError
from processors.stream.scoring import StreamScorer, keep_due_snapshot

FETCH_WAIT_MS: Final = 100
# Pages that wait decoded in memory, each of about a megabyte at most.
PAGES_AHEAD: Final = 64
# Pages that one transaction of a partition may hold; it ends sooner when no more are waiting.
PAGES_PER_COMMIT: Final = 16
THREADS: Final = 8
# How long seeking to the end of what the ledgers cover may take. Faust's own time-out of 60 s does not end the wait.
SEEK_SECONDS: Final = 30.0
NOTE_EVERY_SECONDS: Final = 5.0
# How long releasing everything may take at the end; a supervisor waits longer.
STOP_SECONDS: Final = 10.0
# How long a read between two commits may take, beside the caller's wait for its turn.
READ_SECONDS: Final = 5.0
# Exit codes, as in tallybook.exit_codes: FAILED may pass after a restart, REFUSED needs a change first.
DONE: Final = 0
FAILED: Final = 1
REFUSED: Final = 3
PASSING: Final = (Fenced, KafkaUnreachable, TransactionAborted)

MakeScorer = Callable[[int], StreamScorer]
Say = Callable[[str], None]
Scorers = Mapping[int, StreamScorer]


class _Thread(driver.AIOKafkaConsumerThread):
    """Reads committed pages only, which Faust by itself does only in its exactly_once mode."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit offsets to the group, for monitoring only: a failure is logged, and they are committed later."""
        held = self.assignment()
        noted = {tp: OffsetAndMetadata(offset, "") for tp, offset in offsets.items() if tp in held}
        try:
            await self._ensure_consumer().commit(noted)
        except (KafkaError, IllegalStateError) as error:
            self.log.info("offsets of the group are noted later: %r", error)
            return False
        return True

    def _start_thread(self) -> None:
        try:
            super()._start_thread()
        except asyncio.CancelledError:
            if not self.app.should_stop:  # else a fetch that waited for a broker was cancelled
                raise

    async def on_start(self) -> None:
        await super().on_start()
        fetcher = self._ensure_consumer()._fetcher
        if fetcher._isolation_level != READ_COMMITTED:
            raise AssertionError("this version of aiokafka does not read committed records alone; it cannot be used")


class _Consumer(driver.Consumer):
    """Starts where the ledger ends, not at the group's offsets."""

    def _new_consumer_thread(self) -> Any:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Seek without asking the group, and end the process if that hangs: Faust would wait for ever, silently."""
        app = cast(_App, self.app)
        positions = app.tallybook_positions()
        try:
            async with asyncio.timeout(SEEK_SECONDS):
                await self._thread.seek_wait(positions)
        except TimeoutError:
            app.tallybook_end(f"scoring ends: the pages to go on with were not found within {SEEK_SECONDS:.0f} s")
        for place, offset in positions.items():
            self._read_offset[place] = offset or None
            self._committed_offset[place] = None

    def _new_offset(self, tp: TP) -> int | None:
        """The offset to commit for a partition: pages are acknowledged in order, once their postings are committed.

        Faust's own method waits for every offset in between, transaction markers included, and holds what waits.
        """
        last = max(self._acked[tp], default=None)
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return None if last is None else last + 1

    async def _commit_offsets(self, offsets: Mapping[TP, int], *args: Any, **options: Any) -> bool:
        done = bool(await super()._commit_offsets(offsets, *args, **options))
        for tp in () if done else offsets.keys() & self.assignment():
            self._acked[tp].append(offsets[tp] - 1)
            self._committed_offset[tp] = None
        return done

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: gaps between offsets do not matter here."""


class _Transport(driver.Transport):
    Consumer = _Consumer


class _App(faust.App):
    """The worker's Faust app, with the two functions that the consumer above calls."""

    tallybook_positions: Callable[[], Mapping[TP, int]]
    tallybook_end: Callable[[str], None]

    def _create_directories(self) -> None:
        """Create none: they are for tables, and would be left in the folder where the worker was started."""


class _Worker(faust.Worker):
    """Stops when asked: at once if asked twice, and after STOP_SECONDS while Faust waits for brokers that are down."""

    tallybook_end: Callable[[str], None]

    def _schedule_shutdown(self, signal: Any) -> None:
        if self._signal_stop_time:
            self.tallybook_end("stops at once; what is committed is kept")
        last_words = ("stops without waiting any longer; what is committed is kept",)
        late = threading.Timer(STOP_SECONDS, self.tallybook_end, last_words)
        late.daemon = True
        late.start()
        super()._schedule_shutdown(signal)


class ScoringWorker:
    """One scoring worker; it ends the process on any unexpected error."""

    def __init__(
        self,
        bootstrap: str,
        *,
        group: str,
        journal: str,
        instance: str,
        make_scorer: MakeScorer,
        say: Say,
        on_held: Callable[[], object] = lambda: None,
        settings: Mapping[str, str] | None = None,
        timing: Timing = USUAL,
    ) -> None:
        """Make one; `on_held` is called when it has taken over the assigned partitions, or released them.

        Of the Kafka client's `settings`, those for signing in are used.

        Raises:
            KafkaRefused: they name a mechanism that scoring does not support.
        """
        self.scorers: dict[int, StreamScorer] = {}
        self._journal = journal
        self._make_scorer = make_scorer
        self._say = say
        self._on_held = on_held
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kept: dict[int, StreamScorer] = {}
        self._positions: dict[int, int] = {}
        self._events: list[Any] = []
        self._assignment = 0
        self._lock = asyncio.Lock()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="tallybook-scoring")
        self._snapshot_postings = timing.snapshot_postings
        self._app = self._new_app(bootstrap, group, instance, settings or {}, timing)

    def run(self) -> int:
        """Work until asked to stop by SIGINT or SIGTERM; the exit code."""
        worker = _Worker(self._app, redirect_stdouts=False, console_port=0, quiet=True, override_logging=False)
        worker.tallybook_end = partial(self._end, code=DONE)
        worker.spinner = None  # it would format every debug line of the log, to advance once for each
        try:
            worker.execute_from_commandline()
        except SystemExit as ended:
            return int(ended.code or 0)

    def answers(self, wait_seconds: float) -> bool:
        """Whether its event loop still runs, or has not started; for other threads."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return loop is None
        try:
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(wait_seconds)
        except TimeoutError:
            return False
        return True

    def read_between_commits(self, read: Callable[[Scorers], Any], wait_seconds: float) -> Any:
        """What `read` makes of the held scorers when all is committed; for other threads. Raises TimeoutError."""
        loop = self._loop
        if loop is None or loop.is_closed():
            raise TimeoutError("the worker holds nothing yet")
        asked = asyncio.run_coroutine_threadsafe(self._read(read, wait_seconds), loop)
        # Not cancelled when it takes longer: a commit must not be interrupted.
        return asked.result(wait_seconds + READ_SECONDS)

    async def _read(self, read: Callable[[Scorers], Any], wait_seconds: float) -> Any:
        async with asyncio.timeout(wait_seconds):
            await self._lock.acquire()
        try:
            if any(scorer.has_pending for scorer in self.scorers.values()):
                await self._or_end(self._commit())
            return read(self.scorers)
        finally:
            self._lock.release()

    def _new_app(self, bootstrap: str, group: str, instance: str, settings: Mapping[str, str], timing: Timing) -> _App:
        app = _App(
            group,
            broker=[f"aiokafka://{address.strip()}" for address in bootstrap.split(",")],
            consumer_group_instance_id=f"{group}-{instance}",
            consumer_auto_offset_reset="earliest",
            broker_session_timeout=timing.session_seconds,
            broker_heartbeat_interval=timing.heartbeat_seconds,
            broker_request_timeout=60.0,
            broker_commit_every=None,
            broker_commit_interval=NOTE_EVERY_SECONDS,
            broker_max_poll_records=PAGES_AHEAD,
            stream_buffer_maxsize=PAGES_AHEAD,
            stream_wait_empty=False,
            stream_recovery_delay=0.0,
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            broker_credentials=_credentials(security_of(settings)),
        )
        app.transport = _Transport(app.conf.broker_consumer, app)
        app.tallybook_positions = self._seek_to
        app.tallybook_end = self._end
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        app.on_rebalance_complete.connect(self._rebalanced, weak=False)
        topic = app.topic(self._journal, value_type=bytes, value_serializer="raw", key_serializer="raw")
        app.agent(topic, name="tallybook-scoring", concurrency=1)(self._score)
        app.timer(timing.snapshot_look_seconds)(self._keep_snapshots)
        return app

    async def _score(self, stream: Any) -> None:
        """The agent. Faust would acknowledge and skip a page whose agent raises, so the process ends instead."""
        await self._or_end(self._score_all(stream))

    async def _score_all(self, stream: Any) -> None:
        pages = 0
        async for event in stream.noack().events():
            assignment = self._assignment
            async with self._lock:
                message = event.message
                # A page fetched before the last assignment is fetched again; now it may be ahead of the next one.
                if assignment != self._assignment or message.generation_id != self._app.consumer_generation_id:
                    continue
                scorer = self.scorers.get(message.partition)
                if scorer is None:
                    continue  # not held (yet): it is fetched again by the process that takes the partition over
                record = Record(message.topic, message.partition, message.offset, 0, message.key, message.value, {})
                pages += scorer.score(record)
                self._events.append(event)
                if pages >= PAGES_PER_COMMIT or stream.channel.queue.empty():
                    await self._commit()
                    pages = 0
            if not pages:
                await asyncio.sleep(0)

    async def _commit(self) -> None:
        """Commit what is pending in all partitions, at the same time, and then acknowledge the pages."""
        pending = [scorer for scorer in self.scorers.values() if scorer.has_pending]
        await self._together(scorer.commit for scorer in pending)
        events, self._events = self._events, []
        for event in events:
            event.ack()

    async def _rebalanced(self, *_: Any, **__: Any) -> None:
        """Take over what is assigned; Faust waits for it before it lets pages flow."""
        await self._or_end(self._take_over())

    async def _take_over(self) -> None:
        async with self._lock:
            assigned = {tp.partition for tp in self._app.consumer.assignment() if tp.topic == self._journal}
            self._events = []
            self._assignment += 1
            scorers = {
                number: self._kept.pop(number) if number in self._kept else self._make_scorer(number)
                for number in assigned
            }
            loop = self._loop = asyncio.get_running_loop()
            numbers = sorted(scorers)
            tasks = [loop.run_in_executor(self._pool, scorers[number].take_over) for number in numbers]
            offsets = await asyncio.gather(*tasks)
            self._positions = dict(zip(numbers, offsets, strict=True))
            self._kept = {}  # the others are assigned to other processes
            self.scorers = scorers
            if numbers:
                shown = ", ".join(map(str, numbers))
                self._say(f"scoring partitions {shown}")
        self._on_held()

    def _seek_to(self) -> dict[TP, int]:
        return {TP(self._journal, number): offset for number, offset in self._positions.items()}

    async def _revoked(self, *_: Any, **__: Any) -> None:
        await self._or_end(self._let_go())

    async def _let_go(self) -> None:
        """Commit what is pending and close the producers; states are kept, as partitions may be assigned here again."""
        async with self._lock:
            pending = [scorer for scorer in self.scorers.values() if scorer.has_pending]
            outcomes = await self._together((scorer.commit for scorer in pending), is_last=True)
            for outcome in outcomes:
                if isinstance(outcome, BaseException):
                    # The next holder goes on from the ledger's end, so nothing is lost.
                    self._say(f"released a partition with pages not committed: {outcome}")
            for number, scorer in self.scorers.items():
                scorer.release()
                self._kept[number] = scorer
            self.scorers, self._positions, self._events = {}, {}, []
        self._on_held()

    async def _together(self, works: Any, *, is_last: bool = False) -> list[Any]:
        loop = asyncio.get_running_loop()
        tasks = [loop.run_in_executor(self._pool, work) for work in works]
        outcomes: list[Any] = await asyncio.gather(*tasks, return_exceptions=is_last)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, BooksError):
                raise outcome
        return outcomes

    async def _keep_snapshots(self) -> None:
        async with self._lock:
            scorers = tuple(self.scorers.values())
            await asyncio.get_running_loop().run_in_executor(
                self._pool, keep_due_snapshot, scorers, self._snapshot_postings, self._say
            )

    async def _or_end(self, work: Awaitable[None]) -> None:
        """Await the work, or end the process on an error: the next process goes on from what is committed."""
        try:
            await work
        except asyncio.CancelledError:
            raise
        except (BooksError, UnknownSemanticsError) as error:
            self._end(f"scoring ends: {error}", FAILED if isinstance(error, PASSING) else REFUSED)
        except Exception:  # noqa: BLE001 - Faust would log it and skip the page; so print it, and exit
            self._end(traceback.format_exc())

    def _end(self, why: str, code: int = FAILED) -> None:
        self._say(why)
        for scorer in (*self.scorers.values(), *self._kept.values()):
            scorer.release()
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(code)  # Faust's own shutdown would wait for what has just failed


def _credentials(security: Security) -> Any:
    """The same as Faust's credentials; None where there are none."""
    if security.mechanism:
        return faust.SASLCredentials(
            username=security.username,
            password=security.password,
            mechanism=security.mechanism,
            ssl_context=security.context,
        )
    return None if security.context is None else faust.SSLCredentials(security.context)
