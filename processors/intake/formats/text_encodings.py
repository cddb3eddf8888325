"""Text in other encodings as UTF-8."""

import codecs
import io
from typing import BinaryIO, Final

from processors.intake.formats.likely_encoding import PYTHON_NAMES
from processors.intake.mapping import Encoding

UTF_16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What stands for bytes that are no character of the encoding.
UNREADABLE: Final = "\ufffd"
UNREADABLE_BYTES: Final = UNREADABLE.encode()

_CHUNK: Final = 1 << 16
# So many letters beyond ASCII that are sound UTF-8 are no chance: in Western languages one, as nobody writes `Ã¼`.
_BY_CHANCE: Final[dict[Encoding, int]] = {
    **dict.fromkeys(("windows-1250", "windows-1252", "windows-1254", "cp850", "mac-roman"), 0),
    **dict.fromkeys(("windows-1251", "windows-1253"), 2),
    **dict.fromkeys(("gb18030", "big5", "shift-jis", "euc-jp", "euc-kr"), 7),
}


class _Recoded(io.RawIOBase):
    """A stream of text in an encoding, read as UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._waiting = b""

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the buffer is only written to
        """Give as many bytes as there are, at most as many as the buffer has room for."""
        while not self._waiting:
            chunk = self._stream.read(_CHUNK)
            self._waiting = self._decoder.decode(chunk, final=not chunk).encode("utf-8", "replace")
            if not chunk:
                break
        given, self._waiting = self._waiting[: len(buffer)], self._waiting[len(buffer) :]
        buffer[: len(given)] = given
        return len(given)


def is_utf_8_instead(stream: BinaryIO, encoding: Encoding) -> bool:
    """Whether a stream at its beginning holds UTF-8 without a mark, although another encoding is said."""
    if encoding not in _BY_CHANCE:
        return False
    head = stream.read(_CHUNK)
    stream.seek(0)
    if head.startswith((codecs.BOM_UTF8, *UTF_16_MARKS)):
        return False  # the mark goes before what is said
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head, final=False)
    except UnicodeDecodeError:
        return False
    return sum(not one.isascii() for one in text) > _BY_CHANCE[encoding]


def as_utf_8(stream: BinaryIO, encoding: Encoding) -> BinaryIO:
    """The same text in UTF-8, from a stream at its beginning; a byte order mark there goes before the encoding said.

    What is no text in the encoding stands as UNREADABLE in it. UTF-16 without a mark is read by its first character,
    which in a table is one of ASCII more often than not.
    """
    head = stream.read(4)
    stream.seek(0)
    if head.startswith(codecs.BOM_UTF8):
        return stream
    name = PYTHON_NAMES.get(encoding, encoding)
    if head.startswith(UTF_16_MARKS):
        name = "utf-16"
    elif encoding == "utf-16":
        name = "utf-16-be" if head[:1] == b"\x00" else "utf-16-le"
    return stream if name == "utf-8" else io.BufferedReader(_Recoded(stream, name), _CHUNK)
