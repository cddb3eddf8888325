"""What Tallybook asks of a schema registry, on a real one, and on the fake that other tests believe."""

import http.client
import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from processors.intake.refusal import Refusal
from processors.stream import registry
from processors.stream.message_door import MessageDoor, RegistryUnreachable
from processors.stream.registry import MAX_ASKS, UNKNOWN_FOR_S, Registered, RegistrySchemas, register_contracts
from schemas.avro.codecs import encode_record
from schemas.avro.contracts import load_schema, schema_json
from schemas.examples import KINDS, example_fact
from tests.fakes.registry import FakeRegistry, served
from tests.support.fact_samples import AT_MS
from tests.support.waiting import MAX_WAIT_SECONDS

TOPICS = {f"shop.facts.{kind}": fact_type.__name__ for kind, fact_type in KINDS.items()}
UNKNOWN_ID = 987_654


@pytest.fixture(params=["fake", "real"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "real":
        yield request.getfixturevalue("registry_url")
    else:
        with served(FakeRegistry()) as address:
            yield address


def topics(name: str) -> dict[str, str]:
    """The topics of one test: a real registry keeps what the tests before have registered."""
    return {f"{name}.{topic}": fact_type for topic, fact_type in TOPICS.items()}


def publish(url: str, subject: str, schema: str) -> None:
    """Registers any schema, as another program would."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=MAX_WAIT_SECONDS)
    body = json.dumps({"schema": schema})
    path = f"{place.path}/subjects/{subject}/versions"
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    assert connection.getresponse().status == http.client.OK
    connection.close()


def test_contracts_are_registered_and_the_door_reads_by_them(url: str) -> None:
    registered = register_contracts(url, topics("reads"))
    assert [one.subject for one in registered] == [f"{topic}-value" for topic in topics("reads")]
    assert [one.refused for one in registered] == [""] * len(TOPICS)
    door = MessageDoor(RegistrySchemas(url))
    for kind, one in zip(KINDS, registered, strict=True):
        fact = example_fact(kind, AT_MS)
        assert one.schema_id is not None
        assert door.admit(b"\0" + one.schema_id.to_bytes(4, "big") + encode_record(fact), {}, "CheckedIn") == fact


def test_registering_again_changes_nothing(url: str) -> None:
    assert register_contracts(url, topics("again")) == register_contracts(url, topics("again"))


def test_an_incompatible_contract_is_refused_in_the_registrys_words(url: str) -> None:
    other = {"type": "record", "name": "CheckedIn", "namespace": "tallybook"}
    narrow = json.dumps(other | {"fields": [{"name": "source", "type": "string"}]})
    publish(url, "refused.facts.check-ins-value", narrow)
    (refused,) = register_contracts(url, {"refused.facts.check-ins": "CheckedIn"})
    assert refused.schema_id is None
    assert refused.refused
    assert refused.refused != "HTTP status 409"


def test_an_unknown_id_is_asked_for_a_few_times_and_again_later(url: str) -> None:
    now = [100.0]
    pauses: list[float] = []
    schemas = RegistrySchemas(url, clock=lambda: now[0], pause=pauses.append)
    assert schemas.by_id(UNKNOWN_ID) is None
    assert len(pauses) == MAX_ASKS - 1
    assert schemas.by_id(UNKNOWN_ID) is None
    assert len(pauses) == MAX_ASKS - 1
    now[0] += UNKNOWN_FOR_S
    assert schemas.by_id(UNKNOWN_ID) is None
    assert len(pauses) == 2 * (MAX_ASKS - 1)


def test_a_registry_knows_a_schema_by_id_as_it_was_given(url: str) -> None:
    (one,) = register_contracts(url, {"text.facts.reviews": "ReviewSubmitted"})
    assert one.schema_id is not None
    assert json.loads(RegistrySchemas(url).by_id(one.schema_id) or "") == load_schema("ReviewSubmitted")


def test_a_wrong_path_is_no_registry(url: str) -> None:
    with pytest.raises(RegistryUnreachable, match=r"at http://[^ ]+/nowhere gives no answer"):
        RegistrySchemas(f"{url}/nowhere").by_id(1)


def test_a_schema_is_asked_for_once() -> None:
    registry = FakeRegistry()
    with served(registry) as url:
        (one,) = register_contracts(url, {"t": "CheckedIn"})
        schemas = RegistrySchemas(url)
        assert one == Registered("t-value", "CheckedIn", 1)
        assert [schemas.by_id(1) for _ in range(3)] == [schema_json("CheckedIn")] * 3
    assert registry.requests.count("GET /schemas/ids/1") == 1
    assert registry.compatibility == {"t-value": "BACKWARD"}


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_registry_in_trouble_says_nothing_about_a_message(status: int) -> None:
    registry = FakeRegistry()
    with served(registry) as url:
        registry.status = status
        door = MessageDoor(RegistrySchemas(url))
        with pytest.raises(RegistryUnreachable, match=r"gives no answer: .*not now"):
            door.admit(b"\0\0\0\0\1body", {}, "CheckedIn")
        with pytest.raises(RegistryUnreachable):
            register_contracts(url, TOPICS)
        registry.status = 200
        assert isinstance(door.admit(b"\0\0\0\0\1body", {}, "CheckedIn"), Refusal)


def test_a_registry_that_is_gone_is_unreachable() -> None:
    with served(FakeRegistry()) as url:
        pass
    with pytest.raises(RegistryUnreachable, match="gives no answer"):
        RegistrySchemas(url).by_id(1)


def test_a_password_is_sent_and_never_shown() -> None:
    registry = FakeRegistry()
    with served(registry) as url:
        place = urlsplit(url).netloc
        RegistrySchemas(f"http://us%40er:s%3Acret@{place}", pause=lambda _: None).by_id(1)
        assert registry.authorization == "Basic dXNAZXI6czpjcmV0"
        registry.status = 401
        with pytest.raises(RegistryUnreachable) as unreachable:
            RegistrySchemas(f"http://user:secret@{place}").by_id(1)
    assert "secret" not in str(unreachable.value)
    assert "user and password" in str(unreachable.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_registry_that_leads_elsewhere_is_not_followed(status: int) -> None:
    here, elsewhere = FakeRegistry(), FakeRegistry()
    with served(here) as url, served(elsewhere) as other:
        here.status, here.leads_to = status, f"{other}/schemas/ids/1"
        with pytest.raises(RegistryUnreachable, match=f"leads elsewhere .HTTP status {status}"):
            RegistrySchemas(f"http://user:secret@{urlsplit(url).netloc}").by_id(1)
        with pytest.raises(RegistryUnreachable, match="leads elsewhere"):
            register_contracts(url, TOPICS)
    assert elsewhere.requests == []


def test_a_registry_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ANSWER_WITHIN_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        schemas = RegistrySchemas(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(RegistryUnreachable, match="timed out"):
            schemas.by_id(1)


@pytest.mark.parametrize("address", ["file:///etc/hostname", "registry:8081", "", "https://"])
def test_an_address_must_be_one_of_http(address: str) -> None:
    with pytest.raises(ValueError, match="begins with http"):
        RegistrySchemas(address)
