"""The options that both peers take, so that the runner starts them alike; only the standard library is imported."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple


class Asked(NamedTuple):
    """What a peer is to do; `app_id` names its consumer group and its changelog, `folder` takes its state.

    `commit_seconds` is for Quix Streams alone; None leaves its default.
    """

    bootstrap: str
    topic: str
    output: str
    partitions: int
    app_id: str
    folder: Path
    schema_text: str
    head_bytes: int
    facts: int
    commit_seconds: float | None


def asked_of(description: str | None) -> Asked:
    """The options of this process; the process ends with 2 if they are wrong."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bootstrap", required=True, help="HOST:PORT of the broker")
    options.add_argument("--topic", required=True, help="the purchases, keyed by member")
    options.add_argument("--output", required=True, help="takes the postings")
    options.add_argument("--partitions", type=int, required=True, help="of both topics and of the changelog")
    options.add_argument("--app-id", required=True, help="consumer group, and the beginning of the changelog's name")
    options.add_argument("--folder", type=Path, required=True, help="for local state")
    options.add_argument("--schema", type=Path, required=True, help="the purchases' Avro schema")
    options.add_argument("--head-bytes", type=int, default=0, help="of framing before each Avro body")
    options.add_argument("--facts", type=int, required=True, help="stop after so many")
    options.add_argument("--commit-seconds", type=float, help="from one transaction to the next: Quix Streams alone")
    asked = options.parse_args()
    return Asked(
        bootstrap=asked.bootstrap,
        topic=asked.topic,
        output=asked.output,
        partitions=asked.partitions,
        app_id=asked.app_id,
        folder=asked.folder,
        schema_text=asked.schema.read_text(encoding="utf-8"),
        head_bytes=asked.head_bytes,
        facts=asked.facts,
        commit_seconds=asked.commit_seconds,
    )
