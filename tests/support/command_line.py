"""Runs the command line in this process, as a person would type it: what it prints, and how it ends."""

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallybook.cli.main import main


@dataclass(frozen=True)
class Ran:
    """How a command ended, and the bytes of its two outputs."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def err(self) -> str:
        return self.stderr.decode()

    def json(self) -> Any:
        """The output as JSON, of a command that did its work (or found something)."""
        assert self.code in {0, 3, 4}, self.err
        return json.loads(self.stdout)


def run(folder: Path, *arguments: str, stdin: bytes = b"") -> Ran:
    """`tallybook -C FOLDER ARGUMENTS`, with `stdin` as standard input."""
    out, err = io.BytesIO(), io.BytesIO()
    typed, printed, told = (io.TextIOWrapper(raw, "utf-8", write_through=True) for raw in (io.BytesIO(stdin), out, err))
    with (
        _typed(["tallybook", "-C", str(folder), *arguments], typed),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(told),
    ):
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    # Read while the streams above are there: a stream that goes away closes what lies below it.
    return Ran(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _typed(words: list[str], stdin: io.TextIOWrapper) -> Iterator[None]:
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = words, stdin
    try:
        yield
    finally:
        sys.argv, sys.stdin = before
