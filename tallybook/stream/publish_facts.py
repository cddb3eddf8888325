"""Publishes the events of files to the deployment's topics, each to the topic of its kind."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from processors.intake.formats import Format
from processors.intake.input_files import Input
from processors.intake.merge import Gathered, gather
from schemas.avro.codecs import encode_record
from schemas.avro.single_object import frame
from schemas.canonical import canonical_fact
from schemas.facts import PublishedFact, ReferralMade
from tallybook.folder.inputs import opened_inputs
from tallybook.screen import progress
from tallybook.stream.open import Stream

FLUSH_EVERY: Final = 10_000
MAX_SHOWN: Final = 10


class Published(msgspec.Struct):
    """Counts what was published and refused, with the first refusals."""

    facts: int = 0
    refused: int = 0
    shown: list[str] = []


def publish_files(
    stream: Stream, files: Sequence[str], mapping: Path | None, form: Format | None, *, as_avro: bool
) -> Published:
    """Send the events of files, merged by time as an import merges them, as JSON or Avro single-object messages.

    Each is keyed by its member, so that a member's events come to one partition of their topic. What the intake would
    refuse is not sent, but reported with its line.

    Raises:
        InputRefused, MappingRefused: a file is refused as a whole.
        KafkaUnreachable: how many arrived is not known; to send them again does no harm.
        TopicsMissing, KafkaRefused: the topics are not there, or may not be written to.
    """
    with opened_inputs(files, mapping, form) as inputs, gather(inputs) as gathered:
        return _publish(stream, inputs, gathered, as_avro=as_avro)


def _publish(stream: Stream, inputs: Sequence[Input], gathered: Gathered, *, as_avro: bool) -> Published:
    done = Published()
    topics = {fact_type: topic for topic, fact_type in stream.topics.facts.items()}
    publisher = stream.cluster.publisher()
    with progress("publishing", gathered.survey.records) as tick:
        for item in gathered.arrivals:
            tick()
            fact = item.fact
            if fact is None:
                done.refused += 1
                if len(done.shown) < MAX_SHOWN and item.refusal is not None:
                    done.shown.append(f"{inputs[item.input_index].shown}, line {item.at_line}: {item.refusal.message}")
                continue
            kind = type(fact).__name__
            value = frame(kind, encode_record(fact)) if as_avro else canonical_fact(fact)
            publisher.send(topics[kind], value, key=_key(fact))
            done.facts += 1
            if done.facts % FLUSH_EVERY == 0:
                publisher.flush()
        publisher.flush()
    return done


def _key(fact: PublishedFact) -> bytes:
    """Give the key, which keeps the facts of one member in one partition of their topic, and so in order."""
    if isinstance(fact, ReferralMade):
        return fact.referee_id.encode()
    return (fact.member_id or fact.event_id).encode()
