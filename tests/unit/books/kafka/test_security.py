"""What a deployment says once of signing in to Kafka is understood for Faust too, or refused by name."""

from pathlib import Path

import pytest

from books.kafka.errors import KafkaRefused
from books.kafka.security import Security, security_of


def test_nothing_said_is_plain() -> None:
    assert security_of({}) == Security()
    assert security_of({"fetch.wait.max.ms": "5"}) == Security()


@pytest.mark.parametrize("mechanism", ["PLAIN", "scram-sha-256", "SCRAM-SHA-512"])
def test_a_user_with_a_password(mechanism: str) -> None:
    said = {"security.protocol": "sasl_plaintext", "sasl.mechanism": mechanism, "sasl.username": "tally"}
    assert security_of(said | {"sasl.password": "secret"}) == Security(mechanism.upper(), "tally", "secret")


def test_tls_checks_the_host_unless_told_otherwise() -> None:
    said = {"security.protocol": "SASL_SSL", "sasl.mechanisms": "PLAIN"}
    checked = security_of(said).context
    assert checked is not None
    assert checked.check_hostname
    unchecked = security_of(said | {"ssl.endpoint.identification.algorithm": "none"}).context
    assert unchecked is not None
    assert not unchecked.check_hostname


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"security.protocol": "KERBEROS"}, "security.protocol"),
        ({"security.protocol": "SASL_SSL"}, "sasl.mechanism"),
        ({"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "GSSAPI"}, "GSSAPI"),
    ],
)
def test_what_is_not_known_is_named(said: dict[str, str], named: str) -> None:
    with pytest.raises(KafkaRefused, match=named):
        security_of(said)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KafkaRefused, match="certificate or key"):
        security_of({"security.protocol": "SSL", "ssl.ca.location": str(tmp_path / "ca.pem")})
