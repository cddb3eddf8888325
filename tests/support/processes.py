"""Runs a program in a process of its own, and waits for its end."""

import subprocess
import sys
from typing import Any, Final

MAIN: Final = "from tallybook.cli.main import main; main()"
MAX_SECONDS: Final = 300.0
_GIVEN: Final[dict[str, Any]] = {
    **dict.fromkeys(("stdout", "stderr"), subprocess.PIPE),
    "stdin": subprocess.DEVNULL,
    "text": True,
    "timeout": MAX_SECONDS,
}


def ended(*command: object, **more: Any) -> subprocess.CompletedProcess[Any]:
    """A program that has run to its end, with nothing at the keyboard; `more` as subprocess.run takes it."""
    return subprocess.run([str(word) for word in command], check=False, **(_GIVEN | more))


def tallybook(folder: object, *arguments: str, **more: Any) -> subprocess.CompletedProcess[Any]:
    """`tallybook -C FOLDER ARGUMENTS`, in a process of its own."""
    return ended(sys.executable, "-c", MAIN, "-C", folder, *arguments, **more)
