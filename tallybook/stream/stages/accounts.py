"""Answers what a member's account is now, from the scoring worker that holds it, or says which worker does.

Workers tell each other where they serve in the metadata of offsets of a group that has no members. It counts only as
long as the scoring group says that its writer holds the partition, so that outdated metadata does no harm.
"""

import hmac
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote

import msgspec

from books.errors import BooksError
from books.kafka.cluster import Cluster
from books.kafka.records import Place
from processors.decider.account import FAR_FUTURE, Account
from processors.stream.scoring import STAGE, StreamScorer
from projections.serving.http_server import HttpAnswer
from schemas.bounds import MAX_ID_BYTES
from schemas.instants import format_instant
from schemas.partitions import partition_of
from schemas.topics import Topics
from tallybook.stream.stages.http import Asked, json_answer

PATH: Final = "/accounts/"
OWNERS: Final = "owners"
READ_SECONDS: Final = 5.0
# How long the answer about owners is used before Kafka is asked again.
OWNERS_KNOWN_SECONDS: Final = 1.0
RETRY_SECONDS: Final = "1"
BEARER: Final = "bearer "
# Marks a request that was sent on once; it is not sent on again, so that none goes in circles.
SENT_ON: Final = "sent_on"


class Worker(Protocol):
    """What other threads may ask of this process's scoring worker."""

    def read_between_commits(self, read: Callable[[Mapping[int, StreamScorer]], Any], wait_seconds: float) -> Any:
        """Call `read` with the held scorers while all they hold is committed; TimeoutError if that took too long."""


class Owner(msgspec.Struct, frozen=True):
    """Names who holds a partition, and where it serves; written as JSON into an offset's metadata."""

    instance: str
    url: str


class KnowsOwners(Protocol):
    """Knows who holds a partition."""

    def owner(self, partition: int) -> Owner | None:
        """Find who holds it; None while nobody does, or it has not said where. Raises BooksError."""


class Owners:
    """Finds in Kafka who serves which partition; several threads may ask."""

    def __init__(self, cluster: Cluster, topics: Topics, partitions: int) -> None:
        self._cluster = cluster
        self._group = topics.group(STAGE)
        self._words = topics.group(OWNERS)
        self._places = frozenset(Place(topics.journal, number) for number in range(partitions))
        self._lock = threading.Lock()
        self._known: dict[int, Owner] = {}
        self._known_at = 0.0

    def owner(self, partition: int) -> Owner | None:
        """Find who holds a partition; None while nobody does, or it has not said where. Raises KafkaUnreachable."""
        with self._lock:
            now = time.monotonic()
            if not self._known_at or now - self._known_at > OWNERS_KNOWN_SECONDS:
                self._known = self._ask()
                self._known_at = now
            return self._known.get(partition)

    def announce(self, held: frozenset[Place], own: Owner) -> None:
        """Say that `own` holds these places, where that is not said already. Raises KafkaUnreachable, KafkaRefused."""
        word = msgspec.json.encode(own).decode()
        said = self._said(held) if held else {}
        if news := {place: word for place in held if said.get(place) != word}:
            self._cluster.keep_texts(self._words, news)

    def _ask(self) -> dict[int, Owner]:
        view = self._cluster.group_view(self._group)
        found = {}
        for place, word in self._said(self._places).items():
            try:
                owner = msgspec.json.decode(word, type=Owner)
            except msgspec.MsgspecError:
                continue  # written by another version, or another program: treated as if nothing were there
            if view.holder(place) == owner.instance:
                found[place.partition] = owner
        return found

    def _said(self, places: frozenset[Place]) -> dict[Place, str]:
        kept = self._cluster.group_offsets(self._words, places)
        return {place: offset.metadata for place, offset in kept.items() if offset.metadata}


