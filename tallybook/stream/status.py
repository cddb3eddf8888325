"""Reports on a stream for `tallybook status`: looks twice, so that it can name a stage that makes no progress."""

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from books.kafka.create import TICKER
from books.kafka.log import KafkaLogReader
from books.kafka.messages import batch_of
from books.kafka.peek import last_records
from books.kafka.records import GroupView, Place
from books.kafka.tick_state import TickState, read_tick_state, search_tick_state
from books.log import postings_in
from processors.stream.intake import STAGE as INTAKE
from processors.stream.scoring import NOTHING_SCORED
from processors.stream.scoring import STAGE as SCORING
from processors.stream.ticker import intake_positions
from projections.answers.queries import ProgressLine
from projections.answers.queries import conflicts as conflicts_in
from projections.answers.queries import progress as progress_lines
from projections.store import JOURNAL, LEDGER, REJECTS, StoreError
from projections.stream.projection import STAGE as PROJECTION
from schemas.bounds import DAY_MS
from schemas.instants import format_instant
from tallybook.folder.folder import FolderRefused
from tallybook.folder.journal_keys import CONFLICTS_SHOWN_BY
from tallybook.screen import counted
from tallybook.stream import stuck as stream_progress
from tallybook.stream.lag import lag_on, projection_positions
from tallybook.stream.open import Stream, tables_for_reading
from tallybook.stream.stuck import Look, Progress, Time, judge_stage, judge_time

# How many of the newest rulesets are named.
MAX_RULESETS_SHOWN: Final = 10
_NO_RULES: Final = (
    "nothing is taken in and no tick is written before rules are published: `tallybook rules publish FILE`"
)
_RULESETS: Final = (
    "SELECT version, toUnixTimestamp64Milli(effective_from) AS effective_from FROM tallybook.rulesets "
    "ORDER BY effective_from DESC, version DESC LIMIT {limit:UInt32}"
)


class _Seen(msgspec.Struct, frozen=True):
    """Holds what one look at all stages has seen."""

    intake: Look
    scoring: Look
    projection: Look
    time: Time


def stream_status(
    stream: Stream, *, watch_seconds: float, now_ms: Callable[[], int], wait: Callable[[float], object] = time.sleep
) -> dict[str, Any]:
    """Gather counts, instants and rules of the stream, its stages, and a verdict; takes `watch_seconds` and some more.

    `stuck` names the stages that have input and made no progress between two looks; `verdict` has the lines for people.

    Raises:
        TopicsMissing, BooksForeign: there are no books, or others.
        KafkaUnreachable: the brokers do not answer.
    """
    log = stream.log()
    looks = _Looks(stream, log, now_ms)
    first = looks.look()
    wait(watch_seconds)
    second = looks.look()
    stages = _judged(first, second, stream.cluster.group_view(stream.topics.group(TICKER)), watch_seconds)
    stuck = [one for one in stages if one.is_stuck]
    log.refresh()
    postings = postings_in(log, stream.edition)
    opened, state = log.opened(), second.time
    told = [one.verdict for one in stuck] or [_well(stages)]
    if not state.is_published:
        told.insert(0, _NO_RULES)
    told += [one.verdict for one in stages if one.stage == stream_progress.TICKER.stage and state.held_back_until]
    return {
        "deployment": opened.deployment,
        "edition": stream.edition,
        "partitions": opened.partitions,
        "horizon_days": opened.horizon_ms // DAY_MS,
        "last_tick": format_instant(state.last_tick) if state.last_tick else None,
        "held_back_until": format_instant(state.held_back_until) if state.held_back_until else None,
        "oldest_waiting": format_instant(state.oldest_waiting) if state.oldest_waiting else None,
        "rules_published": state.is_published,
        "postings": postings,
        **_tables(stream, postings),
        "stages": [msgspec.to_builtins(one) for one in stages],
        "stuck": [one.stage for one in stuck],
        "verdict": list(dict.fromkeys(told)),
    }


