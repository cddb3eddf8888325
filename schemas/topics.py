"""The topics of a deployment in one table: what is in them, their partitions, sizes and retention.

Facts are kept for FACTS_KEPT_MS, journal, ledger and rejects for ever. `tallybook topics create` makes them so, and
`tallybook topics check` (books.kafka.create) says where a cluster differs.
"""

import re
from typing import Final, Literal, NamedTuple

import msgspec

from schemas.bounds import DAY_MS, MAX_EVENT_BYTES
from schemas.facts import FACT_KINDS
from schemas.posting import FIRST_EDITION

MAX_DEPLOYMENT_LENGTH: Final = 64
# Kafka allows letters, digits, ".", "_" and "-" in a topic; names that differ only in "." and "_" collide.
_DEPLOYMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")

FOR_EVER: Final = -1
FACTS_KEPT_MS: Final = 14 * DAY_MS
# A fact that is deleted before it was taken in is lost, so a shorter retention than this is reported.
LEAST_FACTS_KEPT_MS: Final = 7 * DAY_MS
FACT_PARTITIONS: Final = 8
JOURNAL_PARTITIONS: Final = 24
# An event of the greatest size, its headers and what the protocol puts around it.
FACT_BYTES: Final = MAX_EVENT_BYTES + 48_576
# A page is closed at 1 MB, and may end with an event of the greatest size; a batch of postings is about as large.
BOOK_BYTES: Final = 8 << 20
# A reject holds an event of the greatest size, its headers, and the sentence that says what is wrong with it.
REJECT_BYTES: Final = 2 << 20

Kind = Literal["facts", "journal", "ledger", "rejects"]


class Topic(NamedTuple):
    """One topic: its full name, what it is for, and how it must be set; `retention_ms` FOR_EVER keeps all."""

    name: str
    kind: Kind
    partitions: int
    retention_ms: int
    max_bytes: int
    compression: str = "producer"

    def settings(self, replication: int) -> dict[str, str]:
        """The settings that `topics create` gives it, as Kafka names them.

        A record's time is when the broker took it in. If it were the publisher's time, records could be deleted too
        early, and nobody could tell how long one has waited.
        """
        return {
            "cleanup.policy": "delete",
            "compression.type": self.compression,
            "max.message.bytes": str(self.max_bytes),
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": "2" if replication >= 3 else "1",
            "retention.bytes": "-1",
            "retention.ms": str(self.retention_ms),
        }


# The topics of facts without the deployment's name, each with the type of its facts.
FACT_TOPICS: Final[dict[str, str]] = {kind.topic: kind.fact.__name__ for kind in FACT_KINDS.values()}


class Topics(msgspec.Struct, frozen=True):
    """The names of everything that a deployment has on Kafka; each begins with the deployment's own."""

    deployment: str

    def __post_init__(self) -> None:
        if len(self.deployment) > MAX_DEPLOYMENT_LENGTH or not _DEPLOYMENT.fullmatch(self.deployment):
            raise ValueError(
                f"{self.deployment!r} cannot name a deployment on Kafka: use at most {MAX_DEPLOYMENT_LENGTH} of A-Z, "
                "a-z, 0-9 and -, beginning with a letter or digit"
            )

    @property
    def facts(self) -> dict[str, str]:
        """The topics of facts, each with the type of fact for messages that name none."""
        return {self._named(name): fact_type for name, fact_type in FACT_TOPICS.items()}

    @property
    def journal(self) -> str:
        """The topic of the journal."""
        return self._named("journal")

    def ledger(self, edition: str) -> str:
        """The topic of one edition of the ledger."""
        return self._named(f"ledger.{edition}")

    @property
    def rejects(self) -> str:
        """The topic of what the door refused."""
        return self._named("rejects")

    def group(self, stage: str) -> str:
        """The consumer group of a stage, such as `intake`."""
        return f"{self.deployment}-{stage}"

    def transactional_id(self, stage: str, *parts: object) -> str:
        """The transactional id of a stage, or of a part of it."""
        return "-".join(str(part) for part in (self.deployment, stage, *parts))

    def table(
        self, journal_partitions: int = JOURNAL_PARTITIONS, fact_partitions: int = FACT_PARTITIONS
    ) -> tuple[Topic, ...]:
        """Every topic of a deployment whose ledger has only its first edition."""
        facts = [Topic(name, "facts", fact_partitions, FACTS_KEPT_MS, FACT_BYTES) for name in self.facts]
        ledger = self.ledger(FIRST_EDITION)
        books = [
            Topic(self.journal, "journal", journal_partitions, FOR_EVER, BOOK_BYTES),
            Topic(ledger, "ledger", journal_partitions, FOR_EVER, BOOK_BYTES),
            Topic(self.rejects, "rejects", 1, FOR_EVER, REJECT_BYTES),
        ]
        return (*facts, *books)

    def _named(self, name: str) -> str:
        return f"{self.deployment}.{name}"
