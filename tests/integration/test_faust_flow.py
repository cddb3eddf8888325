"""What Faust does by itself between a take-over and the next page: it neither stands still nor remembers for ever."""

from pathlib import Path

import pytest

from books.kafka.records import Place
from schemas.posting import FIRST_EDITION
from tests.integration.small_stream import Process, SmallStream, check_in, member_in
from tests.support.waiting import wait_for

# A worker that never comes to the place to go on from: a coordinator or a thread of Faust's that is silent.
STUCK = """
import asyncio
from processors.stream import faust_worker

class Stuck(faust_worker._Thread):
    async def seek_wait(self, positions):
        await asyncio.sleep(600)

faust_worker._Thread = Stuck
faust_worker.SEEK_SECONDS = 1.0
from tallybook.cli.main import main
main()
"""
# A worker that tells now and then how much it remembers of the pages that it has acknowledged.
TELLING = """
import asyncio
from processors.stream import faust_worker

class Telling(faust_worker._Consumer):
    async def commit(self, *args, **options):
        done = await super().commit(*args, **options)
        kept = sum(map(len, (*self._acked.values(), *self._acked_index.values(), *self._gap.values())))
        print("remembers", kept, flush=True)
        return done

faust_worker._Transport.Consumer = Telling
faust_worker.NOTE_EVERY_SECONDS = 0.5
from tallybook.cli.main import main
main()
"""
# A worker whose group does not take offsets for a while, as where its session was over unawares.
REFUSED = """
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, NodeNotReadyError
from processors.stream import faust_worker

commit, refusals = AIOKafkaConsumer.commit, [CommitFailedError(), NodeNotReadyError()]

async def refused(self, offsets=None):
    if refusals:
        raise refusals.pop()
    await commit(self, offsets)

AIOKafkaConsumer.commit = refused
faust_worker.NOTE_EVERY_SECONDS = 0.5
from tallybook.cli.main import main
main()
"""
# A worker whose consumer does not come to its end, as where the brokers are away.
UNENDING = """
import asyncio
from processors.stream import faust_worker

class Unending(faust_worker._Thread):
    async def on_thread_stop(self):
        await asyncio.sleep(600)

faust_worker._Thread = Unending
faust_worker.STOP_SECONDS = %s
from tallybook.cli.main import main
main()
"""
MEMBER = member_in(0)


@pytest.fixture
def stream(bootstrap: str, deployment: str, tmp_path: Path) -> SmallStream:
    return SmallStream(bootstrap, deployment, tmp_path)


def write_pages(stream: SmallStream, life: str, pages: int) -> int:
    """Write as many pages, each in a transaction of its own; the offset of the last."""
    for number in range(pages):
        stream.write_page(0, [check_in(f"{life}-{number}", MEMBER)])
    return stream.pages(0)[-1].offset


def wait_until_scored(stream: SmallStream, worker: Process, page: int) -> None:
    def scored() -> bool:
        last = stream.stream.log().last_batch(FIRST_EDITION, 0)
        return last is not None and last[1].scored_page >= page

    worker.wait_until(f"page {page} is scored", scored)


def test_a_worker_that_finds_no_place_to_go_on_from_ends(stream: SmallStream) -> None:
    write_pages(stream, "one", 1)
    with stream.process("score", code=STUCK) as worker:
        assert worker.ended() == 1
        assert "the pages to go on with were not found" in worker.said()
    assert stream.events(0) == []
    with stream.process("score") as worker:
        wait_until_scored(stream, worker, stream.pages(0)[-1].offset)


@pytest.mark.parametrize(("stop_seconds", "is_asked_again"), [(1.0, False), (600.0, True)])
def test_a_worker_that_is_asked_to_stop_ends_whatever_faust_waits_for(
    stream: SmallStream, stop_seconds: float, *, is_asked_again: bool
) -> None:
    last = write_pages(stream, "one", 1)
    with stream.process("score", code=UNENDING % stop_seconds) as worker:
        wait_until_scored(stream, worker, last)
        worker.ask_to_stop()
        if is_asked_again:

            def ask_again() -> bool:
                worker.ask_to_stop()  # two signals that come close together are one, so it may take several
                return worker.has_ended()

            wait_for("it ends when it is asked again", ask_again)
        assert worker.ended() == 0
        assert "what is committed is kept" in worker.said()


def test_the_offsets_of_the_group_follow_the_ledger_after_a_kill_too(stream: SmallStream) -> None:
    place, group = Place(stream.topics.journal, 0), stream.topics.group("scoring")

    def noted() -> int:
        found = stream.cluster.group_offsets(group, [place]).get(place)
        return -1 if found is None else found.offset

    last = write_pages(stream, "one", 3)
    with stream.process("score", code=REFUSED) as worker:
        wait_until_scored(stream, worker, last)
        worker.wait_until("the group's offset is noted", lambda: noted() == last + 1)
        last = write_pages(stream, "two", 5)
        wait_until_scored(stream, worker, last)
        worker.kill()
    with stream.process("score", code=TELLING) as worker:
        last = write_pages(stream, "three", 20)
        wait_until_scored(stream, worker, last)
        worker.wait_until("the group's offset follows", lambda: noted() == last + 1)
        told = [line for line in worker.said().splitlines() if line.startswith("remembers")]
        assert told[-1] == "remembers 0", told