class Accounts:
    """Answers `/accounts/{member}`."""

    def __init__(
        self, worker: Worker, owners: KnowsOwners, partitions: int, *, deployment: str, edition: str, token: str
    ) -> None:
        """Make one; with an empty `token` nobody is answered."""
        self._worker = worker
        self._owners = owners
        self._partitions = partitions
        self._deployment = deployment
        self._edition = edition
        self._token = token

    def answer(self, asked: Asked) -> HttpAnswer:
        """Answer with the committed state of an account, or where to ask for it, or why there is no answer."""
        refused = self._refusal(asked)
        if refused is not None:
            return refused
        try:
            member_id = unquote(asked.path[len(PATH) :], errors="strict")
        except UnicodeDecodeError:
            member_id = ""
        if not member_id or len(member_id.encode()) > MAX_ID_BYTES:
            said = f"name a member, percent-encoded UTF-8, of at most {MAX_ID_BYTES} bytes: /accounts/anna"
            return json_answer(HTTPStatus.BAD_REQUEST, {"error": said})
        partition = partition_of(member_id, self._partitions)
        try:
            state = self._worker.read_between_commits(
                lambda scorers: self._state(scorers.get(partition), member_id), READ_SECONDS
            )
        except TimeoutError:
            return later(f"partition {partition} is busy")
        if state is None:
            return self._elsewhere(asked, member_id, partition)
        return json_answer(HTTPStatus.OK if "seq" in state else HTTPStatus.NOT_FOUND, state)

    def _refusal(self, asked: Asked) -> HttpAnswer | None:
        if not self._token:
            said = "accounts are not served: set TALLYBOOK_ACCOUNTS_TOKEN to a long random text, and restart"
            return json_answer(HTTPStatus.FORBIDDEN, {"error": said})
        given = asked.headers.get("authorization", "")
        is_bearer = given[: len(BEARER)].lower() == BEARER
        word = given[len(BEARER) :].strip().encode("utf-8", "surrogateescape")
        if is_bearer and hmac.compare_digest(word, self._token.encode()):
            return None
        said = "send the header `Authorization: Bearer TOKEN`, with the token that the workers were started with"
        return json_answer(HTTPStatus.UNAUTHORIZED, {"error": said}, {"WWW-Authenticate": 'Bearer realm="Tallybook"'})

    def _state(self, scorer: StreamScorer | None, member_id: str) -> dict[str, Any] | None:
        """Read what is known of the member; None where its partition is not held here."""
        state = None if scorer is None else scorer.state
        if state is None:
            return None
        found = {
            "member_id": member_id,
            "deployment": self._deployment,
            "edition": self._edition,
            "partition": state.partition,
            "posting_number": state.number,
            "last_tick": format_instant(state.last_tick) if state.last_tick else None,
        }
        account = state.machine.accounts.get(member_id)
        return found | ({"error": "there is no such account"} if account is None else _shown(account))

    def _elsewhere(self, asked: Asked, member_id: str, partition: int) -> HttpAnswer:
        try:
            owner = self._owners.owner(partition)
        except BooksError as error:
            return later(str(error))
        if owner is None or SENT_ON in asked.query:
            return later(
                f"no worker holds partition {partition} now: start one, or ask again: partitions may be changing hands"
            )
        url = f"{owner.url}{PATH}{quote(member_id, safe='')}?{SENT_ON}=1"
        return json_answer(HTTPStatus.TEMPORARY_REDIRECT, {"owner": owner.instance, "url": url}, {"Location": url})


def later(said: str) -> HttpAnswer:
    """Answer that there is none now, and why."""
    return json_answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": said}, {"Retry-After": RETRY_SECONDS})


def _shown(account: Account) -> dict[str, Any]:
    """Turn an account into plain data for JSON; instants are UTC, and a lot that never expires has null there."""
    left = sum(lot.remaining for lot in account.lots)
    return {
        "seq": account.seq,
        "balance": account.balance,
        "deficit": left - account.balance,
        "earned": account.earned,
        "lots": [
            {
                "number": lot.number,
                "remaining": lot.remaining,
                "available_at": format_instant(lot.available_at),
                "expires_at": None if lot.expires_at == FAR_FUTURE else format_instant(lot.expires_at),
            }
            for lot in account.lots
        ],
    }
