"""Whose bytes go into the journal as they came: only those that say the very fact that was admitted."""

import pytest

from processors.stream.message_door import MessageDoor
from schemas.avro.codecs import decode_published
from tests.fakes.registry import FakeSchemas
from tests.support.encodings import as_given, own, plain_json
from tests.support.fact_samples import CHECK_IN, admitted


def test_a_body_in_our_own_schema_is_kept_as_it_came() -> None:
    schemas = FakeSchemas()
    door = MessageDoor(schemas)
    value, headers = own(as_given(CHECK_IN), schemas)
    fact = admitted(door.admit(value, headers, ""))
    assert door.body is not None
    assert decode_published("CheckedIn", door.body) == fact


@pytest.mark.parametrize("written", [" m-1", "m-1\u3000"])
def test_a_body_with_blanks_around_its_ids_is_written_anew(written: str) -> None:
    schemas = FakeSchemas()
    door = MessageDoor(schemas)
    value, headers = own(as_given(CHECK_IN) | {"member_id": written}, schemas)
    fact = admitted(door.admit(value, headers, ""))
    assert fact == admitted(door.admit(*plain_json(as_given(CHECK_IN), schemas), ""))
    door.admit(value, headers, "")
    assert door.body is None


def test_no_body_is_kept_of_json_or_of_a_refusal() -> None:
    schemas = FakeSchemas()
    door = MessageDoor(schemas)
    door.admit(*own(as_given(CHECK_IN), schemas), "")
    door.admit(*plain_json(CHECK_IN, schemas), "")
    assert door.body is None
    door.admit(*own(as_given(CHECK_IN) | {"member_id": "a\nb"}, schemas), "")
    assert door.body is None
