"""Frames messages of our own schemas as Avro single objects: ten bytes before a body say which schema wrote it.

Source: Apache Avro 1.12 specification, "Single-object encoding" and "Schema fingerprints". The fingerprint is the
CRC-64-AVRO of the schema's parsing canonical form, least significant byte first.
"""

import json
from functools import cache
from typing import Final

from schemas.avro.codecs import fingerprint
from schemas.avro.contracts import PREVIOUS, SCHEMAS, load_schema

MARKER: Final = b"\xc3\x01"
FRAME_BYTES: Final = 10


class NotFramed(ValueError):
    """The bytes do not begin as a single-object message does, or end within its first FRAME_BYTES bytes."""


class UnknownFingerprint(ValueError):
    """A message names a schema that is none of ours; `fingerprint` is its eight bytes as hex, as they stand there."""

    def __init__(self, fingerprint: str) -> None:
        super().__init__(f"no schema of ours has the fingerprint {fingerprint}")
        self.fingerprint = fingerprint


def frame(name: str, body: bytes) -> bytes:
    """A single-object message of a body that was written under our present schema `name`; KeyError if there is none."""
    return _prefix(name) + body


def unframe(message: bytes) -> tuple[str, str | None, bytes]:
    """The name of a message's schema, the schema as JSON where it is our previous one (None: the present), its body.

    The second is what the decoders in `codecs` take as `writer_schema`. Raises NotFramed, UnknownFingerprint.
    """
    known = _known().get(message[:FRAME_BYTES])
    if known is not None:
        return known[0], known[1], message[FRAME_BYTES:]
    if len(message) < FRAME_BYTES or not message.startswith(MARKER):
        raise NotFramed(f"{len(message)} bytes that do not begin with 0xC3 0x01 and a fingerprint of 8 bytes")
    raise UnknownFingerprint(message[len(MARKER) : FRAME_BYTES].hex())


@cache
def _prefix(name: str) -> bytes:
    if name not in SCHEMAS:
        raise KeyError(f"no Avro schema is called {name}")
    return MARKER + fingerprint(load_schema(name))


@cache
def _known() -> dict[bytes, tuple[str, str | None]]:
    """What each beginning of a message says; where a schema did not change, its previous version is the present one."""
    known: dict[bytes, tuple[str, str | None]] = {}
    for name in SCHEMAS:
        previous = load_schema(name, version=PREVIOUS)
        known[MARKER + fingerprint(previous)] = (name, json.dumps(previous, ensure_ascii=False))
    return known | {_prefix(name): (name, None) for name in SCHEMAS}
