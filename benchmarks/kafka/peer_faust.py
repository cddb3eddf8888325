"""The first peer: the small loyalty job as a stock Faust agent with a table and an output topic, at least once.

    PEER_VENV/bin/python -m benchmarks.kafka.peer_faust --bootstrap HOST:PORT --topic T --output T --schema FILE ...

Stock means: faust-streaming as pip installs it, its settings at their defaults (memory store, changelog topic, JSON for
the table's values, at_least_once) but for the number of partitions, the folder and the web server, which is off so that
two runs do not fight for its port. The agent does what Faust's own guide does: one `async for`, a table, an awaited
send. It stops by itself after --facts events, or at SIGTERM.
"""

from __future__ import annotations

import os
import signal
from typing import Final

import faust

from benchmarks.kafka.job import Record, State, posting_writer, purchase_reader, score
from benchmarks.kafka.measure import Marks
from benchmarks.kafka.peer_options import Asked, asked_of

LOG_LEVEL: Final = "WARNING"


def make_app(asked: Asked, marks: Marks) -> faust.App:
    """The app with its table, its topics and its agent."""
    app = faust.App(
        asked.app_id,
        broker=f"kafka://{asked.bootstrap}",
        topic_partitions=asked.partitions,
        datadir=str(asked.folder),
        web_enabled=False,
    )
    decode, encode = purchase_reader(asked.schema_text, asked.head_bytes), posting_writer()
    facts = app.topic(asked.topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    output = app.topic(asked.output, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    members = app.Table("members", partitions=asked.partitions)

    @app.agent(facts)
    async def score_purchases(messages: faust.StreamT[bytes]) -> None:
        async for message in messages:
            purchase: Record = decode(message)
            member_id: str = purchase["member_id"]
            known: State | None = members.get(member_id)
            state, posting = score(known, purchase)
            members[member_id] = state
            await output.send(key=member_id.encode(), value=encode(posting))
            if marks.handled():
                os.kill(os.getpid(), signal.SIGTERM)  # the worker then ends as it would under a supervisor

    return app


def main() -> None:
    """Run the worker until it has handled the facts asked for, or is told to stop."""
    asked = asked_of(__doc__)
    marks = Marks(asked.facts)
    worker = faust.Worker(make_app(asked, marks), loglevel=LOG_LEVEL)
    try:
        worker.execute_from_commandline()
    except SystemExit as end:  # how the worker says that it has stopped
        if end.code not in {None, 0}:
            raise
    marks.done()


if __name__ == "__main__":
    main()