class _Looks:
    """Looks at all stages; what an earlier look has found is not asked again."""

    def __init__(self, stream: Stream, log: KafkaLogReader, now_ms: Callable[[], int]) -> None:
        self._stream = stream
        self._log = log
        self._now_ms = now_ms
        self._facts = lag_on(stream.cluster, with_age=True)
        self._journal = lag_on(stream.cluster)
        self._ledger = lag_on(stream.cluster)
        self._searched: TickState | None = None

    def look(self) -> _Seen:
        """Look once. Raises KafkaUnreachable."""
        cluster, topics = self._stream.cluster, self._stream.topics
        now = self._now_ms()
        facts = self._facts.look(intake_positions(cluster, topics))
        pages = self._journal.look(self._scored())
        batches = self._ledger.look(projection_positions(cluster, topics, self._log.partitions, self._stream.edition))
        state = read_tick_state(cluster, topics) or self._searched
        if state is None:
            state = self._searched = search_tick_state(self._log)
        oldest = min((one.oldest_at for one in facts if one.oldest_at), default=0)
        groups = {stage: cluster.group_view(topics.group(stage)) for stage in (INTAKE, SCORING, PROJECTION)}
        return _Seen(
            Look(groups[INTAKE], facts),
            Look(groups[SCORING], pages),
            Look(groups[PROJECTION], batches),
            Time(now, state.last_tick, state.is_published, oldest),
        )

    def _scored(self) -> dict[Place, int]:
        """Find the page with which scoring goes on in each partition, by the last batch of the ledger."""
        cluster, topics = self._stream.cluster, self._stream.topics
        numbers = range(self._log.partitions)
        ends = cluster.ends(Place(topics.ledger(self._stream.edition), number) for number in numbers)
        scored = dict.fromkeys(numbers, NOTHING_SCORED)
        for place, record in last_records(cluster, ends).items():
            batch = batch_of(record)
            if batch is not None:
                scored[place.partition] = batch.scored_page
        return {Place(topics.journal, number): page + 1 for number, page in scored.items()}


def _judged(first: _Seen, second: _Seen, ticker: GroupView, seconds: float) -> list[Progress]:
    return [
        judge_stage(stream_progress.INTAKE, first.intake, second.intake, seconds),
        judge_time(first.time, second.time, ticker, seconds),
        judge_stage(stream_progress.SCORING, first.scoring, second.scoring, seconds),
        judge_stage(stream_progress.PROJECTION, first.projection, second.projection, seconds),
    ]


def _well(stages: list[Progress]) -> str:
    busy = [one.verdict for one in stages if one.waiting and not one.is_stuck]
    return "; ".join(busy) if busy else "all that was published is taken in, scored and projected"


def _tables(stream: Stream, postings: int) -> dict[str, Any]:
    """Read what only the tables have counted, and how far they have followed; None where they do not answer."""
    try:
        with tables_for_reading(stream) as store:
            lines = progress_lines(store)
            rulesets = store.rows(_RULESETS, {"limit": MAX_RULESETS_SHOWN})
            conflicts = conflicts_in(store)
    except (FolderRefused, StoreError) as error:
        return {"facts": None, "rejects": None, "conflicts": None, "rulesets": None, "tables": str(error)}
    shown = [f"{row['version']} from {format_instant(int(str(row['effective_from'])))}" for row in rulesets]
    behind = max(0, postings - _records(lines, LEDGER))
    return {
        "facts": _records(lines, JOURNAL),
        "rejects": _records(lines, REJECTS),
        "conflicts": conflicts,
        "conflicts_shown_by": CONFLICTS_SHOWN_BY if conflicts else None,
        "rulesets": ", ".join(reversed(shown)) or None,
        "tables": f"{counted(behind, 'posting')} behind" if behind else "up to date",
    }


def _records(lines: list[ProgressLine], book: str) -> int:
    return sum(line.records for line in lines if line.book == book)
