"""Turns headers and keys of messages into text, because rejects keep text, and back into the same bytes."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Final

# What is not UTF-8 stands behind this prefix in base64; so does a text that begins with it, so that none is mistaken.
ENCODED: Final = "base64:"


def header_text(value: bytes | None) -> str:
    """A value as text; none at all is an empty one."""
    if not value:
        return ""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ENCODED
    return ENCODED + b64encode(value).decode() if text.startswith(ENCODED) else text


def header_bytes(text: str) -> bytes:
    """The bytes of which `header_text` made this text."""
    return b64decode(text[len(ENCODED) :]) if text.startswith(ENCODED) else text.encode()


def plain_text(text: str) -> str | None:
    """The text that was sent where `header_text` made this of it; None where it was no UTF-8."""
    if not text.startswith(ENCODED):
        return text
    try:
        return header_bytes(text).decode()
    except UnicodeDecodeError:
        return None
