"""Pins the requirements of pyproject.toml in requirements/*.txt: with hashes, for every system and Python at once.

    python scripts/pin.py [--upgrade]     needs uv on the PATH, and Python 3.11 or later

Pins that still fit stay as they are; with --upgrade each becomes the newest that its requirement allows. A later file
takes the pins of the files before it, so that all of them can be installed into one virtual environment.
"""

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "requirements"

# Each pinned file, and the files whose pins it takes. Its requirements are the extra or the dependency group of its
# name; `runtime` has those of the distribution and the build backend, so that installing the project itself needs no
# download.
FILES: dict[str, tuple[str, ...]] = {
    "runtime": (),
    "stream": ("runtime",),
    "report": ("runtime", "stream"),
    "dev": ("runtime", "stream", "report"),
    "real": ("runtime",),
    "bench-faust": ("runtime", "stream"),
    "bench-quix": (),
}

# Without the address of an index in what it writes, so that a mirror can serve the file as well.
COMPILE = "uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet"


def requirements_of(name: str, pyproject: dict[str, Any]) -> list[str]:
    """The requirements that requirements/`name`.txt pins."""
    if name == "runtime":
        return [*pyproject["project"]["dependencies"], *pyproject["build-system"]["requires"]]
    extras, groups = pyproject["project"]["optional-dependencies"], pyproject["dependency-groups"]
    return list(extras[name] if name in extras else groups[name])


def main() -> None:
    """Compile every file; ends with uv's message and exit code at the first that cannot be resolved."""
    parser = argparse.ArgumentParser(description="Pin the requirements of pyproject.toml in requirements/*.txt.")
    parser.add_argument("--upgrade", action="store_true", help="pin the newest allowed, not what is pinned already")
    upgrade = ["--upgrade"] if parser.parse_args().upgrade else []
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for name, earlier in FILES.items():
        constraints = [word for other in earlier for word in ("--constraint", f"{other}.txt")]
        done = subprocess.run(
            [*COMPILE.split(), *upgrade, *constraints, "-", "--output-file", f"{name}.txt"],
            cwd=FOLDER,  # so that the comments in a file name the others without their folder
            input="\n".join(requirements_of(name, pyproject)),
            stdout=subprocess.DEVNULL,  # the same as in the file
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(done.returncode)


if __name__ == "__main__":
    main()
