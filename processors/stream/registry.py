"""Asks a schema registry, over Confluent's HTTP interface, by which schema a message was written, and registers ours.

Format: the Schema Registry API that Confluent, Apicurio (under /apis/ccompat/v7), Karapace and Redpanda serve. Three
calls are made here: Confluent's own client would bring an OAuth library and cryptography along for them.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec
import urllib3

from processors.stream.message_door import RegistryUnreachable
from schemas.avro.contracts import schema_json

ANSWER_WITHIN_S: Final = 5.0
MAX_ANSWER_BYTES: Final = 4_000_000
MAX_SCHEMAS: Final = 1_024
# An unknown id is asked for again at once, as the registry may be a copy that is a moment behind; but not while many
# ids are unknown, for which there is another cause.
MAX_ASKS: Final = 3
ASK_AGAIN_AFTER_S: Final = 0.1
MAX_PATIENT_IDS: Final = 8
# Then the answer is remembered this long, so that a flood of bad messages makes no flood of questions.
UNKNOWN_FOR_S: Final = 10.0
MAX_UNKNOWN_IDS: Final = 4_096
MAX_WORDS: Final = 500

_CONTENT_TYPE: Final = "application/vnd.schemaregistry.v1+json"
_SCHEMA_NOT_FOUND: Final = 40403


class Registered(NamedTuple):
    """One contract as the registry has it; `schema_id` is None where it is `refused`, in the registry's words."""

    subject: str
    fact_type: str
    schema_id: int | None
    refused: str = ""


class RegistrySchemas:
    """The schemas of a registry at `url`, such as `https://user:password@registry:8081`; each is asked for once.

    `clock` gives seconds that only grow, `pause` waits for some.
    """

    def __init__(
        self, url: str, clock: Callable[[], float] = time.monotonic, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._registry = _Registry(url)
        self._clock = clock
        self._pause = pause
        self._known: dict[int, str] = {}
        self._unknown_until: dict[int, float] = {}

    def by_id(self, schema_id: int) -> str | None:
        """The schema as JSON; None where the registry does not know the id. Raises RegistryUnreachable."""
        known = self._known.get(schema_id)
        if known is not None:
            return known
        now = self._clock()
        if now < self._unknown_until.get(schema_id, now):
            return None
        self._unknown_until = {one: until for one, until in self._unknown_until.items() if now < until}
        schema = self._asked(schema_id)
        if schema is None:
            if len(self._unknown_until) >= MAX_UNKNOWN_IDS:
                self._unknown_until.clear()
            self._unknown_until[schema_id] = self._clock() + UNKNOWN_FOR_S
            return None
        if len(self._known) >= MAX_SCHEMAS:
            self._known.clear()
        self._known[schema_id] = schema
        return schema

    def _asked(self, schema_id: int) -> str | None:
        asks = MAX_ASKS if len(self._unknown_until) < MAX_PATIENT_IDS else 1
        for ask in range(asks):
            if ask:
                self._pause(ASK_AGAIN_AFTER_S)
            answer = self._registry.call("GET", f"/schemas/ids/{schema_id}")
            schema = answer.content.get("schema")
            if answer.is_good and isinstance(schema, str):
                return schema
            if answer.content.get("error_code") != _SCHEMA_NOT_FOUND:
                raise self._registry.unreachable(f"asked for schema {schema_id}, it says {answer.words}")
        return None


def register_contracts(url: str, topics: Mapping[str, str]) -> list[Registered]:
    """Registers the present contract of each topic's fact type for the subject `<topic>-value`; a repeat is harmless.

    The subject's compatibility is set to BACKWARD first. What the registry refuses is told in the list, in its own
    words. Raises RegistryUnreachable.
    """
    registry = _Registry(url)
    return [_registered(registry, f"{topic}-value", fact_type) for topic, fact_type in topics.items()]


def _registered(registry: _Registry, subject: str, fact_type: str) -> Registered:
    place = quote(subject, safe="")
    compatibility = registry.call("PUT", f"/config/{place}", {"compatibility": "BACKWARD"})
    if not compatibility.is_good:
        return Registered(subject, fact_type, None, f"setting BACKWARD compatibility: {compatibility.words}")
    contract = {"schemaType": "AVRO", "schema": schema_json(fact_type)}
    answer = registry.call("POST", f"/subjects/{place}/versions", contract)
    schema_id = answer.content.get("id")
    if answer.is_good and isinstance(schema_id, int):
        return Registered(subject, fact_type, schema_id)
    return Registered(subject, fact_type, None, answer.words)


class _Answer(NamedTuple):
    """What the registry says; `content` is empty where it is no JSON object."""

    status: int
    content: dict[str, Any]

    @property
    def is_good(self) -> bool:
        return self.status == HTTPStatus.OK

    @property
    def words(self) -> str:
        said = self.content.get("message", f"HTTP status {self.status}")
        return str(said)[:MAX_WORDS]


class _Registry:
    """One registry, asked over HTTP; its address is told without a password."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("a schema registry's address begins with http:// or https:// and names a host")
        place = parts.netloc.rpartition("@")[2]
        self._base = f"{parts.scheme}://{place}{parts.path.rstrip('/')}"
        self._headers = {"Accept": f"{_CONTENT_TYPE}, application/json", "Content-Type": _CONTENT_TYPE}
        self._headers["Connection"] = "close"  # it is asked seldom
        if parts.username is not None:
            who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(who.encode()).decode()}"
        proxy = None if proxy_bypass(place) else getproxies().get(parts.scheme)
        bounds: dict[str, Any] = {"timeout": urllib3.Timeout(total=ANSWER_WITHIN_S), "retries": False}
        self._pool = urllib3.ProxyManager(proxy, **bounds) if proxy else urllib3.PoolManager(**bounds)

    def call(self, method: str, path: str, body: Mapping[str, str] | None = None) -> _Answer:
        """One call and its answer; raises RegistryUnreachable if none comes, or one about the registry itself."""
        try:
            # No redirect is followed: user and password are not for other hosts.
            response = self._pool.request(
                method, f"{self._base}{path}", json=body, headers=self._headers, redirect=False, preload_content=False
            )
            with response:
                answer = _Answer(response.status, _object(response.read(MAX_ANSWER_BYTES)))
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise self.unreachable(str(error) or type(error).__name__) from error
        if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise self.unreachable(f"access is refused ({answer.words}): give user and password in its address")
        if answer.status in range(300, 400):
            raise self.unreachable(f"it leads elsewhere (HTTP status {answer.status}): give the address it leads to")
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise self.unreachable(answer.words)
        return answer

    def unreachable(self, why: str) -> RegistryUnreachable:
        return RegistryUnreachable(f"the schema registry at {self._base} gives no answer: {why}")


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    return value if isinstance(value, dict) else {}
