"""Draws the picture of the README from what the program really prints: `python scripts/picture.py docs/demo.svg`."""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

BIN = Path(sys.executable).parent
WIDTH = 108
MAX_EXPLAINED_LINES = 34
# The fonts of the reader's own system: a picture in a repository should fetch nothing from anywhere.
FONTS = '"Fira Code", Menlo, Consolas, "DejaVu Sans Mono", monospace'


def printed(folder: Path, *words: str) -> str:
    """What a tallybook command prints on the demo's folder."""
    command = [str(BIN / "tallybook"), "-C", str(folder), *words]
    result = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return result.stdout.rstrip()


def without_remote_fonts(svg: str) -> str:
    """The same picture without @font-face rules, in fonts that are there."""
    kept, skipping = [], False
    for line in svg.splitlines():
        skipping = skipping or line.strip().startswith("@font-face")
        if not skipping:
            kept.append(line.replace("font-family: Fira Code, monospace", f"font-family: {FONTS}"))
        elif line.strip() == "}":
            skipping = False
    return "\n".join(kept) + "\n"


def main() -> None:
    """Make a demo in a temporary folder and draw a leaderboard and an explained event of it."""
    target = Path(sys.argv[1])
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "demo"
        command = [str(BIN / "tallybook"), "demo", "--folder", str(folder)]
        demo = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
        event = next(line.split()[-1] for line in demo.stdout.splitlines() if " explain " in line)
        shown = (
            ("leaderboard --period month --at 2025-11-01 --limit 5", None),
            (f"explain {event}", MAX_EXPLAINED_LINES),
        )
        for words, most in shown:
            console.print(Text(f"$ tallybook {words}", style="bold green"))
            lines = printed(folder, *words.split()).splitlines()
            console.print(Text("\n".join(lines[:most])))
            console.print()
    target.write_text(without_remote_fonts(console.export_svg(title="tallybook", theme=MONOKAI)), encoding="utf-8")


if __name__ == "__main__":
    main()
