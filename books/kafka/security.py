"""Reads from a deployment's client settings how to sign in to Kafka, for libraries that name these settings otherwise.

The names are librdkafka's, as everybody finds them in the documentation of its clients: security.protocol,
sasl.mechanism, sasl.username, sasl.password, ssl.ca.location, ssl.certificate.location, ssl.key.location,
ssl.key.password, ssl.endpoint.identification.algorithm.
"""

import ssl
from collections.abc import Mapping
from typing import Final, NamedTuple

from books.kafka.errors import KafkaRefused

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class Security(NamedTuple):
    """How to sign in: `mechanism` is empty without SASL, `context` None without TLS."""

    mechanism: str = ""
    username: str = ""
    password: str = ""
    context: ssl.SSLContext | None = None


def security_of(settings: Mapping[str, str]) -> Security:
    """What the settings of the Kafka client say of signing in; others are not looked at.

    Raises:
        KafkaRefused: a protocol or mechanism that is not known here, or files that cannot be read.
    """
    protocol = settings.get("security.protocol", "PLAINTEXT").upper()
    if protocol not in PROTOCOLS:
        raise KafkaRefused(f"security.protocol is {protocol!r}: scoring knows {', '.join(PROTOCOLS)}.")
    context = _context(settings) if protocol.endswith("SSL") else None
    if not protocol.startswith("SASL"):
        return Security(context=context)
    mechanism = settings.get("sasl.mechanism", settings.get("sasl.mechanisms", "")).upper()
    if mechanism not in MECHANISMS:
        raise KafkaRefused(f"sasl.mechanism is {mechanism!r}: scoring knows {', '.join(MECHANISMS)}.")
    return Security(mechanism, settings.get("sasl.username", ""), settings.get("sasl.password", ""), context)


def _context(settings: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.get("ssl.ca.location") or None)
        if certificate := settings.get("ssl.certificate.location"):
            context.load_cert_chain(
                certificate, settings.get("ssl.key.location") or None, settings.get("ssl.key.password") or None
            )
    except OSError as error:  # an unreadable file, and what is no certificate: ssl.SSLError is one too
        raise KafkaRefused(f"a certificate or key of the Kafka client's settings cannot be used: {error}.") from error
    if settings.get("ssl.endpoint.identification.algorithm", "").lower() == "none":
        context.check_hostname = False
    return context
