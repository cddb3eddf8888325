"""The files that belong to the project: what git tracks, and what would be added next."""

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@functools.cache
def tracked_files() -> tuple[Path, ...]:
    """Paths relative to the repository, sorted; ignored files are left out, and files deleted but not yet committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return tuple(sorted(Path(name) for name in set(listed.split("\0")) if name and (ROOT / name).is_file()))


def tracked(*suffixes: str) -> list[Path]:
    """Tracked files whose name ends with one of `suffixes` (".py"), relative to the repository."""
    return [path for path in tracked_files() if path.suffix in suffixes]


def read(path: Path) -> str:
    """The text of a tracked file, given relative to the repository."""
    return (ROOT / path).read_text(encoding="utf-8")
