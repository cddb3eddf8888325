"""Sorts functions, by the files that they are in, into the few categories that a stage's profile shows."""

from __future__ import annotations

from typing import Final

KAFKA: Final = "Kafka client (Python's side)"
FAUST: Final = "Faust, aiokafka and event loops"
DECODE: Final = "decode"
ENCODE: Final = "encode"
DECIDE: Final = "decide + apply"
DIGESTS: Final = "digests and content hash"
DOOR: Final = "the door (judge, refuse)"
PAGES: Final = "pages, batches and steps"
TABLES: Final = "projection"

# Of several beginnings that fit, the first counts. What fits none is charged to whoever called it.
_BEGINNINGS: Final = (
    ("schemas/canonical.py", DIGESTS),
    ("processors/decider/", DECIDE),
    ("<ruleset ", DECIDE),
    ("processors/partition_scorer.py", DECIDE),
    ("processors/stream/faust_worker.py", FAUST),
    ("faust/", FAUST),
    ("mode/", FAUST),
    ("aiokafka/", FAUST),
    ("cramjam/", FAUST),
    ("asyncio/", FAUST),
    ("books/kafka/messages.py", PAGES),
    ("books/kafka/", KAFKA),
    ("confluent_kafka/", KAFKA),
    ("processors/journal_pages.py", PAGES),
    ("processors/stream/page_messages.py", PAGES),
    ("processors/stream/arrival_order.py", PAGES),
    ("processors/stream/intake.py", PAGES),
    ("processors/intake/", DOOR),
    ("processors/stream/scoring.py", PAGES),
    ("schemas/avro/single_object.py", PAGES),
    ("schemas/partitions.py", PAGES),
    ("projections/", TABLES),
    ("tallybook/", PAGES),
)
_WORDS: Final = (("read", DECODE), ("decode", DECODE), ("write", ENCODE), ("encode", ENCODE))
_CODECS: Final = ("<codec of ", "schemas/avro/codecs.py", "schemas/avro/codec_source.py")


def category_of(file: str, name: str) -> str | None:
    """What a function of a file (as the sampler shows it) is charged to; None: whoever called it."""
    if file.startswith(_CODECS):
        return next((category for word, category in _WORDS if word in name), None)
    for beginning, category in _BEGINNINGS:
        if file.startswith(beginning):
            return category
    return None
