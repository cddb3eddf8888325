"""A single-object message names its schema by the specification's fingerprint, and only schemas of ours are known."""

import json
from typing import Final

import fastavro.schema
import pytest

from schemas.avro.codecs import encode_record, fingerprint
from schemas.avro.contracts import PREVIOUS, SCHEMAS, load_schema
from schemas.avro.single_object import FRAME_BYTES, MARKER, NotFramed, UnknownFingerprint, frame, unframe
from schemas.examples import KINDS, example_fact
from tests.support.bodies import decode_fact
from tests.support.fact_samples import AT_MS

# The parsing canonical form of a contract, written out by hand from its file.
TICKED: Final = '{"name":"tallybook.ClockTicked","type":"record","fields":[{"name":"at","type":"long"}]}'
EMPTY: Final = 0xC15D213AA4D7A795
# From the test vectors of Apache Avro (share/test/data/schema-tests.txt), where they stand as signed numbers.
VECTORS: Final = {"int": 8247732601305521295, "string": -8142146995180207161, "null": 7195948357588979594}


def rabin(text: bytes) -> int:
    """The CRC-64-AVRO by its definition: bit by bit, without a table."""
    value = EMPTY
    for byte in text:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (EMPTY if value & 1 else 0)
    return value


@pytest.mark.parametrize(("schema", "expected"), VECTORS.items())
def test_fingerprint_of_the_specifications_vectors(schema: str, expected: int) -> None:
    assert fingerprint(schema) == expected.to_bytes(8, "little", signed=True)
    assert rabin(f'"{schema}"'.encode()) == expected % 2**64


def test_a_fingerprint_stands_in_a_message_with_its_least_significant_byte_first() -> None:
    assert fingerprint("int").hex() == "8f5c393f1ad57572"


def test_fingerprint_of_a_contract_is_that_of_its_canonical_form() -> None:
    assert fingerprint(load_schema("ClockTicked")) == rabin(TICKED.encode()).to_bytes(8, "little")


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_known_in_its_present_and_its_previous_version(name: str) -> None:
    present, previous = load_schema(name), load_schema(name, version=PREVIOUS)
    canonical = fastavro.schema.to_parsing_canonical_form(present)
    expected = bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))
    assert frame(name, b"body") == MARKER + expected + b"body"
    assert unframe(frame(name, b"body")) == (name, None, b"body")
    found, writer, body = unframe(MARKER + fingerprint(previous) + b"")
    assert (found, body) == (name, b"")
    if fingerprint(previous) != expected:
        assert writer is not None
        assert fingerprint(json.loads(writer)) == fingerprint(previous)


def test_fingerprints_tell_all_schemas_apart() -> None:
    assert len({frame(name, b"") for name in SCHEMAS}) == len(SCHEMAS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fact_comes_back_from_its_frame(kind: str) -> None:
    fact = example_fact(kind, AT_MS)
    name, writer, body = unframe(frame(type(fact).__name__, encode_record(fact)))
    assert decode_fact(name, body, writer) == fact


def test_an_unknown_fingerprint_is_told() -> None:
    with pytest.raises(UnknownFingerprint, match="fingerprint 0102030405060708") as unknown:
        unframe(MARKER + bytes(range(1, 9)) + b"body")
    assert unknown.value.fingerprint == "0102030405060708"


@pytest.mark.parametrize("message", [b"", MARKER, frame("CheckedIn", b"")[: FRAME_BYTES - 1], b"{}", bytes(20)])
def test_what_is_no_frame_is_told(message: bytes) -> None:
    with pytest.raises(NotFramed, match="do not begin with 0xC3 0x01"):
        unframe(message)


def test_a_frame_of_no_schema_of_ours_is_a_programmers_error() -> None:
    with pytest.raises(KeyError, match="CheckedOut"):
        frame("CheckedOut", b"")
