"""A virtual environment for each peer, because Quix Streams pins another Kafka client than ours and cannot share it.

They stand in Tallybook's cache folder ($TALLYBOOK_CACHE, else $XDG_CACHE_HOME/tallybook, else ~/.cache/tallybook), one
for each peer, text of its pinned requirements and Python; what is there and complete is used again.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from deploy.local.artifacts import cache_folder

VENVS: Final = ("faust", "quix")
INSTALL_SECONDS: Final = 600.0
_REQUIREMENTS: Final = Path(__file__).resolve().parent.parent.parent / "requirements"
_STAMP: Final = ".complete"


class PeerNotInstalled(RuntimeError):
    """A peer's virtual environment could not be made; the message holds what pip said."""


def peer_python(peer: str, tell: Callable[[str], None]) -> Path:
    """The Python of a peer's virtual environment, which is made if it is not there; `tell` hears of it before.

    Raises:
        PeerNotInstalled: pip ended badly or took longer than INSTALL_SECONDS.
        ValueError: there is no such peer.
    """
    if peer not in VENVS:
        raise ValueError(f"there is no peer {peer!r}: choose one of {', '.join(VENVS)}")
    requirements = _REQUIREMENTS / f"bench-{peer}.txt"
    key = sha256(requirements.read_bytes() + sys.version.encode() + sys.base_prefix.encode()).hexdigest()[:12]
    folder = cache_folder().expanduser() / "peers" / f"{peer}-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs on one machine must not install into one folder
        if not (folder / _STAMP).exists():
            tell(f"installing the pinned requirements of the peer {peer} into {folder}")
            shutil.rmtree(folder, ignore_errors=True)  # what an installation that was cut off left behind
            _run([sys.executable, "-m", "venv", str(folder)], peer)
            install = ["install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(requirements)]
            _run([str(folder / "bin" / "python"), "-m", "pip", *install], peer)
            (folder / _STAMP).touch()
    return folder / "bin" / "python"


def versions_in(python: Path, names: tuple[str, ...]) -> str:
    """Names and versions of these distributions in a virtual environment, and its Python's version."""
    program = (
        "import platform, sys; from importlib.metadata import version; "
        "print('Python', platform.python_version() + ',', ', '.join(f'{n} {version(n)}' for n in sys.argv[1:]))"
    )
    return subprocess.run(
        [str(python), "-c", program, *names], check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()


def _run(command: list[str], peer: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired as slow:
        raise PeerNotInstalled(f"the peer {peer} was not installed within {INSTALL_SECONDS:g} s: {command}") from slow
    if done.returncode:
        raise PeerNotInstalled(f"the peer {peer} could not be installed: {command} said\n{done.stdout}{done.stderr}")
