"""Whatever bytes a header or a key has, they are kept as text and come back the same."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from books.kafka.records import ENCODED, header_bytes, header_text, plain_text


@given(st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode)))
@example(b"")
@example(ENCODED.encode())
@example(ENCODED.encode() + b"bS0x")
@example(b"\xff")
def test_bytes_come_back_the_same(value: bytes) -> None:
    text = header_text(value)
    assert header_bytes(text) == value
    text.encode()  # it can be kept


@pytest.mark.parametrize(
    ("value", "kept", "plain"),
    [
        ("é\n".encode(), "é\n", "é\n"),
        (b"base64:eA==", "base64:YmFzZTY0OmVBPT0=", "base64:eA=="),
        (b"m-1\xff", "base64:bS0x/w==", None),
        (None, "", ""),
    ],
)
def test_text_stays_as_it_is(value: bytes | None, kept: str, plain: str | None) -> None:
    assert header_text(value) == kept
    assert plain_text(kept) == plain
