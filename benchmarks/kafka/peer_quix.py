"""The second peer: the small loyalty job on Quix Streams, exactly once.

    PEER_VENV/bin/python -m benchmarks.kafka.peer_quix --bootstrap HOST:PORT --topic T --output T --schema FILE ...

Settings are at their defaults (RocksDB state, changelog topic, a transaction every 5 seconds) but for exactly once,
where to begin, the folder, the log level, and with --commit-seconds the time between transactions. It stops by itself
after --facts events, or at SIGTERM.
"""

from __future__ import annotations

from typing import Any, Final

from quixstreams import Application  # type: ignore[import-not-found]  # its pins conflict with ours: own venv

from benchmarks.kafka.job import posting_writer, purchase_reader, score
from benchmarks.kafka.measure import Marks
from benchmarks.kafka.peer_options import Asked, asked_of

LOG_LEVEL: Final = "WARNING"
_MEMBER: Final = "member"  # the state is Quix's per message key, so that one name in it is enough


def make_app(asked: Asked, marks: Marks) -> Application:
    """The application with its topics and its one step."""
    app = Application(
        broker_address=asked.bootstrap,
        consumer_group=asked.app_id,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        state_dir=asked.folder,
        loglevel=LOG_LEVEL,
        **({} if asked.commit_seconds is None else {"commit_interval": asked.commit_seconds}),
    )
    decode, encode = purchase_reader(asked.schema_text, asked.head_bytes), posting_writer()
    facts = app.topic(asked.topic, key_deserializer="bytes", value_deserializer="bytes")
    output = app.topic(asked.output, key_serializer="bytes", value_serializer="bytes")

    def score_purchase(message: bytes, members: Any) -> bytes:  # a quixstreams.State: untyped here, see the import
        state, posting = score(members.get(_MEMBER), decode(message))
        members.set(_MEMBER, state)
        if marks.handled():
            app.stop()  # after this message, with the last transaction committed
        return encode(posting)

    app.dataframe(facts).apply(score_purchase, stateful=True).to_topic(output)
    return app


def main() -> None:
    """Run the application until it has handled the facts asked for, or is told to stop."""
    asked = asked_of(__doc__)
    marks = Marks(asked.facts)
    make_app(asked, marks).run()
    marks.done()


if __name__ == "__main__":
    main()
